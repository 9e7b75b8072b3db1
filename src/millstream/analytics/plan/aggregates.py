"""Aggregate functions and functions OVER windows: what they take and what they give.

COUNT is BIGINT; SUM of whole numbers BIGINT, of others their type (DECIMAL with all digits); AVG its argument's type
(an average of whole numbers is a whole number, as on AWS: CAST the argument for another); STDDEV_*, VAR_* and EXP_AVG
DOUBLE; ANY and EVERY BOOLEAN; MIN, MAX, LAG and *_VALUE their argument's type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlglot import exp

from millstream.analytics.plan.problems import problem
from millstream.analytics.plan.scalars import Translator
from millstream.analytics.scalars.nodes import Literal, Scalar
from millstream.analytics.scalars.types import (
    BIGINT,
    DOUBLE,
    INTEGER,
    INTEGERS,
    INTERVALS,
    NUMBERS,
    PRECISION_MAX,
    Kind,
    SqlType,
    decimal,
)

_SUMMED = NUMBERS | INTERVALS
_ORDERED = frozenset(Kind) - {Kind.RECORD}


class Typed(NamedTuple):
    """A call with types."""

    function: str
    arguments: tuple[Scalar, ...]
    type: SqlType
    distinct: bool = False


class Signature(NamedTuple):
    """`kinds` of the first argument, what the call gives for its type, and how many arguments it takes."""

    kinds: frozenset[Kind]
    result: Callable[[SqlType], SqlType]
    least: int = 1
    most: int = 1


def _summed(argument: SqlType) -> SqlType:
    if argument.kind in INTEGERS:
        return BIGINT
    return decimal(PRECISION_MAX, argument.scale or 0) if argument.kind == Kind.DECIMAL else argument


def _same(argument: SqlType) -> SqlType:
    return argument


def _double(_: SqlType) -> SqlType:
    return DOUBLE


_DEVIATION = Signature(NUMBERS, _double)
_VALUE = Signature(frozenset(Kind), _same)
_TRUTH = Signature(frozenset({Kind.BOOLEAN}), _same)

SIGNATURES = {
    "COUNT": Signature(frozenset(Kind), lambda _: BIGINT),
    "SUM": Signature(_SUMMED, _summed),
    "AVG": Signature(_SUMMED, _same),
    "MIN": Signature(_ORDERED, _same),
    "MAX": Signature(_ORDERED, _same),
    "STDDEV_POP": _DEVIATION,
    "STDDEV_SAMP": _DEVIATION,
    "VAR_POP": _DEVIATION,
    "VAR_SAMP": _DEVIATION,
    "FIRST_VALUE": _VALUE,
    "LAST_VALUE": _VALUE,
    "ANY": _TRUTH,
    "EVERY": _TRUTH,
    "EXP_AVG": Signature(NUMBERS, _double, 2, 2),
    "NTH_VALUE": Signature(frozenset(Kind), _same, 2, 2),
    "LAG": Signature(frozenset(Kind), _same, 1, 3),
}
_NO_DISTINCT = frozenset({"LAG", "FIRST_VALUE", "LAST_VALUE", "NTH_VALUE", "EXP_AVG"})


def typed(call: exp.Anonymous, translator: Translator) -> Typed:
    """An aggregate's or window function's types; `translator` makes its arguments. Raises SqlError."""
    name = str(call.this)
    given, distinct = _arguments(call)
    if name == "COUNT" and len(given) == 1 and isinstance(given[0], exp.Star):
        return Typed("COUNT(*)", (), BIGINT)
    signature = SIGNATURES[name]
    if not signature.least <= len(given) <= signature.most:
        count = signature.least if signature.least == signature.most else f"{signature.least} to {signature.most}"
        raise problem(call, f"{name} takes {count} argument{'' if count == 1 else 's'}, not {len(given)}")
    if distinct and name in _NO_DISTINCT:
        raise problem(call, f"{name} does not take DISTINCT")
    value = translator.scalar(given[0])
    if value.type.kind == Kind.NULL or value.type.kind not in signature.kinds:
        hint = "CAST it to a number" if signature.kinds in (NUMBERS, _SUMMED) else ""
        raise problem(given[0], f"{name} cannot be taken of a {value.type.kind.value}", hint)
    asked = _Asked(given, value, translator)
    rest = _REST[name](asked) if name in _REST else []
    useless = distinct and name in ("MIN", "MAX", "ANY", "EVERY")
    return Typed(name, (value, *rest), signature.result(value.type), distinct and not useless)


class _Asked(NamedTuple):
    """A call's arguments as written, and the first of them as a scalar."""

    nodes: list[exp.Expression]
    value: Scalar
    translator: Translator


def _arguments(call: exp.Anonymous) -> tuple[list[exp.Expression], bool]:
    given = call.expressions
    if len(given) == 1 and isinstance(given[0], exp.Distinct):
        return given[0].expressions, True
    return given, False


def _half_life(asked: _Asked) -> list[Scalar]:
    period = asked.translator.scalar(asked.nodes[1])
    if not isinstance(period, Literal) or period.type.kind != Kind.INTERVAL_DAY or _whole(period) < 1:
        raise problem(asked.nodes[1], "EXP_AVG takes the time in which weights halve", "write INTERVAL '10' SECOND")
    return [period]


def _nth(asked: _Asked) -> list[Scalar]:
    number = asked.translator.scalar(asked.nodes[1])
    if _whole(number) < 1:
        raise problem(asked.nodes[1], "NTH_VALUE takes the number of a row: 1, 2, …")
    return [number]


def _lag(asked: _Asked) -> list[Scalar]:
    nodes, translator = asked.nodes, asked.translator
    offset = translator.scalar(nodes[1]) if len(nodes) > 1 else Literal(1, INTEGER)
    if _whole(offset) < 0:
        raise problem(nodes[1], "LAG takes how many rows to go back: 0, 1, …")
    if len(nodes) < 3:
        return [offset, Literal(None, asked.value.type)]
    return [offset, translator.cast(nodes[2], translator.scalar(nodes[2]), asked.value.type, implicit=True)]


def _whole(scalar: Scalar) -> int:
    """A literal's whole number, -1 if it is not one."""
    whole = isinstance(scalar, Literal) and isinstance(scalar.value, int) and not isinstance(scalar.value, bool)
    return scalar.value if whole and isinstance(scalar, Literal) and isinstance(scalar.value, int) else -1


_REST: dict[str, Callable[[_Asked], list[Scalar]]] = {"EXP_AVG": _half_life, "NTH_VALUE": _nth, "LAG": _lag}
