"""Reading one shard: where it goes on, what it skips and what it tells."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from base64 import b64encode
from typing import Any

import pytest

from millstream.client.checkpoints import TRIM_HORIZON, Checkpoint
from millstream.client.errors import CallError, Unreachable
from millstream.client.pace import Pace
from millstream.client.puts import Backoff
from millstream.client.shardreader import ShardGone, ShardReader, Source
from millstream.wire.aggregation import pack


class Shard:
    """A connection to a shard whose records have the sequence numbers 100, 101, …; those below `oldest` expired."""

    def __init__(self, *data: bytes, oldest: int = 0, problems: tuple[Any, ...] = ()) -> None:
        self._data = data
        self._oldest = oldest
        self._problems = list(problems)
        self.asked: list[str] = []

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        self._trouble()
        kind, number = params["ShardIteratorType"], params.get("StartingSequenceNumber", "100")
        self.asked.append(f"{kind} {number}")
        return {"ShardIterator": str(max(self._oldest, int(number) - 100))}

    async def call_encoded(self, operation: str, body: bytes) -> bytes:
        self._trouble()
        at = int(json.loads(body)["ShardIterator"])
        records = [
            {"Data": b64encode(data).decode(), "PartitionKey": "k", "SequenceNumber": str(100 + i)}
            for i, data in list(enumerate(self._data))[at : at + 2]
        ]
        following = {"NextShardIterator": str(at + 2)} if at + 2 < len(self._data) else {}
        return json.dumps({"Records": records, "MillisBehindLatest": len(following), **following}).encode()

    def _trouble(self) -> None:
        if self._problems and (problem := self._problems.pop(0)) is not None:
            raise problem


async def read_all(shard: Any, place: Checkpoint) -> list[tuple[bytes, str]]:
    source = Source(shard, "s", None, Backoff(0, 0), asyncio.Semaphore(1))
    reader = ShardReader(source, "shard-1", place, Pace(0.0, 0.001, random.Random(1)))
    found: list[tuple[bytes, str]] = []
    async with asyncio.timeout(5):
        while (chunk := await reader.read()) is not None:
            assert chunk.records[-1].checkpoint == chunk.end
            found += [(record.data, str(record.checkpoint)) for record in chunk.records]
            source.slots.release()
    assert source.slots.locked() is False
    return found


A, B, C = (b"a", "100"), (b"b", "101"), (b"c", "102")


async def test_what_is_done_is_skipped() -> None:
    assert await read_all(Shard(b"a", b"b", b"c"), TRIM_HORIZON) == [A, B, C]
    assert await read_all(Shard(b"a", b"b", b"c"), Checkpoint("100")) == [B, C]
    assert await read_all(Shard(b"a", b"b", b"c"), Checkpoint("102")) == []
    packed = pack(b"k", [b"x", b"y", b"z"])
    assert await read_all(Shard(packed, b"b"), Checkpoint("100", 1)) == [(b"z", "100:2"), B]
    assert await read_all(Shard(packed, b"b"), Checkpoint("100", 2)) == [B]


def expired() -> CallError:
    return CallError("GetRecords", "ExpiredIteratorException", "", 400)


async def test_after_an_expired_iterator_nothing_comes_twice_and_nothing_is_left_out() -> None:
    data = [b"%d" % i for i in range(9)]
    shard = Shard(*data, problems=(None, None, expired(), None, None, expired(), expired()))
    assert [came for came, _ in await read_all(shard, TRIM_HORIZON)] == data
    assert shard.asked[:2] == ["TRIM_HORIZON 100", "AT_SEQUENCE_NUMBER 101"]


async def test_outages_throttles_and_answers_that_are_none_are_waited_out() -> None:
    throttle = CallError("GetRecords", "HTTP 429", "", 429)
    shard = Shard(b"a", b"b", b"c", problems=(Unreachable("no"), None, Unreachable("no"), throttle, Unreachable("no")))
    assert await read_all(shard, TRIM_HORIZON) == [A, B, C]


async def test_records_that_expired_before_they_were_read_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    assert await read_all(Shard(b"a", b"b", b"c"), Checkpoint("100")) == [B, C]
    assert not caplog.messages
    assert await read_all(Shard(b"a", b"b", b"c", oldest=2), Checkpoint("100")) == [C]
    assert "records after 100 may have expired before they were read" in caplog.text


async def test_what_does_not_pass_is_raised() -> None:
    gone = CallError("GetRecords", "ResourceNotFoundException", "no shard", 400)
    with pytest.raises(ShardGone, match="no shard"):
        await read_all(Shard(b"a", problems=(gone,)), TRIM_HORIZON)
    denied = CallError("GetRecords", "AccessDeniedException", "no", 400)
    with pytest.raises(CallError, match="no"):
        await read_all(Shard(b"a", problems=(None, denied)), TRIM_HORIZON)
