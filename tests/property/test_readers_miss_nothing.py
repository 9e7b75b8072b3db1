"""Readers that come and go, by iterator or by subscription, see each record once and in order, through resharding."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from base64 import b64encode
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.base.hashkeys import HASH_KEY_COUNT
from support.data_plane import DataPlane

KEYS = ["a", "b", "c", "d"]

puts = st.lists(st.sampled_from(KEYS), min_size=1, max_size=8)
starts = st.lists(st.integers(1, 15), max_size=3, unique=True).map(
    lambda parts: [0, *(part * HASH_KEY_COUNT // 16 for part in sorted(parts))]
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), puts),
        st.tuples(st.just("reshard"), starts),
        st.tuples(st.just("read"), st.integers(1, 5)),
        st.tuples(st.just("pass"), st.integers(0, 5_000)),
    ),
    max_size=25,
)


class Reader(ABC):
    """Follows every shard of a stream from its start, children after their parents; keeps what it was given, by key."""

    def __init__(self, plane: DataPlane) -> None:
        self.plane = plane
        self.seen: dict[str, list[tuple[str, str]]] = {key: [] for key in KEYS}
        self.ended: set[str] = set()
        self.shards = [shard.shard_id for shard in plane.handle.stream.shards]

    async def step(self, limit: int) -> bool:
        """Read on in every shard that may be read; returns whether anything came."""
        progress = False
        for shard in list(self.shards):
            reply = await self.read(shard, limit)
            for record in reply["Records"]:
                self.seen[record["PartitionKey"]].append((record["SequenceNumber"], record["Data"]))
            progress = progress or bool(reply["Records"] or reply.get("ChildShards"))
            if children := reply.get("ChildShards"):
                self.shards.remove(shard)
                self.ended.add(shard)
                for child in children:
                    if set(child["ParentShards"]) <= self.ended:
                        self.shards.append(child["ShardId"])
        return progress

    @abstractmethod
    async def read(self, shard: str, limit: int) -> dict[str, Any]:
        """The next reply or event of a shard."""


class IteratorReader(Reader):
    """Polls with GetRecords."""

    def __init__(self, plane: DataPlane) -> None:
        super().__init__(plane)
        self.iterators: dict[str, str] = {}

    async def read(self, shard: str, limit: int) -> dict[str, Any]:
        iterator = self.iterators.get(shard) or await self.plane.iterator(shard=shard)
        reply = await self.plane.records(iterator, Limit=limit)
        assert ("NextShardIterator" in reply) != ("ChildShards" in reply)
        self.iterators[shard] = reply.get("NextShardIterator", "")
        return reply


class SubscriptionReader(Reader):
    """Subscribes, takes one event, hangs up, and continues where it was: at or after the number, as `limit` is odd."""

    def __init__(self, plane: DataPlane) -> None:
        super().__init__(plane)
        self.consumer_arn = plane.add_consumer()
        self.numbers: dict[str, str] = {}

    async def read(self, shard: str, limit: int) -> dict[str, Any]:
        position = {"Type": "TRIM_HORIZON"}
        if number := self.numbers.get(shard):
            kind = "AT_SEQUENCE_NUMBER" if limit % 2 else "AFTER_SEQUENCE_NUMBER"
            position = {"Type": kind, "SequenceNumber": number}
        events = await self.plane.subscribe(self.consumer_arn, shard, **position)
        event = await events.event()
        await events.close()
        assert ("ContinuationSequenceNumber" in event) != ("ChildShards" in event)
        self.numbers[shard] = event.get("ContinuationSequenceNumber", "")
        return event


async def play(history: list[tuple[str, Any]]) -> None:
    plane = DataPlane(shards=2)
    readers: list[Reader] = [IteratorReader(plane), SubscriptionReader(plane)]
    written: dict[str, list[tuple[str, str]]] = {key: [] for key in KEYS}
    count = 0
    for action, argument in history:
        if action == "put":
            entries = []
            for key in argument:
                entries.append({"Data": b64encode(b"%d" % count).decode(), "PartitionKey": key})
                count += 1
            reply = await plane.call("PutRecords", Records=entries)
            for entry, result in zip(entries, reply["Records"], strict=True):
                written[entry["PartitionKey"]].append((result["SequenceNumber"], entry["Data"]))
        elif action == "reshard":
            plane.reshard(argument)
        elif action == "pass":
            plane.scheduler.advance(argument)
        else:
            for reader in readers:
                await reader.step(argument)
    for reader in readers:
        for _ in range(count + 100):  # more than enough; a reader that goes round in circles is found out
            if not await reader.step(3):
                break
        assert reader.seen == written
    for numbers in written.values():
        assert numbers == sorted(numbers, key=lambda pair: int(pair[0]))


@settings(max_examples=60, deadline=None)
@given(steps)
def test_readers_see_each_record_once_and_in_order(history: list[tuple[str, Any]]) -> None:
    asyncio.run(play(history))
