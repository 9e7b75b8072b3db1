"""CREATE TABLE statements, as Athena and Hive have them, to what Glue's CreateTable takes.

    CREATE EXTERNAL TABLE demo.ticks (ticker_symbol string, price double) PARTITIONED BY (sector string) …;

What is not needed to write files (SERDE, LOCATION, TBLPROPERTIES, …) is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from millstream.cli.errors import CommandError

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_CREATE = re.compile(r"\s*CREATE\s+(?:EXTERNAL\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?([`\w.]+)\s*", re.IGNORECASE)
_PARTITIONED = re.compile(r"\bPARTITIONED\s+BY\s*(?=\()", re.IGNORECASE)
_COLUMN = re.compile(r"\s*(?:`([^`]+)`|(\w+))\s+(.+?)\s*(?:\bCOMMENT\s+'.*')?\s*", re.IGNORECASE | re.DOTALL)
_CLOSING = {"(": ")", "<": ">"}

Column = dict[str, str]


def parse_ddl(text: str) -> list[dict[str, Any]]:
    """What CreateTable takes (DatabaseName, TableInput), a dict a statement. Raises CommandError."""
    text = _COMMENT.sub(" ", text)
    statements = [_statement(part) for part in text.split(";") if part.strip()]
    if not statements:
        raise CommandError("there is no CREATE TABLE statement in it")
    return statements


def _statement(text: str) -> dict[str, Any]:
    found = _CREATE.match(text)
    if found is None:
        raise CommandError(f"{_shown(text)} is no CREATE TABLE statement")
    database, _, name = found.group(1).replace("`", "").rpartition(".")
    if not database:
        raise CommandError(f"name the database, too: CREATE TABLE database.{name} (…)")
    columns, end = _columns(text, found.end())
    partitioned = _PARTITIONED.search(text, end)
    keys = _columns(text, partitioned.end())[0] if partitioned else []
    table = {"Name": name, "StorageDescriptor": {"Columns": columns}, "PartitionKeys": keys}
    return {"DatabaseName": database, "TableInput": table}


def _columns(text: str, start: int) -> tuple[list[Column], int]:
    """The columns in the parentheses at `start`, and where these end."""
    if text[start : start + 1] != "(":
        raise CommandError(f"{_shown(text)} has no columns: they stand in parentheses after the table's name")
    columns = []
    end = start + 1
    for end in _ends(text, start + 1):
        found = _COLUMN.fullmatch(text[start + 1 : end])
        if found is None:
            raise CommandError(f"{_shown(text[start + 1 : end])} is no column: it must be a name and a type")
        quoted, plain, type_ = found.groups()
        type_ = re.sub(r"\s*([<>(),:])\s*", r"\1", type_)
        columns.append({"Name": quoted or plain, "Type": " ".join(type_.lower().split())})
        start = end
    return columns, end + 1


def _ends(text: str, position: int) -> Iterator[int]:
    """Where the columns end that begin at `position`: at the commas that are in no brackets or quotes, and at `)`."""
    open_: list[str] = []
    while position < len(text):
        character = text[position]
        if character == "'":
            position = text.find("'", position + 1)
            if position < 0:
                break
        elif character in _CLOSING:
            open_.append(_CLOSING[character])
        elif open_ and character == open_[-1]:
            open_.pop()
        elif not open_ and character in ",)":
            yield position
            if character == ")":
                return
        position += 1
    raise CommandError(f"{_shown(text)} ends within its columns")


def _shown(text: str) -> str:
    words = " ".join(text.split())
    return repr(words if len(words) <= 60 else f"{words[:60]}…")
