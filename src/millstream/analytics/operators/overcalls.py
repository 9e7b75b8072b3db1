"""The calls that can stand before OVER: which measures each needs, and its values from them.

Nulls are skipped, except by FIRST_VALUE, LAST_VALUE, NTH_VALUE and LAG unless they say IGNORE NULLS, and by COUNT(*).
Of no values COUNT is 0 and all others are null. EXP_AVG(value, half-life) is the weighted average of the frame, a
value's weight being halved every half-life that it is older than the current row (SQLstream's EXP_AVG). AVG of integers
is cut towards zero where its type is an integer's; AVG of DECIMAL is rounded half up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from millstream.analytics.operators.arrays import storage
from millstream.analytics.operators.frames import Times
from millstream.analytics.operators.overdistinct import DistinctValues
from millstream.analytics.operators.overmeasures import Blocks, Kept, Lift, Nth, Totals
from millstream.analytics.operators.overnumbers import Answers, average, checked, fraction, real, total
from millstream.analytics.operators.oversums import RealSums, WholeSums
from millstream.analytics.operators.overtracks import Measure, Track, Values
from millstream.analytics.operators.overtrees import VARIANCE, Merging, Parts, decayed, greatest, least
from millstream.analytics.operators.rings import Array
from millstream.analytics.plan.nodes import OverAggregate
from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.nodes import Literal
from millstream.analytics.scalars.types import FLOATS, Kind

Measured = dict[str, tuple[Array, ...]]
"""What a track's measures gave for a batch, by name."""

Finish = Callable[[Values, Measured, pl.Series | None], Answers]
"""A call's values from its track's; the series are LAG's defaults, in the order of the values' rows."""

POSITIONAL = frozenset({"LAG", "FIRST_VALUE", "LAST_VALUE", "NTH_VALUE"})
_VARIANCES = frozenset({"VAR_POP", "VAR_SAMP", "STDDEV_POP", "STDDEV_SAMP"})
_SENSITIVE_TO_REPEATS = frozenset({"COUNT", "SUM", "AVG"}) | _VARIANCES
"""Functions for which DISTINCT matters."""


class Need(NamedTuple):
    """How a call is computed: the measures that its track must have, and what makes its values of them."""

    measures: dict[str, Callable[[], Measure]]
    finish: Finish


def need(call: OverAggregate, track: Track) -> Need:
    """How a call other than COUNT(*) is computed."""
    if call.function in POSITIONAL:
        return _positional(call, track)
    if call.distinct and call.function in _SENSITIVE_TO_REPEATS:
        return Need({"distinct": lambda: DistinctValues(track)}, _distinct(call))
    return _MAKERS[call.function](call, track)


def skips_nulls(call: OverAggregate) -> bool:
    """Whether a null is no value for the call."""
    return call.function not in POSITIONAL or call.ignore_nulls


def _count(_call: OverAggregate, _track: Track) -> Need:
    return Need({}, lambda values, *_: Answers(values.high - values.low, None))


def _sum(call: OverAggregate, track: Track) -> Need:
    finisher = average if call.function == "AVG" else total
    if call.arguments[0].type.kind in FLOATS:
        reals: dict[str, Callable[[], Measure]] = {"sum": lambda: RealSums(track)}
        return Need(reals, lambda values, found, _: finisher(call, values.high - values.low, *found["sum"]))
    measures: dict[str, Callable[[], Measure]] = {"whole": lambda: WholeSums(track)}
    return Need(measures, lambda values, found, _: finisher(call, values.high - values.low, *found["whole"]))


def _extreme(call: OverAggregate, track: Track) -> Need:
    kind = storage(dtype(call.arguments[0].type))
    name, merging = ("max", greatest(kind)) if call.function in ("MAX", "ANY") else ("min", least(kind))
    floats = call.arguments[0].type.kind in FLOATS

    def lift(values: Array, _: Times) -> Parts:
        return (values + values.dtype.type(0.0),) if floats else (values,)  # of 0.0 and -0.0 either would be the least

    make = _aggregate(track, name, merging, lift)
    return Need({name: make}, lambda values, found, _: Answers(found[name][0], values.low < values.high))


def _variance(call: OverAggregate, track: Track) -> Need:
    scale = 10.0 ** (call.arguments[0].type.scale or 0) if call.arguments[0].type.kind is Kind.DECIMAL else 1.0
    sample, root = call.function.endswith("SAMP"), call.function.startswith("STDDEV")

    def lift(values: Array, _: Times) -> Parts:
        return values / scale, np.zeros(values.size)

    def finish(values: Values, found: Measured, _: pl.Series | None) -> Answers:
        counts = values.high - values.low
        variances = np.maximum(found["variance"][1], 0.0) / np.maximum(counts - sample, 1)
        return checked(call, np.sqrt(variances) if root else variances, counts > sample)

    return Need({"variance": _aggregate(track, "variance", VARIANCE, lift)}, finish)


def _exponential(call: OverAggregate, track: Track) -> Need:
    half_life_ms = max(1, _number(call, 1, default=1))
    scale = 10.0 ** (call.arguments[0].type.scale or 0) if call.arguments[0].type.kind is Kind.DECIMAL else 1.0
    name = f"decayed by {half_life_ms}"

    def lift(values: Array, times: Times) -> Parts:
        return values / scale, np.ones(values.size), times.astype(np.float64)

    def finish(values: Values, found: Measured, _: pl.Series | None) -> Answers:
        some = values.low < values.high
        return checked(call, found[name][0] / np.where(some, found[name][1], 1.0), some)

    return Need({name: _aggregate(track, name, decayed(half_life_ms), lift)}, finish)


def _aggregate(track: Track, name: str, merging: Merging, lift: Lift) -> Callable[[], Measure]:
    if track.partitions.unbounded:
        return lambda: Totals(track, merging, lift)
    return lambda: Blocks(track, name, merging, lift)


def _distinct(call: OverAggregate) -> Finish:
    def finish(_: Values, found: Measured, __: pl.Series | None) -> Answers:
        counts, sums, squares = found["distinct"]
        if call.function == "COUNT":
            return Answers(counts, None)
        if call.function in _VARIANCES:
            return real(call, [_spread(call, *one) for one in zip(counts.tolist(), sums, squares, strict=True)], counts)
        divisors = counts.tolist() if call.function == "AVG" else [1] * counts.size
        return fraction(call, sums.tolist(), divisors, counts)

    return finish


def _spread(call: OverAggregate, count: int, summed: Any, squares: Any) -> float | None:
    sample = call.function.endswith("SAMP")
    if summed is None or count <= sample:
        return None
    scale = 10 ** (call.arguments[0].type.scale or 0) if call.arguments[0].type.kind is Kind.DECIMAL else 1
    variance = float((count * squares - summed * summed) / (count * (count - sample) * scale * scale))
    return variance**0.5 if call.function.startswith("STDDEV") else variance


def _positional(call: OverAggregate, track: Track) -> Need:
    kind = storage(dtype(call.arguments[0].type))
    fixed = _fixed_rank(call)
    if track.partitions.unbounded and fixed is not None:
        name = f"value {fixed}"
        return Need({name: lambda: Nth(track, fixed, kind)}, lambda values, found, _: _nth(values, fixed, found[name]))
    if call.function == "LAG":
        return _lag(call, track, kind)
    track.kept_values = max(track.kept_values, 1)

    def finish(values: Values, _: Measured, __: pl.Series | None) -> Answers:
        ranks = values.high - 1 if fixed is None else values.low + fixed
        return _looked_up(track, values, ranks, values.low)

    return Need({"kept": lambda: Kept(track, kind)}, finish)


def _fixed_rank(call: OverAggregate) -> int | None:
    """Which value of the frame from its beginning, if that is what the call asks for."""
    if call.function == "NTH_VALUE":
        return max(0, _number(call, 1, default=1) - 1)
    return 0 if call.function == "FIRST_VALUE" else None


def _nth(values: Values, rank: int, found: tuple[Array, ...]) -> Answers:
    return Answers(found[0], found[1] & (values.high > rank))


def _lag(call: OverAggregate, track: Track, kind: np.dtype[Any]) -> Need:
    offset = _number(call, 1, default=1)
    track.kept_values = max(track.kept_values, offset)

    def finish(values: Values, _: Measured, defaults: pl.Series | None) -> Answers:
        # With no offset it is the row's own value, null where nulls are no values.
        low = values.low if offset else np.where(values.has, values.low, values.high)
        found = _looked_up(track, values, values.high - values.has - offset, low)
        return found if defaults is None else found._replace(defaults=(values.high - values.has - offset < low))

    return Need({"kept": lambda: Kept(track, kind)}, finish)


def _looked_up(track: Track, values: Values, ranks: np.ndarray[Any, Any], low: np.ndarray[Any, Any]) -> Answers:
    kept = track.measures["kept"]
    assert isinstance(kept, Kept)
    there = (ranks >= low) & (ranks < values.high)
    # Any place will do for what is not there.
    column, known = kept.at(values.code, np.where(there, ranks, 0))
    return Answers(column, known & there)


def _number(call: OverAggregate, at: int, *, default: int) -> int:
    if len(call.arguments) <= at:
        return default
    literal = call.arguments[at]
    assert isinstance(literal, Literal)
    return int(literal.value) if isinstance(literal.value, int) else default


_MAKERS: dict[str, Callable[[OverAggregate, Track], Need]] = {
    "COUNT": _count,
    "SUM": _sum,
    "AVG": _sum,
    "MIN": _extreme,
    "MAX": _extreme,
    "ANY": _extreme,
    "EVERY": _extreme,
    "EXP_AVG": _exponential,
} | dict.fromkeys(_VARIANCES, _variance)
