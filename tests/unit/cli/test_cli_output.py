"""Records are shown as JSON documents, or raw; rates are told from samples."""

from __future__ import annotations

import base64
import datetime as dt
import json
from typing import Any

import pytest

from millstream.cli.output import RecordPrinter
from millstream.cli.streams import SAMPLE_RECORDS_MAX, WINDOW_S, Rate, sampled_rate


def record(data: bytes, arrival_s: float = 1_700_000_000.25) -> dict[str, Any]:
    return {
        "SequenceNumber": "49",
        "Data": base64.b64encode(data).decode(),
        "PartitionKey": "k",
        "ApproximateArrivalTimestamp": arrival_s,
    }


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b'{"PRICE": 1.5}', {"data": {"PRICE": 1.5}}),
        ("Grüße".encode(), {"data": "Grüße"}),
        (b"\xff\x00", {"data_base64": "/wA="}),
        (b"", {"data": ""}),
    ],
)
def test_a_record_is_a_json_document(data: bytes, shown: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    RecordPrinter(raw=False, limit=None).print("shardId-000000000000", [record(data)])
    document = json.loads(capsys.readouterr().out)
    assert dt.datetime.fromisoformat(document.pop("arrival")).timestamp() == 1_700_000_000.25
    assert document == {
        "shard": "shardId-000000000000",
        "sequence_number": "49",
        "partition_key": "k",
        **shown,
    }


def test_raw_is_the_data_and_nothing_else(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    RecordPrinter(raw=True, limit=None).print("shardId-000000000000", [record(b"a\xff"), record(b"b")])
    assert capfdbinary.readouterr().out == b"a\xff\nb\n"


def test_it_stops_at_the_limit(capsys: pytest.CaptureFixture[str]) -> None:
    printer = RecordPrinter(raw=False, limit=3)
    assert printer.print("s", [record(b"1"), record(b"2")]) is False
    assert printer.print("s", [record(b"3"), record(b"4")]) is True
    assert capsys.readouterr().out.count('"data"') == 3


def test_rates() -> None:
    assert sampled_rate([], 0.0) == Rate(0, 0)
    few = [record(b"x" * 300, arrival_s=100 + i) for i in range(5)]
    assert sampled_rate(few, 100.0) == Rate(5 / WINDOW_S, 5 * 300 / WINDOW_S)
    many = [record(b"x" * 300, arrival_s=102.0)] * SAMPLE_RECORDS_MAX
    assert sampled_rate(many, 100.0).records_per_s == pytest.approx(SAMPLE_RECORDS_MAX / 2)
