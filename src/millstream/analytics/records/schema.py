"""The schema of an input or of a reference table: InputSchema (SourceSchema) of the API, decoded."""

from __future__ import annotations

import msgspec


class RecordColumn(msgspec.Struct, frozen=True, kw_only=True):
    """RecordColumn: `mapping` is a JSON path ("$.a.b") for JSON; for CSV the column's number from 0 or nothing (its
    place)."""

    name: str
    sql_type: str
    mapping: str | None = None


class JsonFormat(msgspec.Struct, frozen=True, tag="JSON"):
    """JSONMappingParameters: the path of the rows within a record ("$": the record is the row; "$.items[0:]": rows
    in an array)."""

    record_row_path: str = "$"


class CsvFormat(msgspec.Struct, frozen=True, tag="CSV"):
    """CSVMappingParameters."""

    row_delimiter: str = "\n"
    column_delimiter: str = ","


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """How records become rows."""

    columns: tuple[RecordColumn, ...]
    format: JsonFormat | CsvFormat = JsonFormat()
    encoding: str = "UTF-8"
