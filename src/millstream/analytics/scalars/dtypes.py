"""How values of SQL's types lie in Polars columns (the table is in `types`)."""

from __future__ import annotations

import polars as pl

from millstream.analytics.scalars.types import Kind, SqlType, digits

_PLAIN: dict[Kind, pl.DataType] = {
    Kind.BOOLEAN: pl.Boolean(),
    Kind.TINYINT: pl.Int8(),
    Kind.SMALLINT: pl.Int16(),
    Kind.INTEGER: pl.Int32(),
    Kind.BIGINT: pl.Int64(),
    Kind.REAL: pl.Float32(),
    Kind.DOUBLE: pl.Float64(),
    Kind.CHAR: pl.String(),
    Kind.VARCHAR: pl.String(),
    Kind.BINARY: pl.Binary(),
    Kind.VARBINARY: pl.Binary(),
    Kind.DATE: pl.Date(),
    Kind.TIME: pl.Time(),
    Kind.TIMESTAMP: pl.Datetime("ms"),
    Kind.INTERVAL_DAY: pl.Int64(),
    Kind.INTERVAL_YEAR: pl.Int64(),
    Kind.NULL: pl.String(),
}


def dtype(of: SqlType) -> pl.DataType:
    """The Polars type of a column of this type."""
    if of.kind is Kind.DECIMAL:
        return pl.Decimal(*digits(of))
    if of.kind is Kind.RECORD:
        return pl.Struct({name: pl.String() for name in of.fields})
    return _PLAIN[of.kind]
