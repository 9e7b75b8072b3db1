from __future__ import annotations

from datetime import date, datetime

import pytest

from millstream.firehose.warehouse.times import date_reader, timestamp_reader

STOP = datetime(2014, 9, 30, 23, 51)


@pytest.mark.parametrize(
    "text",
    [
        "2014-09-30 23:51:00",
        "2014-09-30T23:51:00Z",
        "2014-10-01 01:51+02:00",
        "20140930T235100",
        "09/30/2014 23:51:00",
        "9/30/2014 11:51 PM",
        "09-30-2014 23:51",
        "2014/09/30 23:51:00.000",
        "30-Sep-2014 23:51:00",
        "Sep-30-2014 11:51:00 PM",
        "September 30, 2014 23:51",
        "09/30/2014 21:51:00 -02",
        " 2014-09-30 23:51:00 ",
    ],
)
def test_timestamps_are_recognized(text: str) -> None:
    assert timestamp_reader(None)(text) == STOP
    assert timestamp_reader("auto")(text) == STOP


@pytest.mark.parametrize("text", ["23:51:00", "09/31/2014", "2014", "yesterday", "30/09/2014", ""])
def test_what_is_no_timestamp_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        timestamp_reader(None)(text)


@pytest.mark.parametrize(
    ("text_format", "text"),
    [
        ("DD.MM.YYYY HH:MI:SS", "30.09.2014 23:51:00"),
        ("DD.MM.YYYY HH:MI:SS", "30.09.2014 23:51:00.000000"),
        ("MM/DD/YYYY HH:MI:SS AM", "09/30/2014 11:51:00 PM"),
        ("YYYY-MM-DD HH24:MI:SSOF", "2014-10-01 01:51:00+0200"),
        ("epochsecs", "1412121060"),
        ("epochmillisecs", "1412121060000"),
    ],
)
def test_timestamps_in_a_format_of_their_own(text_format: str, text: str) -> None:
    assert timestamp_reader(text_format)(text) == STOP


def test_fractions_are_kept() -> None:
    assert timestamp_reader(None)("09/30/2014 23:51:00.5") == STOP.replace(microsecond=500_000)
    assert timestamp_reader("epochmillisecs")("1412121060500") == STOP.replace(microsecond=500_000)
    assert timestamp_reader("YYYY/DD/MM HH:MI:SS")("2014/30/09 23:51:00.25") == STOP.replace(microsecond=250_000)


def test_dates() -> None:
    assert date_reader(None)("09/30/2014") == date(2014, 9, 30)
    assert date_reader("DD.MM.YYYY")("30.09.2014") == date(2014, 9, 30)
    with pytest.raises(ValueError, match=r".+"):
        date_reader("DD.MM.YYYY")("2014-09-30")
