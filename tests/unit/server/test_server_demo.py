"""The demo feeds its stream through throttling and full disks, and ends when the stream is deleted."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest

from millstream.server import demo
from millstream.server.demo import STREAM_NAME, Market, run_demo
from millstream.wire.faults import (
    Fault,
    InternalFailure,
    ProvisionedThroughputExceededException,
    ResourceInUseException,
    ResourceNotFoundException,
)


class Platform:
    """Stands for the in-process client; each call of an operation is answered by the next of its answers."""

    def __init__(self, **answers: list[Any]) -> None:
        self._answers = answers
        self.records: list[dict[str, Any]] = []

    async def call(self, operation_name: str, **params: Any) -> dict[str, Any]:
        assert params["StreamName"] == STREAM_NAME
        answer = self._answers[operation_name].pop(0)
        if isinstance(answer, Fault):
            raise answer
        self.records += params.get("Records", [])
        return {"StreamDescriptionSummary": {"StreamStatus": answer}}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "PUT_INTERVAL_S", 0)
    monkeypatch.setattr(demo, "RETRY_S", 0)


async def test_ticks_have_the_members_of_the_tutorials() -> None:
    platform = Platform(
        CreateStream=[None],
        DescribeStreamSummary=["CREATING", "ACTIVE"],
        PutRecords=[None, ResourceNotFoundException()],
    )
    await run_demo(platform, Market(random.Random(7)), lambda _: None)  # type: ignore[arg-type]
    ticks = [json.loads(base64.b64decode(record["Data"])) for record in platform.records]
    assert len(ticks) == demo.TICKS_PER_PUT
    for tick, record in zip(ticks, platform.records, strict=True):
        assert list(tick) == ["TICKER_SYMBOL", "SECTOR", "CHANGE", "PRICE"]
        assert record["PartitionKey"] == tick["TICKER_SYMBOL"]
        assert isinstance(tick["CHANGE"], float)
        assert tick["PRICE"] > 0


async def test_it_goes_on_after_throttling_and_a_full_disk_on_the_stream_that_is_there() -> None:
    platform = Platform(
        CreateStream=[ResourceInUseException()],
        DescribeStreamSummary=["ACTIVE"],
        PutRecords=[
            None,
            ProvisionedThroughputExceededException(),
            InternalFailure("disk full"),
            None,
            ResourceNotFoundException(),
        ],
    )
    await run_demo(platform, Market(random.Random(7)), lambda _: None)  # type: ignore[arg-type]
    assert len(platform.records) == 2 * demo.TICKS_PER_PUT


def test_the_same_seed_makes_the_same_market() -> None:
    one, other = Market(random.Random(7)), Market(random.Random(7))
    assert [one.tick() for _ in range(100)] == [other.tick() for _ in range(100)]
