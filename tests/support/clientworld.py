"""A stream and a lease store in memory, in virtual time, with workers that die, freeze and lose answers.

Everything that must always hold is checked where it happens: a checkpoint never goes back and never gets ahead of what
is done; nobody is handed a record whose predecessors nobody has been handed; children come after their parents.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from millstream.client.checkpoints import TRIM_HORIZON, Checkpoint
from millstream.client.consumer import Consumer
from millstream.client.errors import CallError, Unreachable
from millstream.client.lane import Batch, LeaseLost
from millstream.client.leases import Lease, MemoryLeases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from millstream.base.clock import Clock

Way = Literal["iterate", "within", "run"]
"""How a program uses the consumer: by itself, in `async with`, with a handler."""

PAGE = 7
LEASE_S = 10.0


class FakeShard:
    """A shard; record i has the sequence number 1000 + i."""

    def __init__(self, shard_id: str, low: int, high: int, parents: Sequence[str] = ()) -> None:
        self.shard_id, self.low, self.high, self.parents = shard_id, low, high, tuple(parents)
        self.count = 0
        self.is_open = True

    def described(self) -> dict[str, Any]:
        described: dict[str, Any] = {
            "ShardId": self.shard_id,
            "HashKeyRange": {"StartingHashKey": str(self.low), "EndingHashKey": str(self.high)},
            "SequenceNumberRange": {"StartingSequenceNumber": "1"}
            | ({} if self.is_open else {"EndingSequenceNumber": "9"}),
        }
        names = ("ParentShardId", "AdjacentParentShardId")
        return described | dict(zip(names, self.parents, strict=False))


class FakeStream:
    """Shards, what was handed out of each, and what is done."""

    def __init__(self, shards: int) -> None:
        self.shards: dict[str, FakeShard] = {}
        self.handed: dict[str, int] = {}
        self.done: dict[str, set[int]] = {}
        self.unlisted: set[str] = set()
        for i in range(shards):
            self._add(i * 100, i * 100 + 99)

    def _add(self, low: int, high: int, parents: Sequence[str] = ()) -> None:
        shard = FakeShard(f"shardId-{len(self.shards):012d}", low, high, parents)
        self.shards[shard.shard_id] = shard
        self.handed[shard.shard_id], self.done[shard.shard_id] = 0, set()

    @property
    def open(self) -> list[FakeShard]:
        return sorted((shard for shard in self.shards.values() if shard.is_open), key=lambda shard: shard.low)

    def put(self, chance: random.Random) -> None:
        chance.choice(self.open).count += chance.randint(1, 5)

    def split(self, shard: FakeShard) -> None:
        shard.is_open = False
        middle = (shard.low + shard.high) // 2
        self._add(shard.low, middle, [shard.shard_id])
        self._add(middle + 1, shard.high, [shard.shard_id])

    def merge(self, left: FakeShard, right: FakeShard) -> None:
        left.is_open = right.is_open = False
        self._add(left.low, right.high, [left.shard_id, right.shard_id])

    def is_done(self, shard_id: str) -> bool:
        shard = self.shards[shard_id]
        return not shard.is_open and len(self.done[shard_id]) == shard.count

    def hand_out(self, shard_id: str, numbers: list[int]) -> None:
        shard = self.shards[shard_id]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "a gap in a batch"
        assert numbers[0] <= self.handed[shard_id], "records were left out"
        assert all(self.is_done(parent) for parent in shard.parents), "a child before its parents"
        self.handed[shard_id] = max(self.handed[shard_id], numbers[-1] + 1)

    def all_done(self) -> bool:
        return all(len(self.done[shard.shard_id]) == shard.count for shard in self.shards.values())


class CheckedLeases(MemoryLeases):
    """Leases whose checkpoints must be true."""

    def __init__(self, stream: FakeStream) -> None:
        super().__init__()
        self._stream = stream
        self.takes = 0

    def _replace(self, lease: Lease) -> bool:
        before = self.leases.get(lease.shard_id)
        took = super()._replace(lease)
        if took and before is not None:
            self.takes += lease.owner not in (None, before.owner)
            assert lease.checkpoint.order >= before.checkpoint.order, "a checkpoint went back"
            if lease.checkpoint.is_end:
                assert self._stream.is_done(lease.shard_id), "the end of a shard that is not done"
                assert all(child in self.leases for child in self._children(lease.shard_id)), (
                    "an end before its children"
                )
            elif lease.checkpoint.is_number:
                upto = int(lease.checkpoint.value) - 1000
                assert set(range(upto + 1)) <= self._stream.done[lease.shard_id], "saved what is not done"
        return took

    def _children(self, shard_id: str) -> list[str]:
        return [shard.shard_id for shard in self._stream.shards.values() if shard_id in shard.parents]


class Line:
    """The network between one worker and the world: may be held up, and may lose answers."""

    def __init__(self, chance: random.Random, losses: float) -> None:
        self.passing = asyncio.Event()
        self.passing.set()
        self._chance = chance
        self._losses = losses

    async def before(self) -> None:
        await asyncio.sleep(self._chance.uniform(0.0, 0.05))
        await self.passing.wait()

    async def after(self) -> None:
        if self._chance.random() < self._losses:
            raise Unreachable("lost on the way")
        await self.passing.wait()


class FakeTarget(NamedTuple):
    is_aws: bool = True


class FakeConnection:
    """What a consumer calls."""

    target = FakeTarget()
    served_ms = 1_000

    def __init__(self, stream: FakeStream, line: Line) -> None:
        self._stream = stream
        self._line = line

    async def close(self) -> None:
        """Nothing to close."""

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        await self._line.before()
        if operation == "ListShards":
            listed = [shard for shard in self._stream.shards.values() if shard.shard_id not in self._stream.unlisted]
            reply: dict[str, Any] = {"Shards": [shard.described() for shard in listed]}
        else:
            at = int(params.get("StartingSequenceNumber", "1000")) - 1000
            reply = {"ShardIterator": f"{params['ShardId']}/{at}/{len(self._stream.shards)}"}
        await self._line.after()
        return reply

    async def call_encoded(self, operation: str, body: bytes) -> bytes:
        await self._line.before()
        assert operation == "GetRecords"
        shard_id, at, epoch = json.loads(body)["ShardIterator"].split("/")
        if len(self._stream.shards) > int(epoch) + 2:
            raise CallError(operation, "ExpiredIteratorException", "too old", 400)
        shard = self._stream.shards[shard_id]
        start = int(at)
        end = min(shard.count, start + PAGE)
        records = [
            {"Data": base64.b64encode(b"%d" % i).decode(), "PartitionKey": "k", "SequenceNumber": str(1000 + i)}
            for i in range(start, end)
        ]
        reply: dict[str, Any] = {"Records": records, "MillisBehindLatest": 0 if end == shard.count else 1}
        if shard.is_open or end < shard.count:
            reply["NextShardIterator"] = f"{shard_id}/{end}/{epoch}"
        await self._line.after()
        return json.dumps(reply).encode()


class LineLeases:
    """A worker's way to the leases."""

    def __init__(self, leases: MemoryLeases, line: Line) -> None:
        self._leases = leases
        self._line = line

    async def load(self) -> list[Lease]:
        await self._line.before()
        leases = await self._leases.load()
        await self._line.after()
        return leases

    async def create(self, leases: Sequence[Lease]) -> None:
        await self._line.before()
        await self._leases.create(leases)
        await self._line.after()

    async def replace(self, leases: Sequence[Lease]) -> list[bool]:
        await self._line.before()
        took = await self._leases.replace(leases)
        await self._line.after()
        return took

    async def delete(self, leases: Sequence[Lease]) -> None:
        await self._line.before()
        await self._leases.delete(leases)
        await self._line.after()

    async def close(self) -> None:
        """Nothing to close."""


class Worker:
    """A program that reads the stream."""

    def __init__(
        self,
        stream: FakeStream,
        leases: MemoryLeases,
        clock: Clock,
        chance: random.Random,
        *,
        losses: float = 0.0,
        start: Checkpoint = TRIM_HORIZON,
        is_manual: bool = False,
        way: Way = "iterate",
    ) -> None:
        self.stream = stream
        self.line = Line(chance, losses)
        self._chance = chance
        self._is_manual = is_manual
        connection: Any = FakeConnection(stream, self.line)
        self.consumer = Consumer(
            connection,
            "s",
            LineLeases(leases, self.line),
            start=start,
            is_manual=is_manual,
            lease_s=LEASE_S,
            checkpoint_s=1.0,
            prefetch=3,
            records_max=None,
            idle_s_max=1.0,
            clock=clock,
            chance=chance,
        )
        self.task = asyncio.ensure_future(self._work(way))
        self.is_dead = False

    async def _work(self, way: Way) -> None:
        if way == "run":
            await self.consumer.run(self._handle, concurrency=2)
        elif way == "within":
            async with self.consumer:
                await self._iterate()
        else:
            await self._iterate()

    async def _iterate(self) -> None:
        async for batch in self.consumer:
            await self._handle(batch)

    async def _handle(self, batch: Batch) -> None:
        numbers = [int(record.data) for record in batch.records]
        self.stream.hand_out(batch.shard_id, numbers)
        await asyncio.sleep(self._chance.uniform(0.0, 0.3))
        await self.line.passing.wait()
        if self.is_dead:
            raise asyncio.CancelledError
        self.stream.done[batch.shard_id].update(numbers)
        if self._is_manual:
            with suppress(LeaseLost):
                await batch.checkpoint()

    async def die(self) -> None:
        """As by SIGKILL: nothing is saved, nothing given back."""
        self.is_dead = True
        keeper, self.consumer._keeper = self.consumer._keeper, None
        tasks = [self.task, keeper, *(lane.task for lane in self.consumer._lanes.values())]
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)

    async def stop(self) -> None:
        """As by SIGTERM."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
