"""The columns of a schema, their types understood."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from millstream.analytics.records.paths import InvalidSchema
from millstream.analytics.records.schema import RecordColumn, Schema
from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.types import SqlType, parse_type


class TypedColumn(NamedTuple):
    """A column of a schema: `dtype` is how polars keeps it."""

    name: str
    type: SqlType
    dtype: pl.DataType
    mapping: str | None


def typed_columns(schema: Schema) -> tuple[TypedColumn, ...]:
    """The columns of a schema. Raises InvalidSchema for an unknown type, two columns of one name, and no column."""
    if not schema.columns:
        raise InvalidSchema("A schema needs at least one column")
    names = [column.name for column in schema.columns]
    for name in names:
        if names.count(name) > 1:
            raise InvalidSchema(f"Two columns of the schema have the name {name!r}: rename one")
    return tuple(_typed(column) for column in schema.columns)


def _typed(column: RecordColumn) -> TypedColumn:
    try:
        found = parse_type(column.sql_type)
    except Mistake as mistake:
        hint = f" ({mistake.hint})" if mistake.hint else ""
        raise InvalidSchema(f"Column {column.name}: {mistake.message}{hint}") from None
    return TypedColumn(column.name, found, dtype(found), column.mapping)
