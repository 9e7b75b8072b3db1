"""The functions: what arguments each takes and the type it gives, as a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from millstream.analytics.scalars import javaregex, logformats, patterns
from millstream.analytics.scalars.coercion import cast, common_type
from millstream.analytics.scalars.dateformat import DateFormat
from millstream.analytics.scalars.mistakes import Mistake, did_you_mean
from millstream.analytics.scalars.nodes import Call, Literal, Scalar
from millstream.analytics.scalars.rules import Arguments, as_time, literal_text, unit_word
from millstream.analytics.scalars.types import (
    BIGINT,
    BINARIES,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    INTERVALS,
    NUMBERS,
    TEXTS,
    TIME,
    TIMES,
    TIMESTAMP,
    VARCHAR,
    Kind,
    SqlType,
    decimal,
    digits,
    show,
    varchar,
)

Result = SqlType | Callable[[Arguments], SqlType]
_PARAMETERS: dict[str, tuple[frozenset[Kind], SqlType, str]] = {
    "number": (NUMBERS, DOUBLE, "a number"),
    "integer": (NUMBERS, INTEGER, "a whole number"),
    "long": (NUMBERS, BIGINT, "a whole number"),
    "double": (NUMBERS, DOUBLE, "a number"),
    "text": (TEXTS, VARCHAR, "a text"),
    "quantity": (NUMBERS | INTERVALS, DOUBLE, "a number or an interval"),
    "string": (TEXTS | BINARIES, VARCHAR, "a text"),
}
_OCCURRENCES_MAX = 65_535
_TIMES = {"timestamp": TIMESTAMP, "date": DATE, "time": TIME}


class Function(NamedTuple):
    """A function: its typing rule, and how many arguments it takes."""

    rule: Callable[[str, Arguments], Scalar]
    least: int
    most: int


def _function(parameters: str, result: Result) -> Function:
    """A function of parameters ("text integer [integer]"), its result's type fixed or following from the arguments."""
    names = parameters.split()
    plain = [name.strip("[]") for name in names]

    def rule(name: str, arguments: Arguments) -> Scalar:
        made = tuple(_argument(name, one, kind) for one, kind in zip(arguments, plain, strict=False))
        return Call(name, made, result if isinstance(result, SqlType) else result(made))

    return Function(rule, sum("[" not in name for name in names), len(names))


def _argument(function: str, argument: Scalar, parameter: str) -> Scalar:
    if parameter == "any":
        return argument
    if parameter in _TIMES:
        try:
            return as_time(argument, _TIMES[parameter])
        except Mistake as mistake:
            raise Mistake(f"{function} takes a {show(_TIMES[parameter])}: {mistake.message}", mistake.hint) from None
    kinds, default, words = _PARAMETERS[parameter]
    if argument.type.kind is Kind.NULL:
        return cast(argument, default)
    if argument.type.kind not in kinds:
        hint = f"write CAST(… AS {show(default)})"
        raise Mistake(f"{function} takes {words} here, not {show(argument.type)}", hint)
    return cast(argument, default) if parameter in ("integer", "long", "double") else argument


def _same(arguments: Arguments) -> SqlType:
    return arguments[0].type


def _whole(arguments: Arguments) -> SqlType:
    """FLOOR and CEIL of a DECIMAL have no scale."""
    of = arguments[0].type
    return decimal(digits(of)[0] - digits(of)[1] + 1, 0) if of.kind is Kind.DECIMAL else of


def _text_like(arguments: Arguments) -> SqlType:
    """A text as long as the argument can be, without the padding of CHAR."""
    of = arguments[0].type
    return varchar(of.size) if of.kind in TEXTS else SqlType(Kind.VARBINARY, of.size)


def _mod(name: str, arguments: Arguments) -> Scalar:
    a, b = (_argument(name, one, "number") for one in arguments)
    result = common_type((a.type, b.type))
    return Call(name, (cast(a, result), cast(b, result)), result)


def _round(name: str, arguments: Arguments) -> Scalar:
    value = _argument(name, arguments[0], "number")
    places = _argument(name, arguments[1], "integer") if len(arguments) > 1 else Literal(0, INTEGER)
    if not isinstance(places, Literal) or places.value is None:
        raise Mistake("ROUND takes the number of digits as a number written in the program")
    return Call(name, (value, places), value.type)


def _extract(name: str, arguments: Arguments) -> Scalar:
    unit, value = unit_word(arguments[0]), arguments[1]
    if value.type.kind is Kind.NULL:
        value = cast(value, TIMESTAMP)
    if value.type.kind not in TIMES | INTERVALS:
        raise Mistake(f"EXTRACT({unit} FROM …) is of times, not of {show(value.type)}")
    result = SqlType(Kind.DECIMAL, 5, 3) if unit == "SECOND" else BIGINT
    return Call(name, (Literal(unit, varchar(len(unit))), value), result)


def _difference(name: str, arguments: Arguments) -> Scalar:
    """TSDIFF: the first time less the second, in ms; times may be numbers of ms since 1970."""

    def moment(one: Scalar) -> Scalar:
        if one.type.kind in NUMBERS:
            return Call("TO_TIMESTAMP", (cast(one, BIGINT),), TIMESTAMP)
        return _argument(name, one, "timestamp")

    return Call(name, tuple(moment(one) for one in arguments), BIGINT)


def _overlay(arguments: Arguments) -> SqlType:
    sizes = [one.type.size or 0 for one in arguments[:2]]
    return varchar(sum(sizes)) if all(sizes) else VARCHAR


def _substring(name: str, arguments: Arguments) -> Scalar:
    """SUBSTRING by positions, by a regular expression (two texts), by SIMILAR and ESCAPE (three texts)."""
    text = _argument(name, arguments[0], "string")
    result = _text_like((text,))
    if arguments[1].type.kind in TEXTS:
        pattern = literal_text(arguments[1], "The pattern of SUBSTRING")
        if len(arguments) == 3:
            patterns.similar_parts(pattern, literal_text(arguments[2], "The escape character"))
        else:
            javaregex.java_regex(pattern)
        return Call(name, (text, *arguments[1:]), result)
    positions = tuple(_argument(name, one, "long") for one in arguments[1:])
    return Call(name, (text, *positions), result)


def _trim(name: str, arguments: Arguments) -> Scalar:
    side = literal_text(arguments[0], "The side of TRIM").upper()
    if side not in ("BOTH", "LEADING", "TRAILING"):
        raise Mistake(f"TRIM has no side {side}", "BOTH, LEADING or TRAILING")
    characters, text = (_argument(name, one, "text") for one in arguments[1:])
    return Call(name, (Literal(side, varchar(len(side))), characters, text), _text_like((text,)))


def _regex_replace(name: str, arguments: Arguments) -> Scalar:
    texts = tuple(_argument(name, one, "text") for one in arguments[:3])
    groups = javaregex.java_regex(literal_text(texts[1], "The pattern of REGEX_REPLACE")).groups
    javaregex.java_replacement(literal_text(texts[2], "The replacement of REGEX_REPLACE"), groups)
    numbers = tuple(_argument(name, one, "integer") for one in arguments[3:])
    for number, least, what in zip(numbers, (1, 0), ("first position", "occurrence"), strict=False):
        value = number.value if isinstance(number, Literal) else None
        if not isinstance(value, int) or not least <= value <= _OCCURRENCES_MAX:
            raise Mistake(
                f"The {what} of {name} is a number from {least} to {_OCCURRENCES_MAX}, written in the program"
            )
    return Call(name, texts + numbers, VARCHAR)


def _formatted(kind: str, result: Result, *, parses: bool) -> Function:
    """A conversion between a text and a time by a format: (format, text) or (format, time)."""

    def rule(name: str, arguments: Arguments) -> Scalar:
        form = DateFormat(literal_text(arguments[0], f"The format of {name}"))
        if parses:
            form.check_parse()
        value = _argument(name, arguments[1], kind)
        return Call(name, (arguments[0], value), result if isinstance(result, SqlType) else result(arguments))

    return Function(rule, 2, 2)


def _unix_timestamp(name: str, arguments: Arguments) -> Scalar:
    given = arguments or (Call("CURRENT_TIMESTAMP", (), TIMESTAMP),)
    return Call(name, (_argument(name, given[0], "timestamp"),), BIGINT)


def _row_timestamp(name: str, arguments: Arguments) -> Scalar:
    return _argument(name, arguments[0], "timestamp")


def _record(name: str, arguments: Arguments) -> Scalar:
    text = _argument(name, arguments[0], "text")
    rest = tuple(one for one in arguments[1:])
    values = [one.value if isinstance(one, Literal) else None for one in rest]
    if None in values:
        raise Mistake(f"{name} takes texts written in the program after the first argument, not computed ones")
    return Call(name, (text, *rest), logformats.record_type(name, values))


def pattern_match(name: str, arguments: Arguments) -> Scalar:
    """LIKE and SIMILAR TO."""
    texts = tuple(_argument(name, one, "text") for one in arguments)
    pattern, escape = texts[1], texts[2] if len(texts) > 2 else None
    if escape is not None and (not isinstance(escape, Literal) or len(str(escape.value)) != 1):
        raise Mistake(f"The escape character of {name} must be one character written in the program")
    if isinstance(pattern, Literal) and isinstance(pattern.value, str):
        patterns.PATTERNS[name](pattern.value, str(escape.value) if isinstance(escape, Literal) else None)
    return Call(name, texts, BOOLEAN)


def field(_name: str, arguments: Arguments) -> Scalar:
    """A field of a record."""
    value, name = arguments[0], literal_text(arguments[1], "The name of a field")
    of = value.type
    if of.kind is not Kind.RECORD:
        raise Mistake(f"{show(of)} has no fields", "only the records of log parsing functions have")
    if name not in of.fields:
        hint = did_you_mean(name, of.fields) or f"it has {', '.join(of.fields)}"
        raise Mistake(f"The record has no field {name}", hint)
    types = of.types or (varchar(logformats.FIELD_LENGTH),) * len(of.fields)
    return Call("FIELD", (value, Literal(name, varchar(len(name)))), types[of.fields.index(name)])


FUNCTIONS: dict[str, Function] = {
    "ABS": _function("quantity", _same),
    "CEIL": _function("number", _whole),
    "FLOOR": _function("number", _whole),
    "EXP": _function("double", DOUBLE),
    "LN": _function("double", DOUBLE),
    "LOG10": _function("double", DOUBLE),
    "SQRT": _function("double", DOUBLE),
    "POWER": _function("double double", DOUBLE),
    "MOD": Function(_mod, 2, 2),
    "ROUND": Function(_round, 1, 2),
    "EXTRACT": Function(_extract, 2, 2),
    "CHAR_TO_DATE": _formatted("text", DATE, parses=True),
    "CHAR_TO_TIME": _formatted("text", TIME, parses=True),
    "CHAR_TO_TIMESTAMP": _formatted("text", TIMESTAMP, parses=True),
    "DATE_TO_CHAR": _formatted("date", VARCHAR, parses=False),
    "TIME_TO_CHAR": _formatted("time", VARCHAR, parses=False),
    "TIMESTAMP_TO_CHAR": _formatted("timestamp", VARCHAR, parses=False),
    "TO_TIMESTAMP": _function("long", TIMESTAMP),
    "UNIX_TIMESTAMP": Function(_unix_timestamp, 0, 1),
    "TSDIFF": Function(_difference, 2, 2),
    "CURRENT_DATE": _function("", DATE),
    "CURRENT_TIME": _function("", TIME),
    "CURRENT_TIMESTAMP": _function("", TIMESTAMP),
    "CURRENT_ROW_TIMESTAMP": Function(_row_timestamp, 1, 1),
    "CHAR_LENGTH": _function("text", INTEGER),
    "INITCAP": _function("text", _text_like),
    "LOWER": _function("text", _same),
    "UPPER": _function("text", _same),
    "OVERLAY": _function("text text long [long]", _overlay),
    "POSITION": _function("text text", INTEGER),
    "SUBSTRING": Function(_substring, 2, 3),
    "TRIM": Function(_trim, 3, 3),
    "REGEX_REPLACE": Function(_regex_replace, 3, 5),
    "FAST_REGEX_LOG_PARSER": Function(_record, 2, 2),
    "REGEX_LOG_PARSE": Function(_record, 2, 3),
    "SYS_LOG_PARSE": Function(_record, 1, 1),
    "W3C_LOG_PARSE": Function(_record, 2, 2),
    "VARIABLE_COLUMN_LOG_PARSE": Function(_record, 3, 5),
    "FIXED_COLUMN_LOG_PARSE": Function(_record, 2, 2),
}
