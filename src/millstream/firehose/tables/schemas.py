"""Schemas of Iceberg tables and of table definitions, from one to the other by way of Hive's types."""

from __future__ import annotations

import pyarrow as pa
from pyiceberg.schema import Schema
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
)

from millstream.firehose.formats import hive
from millstream.firehose.ports import Column, DeliveryError

INVALID_SCHEMA = "Iceberg.InvalidSchema"

_SCALARS: dict[type[IcebergType], str] = {
    BooleanType: "boolean",
    IntegerType: "int",
    LongType: "bigint",
    FloatType: "float",
    DoubleType: "double",
    StringType: "string",
    BinaryType: "binary",
    DateType: "date",
    TimestampType: "timestamp",
    TimestamptzType: "timestamp",
}


def columns_of(schema: Schema) -> list[Column]:
    """A table's columns with Hive's types. Raises DeliveryError for types that cannot be delivered to (uuid, time)."""
    return [Column(field.name, _hive_type(field.field_type, field.name)) for field in schema.fields]


def _hive_type(kind: IcebergType, name: str) -> str:
    match kind:
        case DecimalType():
            return f"decimal({kind.precision},{kind.scale})"
        case ListType():
            return f"array<{_hive_type(kind.element_type, name)}>"
        case MapType():
            return f"map<{_hive_type(kind.key_type, name)},{_hive_type(kind.value_type, name)}>"
        case StructType():
            members = (f"{field.name}:{_hive_type(field.field_type, name)}" for field in kind.fields)
            return f"struct<{','.join(members)}>"
    if type(kind) not in _SCALARS:
        raise DeliveryError(INVALID_SCHEMA, f"Column {name} has the type {kind}, which cannot be delivered to.")
    return _SCALARS[type(kind)]


def arrow_schema(columns: list[Column]) -> pa.Schema:
    """The schema of a table to be made from a table definition. Raises DeliveryError."""
    try:
        return pa.schema([(column.name, hive.arrow_type(hive.parse_type(column.type))) for column in columns])
    except hive.TypeInvalid as error:
        raise DeliveryError(INVALID_SCHEMA, f"The table definition is invalid. {error}") from error
