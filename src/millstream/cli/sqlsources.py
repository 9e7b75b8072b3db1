"""What `millstream sql` is given: programs, schemas, reference tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from millstream.analytics.records.schema import CsvFormat, JsonFormat, RecordColumn, Schema
from millstream.analytics.templates import template, templates
from millstream.cli.errors import CommandError, UsageError

SAMPLE_RECORDS = 1000

DEMO_SCHEMA = Schema(
    columns=(
        RecordColumn(name="TICKER_SYMBOL", sql_type="VARCHAR(4)", mapping="$.TICKER_SYMBOL"),
        RecordColumn(name="SECTOR", sql_type="VARCHAR(16)", mapping="$.SECTOR"),
        RecordColumn(name="CHANGE", sql_type="REAL", mapping="$.CHANGE"),
        RecordColumn(name="PRICE", sql_type="REAL", mapping="$.PRICE"),
    )
)
"""The schema of kinesis-analytics-demo-stream."""


def read_program(path: Path) -> str:
    """The text of a program: a file's, stdin's, or a template's by its name. Raises CommandError."""
    if str(path) != "-" and not path.exists() and (found := template(str(path))) is not None:
        return found.code
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text()
    except OSError as error:
        names = ", ".join(one.name for one in templates())
        raise CommandError(f"{path}: {error.strerror} (templates are {names})") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not a text in UTF-8") from error


def read_schema(path: Path) -> Schema:
    """The schema in a file: InputSchema of the API, or what DiscoverInputSchema answers. Raises CommandError."""
    try:
        document = json.loads(path.read_text())
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise CommandError(f"{path} is not JSON: {error}") from error
    try:
        return schema_of(document.get("InputSchema", document))
    except (KeyError, TypeError, AttributeError) as error:
        raise CommandError(
            f"{path} is not an InputSchema: it needs RecordFormat and RecordColumns with Name and SqlType ({error!r})"
        ) from error


def schema_of(members: dict[str, Any]) -> Schema:
    """A SourceSchema of the API. Raises KeyError, TypeError, AttributeError for what is none."""
    parameters = members["RecordFormat"].get("MappingParameters", {})
    csv = parameters.get("CSVMappingParameters", {})
    record_format: JsonFormat | CsvFormat
    if members["RecordFormat"]["RecordFormatType"] == "CSV":
        record_format = CsvFormat(csv.get("RecordRowDelimiter", "\n"), csv.get("RecordColumnDelimiter", ","))
    else:
        record_format = JsonFormat(parameters.get("JSONMappingParameters", {}).get("RecordRowPath", "$"))
    columns = tuple(
        RecordColumn(name=column["Name"], sql_type=column["SqlType"], mapping=column.get("Mapping"))
        for column in members["RecordColumns"]
    )
    return Schema(columns=columns, format=record_format, encoding=members.get("RecordEncoding") or "UTF-8")


def discovered(records: list[bytes], what: str) -> Schema:
    """The schema that records seem to have. Raises CommandError."""
    from millstream.analytics.records.discovery import UnableToDetect, discover  # noqa: PLC0415 - loads Polars

    try:
        return discover(records).schema
    except UnableToDetect as error:
        raise CommandError(f"the schema of {what} cannot be told: {error}; give --schema") from error


def read_tables(references: list[str]) -> dict[str, tuple[Schema, bytes]]:
    """The reference tables of NAME=FILE options: CSV with a line of names, or JSON, by the file's ending."""
    return dict(_read_table(option) for option in references)


def _read_table(option: str) -> tuple[str, tuple[Schema, bytes]]:
    name, equals, file = option.partition("=")
    if not equals or not name:
        raise UsageError(f"--reference {option}: it has to be NAME=FILE")
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error
    if file.endswith((".json", ".jsonl")):
        return name, (discovered(content.splitlines()[:SAMPLE_RECORDS], file), content)
    head, _, rest = content.partition(b"\n")
    names = [column.strip().strip('"') for column in head.decode(errors="replace").split(",")]
    guessed = discovered(rest.splitlines()[:SAMPLE_RECORDS], file)
    if len(guessed.columns) != len(names):
        raise CommandError(f"{file} has {len(guessed.columns)} columns under {len(names)} names in its first line")
    columns = tuple(
        RecordColumn(name=own.upper(), sql_type=column.sql_type, mapping=column.mapping)
        for own, column in zip(names, guessed.columns, strict=True)
    )
    return name, (Schema(columns=columns, format=guessed.format), rest)


def counted(count: int, thing: str) -> str:
    """So many things: "1 pump", "2 pumps"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
