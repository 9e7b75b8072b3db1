"""Events as documents of a search index: fields, numbers and JSON in messages made searchable.

@id @timestamp @message @owner @log_group @log_stream       of every event
the extracted fields of a pattern                           numbers where they are numeric, and
    $name                                                   the JSON object that the field `name` ends with
without extracted fields, the members of the JSON object    that the message is, or ends with
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from millstream.connect.subscription.messages import LogEvent

Document = dict[str, Any]

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_TIME_CODES = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H"}
_TIME_PART = re.compile("|".join(_TIME_CODES))
_TIME_WORD = re.compile(rf"(?<![A-Za-z])(?:{_TIME_PART.pattern})+(?![A-Za-z])")
_DIGITS_MAX = 400
_LONG_MAX = 1 << 63


def plain_document(event: LogEvent) -> Document:
    """The event with the fields that every event has."""
    return {
        "@id": event.id,
        "@timestamp": iso_time(event.time_ms),
        "@message": event.message,
        "@owner": event.owner,
        "@log_group": event.log_group,
        "@log_stream": event.log_stream,
    }


def full_document(event: LogEvent) -> Document:
    """The event with all that can be found in it; its own fields win over members of the same name."""
    found = json_tail(event.message) if event.fields is None else _extracted(event.fields)
    return {**(found or {}), **plain_document(event)}


def iso_time(time_ms: int) -> str:
    """As Elasticsearch and people read it: 2026-11-23T18:00:00.000Z."""
    return f"{_time(time_ms):%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


def index_name(pattern: str, time_ms: int) -> str:
    """The index for an event of that time: `pattern` with yyyy, MM, dd and HH in the time's own, UTC.

    Not so inside of words: `address` stays as it is.
    """
    time = _time(time_ms)

    def part(letters: re.Match[str]) -> str:
        return time.strftime(_TIME_CODES[letters[0]])

    return _TIME_WORD.sub(lambda word: _TIME_PART.sub(part, word[0]), pattern)


def json_tail(text: str) -> Document | None:
    """The JSON object that `text` is, or that stands at its end; None if there is none."""
    start = text.find("{")
    if start < 0:
        return None
    try:
        tail = msgspec.json.decode(text[start:].encode("utf-8", "replace"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return tail if isinstance(tail, dict) else None


def _extracted(fields: Mapping[str, str]) -> Document:
    document: Document = {}
    for name, value in fields.items():
        number = _number(value)
        document[name] = value if number is None else number
        if number is None and (tail := json_tail(value)) is not None:
            document[f"${name}"] = tail
    return document


def _number(text: str) -> int | float | None:
    """The number that `text` is, if an index can hold it."""
    if len(text) > _DIGITS_MAX or _NUMBER.fullmatch(text) is None:
        return None
    try:
        number: int | float = int(text)
    except ValueError:
        number = float(text)
    if isinstance(number, int) and abs(number) >= _LONG_MAX:
        number = float(number)
    return number if math.isfinite(number) else None


def _time(time_ms: int) -> dt.datetime:
    try:
        return dt.datetime.fromtimestamp(time_ms // 1000, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return dt.datetime.fromtimestamp(0, dt.UTC)  # a time that no calendar has: kept, at the beginning of time
