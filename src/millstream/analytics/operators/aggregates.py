"""Aggregate functions: which measures each needs, and its value from them.

COUNT skips nulls, as all others do but FIRST_VALUE, LAST_VALUE and NTH_VALUE (which respect them) and COUNT(*); of no
values COUNT is 0 and all others are null. SUM, AVG, the variances and EXP_AVG are computed from exact sums (`exact`)
and rounded at the end, so that neither order nor batches show in them. AVG of integers is cut towards zero where its
type is an integer's; AVG of DECIMAL is rounded half up.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from millstream.analytics.operators.exact import Floats, Totals, nearest, zero_for_null
from millstream.analytics.operators.measures import Measure, column_name
from millstream.analytics.plan.nodes import Aggregate
from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.nodes import Literal
from millstream.analytics.scalars.types import (
    FLOATS,
    INTEGER_BITS,
    INTERVALS,
    Kind,
    SqlType,
    digits,
    integer_range,
    show,
)

Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_NEEDS: dict[str, tuple[str, ...]] = {
    "COUNT(*)": ("rows",),
    "COUNT": ("count",),
    "SUM": ("count", "sum"),
    "AVG": ("count", "sum"),
    "MIN": ("min",),
    "MAX": ("max",),
    "ANY": ("max",),
    "EVERY": ("min",),
    "FIRST_VALUE": ("first",),
    "LAST_VALUE": ("last",),
    "NTH_VALUE": ("head",),
} | dict.fromkeys(("VAR_POP", "VAR_SAMP", "STDDEV_POP", "STDDEV_SAMP"), ("count", "sum", "square"))

_SENSITIVE_TO_REPEATS = frozenset({"COUNT", "SUM", "AVG", "VAR_POP", "VAR_SAMP", "STDDEV_POP", "STDDEV_SAMP"})


class Result(NamedTuple):
    """An aggregate's values, one a group, and why there is none for some groups, by their index."""

    values: pl.Series
    failures: dict[int, str]


def is_distinct(aggregate: Aggregate) -> bool:
    """Whether it matters that a value counts once."""
    return aggregate.distinct and aggregate.function in _SENSITIVE_TO_REPEATS


def number_argument(aggregate: Aggregate) -> int:
    """The literal after the value: NTH_VALUE's n, EXP_AVG's half-life in ms."""
    literal = aggregate.arguments[1]
    assert isinstance(literal, Literal)
    assert isinstance(literal.value, int)
    return literal.value


def measures_of(aggregate: Aggregate, argument: str) -> list[Measure]:
    """What to keep for an aggregate over the column `argument`."""
    if aggregate.function == "COUNT(*)":
        return [Measure("rows")]
    count = number_argument(aggregate) if aggregate.function == "NTH_VALUE" else 0
    return [Measure(operation, argument, count) for operation in _NEEDS[aggregate.function]]


def result(aggregate: Aggregate, argument: str, groups: pl.DataFrame) -> Result:
    """The aggregate's values of merged groups."""
    found = _RESULTS[aggregate.function](aggregate, argument, groups)
    return Result(found.values.alias(aggregate.name), found.failures)


def totals(operation: str, argument: str, groups: pl.DataFrame) -> Totals:
    """The exact sums that the columns of a measure are."""
    prefix = f"{operation}:{argument}:"
    names = [name for name in groups.columns if name.startswith(prefix)]
    return Totals({int(name.removeprefix(prefix)): groups[name] for name in names}, groups.height)


def floats(operation: str, argument: str, groups: pl.DataFrame) -> Floats:
    """Sums of doubles, NaN and infinity as IEEE 754 adds them."""
    sums = totals(operation, argument, groups).floats()
    name = column_name(f"{operation}-odd", argument)
    if name not in groups.columns:
        return sums
    odd = groups[name].fill_null(0.0).to_numpy()
    return np.where(np.isfinite(odd), sums, odd)


def _counts(argument: str, groups: pl.DataFrame) -> Counts:
    name = column_name("count", argument)
    if name not in groups.columns:  # no group had a value
        return np.zeros(groups.height, dtype=np.int64)
    return zero_for_null(groups[name]).to_numpy()


def _rows(aggregate: Aggregate, _argument: str, groups: pl.DataFrame) -> Result:
    return Result(groups["rows::0"].cast(dtype(aggregate.type)), {})


def _count(aggregate: Aggregate, argument: str, groups: pl.DataFrame) -> Result:
    return Result(pl.Series(_counts(argument, groups)).cast(dtype(aggregate.type)), {})


def _kept(operation: str) -> Callable[[Aggregate, str, pl.DataFrame], Result]:
    def kept(aggregate: Aggregate, argument: str, groups: pl.DataFrame) -> Result:
        return Result(groups[column_name(operation, argument)].cast(dtype(aggregate.type)), {})

    return kept


def _nth(aggregate: Aggregate, argument: str, groups: pl.DataFrame) -> Result:
    count = number_argument(aggregate)
    values = groups[column_name("head", argument, count)].list.get(count - 1, null_on_oob=True)
    return Result(values.cast(dtype(aggregate.type)), {})


def _sum(aggregate: Aggregate, argument: str, groups: pl.DataFrame) -> Result:
    return _divided(aggregate, argument, groups, None)


def _average(aggregate: Aggregate, argument: str, groups: pl.DataFrame) -> Result:
    return _divided(aggregate, argument, groups, _counts(argument, groups))


def _divided(aggregate: Aggregate, argument: str, groups: pl.DataFrame, by: Counts | None) -> Result:
    """Sums, or averages, of the groups that have values."""
    of = aggregate.arguments[0].type
    some = _counts(argument, groups) > 0
    if of.kind in FLOATS or aggregate.type.kind in FLOATS:
        real = floats("sum", argument, groups) / 10.0 ** _scale(of)
        return _from_floats(aggregate, real if by is None else real / np.maximum(by, 1), some)
    sums = totals("sum", argument, groups)
    plain = sums.series()
    if plain is not None and by is None and of.kind is not Kind.DECIMAL and aggregate.type.kind is not Kind.DECIMAL:
        return _checked(aggregate, plain.cast(dtype(aggregate.type), strict=False), some)
    divisors = [1] * groups.height if by is None else np.maximum(by, 1).tolist()
    values = [_quotient(n, d, of, aggregate.type) for n, d in zip(sums.integers(), divisors, strict=True)]
    return _checked(aggregate, pl.Series(values, dtype=dtype(aggregate.type)), some)


def _quotient(numerator: int, denominator: int, of: SqlType, to: SqlType) -> int | Decimal | None:
    """A sum in units of `of`'s scale, divided, as a value of type `to`; None if it does not fit."""
    shift = _scale(to) - _scale(of)
    numerator, denominator = numerator * 10 ** max(0, shift), denominator * 10 ** max(0, -shift)
    if to.kind is not Kind.DECIMAL:
        whole = _cut(numerator, denominator)
        low, high = integer_range(Kind.BIGINT if to.kind in INTERVALS else to.kind)
        return whole if low <= whole <= high else None
    whole = _cut(2 * numerator + (denominator if numerator >= 0 else -denominator), 2 * denominator)
    precision, scale = digits(to)
    return Decimal(whole).scaleb(-scale) if abs(whole) < 10**precision else None


def _cut(numerator: int, denominator: int) -> int:
    return numerator // denominator if numerator >= 0 else -(-numerator // denominator)


def _scale(of: SqlType) -> int:
    return digits(of)[1] if of.kind is Kind.DECIMAL else 0


def _checked(aggregate: Aggregate, values: pl.Series, some: Flags) -> Result:
    """Null where there are no values; where there are some and no result, that is a failure."""
    if some.all() and not values.null_count():
        return Result(values, {})
    missing = np.flatnonzero(values.is_null().to_numpy() & some).tolist()
    message = f"{aggregate.function} overflows: the result does not fit {show(aggregate.type)}"
    masked = values.to_frame("v").select(pl.when(pl.Series(some)).then("v")).to_series()
    return Result(masked, dict.fromkeys(missing, message))


def _from_floats(aggregate: Aggregate, values: Floats, some: Flags) -> Result:
    with np.errstate(over="ignore"):
        fitting = values.astype(np.float32) if aggregate.type.kind is Kind.REAL else values
    if aggregate.type.kind in INTEGER_BITS:
        fitting = np.trunc(fitting)
    series = pl.Series(np.where(np.isfinite(fitting), fitting, np.nan), nan_to_null=True)
    return _checked(aggregate, series.cast(dtype(aggregate.type), strict=False), some)


def _variance(*, sample: bool, root: bool) -> Callable[[Aggregate, str, pl.DataFrame], Result]:
    def variance(aggregate: Aggregate, argument: str, groups: pl.DataFrame) -> Result:
        counts = _counts(argument, groups)
        sums, squares = totals("sum", argument, groups), totals("square", argument, groups)
        scale = _scale(aggregate.arguments[0].type)
        values = np.array(
            [
                _spread(n, total, sums.unit, square, squares.unit, 10**scale, sample)
                for n, total, square in zip(counts.tolist(), sums.integers(), squares.integers(), strict=True)
            ],
            dtype=np.float64,
        )
        name = column_name("square-odd", argument)
        if name in groups.columns:
            odd = groups[name].fill_null(0.0).to_numpy()
            values = np.where(np.isfinite(odd), values, np.nan)
        return _from_floats(aggregate, np.sqrt(values) if root else values, counts > int(sample))

    return variance


def _spread(n: int, total: int, unit: int, square: int, square_unit: int, scale: int, sample: bool) -> float:
    """The variance from exact sums: (n * sum of squares - square of sum) / (n * (n - 1)), rounded once."""
    if n <= int(sample):
        return 0.0
    low = min(2 * unit, square_unit)
    difference = (n * square << (square_unit - low)) - (total * total << (2 * unit - low))
    return nearest(max(0, difference), n * (n - 1 if sample else n) * scale * scale, low)


def _exponential(aggregate: Aggregate, argument: str, groups: pl.DataFrame) -> Result:
    weights = floats("sum", f"{argument}.weight", groups)
    values = floats("sum", f"{argument}.weighted", groups)
    some = weights > 0
    with np.errstate(invalid="ignore"):
        return _from_floats(aggregate, values / np.where(weights > 0, weights, 1.0), some)


_RESULTS: dict[str, Callable[[Aggregate, str, pl.DataFrame], Result]] = {
    "COUNT(*)": _rows,
    "COUNT": _count,
    "SUM": _sum,
    "AVG": _average,
    "MIN": _kept("min"),
    "MAX": _kept("max"),
    "ANY": _kept("max"),
    "EVERY": _kept("min"),
    "FIRST_VALUE": _kept("first"),
    "LAST_VALUE": _kept("last"),
    "NTH_VALUE": _nth,
    "VAR_POP": _variance(sample=False, root=False),
    "VAR_SAMP": _variance(sample=True, root=False),
    "STDDEV_POP": _variance(sample=False, root=True),
    "STDDEV_SAMP": _variance(sample=True, root=True),
    "EXP_AVG": _exponential,
}
