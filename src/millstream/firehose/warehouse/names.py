"""Names in a COPY command: tables and columns, quoted or not."""

from __future__ import annotations

import re
from typing import NamedTuple

from millstream.firehose.ports import DeliveryError

_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*)'
_TABLE = re.compile(rf"\s*{_NAME}(?:\s*\.\s*{_NAME}){{0,2}}\s*")
_COLUMNS = re.compile(rf"\s*\(?\s*{_NAME}(?:\s*,\s*{_NAME})*\s*\)?\s*")


class TableName(NamedTuple):
    """A table, and where it was said to be."""

    database: str | None
    schema: str | None
    table: str

    def quoted(self) -> str:
        """The name as SQL."""
        return ".".join(quote(part) for part in self if part is not None)


def quote(name: str) -> str:
    """A name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def _fold(name: str) -> str:
    """A name as the warehouse knows it: in lower case, unless it was quoted."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def parse_table(text: str) -> TableName:
    """Read DataTableName: [database.][schema.]table. Raises DeliveryError (Redshift.SyntaxError)."""
    if not _TABLE.fullmatch(text):
        raise DeliveryError("Redshift.SyntaxError", f"DataTableName is not the name of a table: {text!r}.")
    parts: list[str | None] = [_fold(part) for part in re.findall(_NAME, text)]
    database, schema, table = [None] * (3 - len(parts)) + parts
    return TableName(database, schema, str(table))


def parse_columns(text: str) -> list[str]:
    """Read DataTableColumns: names with commas between them. Raises DeliveryError (Redshift.SyntaxError)."""
    if not text.strip():
        return []
    if not _COLUMNS.fullmatch(text):
        raise DeliveryError("Redshift.SyntaxError", f"DataTableColumns is not a list of columns: {text!r}.")
    return [_fold(name) for name in re.findall(_NAME, text)]
