"""Conditions of three values, comparisons, and what chooses between values.

An operand of AND counts, as far as errors go, only where those before it are not false; of OR, where they are not true:
`B <> 0 AND A / B > 2` fails for no row. CHAR compares without the spaces at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from millstream.analytics.scalars.building import Builder, Maker, Value, failing, plain
from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.faults import Choice, Fault, Within, any_of
from millstream.analytics.scalars.nodes import Call, Literal, Scalar
from millstream.analytics.scalars.types import EXACT, FLOATS, INTEGERS, Kind, digits

_COMPARISONS: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "IS DISTINCT FROM": lambda a, b: a.ne_missing(b),
    "IS NOT DISTINCT FROM": lambda a, b: a.eq_missing(b),
}


def comparable(builder: Builder, arguments: Sequence[Scalar]) -> list[pl.Expr]:
    """The arguments as expressions of one type that compare as SQL says."""
    kinds = {argument.type.kind for argument in arguments}
    made = [builder.value(argument).expr for argument in arguments]
    if kinds & FLOATS and len(kinds) > 1:
        return [one.cast(pl.Float64()) for one in made]
    if Kind.DECIMAL in kinds and kinds <= EXACT:
        scale = max(digits(argument.type)[1] for argument in arguments)
        same = all(argument.type == arguments[0].type for argument in arguments)
        return made if same else [one.cast(pl.Decimal(38, scale)) for one in made]
    if len(kinds) > 1 and kinds <= INTEGERS:
        return [one.cast(pl.Int64()) for one in made]
    if any(argument.type.kind is Kind.CHAR and not isinstance(argument, Literal) for argument in arguments):
        return [one.str.strip_chars_end(" ") for one in made]
    return made


def _faults(builder: Builder, call: Call) -> Fault | None:
    return any_of([builder.value(argument).fault for argument in call.arguments])


def _comparison(name: str) -> Maker:
    def made(builder: Builder, call: Call) -> Value:
        a, b = comparable(builder, call.arguments)
        return failing(_COMPARISONS[name](a, b), _faults(builder, call))

    return made


def between(builder: Builder, call: Call) -> Value:
    """a BETWEEN low AND high."""
    a, low, high = comparable(builder, call.arguments)
    return failing((a >= low) & (a <= high), _faults(builder, call))


def among(builder: Builder, call: Call) -> Value:
    """a IN (…): unknown if it is none of them and one is NULL."""
    value, *listed = call.arguments
    simple = all(isinstance(one, Literal) and one.type.kind is value.type.kind for one in listed)
    if simple and len(listed) > 2 and value.type.kind not in (Kind.DECIMAL, Kind.CHAR, Kind.REAL):
        known = [one.value for one in listed if isinstance(one, Literal) and one.value is not None]
        expression = builder.value(value).expr
        found = expression.is_in(pl.Series("", known, dtype(value.type)).implode())
        if len(known) < len(listed):
            found = pl.when(found).then(found)
        return failing(found, _faults(builder, call))
    a, *others = comparable(builder, call.arguments)
    return failing(pl.any_horizontal([a == other for other in others]), _faults(builder, call))


def _connected(*, conjunction: bool) -> Maker:
    def made(builder: Builder, call: Call) -> Value:
        values = builder.values(call)
        before = values[0].expr
        faults = [values[0].fault]
        for value in values[1:]:
            goes_on = before if conjunction else ~before
            faults.append(Within(goes_on, value.fault, unknown=True) if value.fault is not None else None)
            before = before & value.expr if conjunction else before | value.expr
        return failing(before, *faults)

    return made


def case(builder: Builder, call: Call) -> Value:
    """CASE condition, value, …, default."""
    values = builder.values(call)
    conditions = values[:-1:2]
    results = [*values[1:-1:2], values[-1]]
    chain = results[-1].expr
    for condition, result in zip(reversed(conditions), reversed(results[:-1]), strict=True):
        chain = pl.when(condition.expr).then(result.expr).otherwise(chain)
    return failing(chain.cast(dtype(call.type)), _case_fault(conditions, results))


def _case_fault(conditions: Sequence[Value], results: Sequence[Value]) -> Fault | None:
    """Of the results, that of the branch taken; of the conditions, those looked at until then."""
    faults: list[Fault | None] = []
    if any(result.fault for result in results):
        faults.append(Choice(tuple(one.expr for one in conditions), tuple(result.fault for result in results)))
    taken: pl.Expr | None = None
    for condition in conditions:
        if condition.fault is not None:
            faults.append(condition.fault if taken is None else Within(~taken, condition.fault))
        holds = condition.expr.fill_null(value=False)
        taken = holds if taken is None else taken | holds
    return any_of(faults)


def coalesce(builder: Builder, call: Call) -> Value:
    """The first that is not NULL; those after it are not looked at."""
    values = builder.values(call)
    faults: list[Fault | None] = [values[0].fault]
    missing = values[0].expr.is_null()
    for value in values[1:]:
        faults.append(Within(missing, value.fault) if value.fault is not None else None)
        missing = missing & value.expr.is_null()
    return failing(pl.coalesce([value.expr for value in values]), *faults)


def null_if(builder: Builder, call: Call) -> Value:
    """NULLIF(a, b)."""
    a, b = comparable(builder, call.arguments)
    same = (a == b).fill_null(value=False)
    value = builder.value(call.arguments[0]).expr
    return failing(pl.when(~same).then(value), _faults(builder, call))


def _extreme(*, greatest: bool) -> Maker:
    """GREATEST and LEAST: NULL if one is NULL."""

    def made(builder: Builder, call: Call) -> Value:
        values = builder.values(call)
        best = values[0].expr
        for value in values[1:]:
            better = value.expr > best if greatest else value.expr < best
            both = best.is_not_null() & value.expr.is_not_null()
            best = pl.when(both).then(pl.when(better).then(value.expr).otherwise(best))
        return failing(best, *(value.fault for value in values))

    return made


_PERIODS: dict[str, Callable[[pl.Expr, pl.Expr, pl.Expr, pl.Expr], pl.Expr]] = {
    "CONTAINS": lambda s1, e1, s2, e2: (s1 <= s2) & (e2 <= e1),
    "OVERLAPS": lambda s1, e1, s2, e2: (s1 < e2) & (s2 < e1),
    "EQUALS": lambda s1, e1, s2, e2: (s1 == s2) & (e1 == e2),
    "PRECEDES": lambda _s1, e1, s2, _e2: e1 <= s2,
    "SUCCEEDS": lambda s1, _e1, _s2, e2: e2 <= s1,
    "LEADS": lambda s1, e1, s2, e2: (s1 < s2) & (s2 < e1) & (e1 <= e2),
    "LAGS": lambda s1, e1, s2, e2: (s2 <= s1) & (s1 < e2) & (e2 < e1),
    "STRICTLY CONTAINS": lambda s1, e1, s2, e2: (s1 < s2) & (e2 < e1),
    "STRICTLY OVERLAPS": lambda s1, e1, s2, e2: (s1 < e2) & (s2 < e1) & (s1 != s2) & (e1 != e2),
    "STRICTLY PRECEDES": lambda _s1, e1, s2, _e2: e1 < s2,
    "STRICTLY SUCCEEDS": lambda s1, _e1, _s2, e2: e2 < s1,
    "STRICTLY LEADS": lambda s1, e1, s2, e2: (s1 < s2) & (s2 < e1) & (e1 < e2),
    "STRICTLY LAGS": lambda s1, e1, s2, e2: (s2 < s1) & (s1 < e2) & (e2 < e1),
    "IMMEDIATELY PRECEDES": lambda _s1, e1, s2, _e2: e1 == s2,
    "IMMEDIATELY SUCCEEDS": lambda s1, _e1, _s2, e2: s1 == e2,
    "IMMEDIATELY LEADS": lambda s1, e1, s2, e2: (s1 < s2) & (s2 < e1) & (e1 == e2),
    "IMMEDIATELY LAGS": lambda s1, e1, s2, e2: (s1 == s2) & (s1 < e2) & (e2 < e1),
}


def _periods(name: str) -> Maker:
    def made(builder: Builder, call: Call) -> Value:
        values = [value.expr for value in builder.values(call)]
        if len(values) == 3:  # a time, not a period
            start, end, at = values
            first = start < at if name.startswith("STRICTLY") else start <= at
            return failing(first & (at < end), _faults(builder, call))
        return failing(_PERIODS[name](*values), _faults(builder, call))

    return made


MAKERS: dict[str, Maker] = {
    **{name: _comparison(name) for name in _COMPARISONS},
    **{name: _periods(name) for name in _PERIODS},
    "BETWEEN": between,
    "IN": among,
    "AND": _connected(conjunction=True),
    "OR": _connected(conjunction=False),
    "NOT": plain(lambda a: ~a),
    "IS NULL": plain(lambda a: a.is_null()),
    "IS NOT NULL": plain(lambda a: a.is_not_null()),
    "IS TRUE": plain(lambda a: a.fill_null(value=False)),
    "IS FALSE": plain(lambda a: ~a.fill_null(value=True)),
    "IS UNKNOWN": plain(lambda a: a.is_null()),
    "CASE": case,
    "COALESCE": coalesce,
    "NULLIF": null_if,
    "GREATEST": _extreme(greatest=True),
    "LEAST": _extreme(greatest=False),
}
