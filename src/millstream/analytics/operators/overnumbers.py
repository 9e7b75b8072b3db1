"""Numbers as the types of calls want them: divided, rounded, checked to fit."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from millstream.analytics.operators.oversums import whole
from millstream.analytics.operators.rings import Array, Bools, Ints
from millstream.analytics.plan.nodes import OverAggregate
from millstream.analytics.scalars.types import FLOATS, INTERVALS, Kind, SqlType, digits, integer_range, show

_FLOAT32_MAX = float(np.finfo(np.float32).max)


class Answers(NamedTuple):
    """A call's values, by row: which are not null (None: all), which failed, and of LAG where there is no such row."""

    values: Array
    valid: Bools | None
    failed: Bools | None = None
    defaults: Bools | None = None


def overflow(call: OverAggregate) -> str:
    """The message for rows that failed."""
    return f"{call.function} overflows: the result does not fit {show(call.type)}"


def total(call: OverAggregate, counts: Ints, *sums: Array) -> Answers:
    """SUM, of doubles or of the halves of whole numbers."""
    if len(sums) == 1:
        return checked(call, sums[0], counts > 0)
    numbers, unfit = whole(*sums)
    of = call.arguments[0].type
    if call.type.kind in FLOATS:
        return checked(call, _as_floats(*sums) / 10.0 ** _scale(of), counts > 0)
    if _scale(of) != _scale(call.type):
        return fraction(call, _integers(*sums), [1] * counts.size, counts)
    low, high = limits(call.type)
    return Answers(numbers, counts > 0, (unfit | (numbers < low) | (numbers > high)) & (counts > 0))


def average(call: OverAggregate, counts: Ints, *sums: Array) -> Answers:
    """AVG, of doubles or of the halves of whole numbers."""
    some = counts > 0
    divisors = np.maximum(counts, 1)
    if len(sums) == 1:
        return checked(call, sums[0] / divisors, some)
    if call.type.kind in FLOATS:
        return checked(call, _as_floats(*sums) / 10.0 ** _scale(call.arguments[0].type) / divisors, some)
    numbers, unfit = whole(*sums)
    if call.type.kind is Kind.DECIMAL or bool(unfit.any()):
        return fraction(call, _integers(*sums), divisors.tolist(), counts)
    return Answers(np.sign(numbers) * (np.abs(numbers) // divisors), some)


def checked(call: OverAggregate, numbers: Array, some: Bools) -> Answers:
    """Doubles as the call's type; those that are not finite failed."""
    if call.type.kind in FLOATS:
        greatest = _FLOAT32_MAX if call.type.kind is Kind.REAL else np.inf
        fits = np.isfinite(numbers) & (np.abs(numbers) <= greatest)
        return Answers(numbers, some, None if bool(fits.all()) else ~fits & some)
    return fraction(call, [Fraction(one) if np.isfinite(one) else None for one in numbers.tolist()], None, some)


def fraction(
    call: OverAggregate, sums: list[int | Fraction | None], divisors: list[int] | None, some: Array
) -> Answers:
    """Exact sums (whole ones in the units of the argument's type), divided, as the call's type; a None failed."""
    by = divisors if divisors is not None else [1] * len(sums)
    found = [_fitted(call, one, max(1, divisor)) for one, divisor in zip(sums, by, strict=True)]
    valid = some > 0
    kind = np.float64 if call.type.kind in FLOATS else np.int64
    values = np.array([0 if one is None else one for one in found], dtype=kind)
    return Answers(values, valid, np.array([one is None for one in found], dtype=np.bool_) & valid)


def real(call: OverAggregate, numbers: list[float | None], counts: Ints) -> Answers:
    """Doubles, null where None."""
    values = np.array([0.0 if one is None else one for one in numbers], dtype=np.float64)
    return checked(call, values, np.array([one is not None for one in numbers], dtype=np.bool_) & (counts > 0))


def limits(of: SqlType) -> tuple[int, int]:
    """The least and the greatest value of an exact type, in its smallest units."""
    if of.kind is Kind.DECIMAL:
        greatest: int = 10 ** digits(of)[0] - 1
        return -greatest, greatest
    return integer_range(Kind.BIGINT if of.kind in INTERVALS else of.kind)


def _fitted(call: OverAggregate, number: int | Fraction | None, divisor: int) -> int | float | None:
    if number is None:
        return None
    exact = Fraction(number) / divisor
    if isinstance(number, int):
        exact /= 10 ** _scale(call.arguments[0].type)
    if call.type.kind in FLOATS:
        greatest = _FLOAT32_MAX if call.type.kind is Kind.REAL else float(np.finfo(np.float64).max)
        return float(exact) if abs(exact) <= greatest else None
    exact *= 10 ** _scale(call.type)
    cut = int(exact) if call.type.kind is not Kind.DECIMAL else _half_up(exact)
    low, high = limits(call.type)
    return cut if low <= cut <= high else None


def _half_up(number: Fraction) -> int:
    """Rounded to a whole number, halves away from zero."""
    half = Fraction(1, 2)
    return int(number + half) if number >= 0 else int(number - half)


def _scale(of: SqlType) -> int:
    return digits(of)[1] if of.kind is Kind.DECIMAL else 0


def _as_floats(high: Array, low: Array) -> Array:
    numbers, unfit = whole(high, low)
    return np.where(unfit, high * 2.0**32 + low, numbers)


def _integers(high: Array, low: Array) -> list[int | Fraction | None]:
    return [(upper << 32) + lower for upper, lower in zip(high.tolist(), low.tolist(), strict=True)]
