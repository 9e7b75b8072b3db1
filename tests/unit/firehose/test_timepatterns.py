"""Patterns of java.time.format.DateTimeFormatter. Expected texts are what Java prints in the locale en_US."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from millstream.firehose.timepatterns import PatternInvalid, compile_pattern

MONDAY = datetime(2018, 8, 27, 10, 5, 3, 123_456, tzinfo=ZoneInfo("UTC"))


def formatted(pattern: str, time: datetime = MONDAY) -> str:
    return compile_pattern(pattern)(time)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("yyyy/MM/dd/HH", "2018/08/27/10"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSS", "2018-08-27T10:05:03.123"),
        ("'year='yyyy'/month='MM'/day='dd'/hour='HH", "year=2018/month=08/day=27/hour=10"),
        ("uuuu yy y yyyyy", "2018 18 2018 02018"),
        ("D DDD", "239 239"),
        ("M MM MMM MMMM MMMMM L", "8 08 Aug August A 8"),
        ("E EE EEE EEEE EEEEE", "Mon Mon Mon Monday M"),
        ("e ee c ccc", "2 02 2 Mon"),
        ("Q QQ QQQ QQQQ q", "3 03 Q3 3rd quarter 3"),
        ("Y w ww W F", "2018 35 35 5 4"),
        ("a h hh K k H m s", "AM 10 10 10 10 10 5 3"),
        ("S SS SSSSSS SSSSSSSSS", "1 12 123456 123456000"),
        ("A n N", "36303123 123456000 36303123456000"),
        ("G GGGG", "AD Anno Domini"),
        ("''yyyy'' 'o''clock'", "'2018' o'clock"),
        ("[yyyy][-MM]", "2018-08"),
        ("yyyy_MM é", "2018_08 é"),
        ("VV z X XX XXX x xx xxx Z ZZZZ ZZZZZ O OOOO", "UTC UTC Z Z Z +00 +0000 +00:00 +0000 GMT Z GMT GMT"),
    ],
)
def test_letters(pattern: str, expected: str) -> None:
    assert formatted(pattern) == expected


def test_zones_with_an_offset() -> None:
    kolkata = MONDAY.astimezone(ZoneInfo("Asia/Kolkata"))
    assert formatted("VV z X XX XXX Z ZZZZ O OOOO", kolkata) == (
        "Asia/Kolkata IST +0530 +0530 +05:30 +0530 GMT+05:30 GMT+5:30 GMT+05:30"
    )
    tokyo = MONDAY.astimezone(ZoneInfo("Asia/Tokyo"))
    assert formatted("yyyy-MM-dd HH X O", tokyo) == "2018-08-27 19 +09 GMT+9"
    assert formatted("XXX", MONDAY.astimezone(timezone(timedelta(hours=-3, minutes=-30)))) == "-03:30"


@pytest.mark.parametrize(
    ("hour", "expected"), [(0, "12 0 24 0 AM"), (1, "1 1 1 1 AM"), (12, "12 0 12 12 PM"), (23, "11 11 23 23 PM")]
)
def test_hours(hour: int, expected: str) -> None:
    assert formatted("h K k H a", MONDAY.replace(hour=hour)) == expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ((2016, 12, 31), "2016 53"),
        ((2017, 1, 1), "2017 1"),
        ((2017, 12, 30), "2017 52"),
        ((2017, 12, 31), "2018 1"),  # a Sunday in the week of January 1
        ((2018, 12, 29), "2018 52"),
        ((2018, 12, 30), "2019 1"),
    ],
)
def test_weeks_at_the_turn_of_the_year(day: tuple[int, int, int], expected: str) -> None:
    assert formatted("Y w", datetime(*day, tzinfo=ZoneInfo("UTC"))) == expected


@pytest.mark.parametrize("pattern", ["yyyy'", "b", "dddd", "MMMMMM", "HHH", "zzzz", "V", "{", "#", "pH", "aa", "YYYY}"])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(PatternInvalid) as caught:
        compile_pattern(pattern)
    assert repr(pattern) in str(caught.value)
