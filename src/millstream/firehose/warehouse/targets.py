"""The target of a COPY: the table's columns that are loaded, in order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from millstream.firehose.ports import DeliveryError
from millstream.firehose.warehouse.columns import TargetColumn
from millstream.firehose.warehouse.names import quote

CATALOG_COLUMNS = "column_name, data_type, is_nullable, character_maximum_length, numeric_precision, numeric_scale"
"""What `from_catalog` takes from information_schema.columns."""

LOADS_TABLE = "millstream_loads"
"""The table in which objects that were loaded are recorded, in the transaction that loads them.

It lets a COPY that is repeated after a crash find that it has been done. Rows of objects that are long since delivered
may be deleted.
"""
CREATE_LOADS_TABLE = (
    f"CREATE TABLE IF NOT EXISTS {LOADS_TABLE} "
    "(object_url varchar PRIMARY KEY, table_name varchar NOT NULL, loaded_at timestamp NOT NULL)"
)

_PRECISION = re.compile(r"\(.*\)")


def from_catalog(rows: Iterable[Sequence[Any]]) -> list[TargetColumn]:
    """Target columns from rows of CATALOG_COLUMNS."""
    return [
        TargetColumn(
            name=name,
            type=_PRECISION.sub("", data_type).strip().lower(),
            nullable=nullable == "YES",
            size_bytes_max=size,
            precision=precision,
            scale=scale,
        )
        for name, data_type, nullable, size, precision, scale in rows
    ]


def choose(columns: list[TargetColumn], listed: list[str], table: str) -> list[TargetColumn]:
    """The columns of a table that are listed, in that order; all, if none are.

    Raises DeliveryError (Redshift.TableNotFound, Redshift.ColumnNotFound).
    """
    if not columns:
        raise DeliveryError(
            "Redshift.TableNotFound", f"The table to which to load data was not found: create the table {table} first."
        )
    if not listed:
        return columns
    by_name = {column.name.lower(): column for column in columns} | {column.name: column for column in columns}
    missing = [name for name in listed if name not in by_name]
    if missing:
        raise DeliveryError(
            "Redshift.ColumnNotFound", f"The table {table} has no column {missing[0]}. Specify a valid column name."
        )
    return [by_name[name] for name in listed]


def column_list(columns: list[TargetColumn]) -> str:
    """The columns as SQL."""
    return ", ".join(quote(column.name) for column in columns)
