"""Literals: numbers, strings, binaries, truth values, dates and times, intervals; and the names of types."""

from __future__ import annotations

import re
from typing import NamedTuple

from sqlglot import exp

from millstream.analytics.language import words
from millstream.analytics.language.cursor import Cursor
from millstream.analytics.language.nodes import IntervalLiteral, TemporalLiteral, TypeName
from millstream.analytics.language.tokens import Kind, Token

LITERALS = frozenset({Kind.NUMBER, Kind.STRING, Kind.BINARY})
PREFIXES = frozenset({"NULL", "TRUE", "FALSE", "UNKNOWN", "INTERVAL", "DATE", "TIME", "TIMESTAMP"})

# How the text of an interval goes on after each unit.
_UNIT_PATTERNS = {
    "YEAR": r"\d+",
    "MONTH": r"-\d+",
    "DAY": r"\d+",
    "HOUR": r"[ ]+\d+",
    "MINUTE": r":\d+",
    "SECOND": r":\d+(\.\d*)?",
}
_UNIT_EXAMPLES = {"YEAR": "1", "MONTH": "-6", "DAY": "1", "HOUR": " 12", "MINUTE": ":30", "SECOND": ":15"}


def literal(cursor: Cursor) -> exp.Expression:
    """Reads a number, a string or X'…' (exp.HexString)."""
    token = cursor.advance()
    if token.kind is Kind.BINARY:
        return cursor.make(exp.HexString, token.start, this=token.text)
    if token.kind is Kind.STRING:
        return string_literal(cursor, token)
    return cursor.make(exp.Literal, token.start, this=token.text, is_string=False)


def string_literal(cursor: Cursor, token: Token) -> exp.Literal:
    """The node of a string that was just read."""
    return cursor.make(exp.Literal, token.start, this=token.text, is_string=True)


def truth_value(cursor: Cursor, word: Token) -> exp.Expression:
    """The node of NULL, TRUE, FALSE or UNKNOWN (which is NULL) that was just read."""
    if word.text in ("NULL", "UNKNOWN"):
        return cursor.make(exp.Null, word.start)
    return cursor.make(exp.Boolean, word.start, this=word.text == "TRUE")


def prefixed(cursor: Cursor) -> exp.Expression | None:
    """Reads what begins with one of PREFIXES; None if DATE, TIME or TIMESTAMP is a name here."""
    word, following = cursor.token, cursor.ahead()
    if word.text == "INTERVAL":
        return _interval(cursor)
    if word.text not in ("DATE", "TIME", "TIMESTAMP"):
        return truth_value(cursor, cursor.advance())
    if following.kind not in (Kind.STRING, Kind.QUOTED):
        return None
    cursor.advance()
    text = cursor.string(f"the text of a {word.text}").text
    return cursor.make(TemporalLiteral, word.start, this=text, kind=word.text)


# --- intervals


def _interval(cursor: Cursor) -> exp.Expression:
    word = cursor.advance()
    sign = cursor.accept("-", "+")
    if cursor.token.kind is Kind.NUMBER:
        hint = f"the number of an interval is written as a string: INTERVAL '{cursor.token.text}'"
        raise cursor.error("expected the text of an interval, but found a number", cursor.token, hint)
    token = cursor.string("the text of an interval")
    unit, to = interval_range(cursor)
    text = token.text.strip()
    if re.fullmatch(rf"[+-]?{_interval_pattern(unit, to)}", text) is None:
        raise cursor.error(f"this is not the text of an interval {_range(unit, to)}", token, _example(unit, to))
    if sign is not None and sign.text == "-":
        text = text[1:] if text.startswith("-") else f"-{text.removeprefix('+')}"
    return cursor.make(IntervalLiteral, word.start, this=text, unit=unit, to=to)


def interval_range(cursor: Cursor) -> tuple[str, str | None]:
    """Reads unit [(precision)] [TO unit [(precision)]]; TO only if a smaller unit follows."""
    unit = _unit(cursor)
    _precision(cursor)
    smaller = _smaller_units(unit)
    if cursor.at("TO") and cursor.ahead().text in smaller:
        cursor.advance()
        to = cursor.advance().text
        _precision(cursor)
        return unit, to
    return unit, None


def _unit(cursor: Cursor) -> str:
    token = cursor.token
    if token.kind is Kind.WORD and token.text.removesuffix("S") in words.UNITS and token.text.endswith("S"):
        raise cursor.error(f"{token.text} is not a unit of time", token, f"write {token.text.removesuffix('S')}")
    return cursor.expect(*words.UNITS).text


def unit_of_time(cursor: Cursor) -> str:
    """Reads YEAR, MONTH, DAY, HOUR, MINUTE or SECOND."""
    return _unit(cursor)


def _smaller_units(unit: str) -> tuple[str, ...]:
    same = [other for other in words.UNITS if (other in words.YEAR_UNITS) == (unit in words.YEAR_UNITS)]
    return tuple(same[same.index(unit) + 1 :])


def _precision(cursor: Cursor) -> None:
    """Digits of an interval's first unit, and of its fraction of a second: they change nothing here."""
    if cursor.at("("):
        numbers(cursor, 2)


def _interval_pattern(unit: str, to: str | None) -> str:
    units = words.UNITS[words.UNITS.index(unit) : words.UNITS.index(to or unit) + 1]
    first = r"\d+(\.\d*)?" if unit == "SECOND" else r"\d+"
    return first + "".join(_UNIT_PATTERNS[each] for each in units[1:])


def _range(unit: str, to: str | None) -> str:
    return f"{unit} TO {to}" if to else unit


def _example(unit: str, to: str | None) -> str:
    units = words.UNITS[words.UNITS.index(unit) : words.UNITS.index(to or unit) + 1]
    text = "".join(_UNIT_EXAMPLES[each] for each in units).lstrip(" :-")
    return f"write for example INTERVAL '{text}' {_range(unit, to)}"


# --- types


class _Type(NamedTuple):
    name: str
    parameters: int = 0  # how many it may have


_TYPES = {
    "BIGINT": _Type("BIGINT"),
    "BINARY": _Type("BINARY", 1),
    "BOOLEAN": _Type("BOOLEAN"),
    "CHAR": _Type("CHAR", 1),
    "CHARACTER": _Type("CHAR", 1),
    "DATE": _Type("DATE"),
    "DEC": _Type("DECIMAL", 2),
    "DECIMAL": _Type("DECIMAL", 2),
    "DOUBLE": _Type("DOUBLE"),
    "FLOAT": _Type("DOUBLE", 1),
    "INT": _Type("INTEGER"),
    "INTEGER": _Type("INTEGER"),
    "NUMERIC": _Type("DECIMAL", 2),
    "REAL": _Type("REAL"),
    "SMALLINT": _Type("SMALLINT"),
    "TIME": _Type("TIME", 1),
    "TIMESTAMP": _Type("TIMESTAMP", 1),
    "TINYINT": _Type("TINYINT"),
    "VARBINARY": _Type("VARBINARY", 1),
    "VARCHAR": _Type("VARCHAR", 1),
}
_REAL_BITS = 24  # FLOAT(n) is REAL up to so many binary digits
_VARYING = {"CHAR": "VARCHAR", "BINARY": "VARBINARY"}
_FOREIGN_TYPES = {
    **dict.fromkeys(("STRING", "TEXT", "CLOB", "NVARCHAR", "VARCHAR2", "JSON"), "VARCHAR(length)"),
    **dict.fromkeys(("BOOL", "BIT"), "BOOLEAN"),
    **dict.fromkeys(("LONG", "INT8", "INT64"), "BIGINT"),
    **dict.fromkeys(("INT4", "INT32"), "INTEGER"),
    **dict.fromkeys(("NUMBER", "MONEY"), "DECIMAL(precision, scale)"),
    **dict.fromkeys(("DATETIME", "TIMESTAMPTZ", "DATETIME2"), "TIMESTAMP"),
    **dict.fromkeys(("BLOB", "BYTEA", "BYTES"), "VARBINARY(length)"),
    **dict.fromkeys(("FLOAT4",), "REAL"),
    **dict.fromkeys(("FLOAT8",), "DOUBLE"),
}


def type_name(cursor: Cursor, *, interval: bool = False) -> TypeName:
    """Reads a type. With `interval`, also INTERVAL unit [TO unit], whose name is these words."""
    token = cursor.token
    if token.kind is Kind.WORD and token.text == "INTERVAL":
        return _interval_type(cursor, allowed=interval)
    found = _TYPES.get(token.text) if token.kind is Kind.WORD else None
    if found is None:
        raise _unknown_type(cursor, token)
    cursor.advance()
    if token.text == "DOUBLE":
        cursor.accept("PRECISION")
    name = found.name
    if name in _VARYING and cursor.accept("VARYING"):
        name = _VARYING[name]
    if cursor.at("(") and not found.parameters:
        raise cursor.error(f"{token.text} takes no length", cursor.token, f"write {token.text}")
    parameters = numbers(cursor, found.parameters) if cursor.at("(") else []
    if token.text == "FLOAT":
        name, parameters = ("REAL" if parameters and parameters[0] <= _REAL_BITS else "DOUBLE"), []
    _time_zone(cursor, name)
    return cursor.make(TypeName, token.start, this=name, parameters=parameters)


def _unknown_type(cursor: Cursor, token: Token) -> Exception:
    if token.kind is Kind.WORD and token.text in _FOREIGN_TYPES:
        return cursor.error(f"there is no type {token.text}", token, f"write {_FOREIGN_TYPES[token.text]}")
    cursor.at(*_TYPES)
    return cursor.unexpected("a type")


def _time_zone(cursor: Cursor, name: str) -> None:
    if name not in ("TIME", "TIMESTAMP"):
        return
    if cursor.at_phrase("WITH", "TIME", "ZONE"):
        raise cursor.error(f"there is no {name} WITH TIME ZONE", cursor.token, f"write {name}: times are in UTC")
    cursor.accept_phrase("WITHOUT", "TIME", "ZONE")


def _interval_type(cursor: Cursor, *, allowed: bool) -> TypeName:
    token = cursor.advance()
    if not allowed:
        hint = "write BIGINT, and store seconds or milliseconds"
        raise cursor.error("columns cannot be intervals: they exist in expressions only", token, hint)
    return cursor.make(TypeName, token.start, this=f"INTERVAL {_range(*interval_range(cursor))}", parameters=[])


def numbers(cursor: Cursor, most: int) -> list[int]:
    """Reads (n [, n …]): whole numbers, at most so many."""
    cursor.open()
    found = [_whole_number(cursor)]
    while len(found) < most and cursor.accept(","):
        found.append(_whole_number(cursor))
    cursor.close()
    return found


def _whole_number(cursor: Cursor) -> int:
    token = cursor.token
    if token.kind is not Kind.NUMBER:
        raise cursor.unexpected("a number")
    if not token.text.isdigit() or len(token.text) > 9:
        raise cursor.error("expected a whole number below 1,000,000,000", token)
    cursor.advance()
    return int(token.text)
