"""Retention over the log itself: what is over disappears for readers, from the lists of shards, and from the disk."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from millstream.base.units import HOUR_MS, KIB, MIB
from millstream.disk import MemoryDisk
from millstream.log import BlockCipher, EmbeddedLog, RecordLog
from support.control_plane import ControlPlane

MINUTE_MS = 60_000
OLD = base64.b64encode(bytes(100 * KIB)).decode()
NEW = base64.b64encode(b"new").decode()


class LoggedPlane(ControlPlane):
    """The control plane over embedded logs on a disk in memory."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self.disk = MemoryDisk()
        self._executor = executor
        super().__init__()

    def _open_log(self, stream_id: str, cipher: BlockCipher) -> RecordLog:
        return EmbeddedLog.open(self.disk, stream_id, executor=self._executor, clock=self.clock, cipher=cipher)

    def used_bytes(self, stream_id: str) -> int:
        """What the log of a stream takes on the disk."""
        return sum(self.disk.open(f"{stream_id}/{name}").size() for name in self.disk.list(stream_id))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once the threads of log and maintenance have brought the condition about."""
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.001)

    async def read(self, shard: int, kind: str = "TRIM_HORIZON") -> list[str]:
        """The data of the first page of a shard's records, in base64."""
        members = {"ShardId": f"shardId-{shard:012d}", "ShardIteratorType": kind}
        iterator = (await self.call("GetShardIterator", StreamName="orders", **members))["ShardIterator"]
        records: list[dict[str, Any]] = (await self.call("GetRecords", ShardIterator=iterator))["Records"]
        return [record["Data"] for record in records]

    async def listed(self) -> list[list[str]]:
        """Ids of the stream's shards as ListShards and as DescribeStream tell them."""
        shards = (await self.call("ListShards", StreamName="orders"))["Shards"]
        described = (await self.call("DescribeStream", StreamName="orders"))["StreamDescription"]["Shards"]
        return [[shard["ShardId"][-1] for shard in each] for each in (shards, described)]


@pytest.fixture
async def plane() -> AsyncIterator[LoggedPlane]:
    with ThreadPoolExecutor(2) as executor:
        plane = LoggedPlane(executor)
        await plane.service.start()
        yield plane
        await plane.service.close()


async def test_records_closed_shards_and_their_space_go_when_retention_is_over(plane: LoggedPlane) -> None:
    handle = await plane.create()
    stream_id = handle.stream.stream_id
    for _ in range(30):
        old = await plane.put(data=OLD)
    await plane.change("SplitShard", ShardToSplit="shardId-0", NewStartingHashKey="77")
    await plane.until(lambda: len(handle.shards) == 3 and handle.shards[0].end_offset == 30)
    assert plane.used_bytes(stream_id) > 30 * 100 * KIB

    await plane.skip_ms(12 * HOUR_MS)
    await plane.put(data=NEW)
    await plane.skip_ms(12 * HOUR_MS - MINUTE_MS)
    assert len(await plane.read(0)) == 30
    assert await plane.listed() == [["0", "1", "2"]] * 2

    await plane.skip_ms(3 * MINUTE_MS)
    await plane.until(lambda: plane.used_bytes(stream_id) < 2 * MIB)
    assert await plane.listed() == [["1", "2"]] * 2
    refused = await plane.refusal(
        "GetShardIterator", StreamName="orders", ShardId=old["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )
    assert refused.code == "ResourceNotFoundException"
    assert await plane.read(1) == [NEW]

    await plane.crash()
    assert await plane.listed() == [["1", "2"]] * 2
    assert await plane.read(1) == [NEW]


async def test_an_open_shard_outlives_its_records_and_goes_on(plane: LoggedPlane) -> None:
    handle = await plane.create()
    stream_id = handle.stream.stream_id
    for _ in range(30):
        old = await plane.put(data=OLD)
    await plane.skip_ms(24 * HOUR_MS + MINUTE_MS)
    await plane.until(lambda: plane.used_bytes(stream_id) < 2 * MIB)
    assert await plane.read(0) == []
    new = await plane.put(data=NEW)
    assert int(new["SequenceNumber"]) > int(old["SequenceNumber"])
    assert await plane.read(0) == [NEW]
    assert await plane.listed() == [["0"]] * 2


async def test_a_longer_period_keeps_records_and_a_shorter_one_gives_their_space_back(plane: LoggedPlane) -> None:
    handle = await plane.create()
    stream_id = handle.stream.stream_id
    await plane.change("IncreaseStreamRetentionPeriod", RetentionPeriodHours=72)
    for _ in range(30):
        await plane.put(data=OLD)
    await plane.skip_ms(71 * HOUR_MS)
    await plane.service.maintenance.expire()
    assert len(await plane.read(0)) == 30
    await plane.change("DecreaseStreamRetentionPeriod", RetentionPeriodHours=48)
    await plane.skip_ms(2 * MINUTE_MS)
    await plane.until(lambda: plane.used_bytes(stream_id) < 2 * MIB)
    assert await plane.read(0) == []
