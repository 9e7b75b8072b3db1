"""Patterns of Java's DateTimeFormatter, as the `timestamp` expressions of prefixes have them.

    yyyy-MM-dd'T'HH     2026-09-30T23
    DDD                 273
    EEEE                Wednesday

Text is English and weeks are those of the locale en_US (they begin on Sunday, and the first is that of January 1): the
locale that AWS formats in is not documented, this is what its servers are known to run with. Source: the documentation
of java.time.format.DateTimeFormatter. Left out, and refused as unknown: padding (`p`), day periods (`B`) and the long
names of time zones (`zzzz`), which nobody wants in the name of an object.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache

from millstream.base.errors import MillstreamError

Format = Callable[[datetime], str]
"""Formats a time that is aware of its zone."""

_TOKEN = re.compile(
    r"(?P<letters>([A-Za-z])\2*)|'(?P<quoted>(?:[^']|'')*)'|(?P<section>[\[\]])|(?P<other>[^'{}#])", re.DOTALL
)

_DAYS = list(calendar.day_name)
_MONTHS = list(calendar.month_name)
_QUARTERS = ("1st quarter", "2nd quarter", "3rd quarter", "4th quarter")


class PatternInvalid(MillstreamError):
    """Not a pattern; the text says what is wrong with it."""


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Format:
    """The function that formats by `pattern`. Raises PatternInvalid."""
    parts: list[Format] = []
    position = 0
    while position < len(pattern):
        match = _TOKEN.match(pattern, position)
        if match is None:
            what = "a quote that is not closed" if pattern[position] == "'" else f"the reserved '{pattern[position]}'"
            raise PatternInvalid(f"pattern {pattern!r} has {what}")
        part = _part(pattern, match)
        if part is not None:
            parts.append(part)
        position = match.end()
    return lambda time: "".join([part(time) for part in parts])


def _part(pattern: str, match: re.Match[str]) -> Format | None:
    if letters := match["letters"]:
        try:
            return _LETTERS[letters[0]](len(letters))
        except KeyError:
            raise PatternInvalid(f"pattern {pattern!r} has the unknown letters {letters!r}") from None
    if match["section"]:
        return None  # an optional section: when formatting, everything in it is there
    quoted = match["quoted"]
    if quoted is None:
        return _literal(match["other"])
    return _literal(quoted.replace("''", "'") if quoted else "'")


def _literal(text: str) -> Format:
    return lambda _: text


# What a run of one letter means: a function from its length to the format. KeyError: no such length.

_Letter = Callable[[int], Format]


def _number(value: Callable[[datetime], int], count_max: int) -> _Letter:
    """A number, padded with zeros to as many digits as there are letters."""

    def of_count(count: int) -> Format:
        if count > count_max:
            raise KeyError(count)
        return lambda time: str(value(time)).zfill(count)

    return of_count


def _year(value: Callable[[datetime], int]) -> _Letter:
    def of_count(count: int) -> Format:
        if count > 19:
            raise KeyError(count)
        if count == 2:
            return lambda time: f"{value(time) % 100:02d}"
        return lambda time: str(value(time)).zfill(count)

    return of_count


def _text(formats: dict[int, Format]) -> _Letter:
    return formats.__getitem__


def _named(value: Callable[[datetime], int], name: Callable[[int], str], *, numeric: bool) -> _Letter:
    """A month or a day: as a number (one or two letters), abbreviated (three), whole (four), by its initial (five)."""
    short: Format = lambda time: name(value(time))[:3]  # noqa: E731
    return _text(
        {
            1: (lambda time: str(value(time))) if numeric else short,
            2: (lambda time: f"{value(time):02d}") if numeric else short,
            3: short,
            4: lambda time: name(value(time)),
            5: lambda time: name(value(time))[0],
        }
    )


def _day_of_week(time: datetime) -> int:
    return time.isoweekday() % 7 + 1  # Sunday is 1


def _first_week(year: int) -> date:
    """The Sunday on which the first week of a week-based year begins."""
    january = date(year, 1, 1)
    return january - timedelta(days=january.isoweekday() % 7)


def _week_year(time: datetime) -> int:
    return time.year + 1 if time.date() >= _first_week(time.year + 1) else time.year


def _week(time: datetime) -> int:
    return (time.date() - _first_week(_week_year(time))).days // 7 + 1


def _week_of_month(time: datetime) -> int:
    first = time.date().replace(day=1)
    return (time.day - 1 + first.isoweekday() % 7) // 7 + 1


def _quarter(time: datetime) -> int:
    return (time.month + 2) // 3


def _milli_of_day(time: datetime) -> int:
    return ((time.hour * 60 + time.minute) * 60 + time.second) * 1000 + time.microsecond // 1000


def _nano_of_day(time: datetime) -> int:
    return _milli_of_day(time) * 1_000_000 + time.microsecond % 1000 * 1000


def _fraction(count: int) -> Format:
    if count > 9:
        raise KeyError(count)
    return lambda time: f"{time.microsecond:06d}000"[:count]


def _offset(time: datetime, separator: str, *, zero: str | None = None, minutes: bool = True) -> str:
    seconds = int((time.utcoffset() or timedelta()).total_seconds())
    if seconds == 0 and zero is not None:
        return zero
    hour, minute = divmod(abs(seconds) // 60, 60)
    sign = "-" if seconds < 0 else "+"
    tail = f"{separator}{minute:02d}" if minutes or minute else ""
    return f"{sign}{hour:02d}{tail}"


def _localized_offset(time: datetime) -> str:
    text = _offset(time, ":", zero="")
    return "GMT" + re.sub(r"^([+-])0?(\d+)(:00)?", r"\1\2", text)


def _offsets(zero: str | None) -> _Letter:
    """Letters X (zero is Z) and x."""
    compact: Format = lambda time: _offset(time, "", zero=zero)  # noqa: E731
    extended: Format = lambda time: _offset(time, ":", zero=zero)  # noqa: E731
    hours: Format = lambda time: _offset(time, "", zero=zero, minutes=False)  # noqa: E731
    return _text({1: hours, 2: compact, 3: extended, 4: compact, 5: extended})


def _zone_offset() -> _Letter:
    plain: Format = lambda time: _offset(time, "")  # noqa: E731
    return _text(
        {
            1: plain,
            2: plain,
            3: plain,
            4: lambda time: "GMT" + _offset(time, ":", zero=""),
            5: lambda time: _offset(time, ":", zero="Z"),
        }
    )


def _zone_name(time: datetime) -> str:
    return time.tzname() or "UTC"


_LETTERS: dict[str, _Letter] = {
    "G": _text({1: _literal("AD"), 2: _literal("AD"), 3: _literal("AD"), 4: _literal("Anno Domini"), 5: _literal("A")}),
    "u": _year(lambda time: time.year),
    "y": _year(lambda time: time.year),
    "Y": _year(_week_year),
    "D": _number(lambda time: time.timetuple().tm_yday, 3),
    "M": _named(lambda time: time.month, _MONTHS.__getitem__, numeric=True),
    "L": _named(lambda time: time.month, _MONTHS.__getitem__, numeric=True),
    "d": _number(lambda time: time.day, 2),
    "Q": _text(
        {
            1: lambda time: str(_quarter(time)),
            2: lambda time: f"{_quarter(time):02d}",
            3: lambda time: f"Q{_quarter(time)}",
            4: lambda time: _QUARTERS[_quarter(time) - 1],
            5: lambda time: str(_quarter(time)),
        }
    ),
    "w": _number(_week, 2),
    "W": _number(_week_of_month, 1),
    "E": _named(_day_of_week, lambda day: _DAYS[day - 2], numeric=False),
    "e": _named(_day_of_week, lambda day: _DAYS[day - 2], numeric=True),
    "c": _named(_day_of_week, lambda day: _DAYS[day - 2], numeric=True),
    "F": _number(lambda time: (time.day - 1) // 7 + 1, 1),
    "a": _text({1: lambda time: "AM" if time.hour < 12 else "PM"}),
    "h": _number(lambda time: (time.hour + 11) % 12 + 1, 2),
    "K": _number(lambda time: time.hour % 12, 2),
    "k": _number(lambda time: (time.hour + 23) % 24 + 1, 2),
    "H": _number(lambda time: time.hour, 2),
    "m": _number(lambda time: time.minute, 2),
    "s": _number(lambda time: time.second, 2),
    "S": _fraction,
    "A": _number(_milli_of_day, 19),
    "n": _number(lambda time: time.microsecond * 1000, 19),
    "N": _number(_nano_of_day, 19),
    "V": _text({2: lambda time: getattr(time.tzinfo, "key", None) or _zone_name(time)}),
    "z": _text({1: _zone_name, 2: _zone_name, 3: _zone_name}),
    "O": _text({1: _localized_offset, 4: lambda time: "GMT" + _offset(time, ":", zero="")}),
    "X": _offsets("Z"),
    "x": _offsets(None),
    "Z": _zone_offset(),
}
_LETTERS["q"] = _LETTERS["Q"]
