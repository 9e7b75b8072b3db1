"""InputSchema and ReferenceSchema (SourceSchema of the API): given, updated, described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from millstream.analytics.records.schema import CsvFormat, JsonFormat, RecordColumn, Schema
from millstream.wire.faults import InvalidArgumentException

Params = Mapping[str, Any]

_MAPPINGS = {"JSON": "JSONMappingParameters", "CSV": "CSVMappingParameters"}


def schema_of(given: Params) -> Schema:
    """The schema that a SourceSchema says. Raises InvalidArgumentException."""
    return Schema(
        columns=_columns(given["RecordColumns"]),
        format=_format(given["RecordFormat"]),
        encoding=given.get("RecordEncoding", "UTF-8"),
    )


def updated_schema(before: Schema, update: Params) -> Schema:
    """The schema after an InputSchemaUpdate. Raises InvalidArgumentException."""
    changes: dict[str, Any] = {}
    if "RecordFormatUpdate" in update:
        changes["format"] = _format(update["RecordFormatUpdate"])
    if "RecordEncodingUpdate" in update:
        changes["encoding"] = update["RecordEncodingUpdate"]
    if "RecordColumnUpdates" in update:
        changes["columns"] = _columns(update["RecordColumnUpdates"])
    return replace(before, **changes)


def describe_schema(schema: Schema) -> dict[str, Any]:
    """SourceSchema."""
    return {
        "RecordFormat": _describe_format(schema.format),
        "RecordEncoding": schema.encoding,
        "RecordColumns": [
            {"Name": column.name, "Mapping": column.mapping, "SqlType": column.sql_type} for column in schema.columns
        ],
    }


def _columns(given: Sequence[Params]) -> tuple[RecordColumn, ...]:
    return tuple(
        RecordColumn(name=column["Name"], sql_type=column["SqlType"], mapping=column.get("Mapping")) for column in given
    )


def _format(given: Params) -> JsonFormat | CsvFormat:
    kind = given["RecordFormatType"]
    mappings = given.get("MappingParameters", {})
    others = sorted(mappings.keys() - {_MAPPINGS[kind]})
    if others:
        raise InvalidArgumentException(
            f"RecordFormatType is {kind}, which goes with {_MAPPINGS[kind]}, but {others[0]} is given."
        )
    mapping = mappings.get(_MAPPINGS[kind])
    if kind == "JSON":
        return JsonFormat(mapping["RecordRowPath"]) if mapping else JsonFormat()
    return CsvFormat(mapping["RecordRowDelimiter"], mapping["RecordColumnDelimiter"]) if mapping else CsvFormat()


def _describe_format(form: JsonFormat | CsvFormat) -> dict[str, Any]:
    if isinstance(form, JsonFormat):
        kind, mapping = "JSON", {"RecordRowPath": form.record_row_path}
    else:
        kind = "CSV"
        mapping = {"RecordRowDelimiter": form.row_delimiter, "RecordColumnDelimiter": form.column_delimiter}
    return {"RecordFormatType": kind, "MappingParameters": {_MAPPINGS[kind]: mapping}}
