"""Text and numbers to timestamps and dates, as the JSON SerDes read them.

A timestamp is an integer of microseconds since 1970 without a time zone (UTC where the text names another); digits
beyond the sixth are cut off. A date is an integer of days since 1970.

Source: Firehose's developer guide, "Convert input data format", for what OpenX and Hive read; OpenX's rule that tells
epoch seconds from milliseconds is by the number of digits, 13 of them being milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from millstream.firehose.formats import joda

DAY_US = 86_400_000_000
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_MILLISECONDS_MIN = 10**12
_MICROSECONDS_MAX = 253_402_300_800_000_000  # the year 10000

_DAY = r"(\d{4})-(\d{1,2})-(\d{1,2})"
_TIME = r"(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,9}))?)?)?"
_OPENX = re.compile(rf"{_DAY}(?:[T ]{_TIME}(?:Z|([+-])(\d{{2}})(?::?(\d{{2}}))?)?)?", re.ASCII)
_VALUE_OF = re.compile(rf"{_DAY} (\d{{1,2}}):(\d{{1,2}}):(\d{{1,2}})(?:\.(\d{{1,9}}))?", re.ASCII)
_DATE = re.compile(_DAY, re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,18}(?:\.\d{1,18})?", re.ASCII)

ReadTimestamp = Callable[[Any], int]
"""A value of JSON to microseconds. Raises ValueError."""


def days(year: int, month: int, day: int) -> int:
    """Days since 1970. Raises ValueError for a day that there is not."""
    return date(year, month, day).toordinal() - _EPOCH_ORDINAL


def read_date(value: Any) -> int:
    """Days since 1970, of yyyy-[m]m-[d]d. Raises ValueError."""
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError
    return days(*map(int, match.groups()))


def openx_timestamp(value: Any) -> int:
    """Microseconds, of ISO 8601 with T or a space, or of epoch seconds or milliseconds. Raises ValueError."""
    if isinstance(value, str):
        if match := _OPENX.fullmatch(value):
            *parts, sign, hours, minutes = match.groups()
            return _assemble(parts) - _zone(sign, hours, minutes)
        if not _NUMBER.fullmatch(value):
            raise ValueError
        value = Decimal(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ValueError
    if isinstance(value, int):
        return _in_range(value * 1000 if abs(value) >= _MILLISECONDS_MIN else value * 1_000_000)
    if isinstance(value, Decimal) and value.adjusted() > 18:  # before it is written out
        raise ValueError
    return _in_range(round(value * 1_000_000))


def hive_timestamp(formats: list[str]) -> ReadTimestamp:
    """Reads what any of `formats` says (JodaTime patterns, or `millis`), in their order, then what
    java.sql.Timestamp.valueOf reads. Raises PatternInvalid (a ValueError) for a pattern that cannot be understood.
    """
    readers = [_millis if pattern == "millis" else _text(joda.compile_pattern(pattern)) for pattern in formats]
    readers.append(_text(_value_of))

    def read(value: Any) -> int:
        for reader in readers:
            found = reader(value)
            if found is not None:
                return _in_range(found)
        raise ValueError

    return read


def hive_date(formats: list[str]) -> ReadTimestamp:
    """Reads dates: yyyy-[m]m-[d]d, and the day of what any of `formats` says."""
    patterns = [pattern for pattern in formats if pattern != "millis"]
    read_timestamp = hive_timestamp(patterns)

    def read(value: Any) -> int:
        try:
            return read_date(value)
        except ValueError:
            return read_timestamp(value) // DAY_US

    return read


def _text(reader: Callable[[str], int | None]) -> Callable[[Any], int | None]:
    return lambda value: reader(value) if isinstance(value, str) else None


def _millis(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value, re.ASCII):
        value = int(value)
    return value * 1000 if isinstance(value, int) and not isinstance(value, bool) else None


def _value_of(text: str) -> int | None:
    match = _VALUE_OF.fullmatch(text)
    return _assemble(list(match.groups())) if match else None


def _assemble(parts: list[str | None]) -> int:
    """Microseconds of year, month, day, hour, minute, second and fraction, as text; those from hour on may be None."""
    year, month, day, hour, minute, second = (int(part or 0) for part in parts[:6])
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError
    fraction = int(((parts[6] or "") + "000000")[:6])
    return days(year, month, day) * DAY_US + (hour * 3600 + minute * 60 + second) * 1_000_000 + fraction


def _zone(sign: str | None, hours: str | None, minutes: str | None) -> int:
    """Microseconds that a zone is ahead of UTC."""
    if sign is None:
        return 0
    ahead, more = int(hours or 0), int(minutes or 0)
    if ahead > 23 or more > 59:
        raise ValueError
    return (ahead * 60 + more) * 60_000_000 * (-1 if sign == "-" else 1)


def _in_range(microseconds: int) -> int:
    if not -_MICROSECONDS_MAX < microseconds < _MICROSECONDS_MAX:
        raise ValueError
    return microseconds
