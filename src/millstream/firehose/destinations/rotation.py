"""Index names of Elasticsearch and OpenSearch destinations.

Source: Firehose developer guide, "Configure index rotation for OpenSearch Service".
"""

from __future__ import annotations

from datetime import UTC, date, datetime

_PATTERNS = {"OneHour": "-%Y-%m-%d-%H", "OneDay": "-%Y-%m-%d", "OneMonth": "-%Y-%m"}


def index_name(index: str, rotation: str, arrival_ms: int) -> str:
    """The index for records that arrived at `arrival_ms`; `rotation` is the API's IndexRotationPeriod."""
    arrival = datetime.fromtimestamp(arrival_ms / 1000, UTC)
    if rotation == "OneWeek":
        year, week = _week(arrival.date())
        return f"{index}-{year:04}-w{week:02}"
    return index + arrival.strftime(_PATTERNS[rotation]) if rotation in _PATTERNS else index


def _week(day: date) -> tuple[int, int]:
    """Year and number of a day's week, by the documented convention: Sunday begins it, its Saturday has its year.

    The documentation's own example, w08 for 25 February 2016, is ISO 8601's number; by this convention it is w09.
    """
    saturday = date.fromordinal(day.toordinal() + (5 - day.weekday()) % 7)
    return saturday.year, (saturday.timetuple().tm_yday - 1) // 7 + 1
