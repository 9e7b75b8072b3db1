"""How operators are typed: arithmetic on numbers, times and intervals, comparisons, conditions."""

from __future__ import annotations

from collections.abc import Sequence

from millstream.analytics.scalars.coercion import cast, common_type, unify
from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.nodes import Call, Literal, Scalar
from millstream.analytics.scalars.types import (
    BOOLEAN,
    DATE,
    FLOATS,
    INTEGER,
    INTERVALS,
    NUMBERS,
    PRECISION_MAX,
    TEXTS,
    TIMES,
    TIMESTAMP,
    Kind,
    SqlType,
    decimal,
    digits,
    interval_type,
    show,
    varchar,
)

Arguments = tuple[Scalar, ...]


def arithmetic(name: str, arguments: Arguments) -> Scalar:
    """+ - * / of numbers, times and intervals."""
    a, b = _without_nulls(arguments)
    if {a.type.kind, b.type.kind} & (TIMES | INTERVALS):
        return _temporal(name, a, b)
    if not {a.type.kind, b.type.kind} <= NUMBERS:
        hint = "make texts numbers with CAST" if name != "+" else "join texts with ||; make them numbers with CAST"
        raise Mistake(f"{show(a.type)} {name} {show(b.type)} is not possible", hint)
    result = common_type((a.type, b.type))
    if result.kind is Kind.DECIMAL:
        return Call(name, (a, b), _decimal_result(name, a.type, b.type))
    return Call(name, (cast(a, result), cast(b, result)), result)


def _without_nulls(arguments: Arguments) -> Arguments:
    """A NULL is of the other operand's type; INTEGER if that is a NULL, too."""
    known = [one.type for one in arguments if one.type.kind is not Kind.NULL]
    return tuple(cast(one, known[0] if known else INTEGER) if one.type.kind is Kind.NULL else one for one in arguments)


def _decimal_result(name: str, a: SqlType, b: SqlType) -> SqlType:
    """The reference's rules of precision and scale (Numeric Types and Precision)."""
    (p1, s1), (p2, s2) = digits(a), digits(b)
    if name == "*":
        return decimal(p1 + p2, min(s1 + s2, PRECISION_MAX))
    if name == "/":
        whole = p1 - s1 + s2
        scale = max(s1, min(max(6, s1 + p2 + 1), PRECISION_MAX - whole))
        return decimal(whole + scale, scale)
    scale = max(s1, s2)
    return decimal(max(p1 - s1, p2 - s2) + scale + 1, scale)


def _temporal(name: str, a: Scalar, b: Scalar) -> Scalar:
    of_a, of_b = a.type.kind, b.type.kind
    if name == "+" and of_a in INTERVALS and of_b in TIMES:
        a, b, of_a, of_b = b, a, of_b, of_a
    if name in "+-" and of_a in TIMES and of_b in INTERVALS:
        if of_a is Kind.TIME and of_b is Kind.INTERVAL_YEAR:
            raise Mistake("A TIME has no months to count")
        return Call(name, (a, b), a.type)
    if name in "+-" and of_a in INTERVALS and of_a is of_b:
        return Call(name, (a, b), common_type((a.type, b.type)))
    if name == "*" and of_a in NUMBERS and of_b in INTERVALS:
        a, b, of_a, of_b = b, a, of_b, of_a
    if name in "*/" and of_a in INTERVALS and of_b in NUMBERS:
        return Call(name, (a, b), a.type)
    hint = "write (a - b) SECOND, or TSDIFF(a, b)" if name == "-" and {of_a, of_b} <= TIMES else ""
    raise Mistake(f"{show(a.type)} {name} {show(b.type)} is not possible", hint)


def sign(name: str, arguments: Arguments) -> Scalar:
    """Unary - and +."""
    (argument,) = _without_nulls(arguments)
    if argument.type.kind not in NUMBERS | INTERVALS:
        raise Mistake(f"{show(argument.type)} has no sign", "make it a number with CAST")
    if name == "POS":
        return argument
    if isinstance(argument, Literal) and argument.value is not None:
        return Literal(-argument.value, argument.type)  # type: ignore[operator]
    return Call("NEG", (argument,), argument.type)


def interval_of(_name: str, arguments: Arguments) -> Scalar:
    """(a - b) unit [TO unit]."""
    a, b = unify(arguments[:2])
    words = [literal_text(one, "The unit of an interval") for one in arguments[2:]]
    result = interval_type(*words)
    if a.type.kind not in TIMES or a.type.kind is not b.type.kind:
        raise Mistake(f"{show(a.type)} - {show(b.type)} is not a time", "subtract TIMESTAMPs, DATEs or TIMEs")
    if a.type.kind is Kind.TIME and result.kind is Kind.INTERVAL_YEAR:
        raise Mistake("TIMEs do not differ by months")
    if a.type.kind is Kind.DATE:
        a, b = cast(a, TIMESTAMP), cast(b, TIMESTAMP)
    return Call("INTERVAL OF", (a, b), result)


def comparison(name: str, arguments: Arguments) -> Scalar:
    """=, <> and the like, BETWEEN, IN."""
    if any(one.type.kind is Kind.RECORD for one in arguments):
        raise Mistake("A record cannot be compared", "compare its fields, for example T.REC.COLUMN1")
    return Call(name, unify(arguments), BOOLEAN)


def condition(name: str, arguments: Arguments) -> Scalar:
    """AND, OR, NOT, IS TRUE and the like."""
    if name in ("AND", "OR"):
        arguments = _flat(name, arguments)
    return Call(name, tuple(as_condition(one) for one in arguments), BOOLEAN)


def _flat(name: str, arguments: Arguments) -> Arguments:
    """Long chains of one operator as one call of it."""
    first = arguments[0]
    return first.arguments + arguments[1:] if isinstance(first, Call) and first.function == name else arguments


def as_condition(argument: Scalar) -> Scalar:
    """The argument as BOOLEAN. Raises Mistake."""
    if argument.type.kind not in (Kind.BOOLEAN, Kind.NULL):
        raise Mistake(f"{show(argument.type)} is not a condition", "compare it with something")
    return cast(argument, BOOLEAN)


def is_null(name: str, arguments: Arguments) -> Scalar:
    """IS NULL, IS NOT NULL of anything."""
    return Call(name, arguments, BOOLEAN)


def case(_name: str, arguments: Arguments) -> Scalar:
    """CASE condition, value, …, [default]."""
    pairs = len(arguments) // 2
    conditions = [as_condition(one) for one in arguments[: 2 * pairs : 2]]
    values = [*arguments[1 : 2 * pairs : 2], *arguments[2 * pairs :]]
    result, made = met(values)
    default = made[pairs] if len(made) > pairs else cast(Literal(None, SqlType(Kind.NULL)), result)
    paired = [one for pair in zip(conditions, made[:pairs], strict=True) for one in pair]
    return Call("CASE", (*paired, default), result)


def met(values: Sequence[Scalar]) -> tuple[SqlType, list[Scalar]]:
    """The common type of values, and the values as it."""
    result = common_type([one.type for one in values])
    if result.kind is Kind.NULL:
        result = varchar(1)
    return result, [cast(one, result) for one in values]


def coalesce(name: str, arguments: Arguments) -> Scalar:
    """COALESCE, GREATEST, LEAST."""
    result, made = met(arguments)
    return Call(name, tuple(made), result)


def null_if(_name: str, arguments: Arguments) -> Scalar:
    """NULLIF(a, b): NULL where they are equal, else a."""
    a, b = unify(arguments)
    return Call("NULLIF", (a, b), a.type)


def concatenation(_name: str, arguments: Arguments) -> Scalar:
    """a || b of texts; what is joined already is joined along."""
    arguments = _flat("||", arguments)
    known = tuple(cast(one, varchar(1)) if one.type.kind is Kind.NULL else one for one in arguments)
    for one in known:
        if one.type.kind not in TEXTS:
            raise Mistake(f"|| joins texts, not {show(one.type)}", "write CAST(… AS VARCHAR(n))")
    sizes = [one.type.size for one in known]
    return Call("||", known, varchar(None if None in sizes else sum(size or 0 for size in sizes)))


def predicate_of_periods(name: str, arguments: Arguments) -> Scalar:
    """(s1, e1) OVERLAPS (s2, e2): an end that is an interval is added to its start; CONTAINS also takes one time."""
    if len(arguments) == 3 and not name.endswith("CONTAINS"):
        raise Mistake(f"{name} compares two periods", "write (start, end) twice")
    ends = list(arguments)
    for end in range(1, len(ends), 2):
        if ends[end].type.kind in INTERVALS:
            ends[end] = arithmetic("+", (ends[end - 1], ends[end]))
    made = unify(ends)
    if made[0].type.kind not in TIMES:
        raise Mistake(f"{name} compares periods of TIMESTAMPs, not of {show(made[0].type)}")
    return Call(name, made, BOOLEAN)


def step(_name: str, arguments: Arguments) -> Scalar:
    """STEP(a BY b) of numbers, of times by intervals."""
    a, b = _without_nulls(arguments)
    if a.type.kind in TIMES and b.type.kind in INTERVALS:
        if a.type.kind is Kind.TIME and b.type.kind is Kind.INTERVAL_YEAR:
            raise Mistake("A TIME has no months to count")
        return Call("STEP", (a, b), a.type)
    if a.type.kind in INTERVALS and a.type.kind is b.type.kind:
        return Call("STEP", (a, b), a.type)
    if {a.type.kind, b.type.kind} <= NUMBERS - FLOATS:
        result = common_type((a.type, b.type))
        return Call("STEP", (cast(a, result), cast(b, result)), result)
    hint = "for example STEP(ROWTIME BY INTERVAL '10' SECOND)"
    raise Mistake(f"STEP of {show(a.type)} BY {show(b.type)} is not possible", hint)


def to_unit(name: str, arguments: Arguments) -> Scalar:
    """FLOOR(a TO unit), CEIL(a TO unit)."""
    a, unit = arguments
    word = unit_word(unit)
    if a.type.kind is Kind.NULL:
        a = cast(a, TIMESTAMP)
    if a.type.kind not in TIMES | INTERVALS:
        raise Mistake(f"{name.split(maxsplit=1)[0]}(… TO {word}) is of times, not of {show(a.type)}")
    return Call(name, (a, Literal(word, varchar(len(word)))), a.type)


def unit_word(unit: Scalar) -> str:
    """The unit of time that a literal names. Raises Mistake."""
    word = literal_text(unit, "The unit").upper()
    if word not in _UNITS:
        raise Mistake(f"{word} is not a unit of time", f"units are {', '.join(sorted(_UNITS))}")
    return word


_UNITS = frozenset({"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND", "DOY", "DOW"})


def literal_text(argument: Scalar, what: str) -> str:
    """The text of a literal. Raises Mistake."""
    if isinstance(argument, Literal) and isinstance(argument.value, str):
        return argument.value
    raise Mistake(f"{what} must be a text written in the program, not computed")


def as_time(argument: Scalar, wanted: SqlType) -> Scalar:
    """The argument as DATE, TIME or TIMESTAMP; a DATE is its midnight, a TIMESTAMP its day where a DATE is wanted."""
    if wanted == DATE and argument.type.kind is Kind.TIMESTAMP:
        return cast(argument, wanted)
    return cast(argument, wanted, implicit=True)
