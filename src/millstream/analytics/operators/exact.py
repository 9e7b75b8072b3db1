"""Exact sums of floating-point numbers: the same whatever the order and the batches, rounded once.

A finite double is an integer times a power of two. So the numbers of a batch are brought to one unit 2**u that
divides them all, as 128-bit integers, and integers add up without error:

    12.37, 0.5  ->  unit 2**-60:  12.37 * 2**60, 0.5 * 2**60  ->  Int128  ->  sum

Each unit that was used is a column of the state. A batch whose numbers are too far apart for one unit (90 bits) has
its numbers parted by magnitude over several. A group may have 2**37 rows before a column could overflow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]

_BITS = 90  # of a number in its unit: 127 less 37 for the rows
_MANTISSA = 53
_CLASS = 32  # exponents that share a unit when numbers are far apart: 32 + 53 bits
_SCALE_MAX = 1000  # powers of two up to this are doubles


class Splitter:
    """Brings numbers to units. Remembers the unit of last time: a column less in the state if it fits again."""

    def __init__(self) -> None:
        self._unit: int | None = None

    def split(self, values: pl.Series) -> dict[int, pl.Series]:
        """Int128 integers by unit u, so that the sum of integer * 2**u over the units is each row's value (0 for
        null, NaN and infinity). `values` is Float64."""
        array, all_finite = _finite(values)
        magnitudes = np.abs(array)
        top = float(magnitudes.max(initial=0.0))
        if top == 0:
            return {}
        low = float(magnitudes.min())
        if low == 0:
            low = float(magnitudes[magnitudes > 0].min())
        unit = self._common(math.frexp(low)[1] - _MANTISSA, math.frexp(top)[1])
        if unit is None:
            return _by_magnitude(array)
        return {unit: _integers(values if all_finite else pl.Series(array), unit)}

    def _common(self, lowest_bit: int, top: int) -> int | None:
        if self._unit is not None and top - _BITS <= self._unit <= lowest_bit:
            return self._unit
        if top - _BITS > lowest_bit:
            return None
        self._unit = (top - _BITS + lowest_bit) // 2
        return self._unit


def finite(values: pl.Series) -> Floats:
    """The values, 0 where they are null, NaN or infinite."""
    return _finite(values)[0]


def _finite(values: pl.Series) -> tuple[Floats, bool]:
    """The same, and whether none had to be replaced."""
    array: Floats = values.to_numpy()
    usable = np.isfinite(array)
    return (array, True) if usable.all() else (np.where(usable, array, 0.0), False)


def not_finite(values: pl.Series) -> pl.Series | None:
    """The NaNs and infinities among the values, null elsewhere; None if there are none."""
    if np.count_nonzero(~np.isfinite(values.to_numpy())) == values.null_count():  # a null is NaN there
        return None
    frame = values.to_frame("v")
    return frame.select(pl.when(~pl.col("v").is_finite()).then("v")).to_series()


def squares(values: Floats) -> tuple[Floats, Floats]:
    """p and e so that p + e is the exact square of each value (Dekker's product), barring underflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        spread = values * 134217729.0  # 2**27 + 1
        high = spread - (spread - values)
        low = values - high
        product = values * values
        error = ((high * high - product) + 2.0 * high * low) + low * low
    return product, np.where(np.isfinite(error), error, 0.0)


class Totals:
    """Exact sums, one a group: integers times 2**unit."""

    def __init__(self, parts: Mapping[int, pl.Series], groups: int) -> None:
        """`parts`: by unit the integers (Int128, null is 0), all of length `groups`."""
        used = {unit: zero_for_null(series) for unit, series in parts.items()}
        if len(used) > 1:
            used = {unit: series for unit, series in used.items() if bool((series != 0).any())}
        self._many: list[int] | None = None
        self.unit = min(used, default=0)
        self._series = used[self.unit] if used else pl.zeros(groups, dtype=pl.Int128, eager=True)
        if len(used) > 1:
            self._many = _added([(unit - self.unit, series.to_list()) for unit, series in used.items()])

    def integers(self) -> list[int]:
        return self._many if self._many is not None else self._series.to_list()

    def series(self) -> pl.Series | None:
        """The integers as Int128, if they fit and the unit is 1."""
        return self._series if self._many is None and self.unit == 0 else None

    def floats(self) -> Floats:
        """The sums, rounded to the nearest double; infinite if too great."""
        if self._many is not None:
            return np.array([nearest(number, 1, self.unit) for number in self._many], dtype=np.float64)
        with np.errstate(over="ignore"):
            rounded: Floats = np.ldexp(self._series.cast(pl.Float64).to_numpy(), self.unit)
        return rounded


def zero_for_null(values: pl.Series) -> pl.Series:
    """The values with 0 for null."""
    return values.fill_null(0) if values.null_count() else values


def nearest(numerator: int, denominator: int, unit: int) -> float:
    """numerator / denominator * 2**unit, rounded once; infinite if too great."""
    try:
        if unit < 0:
            return numerator / (denominator << -unit)
        return (numerator << unit) / denominator
    except OverflowError:
        return math.copysign(math.inf, numerator)


def _added(parts: Sequence[tuple[int, list[int]]]) -> list[int]:
    columns = [[number << shift for number in numbers] for shift, numbers in parts]
    return [sum(row) for row in zip(*columns, strict=True)]


def _integers(values: pl.Series, unit: int) -> pl.Series:
    if abs(unit) < _SCALE_MAX:
        return (values * 2.0**-unit).cast(pl.Int128)
    return pl.Series(np.ldexp(values.to_numpy(), -unit)).cast(pl.Int128)


def _by_magnitude(array: Floats) -> dict[int, pl.Series]:
    units = (np.frexp(array)[1] - _MANTISSA) // _CLASS * _CLASS
    used = np.unique(units[array != 0]).tolist()
    return {unit: _integers(pl.Series(np.where(units == unit, array, 0.0)), unit) for unit in used}
