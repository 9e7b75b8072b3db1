"""One JSON value or one CSV field as a value of a column's type: the rules, of which `columns` has the fast half.

    to            from null  boolean      number                string                        array, object
    character     null       true, false  its digits            cut to the column's length    as JSON, cut likewise
    numeric       null       1, 0         if it fits            if it is a number that fits   error
    BOOLEAN       null       itself       false if 0            whether it is "true"          error
    DATE, …       null       error        error                 if it is a date, …            error
    (VAR)BINARY   null       one byte     error                 X'3F67A23A', base64           error

Source: "Mapping JSON Data Types to SQL Data Types" in the developer guide. A whole number that is written with a
fraction of zeros (12.0) is an integer; DECIMAL rounds half up to its scale.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from millstream.analytics.scalars.types import BINARIES, INTEGER_BITS, TEXTS, Kind, SqlType

Convert = Callable[[object], object]

_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?\s*")
_SURROGATES = re.compile("[\ud800-\udfff]")
_HEX = re.compile(r"\s*[xX]'((?:[0-9a-fA-F]{2})*)'\s*")
_DATE_PART = r"\s*([0-9]{4})-([0-9]{2})-([0-9]{2})"
_TIME_PART = r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
_DATE = re.compile(_DATE_PART + r"\s*")
_TIME = re.compile(r"\s*" + _TIME_PART + r"\s*")
_TIMESTAMP = re.compile(_DATE_PART + r"(?:[ T]" + _TIME_PART + r"(?:[zZ]|([+-])([0-9]{2}):?([0-9]{2}))?)?\s*")

_REAL_LIMIT: Final = 3.4028235677973366e38  # halfway from the largest REAL to what would come next
_SHOWN_CHARACTERS_MAX = 100
_EXACT = decimal.Context(prec=400, rounding=decimal.ROUND_HALF_UP, traps=[decimal.InvalidOperation])


class CoercionError(Exception):
    """A value that cannot be one of the column's type."""


def converter(sql_type: SqlType) -> Convert:
    """What makes cells of a column of this type from decoded JSON (never None) and from CSV's texts. Raises
    CoercionError."""
    kind = sql_type.kind
    if kind in TEXTS:
        return _to_characters(sql_type.size or 1)
    if kind in INTEGER_BITS:
        return _to_integer(INTEGER_BITS[kind])
    if kind in BINARIES:
        return _to_bytes(sql_type.size or 1, fixed=kind is Kind.BINARY)
    if kind is Kind.DECIMAL:
        return _to_decimal(sql_type.size or 1, sql_type.scale or 0)
    return _OTHERS[kind]


def shown(value: object) -> str:
    """A value for a message."""
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS_MAX else text[: _SHOWN_CHARACTERS_MAX - 1] + "…"


def number_text(value: float | int) -> str:
    """The digits of a number, without an exponent; the shortest that mean it. 12.0 is 12."""
    if isinstance(value, int):
        return str(value)
    digits = format(Decimal(repr(value)), "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def text_of(value: object) -> str:
    """A JSON value as text: strings as they are, arrays and objects as compact JSON."""
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATES.sub("\ufffd", value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    return _SURROGATES.sub("\ufffd", json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _to_characters(length: int) -> Convert:
    return lambda value: text_of(value)[:length]


def _to_integer(bits: int) -> Convert:
    limit = 1 << (bits - 1)

    def convert(value: object) -> int:
        found = _whole(value)
        if not -limit <= found < limit:
            raise CoercionError
        return found

    return convert


def _whole(value: object) -> int:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not value.is_integer():
            raise CoercionError
        return int(value)
    exact = _exact(value)
    if exact.adjusted() > 20 or exact != exact.to_integral_value(context=_EXACT):
        raise CoercionError
    return int(exact)


def _exact(value: object) -> Decimal:
    """The number that a JSON number, boolean or string is, exactly."""
    if isinstance(value, int):
        return Decimal(int(value))
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value.strip())
    raise CoercionError


def _to_decimal(digits: int, scale: int) -> Convert:
    step = Decimal(1).scaleb(-scale)

    def convert(value: object) -> Decimal:
        try:
            found = _exact(value).quantize(step, context=_EXACT)
        except decimal.InvalidOperation:
            raise CoercionError from None
        if len(found.as_tuple().digits) > digits:
            raise CoercionError
        return found

    return convert


def _double(value: object) -> float:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise CoercionError
    elif not isinstance(value, int | float):
        raise CoercionError
    try:
        found = float(value)
    except OverflowError:
        raise CoercionError from None
    if found - found != 0:  # an infinity
        raise CoercionError
    return found


def _real(value: object) -> float:
    found = _double(value)
    if abs(found) >= _REAL_LIMIT:
        raise CoercionError
    return found


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value != 0
    if isinstance(value, str):
        return value.strip().lower() == "true"
    raise CoercionError


def _to_bytes(size: int, *, fixed: bool) -> Convert:
    def convert(value: object) -> bytes:
        if isinstance(value, bool):
            return (b"\x01" if value else b"\x00").rjust(size if fixed else 1, b"\x00")
        found = _HEX.fullmatch(value) if isinstance(value, str) else None
        return (bytes.fromhex(found[1]) if found is not None else _from_base64(value))[:size]

    return convert


def _from_base64(value: object) -> bytes:
    if not isinstance(value, str):
        raise CoercionError
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise CoercionError from None


def _date(value: object) -> object:
    return _read(_DATE, value, lambda parts: datetime.date(*_numbers(parts)))


def _time(value: object) -> object:
    return _read(_TIME, value, lambda parts: datetime.time(*_numbers(parts[:3]), _microseconds(parts[3])))


def _timestamp(value: object) -> object:
    return _read(_TIMESTAMP, value, _datetime)


_Parts = tuple[str | None, ...]


def _numbers(parts: _Parts) -> tuple[int, int, int]:
    first, second, third = (int(part or 0) for part in parts)
    return first, second, third


def _read(form: re.Pattern[str], value: object, make: Callable[[_Parts], object]) -> object:
    found = form.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise CoercionError
    try:
        return make(found.groups())
    except (ValueError, OverflowError):
        raise CoercionError from None


def _datetime(parts: _Parts) -> datetime.datetime:
    fraction, sign, offset_hours, offset_minutes = parts[6:]
    found = datetime.datetime(*_numbers(parts[:3]), *_numbers(parts[3:6]), _microseconds(fraction))
    if sign is None:
        return found
    hours, minutes = int(offset_hours or 0), int(offset_minutes or 0)
    if hours > 23 or minutes > 59:
        raise ValueError
    offset = datetime.timedelta(hours=hours, minutes=minutes)
    return found - offset if sign == "+" else found + offset


def _microseconds(fraction: str | None) -> int:
    """Of a fraction of a second, cut to whole milliseconds."""
    return int((fraction or "")[:3].ljust(3, "0")) * 1000


_OTHERS: dict[Kind, Convert] = {
    Kind.REAL: _real,
    Kind.DOUBLE: _double,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.TIMESTAMP: _timestamp,
}
