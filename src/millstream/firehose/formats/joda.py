"""JodaTime's patterns of dates and times, for reading.

A letter, repeated, is a field; text between apostrophes, and whatever is no letter, stands for itself. Served are the
fields of a date and a time of day, half of the day, day of the week (read, and ignored), fractions of a second, offsets
(`Z`) and zone names (`z`: UTC, GMT, Z). Eras, weekyears and days of a week as numbers are refused.

Source: the class documentation of org.joda.time.format.DateTimeFormat, from which the table below was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_PART = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|''", re.DOTALL)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_WEEKDAYS = "mon(?:day)?|tue(?:sday)?|wed(?:nesday)?|thu(?:rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?"

_NUMBERS = {"d": "day", "D": "day_of_year", "H": "hour", "k": "clock_hour", "K": "half_hour", "h": "half_clock_hour",
            "m": "minute", "s": "second"}  # fmt: skip
_YEARS = "yY"


class PatternInvalid(ValueError):
    """A pattern that cannot be understood; the text says why."""


def compile_pattern(pattern: str) -> Callable[[str], int | None]:
    """Makes a reader of text that follows `pattern`: microseconds since 1970, None if the text does not follow it.

    Without a zone in it the text is taken to be in UTC. Raises PatternInvalid.
    """
    expression = re.compile(_expression(pattern), re.ASCII | re.IGNORECASE)

    def read(text: str) -> int | None:
        match = expression.fullmatch(text)
        if match is None:
            return None
        try:
            return _microseconds({name: value for name, value in match.groupdict().items() if value is not None})
        except ValueError:
            return None

    return read


def _expression(pattern: str) -> str:
    """The regular expression of a pattern, with a named group for each field."""
    seen: set[str] = set()
    position = 0
    parts = []
    while position < len(pattern):
        match = _PART.match(pattern, position)
        if match is None:
            raise PatternInvalid(f"The timestamp format {pattern!r} has an apostrophe without its end.")
        position = match.end()
        letter = match.group(2)
        if letter is None:
            parts.append(re.escape(_literal(match)))
            continue
        name, expression = _field(letter, len(match.group()), pattern)
        if name in seen:
            raise PatternInvalid(f"The timestamp format {pattern!r} has a field twice.")
        seen.add(name)
        parts.append(f"(?P<{name}>{expression})")
    return "".join(parts)


def _literal(match: re.Match[str]) -> str:
    quoted = match.group(1)
    if quoted is None:
        return "'" if match.group() == "''" else match.group()
    return quoted.replace("''", "'") or "'"


def _field(letter: str, count: int, pattern: str) -> tuple[str, str]:
    """The name of a field and what it looks like. As in JodaTime, numbers may have fewer digits than letters."""
    if letter in _NUMBERS:
        return _NUMBERS[letter], rf"\d{{1,{max(count, 3 if letter == 'D' else 2)}}}"
    if letter in _YEARS:  # Y, the year of the era, is the same from year 1 on
        return ("short_year", r"\d{2}") if count == 2 else ("year", r"-?\d{1,9}" if count == 1 else r"\d{1,9}")
    if letter == "M":
        return ("month", r"\d{1,2}") if count < 3 else ("month_name", "|".join((_LONG_MONTHS, *_MONTHS)))
    if letter == "S":
        return "fraction", rf"\d{{1,{count}}}"
    if letter in _OTHERS:
        return _OTHERS[letter]
    raise PatternInvalid(f"The timestamp format {pattern!r} has the letter {letter!r}, which cannot be read.")


_OTHERS = {
    "E": ("weekday", _WEEKDAYS),
    "a": ("half", "am|pm"),
    "Z": ("offset", r"Z|[+-]\d{2}:?\d{2}|UTC|GMT"),
    "z": ("zone", "UTC|GMT|Z"),
}


def _microseconds(fields: dict[str, str]) -> int:
    number = {name: int(value) for name, value in fields.items() if value.lstrip("-").isdigit()}
    seconds = _hour(number, fields.get("half")) * 3600 + _below(number.get("minute", 0), 60) * 60
    seconds += _below(number.get("second", 0), 60) - _offset_seconds(fields.get("offset", ""))
    fraction = int((fields.get("fraction", "") + "000000")[:6])
    return _day(number, fields.get("month_name", "")) * 86_400_000_000 + seconds * 1_000_000 + fraction


def _day(number: dict[str, int], month_name: str) -> int:
    year = number.get("year", 1970)
    if "short_year" in number:  # JodaTime's pivot: within fifty years of now; a fixed one keeps objects the same
        year = 2000 + number["short_year"] if number["short_year"] < 70 else 1900 + number["short_year"]
    if "day_of_year" in number:
        first = date(year, 1, 1).toordinal()
        day = first + number["day_of_year"] - 1
        if not first <= day <= date(year, 12, 31).toordinal():
            raise ValueError
        return day - _EPOCH_ORDINAL
    month = _MONTHS.index(month_name[:3].lower()) + 1 if month_name else number.get("month", 1)
    return date(year, month, number.get("day", 1)).toordinal() - _EPOCH_ORDINAL


def _hour(number: dict[str, int], half: str | None) -> int:
    if "hour" in number:
        return _below(number["hour"], 24)
    if "clock_hour" in number:
        return (_below(number["clock_hour"] - 1, 24) + 1) % 24
    hour = number.get("half_hour", 0)
    if "half_clock_hour" in number:
        hour = (_below(number["half_clock_hour"] - 1, 12) + 1) % 12
    hour = _below(hour, 12)
    return hour + 12 if half is not None and half.lower() == "pm" else hour


def _below(number: int, bound: int) -> int:
    if not 0 <= number < bound:
        raise ValueError
    return number


def _offset_seconds(text: str) -> int:
    digits = text[1:].replace(":", "")
    if len(digits) != 4 or not digits.isdigit():
        return 0
    seconds = (_below(int(digits[:2]), 24) * 60 + _below(int(digits[2:]), 60)) * 60
    return -seconds if text.startswith("-") else seconds
