"""Index names by time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from millstream.firehose.destinations.rotation import index_name


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("rotation", "name"),
    [
        ("NoRotation", "myindex"),
        ("OneHour", "myindex-2016-02-25-13"),
        ("OneDay", "myindex-2016-02-25"),
        ("OneMonth", "myindex-2016-02"),
    ],
)
def test_the_documented_names(rotation: str, name: str) -> None:
    assert index_name("myindex", rotation, _ms("2016-02-25T13:00:00")) == name


@pytest.mark.parametrize(
    ("moment", "week"),
    [
        ("2020-08-09T00:00:00", "2020-w33"),  # a Sunday
        ("2020-08-08T23:59:59.999", "2020-w32"),  # the millisecond before
        ("2020-12-31T12:00:00", "2021-w01"),  # its Saturday is in 2021
        ("2021-01-02T23:59:59", "2021-w01"),
        ("2021-01-03T00:00:00", "2021-w02"),
        ("2022-12-31T23:00:00", "2022-w53"),
        ("2023-01-01T00:00:00", "2023-w01"),
    ],
)
def test_weeks_begin_on_sunday_and_the_first_one_has_the_first_saturday(moment: str, week: str) -> None:
    assert index_name("i", "OneWeek", _ms(moment)) == f"i-{week}"


def test_the_hour_is_the_one_in_utc_at_its_very_end() -> None:
    assert index_name("i", "OneHour", _ms("2026-11-23T23:59:59.999")) == "i-2026-11-23-23"
