"""The type of a discovered column, from the values it was seen to have.

    booleans                         BOOLEAN
    whole numbers                    INTEGER, or BIGINT if one does not fit; DOUBLE beyond
    numbers                          REAL if seven digits write all of them, else DOUBLE
    'yyyy-MM-dd', with ' HH:mm:ss'   DATE, TIMESTAMP
    other text, a mixture            VARCHAR(4), (8), (16), … the next power of two that holds the longest

In delimited text a field is what it looks like. Source: the developer guide's examples; so is that ISO 8601 with a T
is VARCHAR (which a TIMESTAMP column takes as well).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal

from millstream.analytics.records.cells import text_of

_LENGTH_MIN, _LENGTH_MAX = 4, 65_535
_LENGTH_UNSEEN = 64
_REAL_DIGITS = 7
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[+-]?(?:0|[1-9][0-9]*)?\.?[0-9]+(?:[eE][+-]?[0-9]{1,3})?")
_TIMES = {
    "DATE": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "TIMESTAMP": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"),
    "TIME": re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"),
}


def value_of_field(field: str) -> object:
    """What a field of delimited text looks like: a boolean, a number, or text."""
    text = field.strip()
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and not re.match(r"[+-]?0[0-9]", text):
        return float(text)
    return field


def infer_type(values: Iterable[object]) -> str:
    """The SQL type for decoded JSON values (null does not count)."""
    seen = [value for value in values if value is not None]
    if not seen:
        return f"VARCHAR({_LENGTH_UNSEEN})"
    for is_of, name_type in _RULES:
        if all(map(is_of, seen)):
            return name_type(seen)
    return _varchar(seen)


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole_type(values: list[object]) -> str:
    largest = max(abs(value) for value in values if isinstance(value, int))
    if largest < 1 << 31:
        return "INTEGER"
    return "BIGINT" if largest < 1 << 63 else "DOUBLE"


def _number_type(values: list[object]) -> str:
    return "REAL" if all(_digits(value) <= _REAL_DIGITS for value in values) else "DOUBLE"


def _digits(value: object) -> int:
    return len(Decimal(repr(value)).normalize().as_tuple().digits)


def _varchar(values: list[object]) -> str:
    longest = max(len(text_of(value)) for value in values)
    length = _LENGTH_MIN
    while length < longest:
        length *= 2
    return f"VARCHAR({min(length, _LENGTH_MAX)})"


def _time_rule(name: str, form: re.Pattern[str]) -> tuple[Callable[[object], bool], Callable[[list[object]], str]]:
    return lambda value: isinstance(value, str) and form.fullmatch(value) is not None, lambda _: name


_RULES: list[tuple[Callable[[object], bool], Callable[[list[object]], str]]] = [
    (_is_boolean, lambda _: "BOOLEAN"),
    (_is_whole, _whole_type),
    (_is_number, _number_type),
    *(_time_rule(name, form) for name, form in _TIMES.items()),
]
