"""Steps of time: which expressions cut a clock into windows.

Grouping by an expression f(t) of a time t is grouping by steps of t, if f is constant within each step and another
value for every other. Known are STEP and FLOOR and CEIL of a time, of an interval that is a difference of times (also
divided by a number: the idiom FLOOR((ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND / 10 TO SECOND)), of
UNIX_TIMESTAMP(t), CAST(t AS DATE), and sums, products and casts of these with constants.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from millstream.analytics.plan.nodes import TimeStep
from millstream.analytics.scalars.nodes import Call, Literal, Scalar
from millstream.analytics.scalars.types import INTEGERS as WHOLE
from millstream.analytics.scalars.types import NUMBERS, Kind

_DAY_MS = 86_400_000
_UNIT_MS = {"MILLISECOND": 1, "SECOND": 1000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": _DAY_MS}
_UNIT_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_INTERVALS = frozenset({Kind.INTERVAL_DAY})
_TIMESTAMP_LENGTH = 23
_NONE = Fraction(0)


class Cut(NamedTuple):
    """Steps of the TIMESTAMP `base`. `shift_ms`: the expression's value is a TIMESTAMP, so much before the step's
    beginning; None if it is another."""

    base: Scalar
    step: TimeStep
    shift_ms: int | None = None

    @property
    def plain(self) -> bool:
        """True if the value is the step's beginning."""
        return self.shift_ms == 0


class Line(NamedTuple):
    """(base - origin_ms) / divisor: a time, interval or number that grows evenly with the TIMESTAMP `base`."""

    base: Scalar
    origin_ms: Fraction = Fraction(0)
    divisor: Fraction = Fraction(1)

    def steps(self, size: Fraction, above_ms: Fraction) -> TimeStep | None:
        """The steps of the base within which the line's value has one multiple of `size` below it; with `above_ms`
        above it: so much later than the multiple itself the next step begins."""
        step_ms = size * self.divisor
        origin = self.origin_ms + above_ms
        if step_ms.denominator != 1 or origin.denominator != 1 or step_ms < 1:
            return None
        return TimeStep(int(step_ms), 0, int(origin % step_ms))


def cut_of(value: Scalar) -> Cut | None:
    """What the expression cuts into steps, and which; None if it is none of the known forms."""
    if not isinstance(value, Call):
        return None
    find = _CUTS.get(value.function)
    return find(value) if find is not None else None


def key_of(value: Scalar) -> Cut | None:
    """`cut_of`, or a TIMESTAMP itself as steps of a millisecond."""
    if value.type.kind == Kind.TIMESTAMP and (line := line_of(value)) is not None and cut_of(value) is None:
        return Cut(line.base, TimeStep(1), 0 if line.base == value else None)
    return cut_of(value)


def is_multiple(outer: TimeStep, inner: TimeStep) -> bool:
    """True if every step of `outer` is made of whole steps of `inner`."""
    if outer.months:
        return outer.months % inner.months == 0 if inner.months else _DAY_MS % inner.step_ms == 0 == inner.origin_ms
    if inner.months:
        return False
    return outer.step_ms % inner.step_ms == 0 and (outer.origin_ms - inner.origin_ms) % inner.step_ms == 0


def line_of(value: Scalar) -> Line | None:
    """The line that the expression is; a TIMESTAMP that is nothing else is one of itself."""
    find = _LINES.get(value.function) if isinstance(value, Call) else None
    found = find(value) if find is not None and isinstance(value, Call) else None
    if found is None and value.type.kind == Kind.TIMESTAMP:
        return Line(value)
    return found


def _constant(value: Scalar) -> Fraction | None:
    """A literal number, interval (ms) or time (ms since 1970)."""
    if not isinstance(value, Literal) or isinstance(value.value, bool):
        return None
    if isinstance(value.value, datetime):
        return Fraction(round(value.value.replace(tzinfo=UTC).timestamp() * 1000))
    if isinstance(value.value, int | Decimal) and value.type.kind in NUMBERS | _INTERVALS:
        return Fraction(value.value)
    return Fraction(value.value) if isinstance(value.value, float) and value.value == int(value.value) else None


def _shifted(value: Call) -> Line | None:
    """A line plus or minus a constant."""
    left, right = value.arguments
    constant, line_side = _constant(right), left
    if constant is None and value.function == "+":
        constant, line_side = _constant(left), right
    line = line_of(line_side)
    if constant is None or line is None:
        return None
    sign = 1 if value.function == "-" else -1
    return line._replace(origin_ms=line.origin_ms + sign * constant * line.divisor)


def _divided(value: Call) -> Line | None:
    """A line divided by a constant. Whole numbers are cut instead."""
    line, constant = line_of(value.arguments[0]), _constant(value.arguments[1])
    if line is None or not constant or constant < 0 or value.type.kind in WHOLE:
        return None
    return line._replace(divisor=line.divisor * constant)


def _difference(value: Call) -> Line | None:
    """INTERVAL OF (a, b, unit): a minus a constant time."""
    return _since(value.arguments[0], value.arguments[1])


def _milliseconds_since(value: Call) -> Line | None:
    """TSDIFF (a, b): from a constant time b to a."""
    return _since(value.arguments[0], value.arguments[1])


def _since(time: Scalar, constant: Scalar) -> Line | None:
    line, origin = line_of(time), _constant(constant)
    return line._replace(origin_ms=line.origin_ms + origin) if line is not None and origin is not None else None


def _milliseconds(value: Call) -> Line | None:
    return line_of(value.arguments[0]) if value.arguments else None


def _cast_line(value: Call) -> Line | None:
    """A cast that loses nothing."""
    inner, kind = value.arguments[0], value.type.kind
    wider = inner.type.kind in WHOLE and kind in (Kind.BIGINT, Kind.DOUBLE, Kind.DECIMAL)
    return line_of(inner) if wider or inner.type.kind == kind else None


def _quotient(value: Call) -> Cut | None:
    if value.type.kind not in WHOLE:
        return _of_cut(value) if value.type.kind in NUMBERS else None
    line, constant = line_of(value.arguments[0]), _constant(value.arguments[1])
    if line is None or constant is None or constant <= 0:
        return None
    return _cut(line, constant)


def _cut(line: Line, size: Fraction, *, above_ms: Fraction = _NONE, is_time: bool = False) -> Cut | None:
    """Steps of a line; also of a line that is itself cut, if its steps are whole steps of that."""
    steps, up = line.steps(size, above_ms), above_ms != _NONE
    if steps is None:
        return None
    shift = int(line.origin_ms) if is_time and not up else None
    inner = cut_of(line.base)
    if inner is None:
        return Cut(line.base, steps, shift)
    if up or inner.shift_ms is None or not is_multiple(steps, inner.step._replace(origin_ms=0)):
        return None
    moved = steps._replace(origin_ms=(steps.origin_ms + inner.shift_ms) % steps.step_ms)
    return Cut(inner.base, moved, None if shift is None else shift + inner.shift_ms)


def _of_cut(value: Call) -> Cut | None:
    """Sums, products and casts of a cut with constants: other values, the same steps."""
    variable = [one for one in value.arguments if not isinstance(one, Literal)]
    found = cut_of(variable[0]) if len(variable) == 1 else None
    return found._replace(shift_ms=None) if found is not None else None


def _cast_cut(value: Call) -> Cut | None:
    inner, kind = value.arguments[0], value.type.kind
    if kind == Kind.DATE and inner.type.kind == Kind.TIMESTAMP:
        line = line_of(inner)
        return _cut(line, Fraction(_DAY_MS)) if line is not None else None
    loses = kind == Kind.TIME or (kind in (Kind.CHAR, Kind.VARCHAR) and (value.type.size or 0) < _TIMESTAMP_LENGTH)
    return None if loses else _of_cut(value)


def _to_unit(value: Call) -> Cut | None:
    """FLOOR TO and CEIL TO."""
    argument, unit = value.arguments[0], value.arguments[1]
    line, up = line_of(argument), value.function == "CEIL TO"
    word = str(unit.value) if isinstance(unit, Literal) else ""
    if line is None or argument.type.kind not in _INTERVALS | {Kind.TIMESTAMP}:
        return None
    if word in _UNIT_MS:
        # Intervals have whole milliseconds: a quotient is cut to them before it is rounded up.
        above_ms = line.divisor if up else _NONE
        return _cut(line, Fraction(_UNIT_MS[word]), above_ms=above_ms, is_time=argument.type.kind == Kind.TIMESTAMP)
    if word not in _UNIT_MONTHS or up or line.origin_ms or argument.type.kind != Kind.TIMESTAMP:
        return None
    return _months(line.base, _UNIT_MONTHS[word])


def _months(base: Scalar, months: int) -> Cut | None:
    step, inner = TimeStep(months=months), cut_of(base)
    if inner is None:
        return Cut(base, step, 0)
    whole = inner.plain and is_multiple(step, inner.step)
    return Cut(inner.base, step, 0) if whole else None


def _stepped(value: Call) -> Cut | None:
    """STEP."""
    argument, size = value.arguments
    line, amount = line_of(argument), _constant(size)
    if isinstance(size, Literal) and size.type.kind == Kind.INTERVAL_YEAR and isinstance(size.value, int):
        plain = line is not None and not line.origin_ms and size.value in _UNIT_MONTHS.values()
        return _months(line.base, size.value) if plain and line is not None else None
    if line is None or amount is None or amount <= 0:
        return None
    return _cut(line, amount, is_time=argument.type.kind == Kind.TIMESTAMP)


def _rounded(value: Call) -> Cut | None:
    """FLOOR and CEIL of a number."""
    argument = value.arguments[0]
    line = line_of(argument)
    if line is None or cut_of(argument) is not None:
        return _of_cut(value)
    return _cut(line, Fraction(1), above_ms=Fraction(value.function != "FLOOR"))


_LINES: dict[str, Callable[[Call], Line | None]] = {
    "+": _shifted,
    "-": _shifted,
    "/": _divided,
    "INTERVAL OF": _difference,
    "TSDIFF": _milliseconds_since,
    "UNIX_TIMESTAMP": _milliseconds,
    "CAST": _cast_line,
}
_CUTS: dict[str, Callable[[Call], Cut | None]] = {
    "FLOOR TO": _to_unit,
    "CEIL TO": _to_unit,
    "STEP": _stepped,
    "FLOOR": _rounded,
    "CEIL": _rounded,
    "CEILING": _rounded,
    "CAST": _cast_cut,
    "+": _of_cut,
    "-": _of_cut,
    "*": _of_cut,
    "/": _quotient,
    "UNIX_TIMESTAMP": _of_cut,
    "INTERVAL OF": _of_cut,
    "TSDIFF": _of_cut,
}
