"""Batches are sent until they are in; what is in is acknowledged, once."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from millstream.agent.config import FlowConfig
from millstream.agent.entries import make_packer, put_target_of
from millstream.agent.metrics import Metrics
from millstream.agent.publisher import Destination, Publisher, Room
from millstream.agent.records import FileId, Span
from millstream.base.clock import SystemClock
from millstream.client.errors import Unreachable
from support.agentpieces import piece
from support.agentpublishing import ScriptedConnection, fails, refuses, takes_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from millstream.agent.packing import Batch
    from support.agentpublishing import Answer

FILE = FileId(1, 1)
QUICK = {"retry_initial_backoff_ms": 1, "retry_max_backoff_ms": 5}


class Publishing:
    """A publisher of a flow, and what it tells."""

    def __init__(self, *answers: Answer, requests_max: int = 4, room_bytes: int = 1000, **options: object) -> None:
        flow = FlowConfig(file_pattern="*", **{"delivery_stream": "orders", **QUICK, **options})  # type: ignore[arg-type]
        self.connection = ScriptedConnection(*(answers or (takes_all,)))
        metrics = Metrics([flow])
        self.metrics = metrics.of_destination(flow)
        self.done: list[Span] = []
        self.records = 0
        self.rejected: list[bytes] = []
        destination = Destination(
            self.connection, put_target_of(flow), self.metrics, SystemClock(), requests_max=requests_max
        )
        self.publisher = Publisher(
            flow,
            destination,
            Room(room_bytes),
            spawn=asyncio.get_running_loop().create_task,
            done=self._done,
            refused=lambda record, _: self.rejected.append(record),
        )
        self._packer = make_packer(flow)
        self._end = 0

    def submit(self, *data: str) -> None:
        """These records, as one batch."""
        self._packer.add(piece([each.encode() for each in data], start=self._end))
        self._end += sum(map(len, data))
        batch: Batch | None = self._packer.take()
        assert batch is not None
        self.publisher.submit(batch)

    async def drained(self) -> None:
        async with asyncio.timeout(10):
            await self.publisher.drained()

    def _done(self, spans: Sequence[Span], records: int) -> None:
        self.done += spans
        self.records += records


async def test_a_batch_that_is_taken_is_acknowledged_as_a_whole() -> None:
    publishing = Publishing()
    publishing.submit("a", "bb", "ccc")
    await publishing.drained()
    assert publishing.done == [Span(FILE, 0, 6)]
    assert publishing.records == 3
    assert publishing.publisher.is_idle
    metrics = publishing.metrics
    assert (metrics.records_sent, metrics.bytes_sent, metrics.record_send_attempts) == (3, 6, 3)


async def test_only_failed_records_are_sent_again_and_the_others_acknowledged_at_once() -> None:
    publishing = Publishing(fails("bb"), fails("bb"), takes_all)
    publishing.submit("a", "bb", "ccc")
    await publishing.drained()
    assert publishing.connection.requests == [["a", "bb", "ccc"], ["bb"], ["bb"]]
    assert publishing.done == [Span(FILE, 0, 1), Span(FILE, 3, 6), Span(FILE, 1, 3)]
    metrics = publishing.metrics
    assert (metrics.records_sent, metrics.record_send_attempts, metrics.record_send_errors) == (3, 5, 2)
    assert metrics.throttles == 2
    assert metrics.service_errors == 0


async def test_outages_are_waited_out() -> None:
    def nobody(_: Sequence[str]) -> list[str | None]:
        raise Unreachable("no server")

    publishing = Publishing(nobody, refuses("InternalFailure", 500), takes_all)
    publishing.submit("a")
    await publishing.drained()
    assert publishing.connection.taken == ["a"]
    assert publishing.metrics.service_errors == 2


async def test_a_stream_that_is_not_there_yet_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    missing = refuses("ResourceNotFoundException")
    publishing = Publishing(missing, missing, missing, takes_all)
    with caplog.at_level(logging.INFO, "millstream.agent"):
        publishing.submit("a", "b")
        await publishing.drained()
    assert publishing.connection.taken == ["a", "b"]
    assert publishing.rejected == []
    first, last = caplog.messages
    assert "DeliveryStream:orders" in first
    assert "create it" in first
    assert "takes records again" in last


async def test_a_record_that_alone_is_refused_is_rejected() -> None:
    publishing = Publishing(takes_all, refuses("InvalidArgumentException", name="bad"))
    publishing.submit("first")
    await publishing.drained()
    publishing.submit("a", "b", "bad", "c", "d")
    await publishing.drained()
    assert sorted(publishing.connection.taken) == ["a", "b", "c", "d", "first"]
    assert publishing.rejected == [b"bad"]
    assert max(publishing.done).end == 12
    assert publishing.records == 5


async def test_a_destination_that_refuses_everything_loses_nothing() -> None:
    refused = refuses("InvalidArgumentException")
    publishing = Publishing(takes_all, *[refused] * 20, takes_all)
    publishing.submit("first")
    await publishing.drained()
    publishing.submit("a", "b", "c")
    await publishing.drained()
    assert publishing.rejected == []
    assert sorted(publishing.connection.taken) == ["a", "b", "c", "first"]


@pytest.mark.parametrize("key", ["DETERMINISTIC", "FILE"])
async def test_later_records_of_an_ordered_flow_wait_for_failed_ones(key: str) -> None:
    publishing = Publishing(
        *(refuses("ProvisionedThroughputExceededException"), refuses("InternalFailure", 500), takes_all),
        delivery_stream=None,
        kinesis_stream="ticks",
        partition_key_option=key,
    )
    for i in range(20):
        publishing.submit(f"{i};")
    await publishing.drained()
    assert publishing.connection.taken == [f"{i};" for i in range(20)]


async def test_reading_stops_while_the_queue_or_the_memory_is_full() -> None:
    publishing = Publishing(publish_queue_capacity=2, room_bytes=10)
    publishing.submit("a")
    assert not publishing.publisher.is_full
    publishing.submit("b")
    assert publishing.publisher.is_full
    await publishing.publisher.room.freed()
    await publishing.drained()
    assert not publishing.publisher.is_full
    publishing.submit("more than ten bytes")
    assert publishing.publisher.is_full
    await publishing.drained()
    assert not publishing.publisher.is_full


async def test_what_is_given_up_is_not_acknowledged() -> None:
    publishing = Publishing(fails("b"))
    publishing.submit("a", "b")
    async with asyncio.timeout(10):
        while len(publishing.connection.requests) < 3:
            await asyncio.sleep(0)
    publishing.publisher.cancel()
    await publishing.drained()
    assert publishing.done == [Span(FILE, 0, 1)]
