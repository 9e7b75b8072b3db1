"""Formats of dates and times as Java's SimpleDateFormat has them (not lenient, UTC, English names).

Parsing reads as much of the text as the format needs and leaves the rest. What a format does not name is 1970, January,
the 1st, 0 o'clock. Two-digit years are those of 1950 to 2049, so that a replay says the same in any year.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import NamedTuple

from millstream.analytics.scalars.mistakes import Mistake

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_ZONES = {"UTC": 0, "GMT": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8}
_HOURS_OF_ZONE = _ZONES | {"PDT": -7}
_OFFSET = re.compile(r"(?:GMT|UTC)?([+-])(\d{1,2}):?(\d{2})?")
_CENTURY_PIVOT = 50
_CHRONO = {
    "yyyy": "%Y",
    "yy": "%y",
    "MMMM": "%B",
    "MMM": "%b",
    "MM": "%m",
    "M": "%-m",
    "dd": "%d",
    "d": "%-d",
    "HH": "%H",
    "H": "%-H",
    "hh": "%I",
    "h": "%-I",
    "mm": "%M",
    "m": "%-M",
    "ss": "%S",
    "s": "%-S",
    "SSS": "%3f",
    "EEEE": "%A",
    "EEE": "%a",
    "E": "%a",
    "a": "%p",
    "DDD": "%j",
    "u": "%u",
    "Z": "+0000",
    "z": "UTC",
    "X": "Z",
}
_GUARDS = {"yyyy": "[1-9][0-9]{3}", "MM": "[0-9]{2}", "dd": "[0-9]{2}", "HH": "[0-9]{2}", "mm": "[0-9]{2}"}
_EXACT = _GUARDS | {"ss": "[0-5][0-9]", "SSS": "[0-9]{3}"}


class Token(NamedTuple):
    """A field (`letter`, `width` times) or, with no letter, a text to be there."""

    letter: str
    width: int
    text: str


class Strict(NamedTuple):
    """What a format means where every field has its full width: a regular expression for such texts, the format that
    Polars parses them by, and whether they have a date and a time of day."""

    guard: str
    chrono: str
    dated: bool
    timed: bool


class DateFormat:
    """One format. Raises Mistake for what is none."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.tokens = _tokens(pattern)

    def check_parse(self) -> None:
        """Raises Mistake if texts cannot be read by this format."""
        for token in self.tokens:
            if token.letter and token.letter not in _READERS:
                hint = "read y, M, d, D, H, k, K, h, a, m, s, S, E, u and zones z, Z, X"
                raise Mistake(f"A text cannot be read by {token.text} of the format '{self.pattern}'", hint)

    def parse(self, text: str) -> datetime:
        """The time that the beginning of the text says. Raises ValueError."""
        state = _Reading(text)
        for index, token in enumerate(self.tokens):
            if not token.letter:
                state.literal(token.text)
                continue
            follower = self.tokens[index + 1].letter if index + 1 < len(self.tokens) else ""
            state.skip_blanks()
            _READERS[token.letter](state, token, bool(follower))
        return state.moment()

    def format(self, moment: datetime) -> str:
        """The time as text."""
        return "".join(_WRITERS[one.letter](moment, one.width) if one.letter else one.text for one in self.tokens)

    def strftime(self) -> str | None:
        """The format in the words of Polars, if that has them all."""
        made = ""
        for token in self.tokens:
            if token.letter and token.text not in _CHRONO:
                return None
            made += _CHRONO[token.text] if token.letter else token.text.replace("%", "%%")
        return made

    def strict(self) -> Strict | None:
        """The format for texts with all digits, if it is as simple as that."""
        fields = [one.text for one in self.tokens if one.letter]
        dated, timed = {"yyyy", "MM", "dd"} <= set(fields), {"HH", "mm"} <= set(fields)
        simple = set(fields) <= set(_EXACT) and len(set(fields)) == len(fields)
        partial = (set(fields) & {"yyyy", "MM", "dd"} and not dated) or (
            set(fields) & {"HH", "ss", "SSS"} and not timed
        )
        if not simple or partial or not (dated or timed):
            return None
        guard = "".join(_EXACT[one.text] if one.letter else re.escape(one.text) for one in self.tokens)
        return Strict(rf"^{guard}$", self.strftime() or "", dated, timed)


def _tokens(pattern: str) -> list[Token]:
    made: list[Token] = []
    plain = ""
    at = 0
    while at < len(pattern):
        one = pattern[at]
        if one == "'":
            end = pattern.find("'", at + 1)
            if end < 0:
                raise Mistake(f"The format '{pattern}' has a quote without its end", "write two quotes for one")
            quoted = pattern[at + 1 : end]
            at = end + 1
            # '' is a quote, within quotes too: the second of the two begins the rest
            plain += (quoted + "'" * pattern.startswith("'", at)) if quoted else "'"
        elif one.isascii() and one.isalpha():
            run = re.compile(f"{one}+").match(pattern, at)
            count = len(run[0]) if run else 1
            if one not in _WRITERS:
                hint = "quote it to mean itself; letters that mean something are yMdHhmsSEaDkKuwWFGzZX"
                raise Mistake(f"{one} means nothing in the format '{pattern}'", hint)
            made += [Token("", 0, plain)] if plain else []
            plain = ""
            made.append(Token(one, count, one * count))
            at += count
        else:
            plain += one
            at += 1
    return made + ([Token("", 0, plain)] if plain else [])


class _Reading:
    """How far a text has been read, and what was found."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[str, int] = {}

    def literal(self, text: str) -> None:
        if not self.text.startswith(text, self.at):
            raise ValueError(f"no {text!r}")
        self.at += len(text)

    def skip_blanks(self) -> None:
        while self.text[self.at : self.at + 1] in (" ", "\t") and self.at < len(self.text):
            self.at += 1

    def number(self, width: int | None) -> tuple[int, int]:
        """The number here and its number of digits; of exactly `width` digits if given."""
        end = self.at
        limit = len(self.text) if width is None else min(len(self.text), self.at + width)
        while end < limit and self.text[end] in "0123456789":
            end += 1
        length = end - self.at
        if not length or length > 9 or (width is not None and length < width):
            raise ValueError("no number")
        value = int(self.text[self.at : end])
        self.at = end
        return value, length

    def name(self, names: list[str]) -> int:
        """The index of the name here, in full or by its first three letters, in any case."""
        here = self.text[self.at : self.at + 12].lower()
        for index, name in enumerate(names):
            for spelled in (name.lower(), name[:3].lower()):
                if here.startswith(spelled):
                    self.at += len(spelled)
                    return index
        raise ValueError("no name")

    def moment(self) -> datetime:
        found = self.found
        hour = found.get("H", 0)
        if "h" in found:
            hour = found["h"] + 12 * found.get("a", 0)
        day = date(found.get("y", 1970), found.get("M", 1), found.get("d", 1))
        if "D" in found and "d" not in found:
            day = _day_of_year(day.year, found["D"])
        local = datetime(
            day.year, day.month, day.day, hour, found.get("m", 0), found.get("s", 0), found.get("S", 0) * 1000
        )
        return local - timedelta(minutes=found.get("zone", 0))


def _day_of_year(year: int, number: int) -> date:
    day = date(year, 1, 1) + timedelta(days=number - 1)
    if day.year != year:
        raise ValueError("no such day of the year")
    return day


Reader = Callable[[_Reading, Token, bool], None]


def _number_reader(field: str, least: int, greatest: int, wrap: int = 0) -> Reader:
    def read(state: _Reading, token: Token, adjacent: bool) -> None:
        value, _ = state.number(token.width if adjacent else None)
        if not least <= value <= greatest:
            raise ValueError(f"{value} is not from {least} to {greatest}")
        state.found[field] = value % wrap if wrap else value

    return read


def _read_year(state: _Reading, token: Token, adjacent: bool) -> None:
    value, length = state.number(token.width if adjacent else None)
    if token.width <= 2 and length == 2 and token.text != "y":
        value += 2000 if value < _CENTURY_PIVOT else 1900
    state.found["y"] = value


def _read_month(state: _Reading, token: Token, adjacent: bool) -> None:
    if token.width >= 3:
        state.found["M"] = state.name(MONTHS) + 1
    else:
        _number_reader("M", 1, 12)(state, token, adjacent)


def _read_weekday(state: _Reading, _token: Token, _adjacent: bool) -> None:
    state.found["E"] = state.name(DAYS)


def _read_half(state: _Reading, _token: Token, _adjacent: bool) -> None:
    word = state.text[state.at : state.at + 2].upper()
    if word not in ("AM", "PM"):
        raise ValueError("neither AM nor PM")
    state.found["a"] = int(word == "PM")
    state.at += 2


def _read_zone(state: _Reading, _token: Token, _adjacent: bool) -> None:
    offset = _OFFSET.match(state.text, state.at)
    if offset is not None:
        minutes = int(offset[2]) * 60 + int(offset[3] or 0)
        state.found["zone"] = -minutes if offset[1] == "-" else minutes
        state.at = offset.end()
        return
    for name, hours in _HOURS_OF_ZONE.items():
        if state.text.startswith(name, state.at):
            state.found["zone"] = hours * 60
            state.at += len(name)
            return
    raise ValueError("no time zone")


_READERS: dict[str, Reader] = {
    "y": _read_year,
    "M": _read_month,
    "L": _read_month,
    "d": _number_reader("d", 1, 31),
    "D": _number_reader("D", 1, 366),
    "E": _read_weekday,
    "u": _number_reader("u", 1, 7),
    "a": _read_half,
    "H": _number_reader("H", 0, 23),
    "k": _number_reader("H", 1, 24, wrap=24),
    "K": _number_reader("h", 0, 11),
    "h": _number_reader("h", 1, 12, wrap=12),
    "m": _number_reader("m", 0, 59),
    "s": _number_reader("s", 0, 59),
    "S": _number_reader("S", 0, 999),
    "z": _read_zone,
    "Z": _read_zone,
    "X": _read_zone,
}


def _padded(value: Callable[[datetime], int]) -> Callable[[datetime, int], str]:
    return lambda moment, count: str(value(moment)).zfill(count)


def _named(names: list[str], index: Callable[[datetime], int]) -> Callable[[datetime, int], str]:
    return lambda moment, count: names[index(moment)] if count >= 4 else names[index(moment)][:3]


def _year(value: Callable[[datetime], int]) -> Callable[[datetime, int], str]:
    return lambda moment, count: f"{value(moment) % 100:02}" if count == 2 else str(value(moment)).zfill(count)


def _month(moment: datetime, count: int) -> str:
    return _named(MONTHS, lambda at: at.month - 1)(moment, count) if count >= 3 else str(moment.month).zfill(count)


def _week(moment: datetime) -> tuple[int, int]:
    """Year and number of the week: weeks begin on Sunday, the first is that of January 1."""
    year = moment.year + (moment.month == 12 and moment.day + 6 - moment.isoweekday() % 7 > 31)
    first = date(year, 1, 1)
    begin = first - timedelta(days=first.isoweekday() % 7) if year > 1 else first
    return year, (moment.date() - begin).days // 7 + 1


def _week_of_month(moment: datetime) -> int:
    return (moment.day - 1 + moment.replace(day=1).isoweekday() % 7) // 7 + 1


_WRITERS: dict[str, Callable[[datetime, int], str]] = {
    "G": lambda _moment, _count: "AD",
    "y": _year(lambda moment: moment.year),
    "Y": _year(lambda moment: _week(moment)[0]),
    "M": _month,
    "L": _month,
    "w": _padded(lambda moment: _week(moment)[1]),
    "W": _padded(_week_of_month),
    "D": _padded(lambda moment: moment.timetuple().tm_yday),
    "d": _padded(lambda moment: moment.day),
    "F": _padded(lambda moment: (moment.day - 1) // 7 + 1),
    "E": _named(DAYS, lambda moment: moment.weekday()),
    "u": _padded(lambda moment: moment.isoweekday()),
    "a": lambda moment, _count: "PM" if moment.hour >= 12 else "AM",
    "H": _padded(lambda moment: moment.hour),
    "k": _padded(lambda moment: moment.hour or 24),
    "K": _padded(lambda moment: moment.hour % 12),
    "h": _padded(lambda moment: moment.hour % 12 or 12),
    "m": _padded(lambda moment: moment.minute),
    "s": _padded(lambda moment: moment.second),
    "S": _padded(lambda moment: moment.microsecond // 1000),
    "z": lambda _moment, count: "Coordinated Universal Time" if count >= 4 else "UTC",
    "Z": lambda _moment, _count: "+0000",
    "X": lambda _moment, _count: "Z",
}
