"""Dates, times and timestamps in the forms that COPY takes.

DATEFORMAT and TIMEFORMAT are 'auto', 'epochsecs', 'epochmillisecs' (TIMEFORMAT only) or a format string. Redshift
documents YYYY-MM-DD and YYYY-MM-DD HH:MI:SS for when neither is given, yet AWS's published walkthroughs load
MM/DD/YYYY so; here the default takes all that 'auto' takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

_PARTS = {
    "YYYY": "%Y",
    "YY": "%y",
    "MONTH": "%B",
    "MON": "%b",
    "MM": "%m",
    "DD": "%d",
    "HH24": "%H",
    "HH12": "%I",
    "HH": "%H",
    "MI": "%M",
    "SS": "%S",
    "OF": "%z",
    "AM": "%p",
    "PM": "%p",
}
_PART = re.compile("|".join(sorted(_PARTS, key=len, reverse=True)), re.IGNORECASE)
_FRACTION = re.compile(r"(?<=:\d\d)\.(\d{1,6})\d*")
_DATE_FORMS = (
    "%m/%d/%Y", "%m-%d-%Y", "%Y/%m/%d", "%m.%d.%Y", "%d-%b-%Y", "%b-%d-%Y",
    "%b %d %Y", "%B %d, %Y", "%d %b %Y", "%m/%d/%y",
)  # fmt: skip
_TIME_FORMS = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%I:%M:%S%p", "%I:%M%p", "%H%M%S")
_ZONE = re.compile(r"\s*(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$", re.IGNORECASE)
_AMERICAN = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})(?:[ T]\s*(\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?")
_EPOCH = datetime(1970, 1, 1)
_CACHED = 4096


def date_reader(text_format: str | None) -> Callable[[str], date]:
    """What reads dates in that format; it raises ValueError."""
    if text_format is None or text_format == "auto":
        return auto_date
    pattern = _pattern(text_format)
    return lru_cache(_CACHED)(lambda text: _strptime(text, pattern).date())


def timestamp_reader(text_format: str | None) -> Callable[[str], datetime]:
    """What reads timestamps in that format, without a zone (with one: in UTC). It raises ValueError."""
    if text_format is None or text_format == "auto":
        return auto_timestamp
    if text_format in ("epochsecs", "epochmillisecs"):
        unit = timedelta(seconds=1) if text_format == "epochsecs" else timedelta(milliseconds=1)
        return lambda text: _from_epoch(text, unit)
    pattern = _pattern(text_format)
    return lru_cache(_CACHED)(lambda text: _without_zone(_strptime(text, pattern)))


@lru_cache(_CACHED)
def auto_date(text: str) -> date:
    """A date in any form that is recognized, also the date of a timestamp. Raises ValueError."""
    return auto_timestamp(text).date()


@lru_cache(_CACHED)
def auto_timestamp(text: str) -> datetime:
    """A timestamp in any form that is recognized; without a time it is midnight. Raises ValueError."""
    text = text.strip()
    if text[:4].isdigit():
        with suppress(ValueError):
            return _without_zone(datetime.fromisoformat(text))
    if american := _AMERICAN.fullmatch(text):
        month, day, year, rest = american.groups()
        return datetime.combine(date(int(year), int(month), int(day)), auto_time(rest) if rest else time())
    return _other_timestamp(text)


def _other_timestamp(text: str) -> datetime:
    zone = _ZONE.search(text) if ":" in text else None
    body = text[: zone.start()] if zone else text
    for form in _DATE_FORMS:
        words = form.count(" ") + 1
        date_part, time_part = _cut(body, words)
        try:
            day = datetime.strptime(date_part, form)
        except ValueError:
            continue
        moment = datetime.combine(day, auto_time(time_part) if time_part else time())
        return _without_zone(datetime.fromisoformat(moment.isoformat() + _offset(zone[1]))) if zone else moment
    raise ValueError("Invalid timestamp format or value [auto]")


@lru_cache(_CACHED)
def auto_time(text: str) -> time:
    """A time of day in any form that is recognized. Raises ValueError."""
    with suppress(ValueError):
        return time.fromisoformat(text)
    fraction = _FRACTION.search(text)
    whole = _FRACTION.sub("", text).strip()
    for form in _TIME_FORMS:
        try:
            found = datetime.strptime(whole, form).time()
        except ValueError:
            continue
        return found.replace(microsecond=int(fraction[1].ljust(6, "0"))) if fraction else found
    raise ValueError("Invalid time format or value")


def _cut(text: str, words: int) -> tuple[str, str]:
    """The first words of a text, and the rest; a T between date and time counts as a space."""
    if words == 1 and len(text) > 8 and (cut := text.find("T", 8)) > 0:
        return text[:cut], text[cut + 1 :]
    parts = text.split(" ", words)
    return " ".join(parts[:words]), parts[words].strip() if len(parts) > words else ""


def _offset(zone: str) -> str:
    if not zone.startswith(("+", "-")):
        return "+00:00"
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return f"{zone[0]}{digits[:2]}:{digits[2:]}"


def _without_zone(moment: datetime) -> datetime:
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _from_epoch(text: str, unit: timedelta) -> datetime:
    try:
        return _EPOCH + float(text) * unit if "." in text else _EPOCH + int(text) * unit
    except OverflowError:
        raise ValueError("Invalid timestamp: out of range") from None


def _pattern(text_format: str) -> str:
    """A format of Redshift's as one of strptime's. With AM or PM in it, HH has twelve hours."""
    pattern = _PART.sub(lambda match: _PARTS[match[0].upper()], text_format.replace("%", "%%"))
    return pattern.replace("%H", "%I") if "%p" in pattern else pattern


def _strptime(text: str, pattern: str) -> datetime:
    """Like strptime, and a fraction of a second after SS is welcome."""
    fraction = None if "%f" in pattern else _FRACTION.search(text)
    found = datetime.strptime(_FRACTION.sub("", text) if fraction else text, pattern)
    return found.replace(microsecond=int(fraction[1].ljust(6, "0"))) if fraction else found
