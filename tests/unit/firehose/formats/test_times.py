"""Timestamps and dates, as OpenX, Hive and JodaTime's patterns read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from millstream.firehose.formats.joda import PatternInvalid, compile_pattern
from millstream.firehose.formats.times import hive_date, hive_timestamp, openx_timestamp, read_date

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # the examples of the developer guide
        ("2017-02-07T15:13:01.39256Z", "2017-02-07T15:13:01.392560"),
        ("2017-02-07 15:13:01.14", "2017-02-07T15:13:01.140"),
        (1518033528, "2018-02-07T19:58:48"),
        (1518033528123, "2018-02-07T19:58:48.123"),
        (1518033528.123, "2018-02-07T19:58:48.123"),
        # and what stands between them
        ("1518033528", "2018-02-07T19:58:48"),
        ("1518033528123", "2018-02-07T19:58:48.123"),
        ("1518033528.5", "2018-02-07T19:58:48.500"),
        (Decimal("1518033528.000001"), "2018-02-07T19:58:48.000001"),
        ("2017-2-7 5:3:1", "2017-02-07T05:03:01"),
        ("2017-02-07 15:13:01.123456789", "2017-02-07T15:13:01.123456"),
        ("2017-02-07T15:13:01+02:30", "2017-02-07T12:43:01"),
        ("2017-02-07", "2017-02-07T00:00:00"),
        ("1969-12-31 23:59:59.9", "1969-12-31T23:59:59.900"),
        (-1, "1969-12-31T23:59:59"),
    ],
)
def test_openx_reads(value: Any, expected: str) -> None:
    assert openx_timestamp(value) == us(expected)


@pytest.mark.parametrize(
    "value",
    ["", "yesterday", "2017-02-30 00:00:00", "2017-02-07 24:00:00", "2017-02-07 10:60:00", "0000-01-01", True, [], {},
     10**30, 1e300, Decimal("1e999999999"), "2017-02-07T15:13:01+25:00", "٢017-02-07"],
)  # fmt: skip
def test_openx_refuses(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - callers word it
        openx_timestamp(value)


def test_hive_reads_what_java_reads_by_default() -> None:
    read = hive_timestamp([])
    assert read("2017-2-7 15:13:01.5") == us("2017-02-07T15:13:01.500")
    for value in ("2017-02-07T15:13:01", "2017-02-07", 1518033528123):
        with pytest.raises(ValueError):  # noqa: PT011
            read(value)


def test_hive_reads_its_formats_in_their_order_and_then_the_default() -> None:
    read = hive_timestamp(["dd/MM/yyyy HH:mm", "MM/dd/yyyy HH:mm", "millis"])
    assert read("03/04/2020 10:11") == us("2020-04-03T10:11:00")
    assert read("03/14/2020 10:11") == us("2020-03-14T10:11:00")
    assert read(1518033528123) == read("1518033528123") == us("2018-02-07T19:58:48.123")
    assert read("2020-01-01 00:00:00") == us("2020-01-01T00:00:00")


def test_hive_reads_dates_by_its_formats_too() -> None:
    assert hive_date(["dd.MM.yyyy"])("31.01.2020") == hive_date([])("2020-1-31") == read_date("2020-01-31") == 18292


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2020-01-31T10:11:12.345+0130", "2020-01-31T08:41:12.345"),
        ("yyyy-MM-dd'T'HH:mm:ssZZ", "2020-01-31T10:11:12Z", "2020-01-31T10:11:12"),
        ("EEE, d MMM yyyy hh:mm:ss a z", "Fri, 31 Jan 2020 12:11:12 AM UTC", "2020-01-31T00:11:12"),
        ("MMMM d, yyyy h a", "January 31, 2020 11 pm", "2020-01-31T23:00:00"),
        ("dd/MMM/yyyy:HH:mm:ss Z", "31/Jan/2020:10:11:12 -0800", "2020-01-31T18:11:12"),
        ("yyMMdd", "200131", "2020-01-31T00:00:00"),
        ("yyyy DDD", "2020 366", "2020-12-31T00:00:00"),
        ("yyyy 'o''clock' k", "2020 o'clock 24", "2020-01-01T00:00:00"),
        ("yyyy K a", "2020 0 PM", "2020-01-01T12:00:00"),
        ("HH:mm", "10:11", "1970-01-01T10:11:00"),
    ],
)
def test_joda_patterns(pattern: str, text: str, expected: str) -> None:
    assert compile_pattern(pattern)(text) == us(expected)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("yyyy-MM-dd", "2020-02-30"),
        ("yyyy-MM-dd", "2020-02-3x"),
        ("HH", "24"),
        ("hh a", "13 am"),
        ("yyyy DDD", "2021 366"),
    ],
)
def test_joda_text_that_does_not_follow_its_pattern(pattern: str, text: str) -> None:
    assert compile_pattern(pattern)(text) is None


@pytest.mark.parametrize(("pattern", "reason"), [("yyyy G", "'G'"), ("yyyy 'x", "apostrophe"), ("dd dd", "twice")])
def test_joda_patterns_that_cannot_be_read_are_refused(pattern: str, reason: str) -> None:
    with pytest.raises(PatternInvalid, match=reason):
        compile_pattern(pattern)
