"""The streams service over in-memory logs and a manual clock, with calls made as the wire makes them."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator
from typing import Any

from msgspec.structs import replace

from millstream.base.clock import ManualClock
from millstream.base.scheduler import ManualScheduler
from millstream.catalog import SqliteCatalog
from millstream.log import BlockCipher
from millstream.security import Keyring, TokenSealer
from millstream.streams import Settings, StreamsService, operations_of
from millstream.streams.model import Consumer, ConsumerStatus, Stream, StreamStatus
from millstream.streams.registry import StreamHandle
from millstream.streams.resharding import first_shards, reshard
from millstream.wire.context import CallContext, Codec
from millstream.wire.operation import Encoded, EventStream
from millstream.wire.service import Service
from support.memory_log import MemoryLog

ACCOUNT = "123456789012"
REGION = "eu-west-1"
NAME = "orders"


class DataPlane:
    """One service with one ACTIVE stream, `orders`, and what tests do to them."""

    def __init__(self, *, shards: int = 1, limits: bool = False, **settings: Any) -> None:
        self.clock = ManualClock()
        self.scheduler = ManualScheduler(self.clock)
        self.logs: dict[str, MemoryLog] = {}
        self.service = StreamsService(
            catalog=SqliteCatalog(":memory:"),
            open_log=self._open_log,
            delete_log=self._delete_log,
            clock=self.clock,
            scheduler=self.scheduler,
            keyring=Keyring(bytes(32)),
            sealer=TokenSealer(b"secret"),
            settings=Settings(limits_aws=limits, **settings),
        )
        self.operations = operations_of(self.service)
        self.wire = Service("kinesis", self.operations)
        self.handle = self.add_stream(NAME, shards)

    def _open_log(self, stream_id: str, _cipher: BlockCipher) -> MemoryLog:
        self.logs[stream_id] = MemoryLog(self.clock)
        return self.logs[stream_id]

    def _delete_log(self, stream_id: str) -> None:
        del self.logs[stream_id]

    @property
    def log(self) -> MemoryLog:
        """The log of `orders`."""
        return self.logs[self.handle.stream.stream_id]

    def add_stream(self, name: str, shards: int = 1, status: StreamStatus = StreamStatus.ACTIVE) -> StreamHandle:
        """Another stream, without going through its states."""
        now_ms = self.clock.now_ms()
        stream = Stream(
            account=ACCOUNT,
            region=REGION,
            name=name,
            stream_id=f"{name:a<20.20}-abc",
            created_ms=now_ms,
            status=status,
            shards=first_shards(shards, now_ms),
            next_shard_index=shards,
        )
        return self.service.registry.add(stream)

    def change(self, **changes: Any) -> None:
        """Change members of `orders`."""
        self.service.registry.save(self.handle, **changes)

    def add_consumer(self, name: str = "reader", status: ConsumerStatus = ConsumerStatus.ACTIVE) -> str:
        """Register a consumer of `orders`; returns its ARN."""
        consumer = Consumer(name=name, created_ms=self.clock.now_ms(), status=status)
        self.change(consumers=[*self.handle.stream.consumers, consumer])
        return self.handle.stream.consumer_arn(consumer)

    def reshard(self, starts: list[int], *, settled: bool = True) -> None:
        """Have the open shards of `orders` start at `starts`; unless `settled`, the parents' ends are not known yet."""
        shards = reshard(self.handle.stream, starts, self.clock.now_ms())
        self.change(shards=shards, next_shard_index=len(shards))
        if settled:
            self.settle()

    def settle(self) -> None:
        """Record where closed shards end."""
        shards = [
            replace(shard, end_offset=self.log.shard_range(shard.index)[1]) if not shard.is_open else shard
            for shard in self.handle.stream.shards
        ]
        self.change(shards=shards)

    def context(self, operation: str, codec: Codec = Codec.JSON, account: str = ACCOUNT) -> CallContext:
        """A call of that operation."""
        return CallContext(operation, account, REGION, "request-1", codec)

    async def result(self, operation: str, *, account: str = ACCOUNT, **members: Any) -> Any:
        """What the handler returns for a JSON body of `members`; `orders` is the stream unless another is named."""
        if operation not in ("GetRecords", "SubscribeToShard") and not members.keys() & {"StreamARN", "StreamId"}:
            members.setdefault("StreamName", NAME)
        row = self.operations[operation]
        params = self.wire.decode(row, Codec.JSON, json.dumps(members).encode())
        result = row.handler(self.context(operation, account=account), params)
        return await result if inspect.isawaitable(result) else result

    async def call(self, operation: str, *, account: str = ACCOUNT, **members: Any) -> dict[str, Any]:
        """The decoded JSON reply to a JSON body of `members`."""
        result = await self.result(operation, account=account, **members)
        body = result.body if isinstance(result, Encoded) else json.dumps(result)
        reply: dict[str, Any] = json.loads(body)
        return reply

    async def put(self, data: str = "aGk=", key: str = "k", **members: Any) -> str:
        """PutRecord; returns the sequence number. `data` is base64."""
        reply = await self.call("PutRecord", Data=data, PartitionKey=key, **members)
        number: str = reply["SequenceNumber"]
        return number

    async def iterator(self, kind: str = "TRIM_HORIZON", shard: str = "shardId-000000000000", **members: Any) -> str:
        """GetShardIterator; returns the iterator."""
        reply = await self.call("GetShardIterator", ShardId=shard, ShardIteratorType=kind, **members)
        iterator: str = reply["ShardIterator"]
        return iterator

    async def records(self, iterator: str, **members: Any) -> dict[str, Any]:
        """GetRecords."""
        return await self.call("GetRecords", ShardIterator=iterator, **members)

    async def subscribe(self, consumer_arn: str, shard: str = "shardId-000000000000", **position: Any) -> Events:
        """SubscribeToShard from `position`, TRIM_HORIZON unless said otherwise."""
        position.setdefault("Type", "TRIM_HORIZON")
        result = await self.result(
            "SubscribeToShard", ConsumerARN=consumer_arn, ShardId=shard, StartingPosition=position
        )
        assert isinstance(result, EventStream)
        return Events(result.messages)


class Events:
    """The messages of a subscription, decoded as they are asked for."""

    def __init__(self, messages: AsyncIterator[bytes]) -> None:
        self._messages = messages
        self._waiting: asyncio.Task[tuple[str, Any] | None] | None = None

    async def _next(self) -> tuple[str, Any] | None:
        async for message in self._messages:
            headers, payload = decode_message(message)
            if headers.get(":event-type") != "initial-response":
                kind = headers.get(":event-type") or headers[":exception-type"]
                return kind, json.loads(payload)
        return None

    async def next(self) -> tuple[str, Any] | None:
        """The next message as (type, payload), None at the end of the stream; waits for it."""
        task = self._waiting or asyncio.ensure_future(self._next())
        self._waiting = None
        return await asyncio.wait_for(task, timeout=10)

    async def event(self) -> dict[str, Any]:
        """The next message, which has to be a SubscribeToShardEvent."""
        message = await self.next()
        assert message is not None, "the subscription has ended"
        assert message[0] == "SubscribeToShardEvent", message
        payload: dict[str, Any] = message[1]
        return payload

    async def is_silent(self) -> bool:
        """Whether no message comes of what has happened so far; a message that does come is the next one."""
        self._waiting = self._waiting or asyncio.ensure_future(self._next())
        for _ in range(50):
            await asyncio.sleep(0)
        return not self._waiting.done()

    async def close(self) -> None:
        """Hang up."""
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.gather(self._waiting, return_exceptions=True)
        await self._messages.aclose()  # type: ignore[attr-defined]


def decode_message(message: bytes) -> tuple[dict[str, str], bytes]:
    """Headers and payload of one event stream message; its lengths have to fit."""
    total, headers_length = (int.from_bytes(message[at : at + 4], "big") for at in (0, 4))
    assert total == len(message)
    headers = {}
    at = 12
    while at < 12 + headers_length:
        name_end = at + 1 + message[at]
        value_start = name_end + 3
        value_end = value_start + int.from_bytes(message[name_end + 1 : value_start], "big")
        headers[message[at + 1 : name_end].decode()] = message[value_start:value_end].decode()
        at = value_end
    return headers, message[12 + headers_length : -4]
