"""Whole columns converted at once. What is not plainly of the type is left to `cells`, whose rules these are.

Polars' methods of Series take 0.1 ms each however short the column is; hence numpy where it can do the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from millstream.analytics.records.columntypes import TypedColumn
from millstream.analytics.records.rows import Mask
from millstream.analytics.records.timetexts import days, milliseconds, nanoseconds_of_day
from millstream.analytics.scalars.types import BINARIES, INTEGER_BITS, TEXTS, Kind

_EXACT_DOUBLE = float(1 << 53)


class Converted(NamedTuple):
    """Typed columns; and for each which values (None: none) are still to be converted one by one: what stands for
    those in the column means nothing."""

    frame: pl.DataFrame
    unclear: list[Mask | None]


def convert_columns(columns: Sequence[TypedColumn], values: Sequence[pl.Series]) -> Converted:
    """Values that JSON or CSV gave (String, Boolean, Float32 or Float64; null: nothing there) as the columns' types."""
    too_long = _longer_than_columns(columns, values)
    done, unclear = [], []
    for index, (column, given) in enumerate(zip(columns, values, strict=True)):
        if column.type.kind in TEXTS:
            found, mask = given.str.slice(0, column.type.size) if index in too_long else given, None
        else:
            found, mask = _BY_KIND[column.type.kind](column, given)
        done.append(found.alias(column.name))
        unclear.append(mask)
    return Converted(pl.DataFrame(done), unclear)


def _longer_than_columns(columns: Sequence[TypedColumn], values: Sequence[pl.Series]) -> set[int]:
    """The indexes of text columns with a value that has (perhaps) more characters than the column."""
    texts = [index for index, column in enumerate(columns) if column.type.kind in TEXTS]
    if not texts:
        return set()
    frame = pl.DataFrame([values[index].alias(str(index)) for index in texts])
    longest = frame.select(pl.all().str.len_bytes().max()).row(0)
    sizes = [columns[index].type.size or 0 for index in texts]
    return {index for index, length, size in zip(texts, longest, sizes, strict=True) if (length or 0) > size}


_Done = tuple[pl.Series, Mask | None]


def _integers(column: TypedColumn, values: pl.Series) -> _Done:
    if values.dtype == pl.String:
        return _or_lost(values, values.cast(column.dtype, strict=False))
    bits = INTEGER_BITS[column.type.kind]
    limit = _EXACT_DOUBLE if bits == 64 else float(1 << (bits - 1))
    numbers = values.to_numpy()
    fits = (numbers < limit) & (numbers >= -limit) & (numbers == np.floor(numbers))
    return values.cast(column.dtype, strict=False), _mask(values, ~fits)


def _reals(column: TypedColumn, values: pl.Series) -> _Done:
    numbers = values.cast(pl.Float64, strict=False) if values.dtype == pl.String else values
    numbers = numbers.cast(column.dtype)
    return numbers, _mask(values, ~np.isfinite(numbers.to_numpy()))


def _booleans(column: TypedColumn, values: pl.Series) -> _Done:
    if values.dtype == column.dtype:
        return values, None
    yes = values == "true"
    return yes, _mask(values, ~(yes | (values == "false")).fill_null(value=False).to_numpy())


def _decimals(column: TypedColumn, values: pl.Series) -> _Done:
    plain = values.str.contains(rf"^[+-]?\d{{1,{column.type.size}}}(?:\.\d{{0,{column.type.scale}}})?$")
    numbers = values.cast(column.dtype, strict=False)
    return numbers, _mask(values, (~plain | numbers.is_null()).fill_null(value=False).to_numpy())


def _binaries(column: TypedColumn, values: pl.Series) -> _Done:
    return values.cast(column.dtype), _mask(values, np.ones(len(values), dtype=np.bool_))


def _times(read: Callable[[pl.Series], pl.Series]) -> Callable[[TypedColumn, pl.Series], _Done]:
    return lambda column, values: _or_lost(values, read(values).cast(column.dtype))


def _or_lost(values: pl.Series, converted: pl.Series) -> _Done:
    if converted.null_count() == values.null_count():
        return converted, None
    return converted, _mask(values, converted.is_null().to_numpy())


def _mask(values: pl.Series, unclear: Mask) -> Mask | None:
    """`unclear` where there is a value; None if that is nowhere."""
    if values.null_count():
        unclear &= values.is_not_null().to_numpy()
    return unclear if unclear.any() else None


_BY_KIND: dict[Kind, Callable[[TypedColumn, pl.Series], _Done]] = {
    **dict.fromkeys(INTEGER_BITS, _integers),
    **dict.fromkeys(BINARIES, _binaries),
    Kind.REAL: _reals,
    Kind.DOUBLE: _reals,
    Kind.BOOLEAN: _booleans,
    Kind.DECIMAL: _decimals,
    Kind.DATE: _times(days),
    Kind.TIME: _times(nanoseconds_of_day),
    Kind.TIMESTAMP: _times(milliseconds),
}
