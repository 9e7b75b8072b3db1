"""Constants as values of other types, and texts as dates and times, without Polars: for planning."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal, localcontext

from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.types import EXACT, FLOATS, INTEGERS, NUMBERS, TEXTS, Kind, SqlType, digits, show
from millstream.analytics.scalars.types import integer_range as range_of

_DAY = re.compile(r"([0-9]{1,4})-([0-9]{1,2})-([0-9]{1,2})")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:\.([0-9]*))?)?")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,5})?")
_TRUTH = {"TRUE": True, "FALSE": False, "UNKNOWN": None}
_PRECISION_MAX = 100
_REAL_MAX = 3.4028235677973366e38  # what is nearer to 2**128 than to the greatest REAL
_STAMP = re.compile(
    r"(\d{1,4}-\d{1,2}-\d{1,2})(?:[ T]+(\d{1,2}:\d{1,2}(?::\d{1,2}(?:\.\d{0,9})?)?)(Z|[+-]\d{2}:?\d{2})?)?"
)


class NotFolded(Exception):
    """The constant cannot be converted while planning; a CAST does it later."""


def parse_date(text: str) -> date:
    """2009-09-16. Raises ValueError."""
    match = _DAY.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    return date(int(match[1]), int(match[2]), int(match[3]))


def parse_time(text: str) -> time:
    """03:15:24, perhaps with a fraction, of which milliseconds are kept. Raises ValueError."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    hour, minute, second, fraction = match.groups()
    return time(int(hour), int(minute), int(second or 0), int(f"{fraction or '':0<3}"[:3]) * 1000)


def parse_timestamp(text: str) -> datetime:
    """2009-09-16 03:15:24.123, also ISO 8601 with T and an offset, also a date alone. Naive, UTC. Raises ValueError."""
    match = _STAMP.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    day, clock, zone = match.groups()
    local = datetime.combine(parse_date(day), parse_time(clock) if clock else time())
    if zone in (None, "Z"):
        return local
    offset = datetime.strptime(zone, "%z").tzinfo
    return local.replace(tzinfo=offset).astimezone(UTC).replace(tzinfo=None)


_TEMPORAL = {
    Kind.DATE: (parse_date, "DATE '2009-09-16'"),
    Kind.TIME: (parse_time, "TIME '03:15:24'"),
    Kind.TIMESTAMP: (parse_timestamp, "TIMESTAMP '2009-09-16 03:15:24'"),
}


def convert_literal(value: object, source: SqlType, to: SqlType) -> object:
    """The constant as a value of type `to`. Raises Mistake where that is impossible, NotFolded where a CAST does it."""
    if value is None or (source.kind is to.kind and source.kind is Kind.BOOLEAN):
        return value
    if source.kind in TEXTS and isinstance(value, str):
        return _from_text(value, to)
    if source.kind in NUMBERS and to.kind in NUMBERS and isinstance(value, int | float | Decimal):
        return _number(value if isinstance(value, float) else Decimal(value), to)
    raise NotFolded


def _from_text(text: str, to: SqlType) -> object:
    if to.kind is Kind.VARCHAR:
        return text[: to.size]
    if to.kind is Kind.CHAR:
        return text[: to.size].ljust(to.size or 1)
    if to.kind in _TEMPORAL:
        parse, example = _TEMPORAL[to.kind]
        try:
            return parse(text)
        except (ValueError, OverflowError):
            raise Mistake(f"'{text}' is not a {show(to)}", f"for example {example}") from None
    if to.kind in NUMBERS:
        if _NUMBER.fullmatch(text.strip()) is None:
            raise Mistake(f"'{text}' is not a number")
        return _number(Decimal(text.strip()), to)
    if to.kind is Kind.BOOLEAN and text.strip().upper() in _TRUTH:
        return _TRUTH[text.strip().upper()]
    if to.kind is Kind.BOOLEAN:
        raise Mistake(f"'{text}' is neither TRUE nor FALSE")
    raise NotFolded


def _number(value: float | Decimal, to: SqlType) -> object:
    """The number in the range and with the scale of the type, halves rounded away from zero."""
    exact = Decimal(value)
    if to.kind in FLOATS:
        real = float(value)
        if not math.isfinite(real) or (to.kind is Kind.REAL and abs(real) >= _REAL_MAX):
            raise Mistake(f"{value} does not fit {show(to)}")
        return real
    if not exact.is_finite():
        raise Mistake(f"{value} does not fit {show(to)}")
    precision, scale = digits(to)
    with localcontext(prec=_PRECISION_MAX):
        rounded = exact.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP) if exact.adjusted() <= 40 else exact
    if to.kind in INTEGERS:
        least, greatest = range_of(to.kind)
        if not least <= rounded <= greatest:
            raise Mistake(f"{value} does not fit {show(to)}", f"it holds {least} to {greatest}")
        return int(rounded)
    if to.kind in EXACT and abs(rounded) >= Decimal(10) ** (precision - scale):
        raise Mistake(f"{value} does not fit {show(to)}")
    return rounded
