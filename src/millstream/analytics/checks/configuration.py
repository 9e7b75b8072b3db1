"""How many parts an application may have, and what they may be called.

Source: developer guide, "Limits"; API reference, Input and RecordColumn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from millstream.analytics.model import Application
from millstream.analytics.parts import source_streams
from millstream.analytics.records.paths import InvalidSchema, parse_path
from millstream.analytics.records.schema import JsonFormat, RecordColumn, Schema
from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.types import parse_type
from millstream.wire.faults import InvalidArgumentException

INPUTS_MAX = 1
REFERENCES_MAX = 1
OUTPUTS_MAX = 3
"""At first it was four."""

_ERROR_STREAM = "error_stream"
_OBJECT_ARN = re.compile(r"arn:[^:]+:s3:::[^/]+")


def check_configuration(application: Application, *, limits_aws: bool) -> None:
    """Raises InvalidArgumentException. `limits_aws` False: as many outputs as you like."""
    _check_count("input", len(application.inputs), INPUTS_MAX)
    _check_count("reference table", len(application.references), REFERENCES_MAX)
    if limits_aws:
        _check_count("output", len(application.outputs), OUTPUTS_MAX)
    _check_names(application)
    for one in application.inputs:
        _check_schema(f"input {one.input_id}", one.schema)
    for reference in application.references:
        _check_schema(f"reference table {reference.table_name}", reference.schema)
        if not _OBJECT_ARN.fullmatch(reference.bucket_arn):
            raise InvalidArgumentException(
                f"BucketARN {reference.bucket_arn} is not the ARN of a bucket: it must be like arn:aws:s3:::name."
            )


def _check_count(what: str, count: int, most: int) -> None:
    if count > most:
        raise InvalidArgumentException(
            f"An application can have {most} {what}{'s' if most > 1 else ''}; with this call it would have {count}."
        )


def _check_names(application: Application) -> None:
    """In-application streams and tables that the configuration makes have names of their own."""
    names = [name for one in application.inputs for name in source_streams(one)]
    names += [one.table_name for one in application.references]
    for name in names:
        if name == _ERROR_STREAM or names.count(name) > 1:
            raise InvalidArgumentException(f"{name} names two things of the application: give one another name.")
    written = {one.name for one in application.outputs} & {one.table_name for one in application.references}
    if written:
        raise InvalidArgumentException(f"{min(written)} is a reference table: only streams can be outputs.")


def _check_schema(what: str, schema: Schema) -> None:
    _check_unique(what, (column.name for column in schema.columns))
    for column in schema.columns:
        try:
            parse_type(column.sql_type)
        except Mistake as mistake:
            raise InvalidArgumentException(
                f"SqlType of column {column.name} of {what}: {mistake.message} ({mistake.hint})"
            ) from None
    if isinstance(schema.format, JsonFormat):
        _check_path(f"RecordRowPath of {what}", schema.format.record_row_path)
        for column in schema.columns:
            _check_mapping(what, column)


def _check_mapping(what: str, column: RecordColumn) -> None:
    if not column.mapping:
        raise InvalidArgumentException(
            f"Column {column.name} of {what} needs a Mapping, such as $.{column.name}: the format is JSON."
        )
    _check_path(f"Mapping of column {column.name} of {what}", column.mapping)


def _check_path(what: str, path: str) -> None:
    try:
        parse_path(path)
    except InvalidSchema as problem:
        raise InvalidArgumentException(f"{what}: {problem}") from None


def _check_unique(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidArgumentException(f"The schema of {what} has two columns with the name {name}.")
        seen.add(name)
