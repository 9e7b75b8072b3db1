"""Columns as arrays that can be computed with, and back.

int64: whole numbers, booleans, times as they lie in memory, decimals without their point | float64: REAL, DOUBLE
objects: strings, binary strings, records
"""

from __future__ import annotations

import decimal
from typing import Any

import numpy as np
import polars as pl

from millstream.analytics.operators.rings import Array, Bools


def storage(dtype: pl.DataType) -> np.dtype[Any]:
    """The type of an array of a column's values."""
    if dtype.is_float():
        return np.dtype(np.float64)
    return np.dtype(object) if dtype in (pl.String, pl.Binary) or dtype.is_nested() else np.dtype(np.int64)


def to_array(column: pl.Series) -> tuple[Array, Bools]:
    """The values and which of them are not null. A null's value is 0 or None."""
    valid = column.is_not_null().to_numpy() if column.null_count() else np.ones(column.len(), np.bool_)
    kind = storage(column.dtype)
    if kind == np.object_:
        values = np.empty(column.len(), dtype=object)
        values[:] = column.to_list()
        return values, valid
    numbers = column.to_physical().cast(pl.Float64 if kind == np.float64 else pl.Int64)
    return (numbers.fill_null(0) if column.null_count() else numbers).to_numpy(), valid


def to_series(name: str, values: Array, valid: Bools | None, dtype: pl.DataType) -> pl.Series:
    """The column of these values, null where they are not valid (None: all are). Numbers must fit the type."""
    if values.dtype == np.object_:
        if valid is not None and not valid.all():
            values = values.copy()
            values[~valid] = None
        return pl.Series(name, values.tolist(), dtype=dtype)
    column = _decimals(values, dtype) if isinstance(dtype, pl.Decimal) else pl.Series(name, values)
    if valid is not None and not valid.all():
        column = pl.select(pl.when(pl.Series(valid)).then(column)).to_series()
    return column.alias(name).cast(dtype)


def _decimals(values: Array, dtype: pl.Decimal) -> pl.Series:
    """Decimals of these int64 numbers without a point."""
    exact = pl.Decimal(38, dtype.scale)
    unit = pl.lit(decimal.Decimal(1).scaleb(-dtype.scale), dtype=exact)
    return pl.select(pl.lit(pl.Series(values).cast(exact)) * unit).to_series()
