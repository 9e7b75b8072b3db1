"""Which types become which: by CAST, by assignment, and to meet one another.

A text becomes a number or a time by CAST only, except that a literal may stand for a time ('2009-09-16' where a DATE is
wanted). Numbers become one another wherever a number is wanted; what does not fit is an error of the row.
"""

from __future__ import annotations

from collections.abc import Sequence

from millstream.analytics.language.errors import Span
from millstream.analytics.scalars.literals import NotFolded, convert_literal
from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.nodes import Call, Literal, Scalar
from millstream.analytics.scalars.types import (
    BINARIES,
    EXACT,
    FLOATS,
    INTEGER_BITS,
    INTEGERS,
    INTERVALS,
    NULL,
    NUMBERS,
    TEXTS,
    TIMES,
    TIMESTAMP,
    UNIT_MONTHS,
    UNIT_MS,
    Kind,
    SqlType,
    decimal,
    digits,
    show,
    varchar,
)

_DATES = frozenset({Kind.DATE, Kind.TIMESTAMP})
_FAMILIES = (NUMBERS, TEXTS, BINARIES)
_CASTS: tuple[tuple[frozenset[Kind], frozenset[Kind]], ...] = (
    (NUMBERS, NUMBERS | TEXTS),
    (TEXTS, NUMBERS | TEXTS | TIMES | {Kind.BOOLEAN}),
    (frozenset({Kind.DATE}), _DATES | TEXTS),
    (frozenset({Kind.TIME}), TEXTS | {Kind.TIME, Kind.TIMESTAMP}),
    (frozenset({Kind.TIMESTAMP}), TIMES | TEXTS),
    (INTERVALS, EXACT | TEXTS),
    (frozenset({Kind.BOOLEAN}), TEXTS | {Kind.BOOLEAN}),
    (BINARIES, BINARIES),
)


def cast(argument: Scalar, to: SqlType, span: Span | None = None, *, implicit: bool = False) -> Scalar:
    """`argument` as type `to`; itself if it has that type. `implicit`: only what an assignment may do. Raises
    Mistake."""
    source = argument.type
    if source == to:
        return argument
    literal = isinstance(argument, Literal)
    if source.kind is not Kind.NULL and not (_assignable(source, to, literal) if implicit else _castable(source, to)):
        raise _refusal(source, to, implicit=implicit)
    if isinstance(argument, Literal):
        try:
            return Literal(convert_literal(argument.value, source, to), to, span or argument.span)
        except NotFolded:
            pass
    return Call("CAST", (argument,), to, span or argument.span)


def _castable(source: SqlType, to: SqlType) -> bool:
    if source.kind is to.kind:
        return source.kind is not Kind.RECORD
    return any(source.kind in of and to.kind in into for of, into in _CASTS)


def _assignable(source: SqlType, to: SqlType, literal: bool) -> bool:
    if source.kind is to.kind:
        return source.kind is not Kind.RECORD
    if any(source.kind in family and to.kind in family for family in _FAMILIES):
        return True
    if to.kind is Kind.TIMESTAMP and source.kind is Kind.DATE:
        return True
    return literal and source.kind in TEXTS and to.kind in TIMES


def _refusal(source: SqlType, to: SqlType, *, implicit: bool) -> Mistake:
    hint = f"write CAST(… AS {show(to)})" if implicit and _castable(source, to) else ""
    return Mistake(f"{show(source)} cannot become {show(to)}{' by itself' if hint else ''}", hint)


def common_type(types: Sequence[SqlType]) -> SqlType:
    """The type that CASE, COALESCE, UNION ALL and IN give to values of these. Raises Mistake."""
    result = NULL
    for one in types:
        result = _meet(result, one)
    return result


def _meet(a: SqlType, b: SqlType) -> SqlType:
    if a == b or b.kind is Kind.NULL:
        return a
    if a.kind is Kind.NULL:
        return b
    kinds = {a.kind, b.kind}
    if kinds <= NUMBERS:
        return _meet_numbers(a, b)
    if kinds <= TEXTS:
        return varchar(max(a.size or 0, b.size or 0) or None)
    if kinds <= BINARIES:
        return SqlType(Kind.VARBINARY, max(a.size or 0, b.size or 0) or None)
    if kinds == _DATES:
        return TIMESTAMP
    if len(kinds) == 1 and a.kind in INTERVALS:
        return _meet_intervals(a, b)
    raise Mistake(f"{show(a)} and {show(b)} have no common type", "make them one with CAST")


def _meet_numbers(a: SqlType, b: SqlType) -> SqlType:
    kinds = {a.kind, b.kind}
    if kinds & FLOATS:  # REAL with a DECIMAL is DOUBLE: REAL has too few digits for it
        wide = Kind.DOUBLE in kinds or Kind.DECIMAL in kinds
        return SqlType(Kind.DOUBLE if wide else Kind.REAL)
    if kinds <= INTEGERS:
        return a if INTEGER_BITS[a.kind] >= INTEGER_BITS[b.kind] else b
    (p1, s1), (p2, s2) = digits(a), digits(b)
    scale = max(s1, s2)
    return decimal(max(p1 - s1, p2 - s2) + scale, scale)


def _meet_intervals(a: SqlType, b: SqlType) -> SqlType:
    if not (a.fields and b.fields):
        return SqlType(a.kind)
    size = {**UNIT_MS, **UNIT_MONTHS}
    units = sorted({*a.fields, *b.fields}, key=lambda unit: -size[unit])
    return SqlType(a.kind, fields=(units[0], units[-1]))


def unify(arguments: Sequence[Scalar]) -> tuple[Scalar, ...]:
    """The arguments as types that can be compared with one another: numbers stay what they are, NULL and literals of
    times become what the others are. Raises Mistake."""
    kinds = {one.type.kind for one in arguments} - {Kind.NULL}
    times = kinds & TIMES
    wanted: SqlType | None = None
    if times:
        plain = kinds - {one.type.kind for one in arguments if isinstance(one, Literal) and one.type.kind in TEXTS}
        if plain <= TIMES and (len(plain) == 1 or plain == _DATES):
            wanted = common_type([one.type for one in arguments if one.type.kind in TIMES])
    else:
        wanted = common_type([one.type for one in arguments])
    if wanted is None:
        one, other = next((a, b) for a in arguments for b in arguments if not comparable(a.type, b.type))
        raise Mistake(f"{show(one.type)} and {show(other.type)} cannot be compared", "make them one type with CAST")
    return tuple(_adapted(one, wanted) for one in arguments)


def comparable(a: SqlType, b: SqlType) -> bool:
    """Whether values of the two can be compared as they are."""
    families = (*_FAMILIES, _DATES)
    return Kind.NULL in (a.kind, b.kind) or a.kind is b.kind or any({a.kind, b.kind} <= one for one in families)


def _adapted(argument: Scalar, wanted: SqlType) -> Scalar:
    stays = argument.type.kind is wanted.kind or (argument.type.kind in NUMBERS | TEXTS | BINARIES)
    if argument.type.kind is Kind.NULL or not stays or (wanted.kind in TIMES and argument.type.kind in TEXTS):
        return cast(argument, wanted, implicit=True)
    return argument
