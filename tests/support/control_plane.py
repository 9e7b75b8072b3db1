"""The streams service over in-memory catalog and logs, with a manual clock: calls go through the wire's shapes."""

from __future__ import annotations

import asyncio
import inspect
import json
from functools import cache
from typing import Any, NamedTuple

import pytest

from millstream.base.clock import ManualClock
from millstream.base.scheduler import ManualScheduler
from millstream.catalog import Catalog, SqliteCatalog
from millstream.log import BlockCipher, LogCorrupt, RecordLog
from millstream.security import Keyring, TokenSealer
from millstream.streams import Settings, StreamsService, operations_of
from millstream.streams.operations import OPERATIONS
from millstream.streams.registry import StreamHandle
from millstream.wire.context import CallContext, Codec
from millstream.wire.faults import Fault
from millstream.wire.operation import Encoded, Operation
from millstream.wire.service import Service
from support.memory_log import MemoryLog

ACCOUNT = "123456789012"
REGION = "us-east-1"


@cache
def _wire() -> Service:
    return Service("kinesis", {name: Operation(name, print, row.request) for name, row in OPERATIONS.items()})


class Refusal(NamedTuple):
    """The fault that a call was answered with."""

    code: str
    message: str


class ControlPlane:
    """One server's streams. Logs and catalog outlive `crash`, as a disk does; logs in `damaged` do not open."""

    def __init__(self, **settings: Any) -> None:
        self.clock = ManualClock()
        self.catalog: Catalog = SqliteCatalog(":memory:")
        self.keyring = Keyring(bytes(32))
        self.settings = Settings(**{"limits_aws": False, **settings})
        self.logs: dict[str, MemoryLog] = {}
        self.deleted: list[str] = []
        self.damaged: set[str] = set()
        self.boot()

    def boot(self) -> None:
        """A new process on the same catalog and logs; it does nothing until its `service` is started."""
        self.scheduler = ManualScheduler(self.clock)
        self.service = StreamsService(
            catalog=self.catalog,
            open_log=self._open_log,
            delete_log=self._delete_log,
            clock=self.clock,
            scheduler=self.scheduler,
            keyring=self.keyring,
            sealer=TokenSealer(b"secret"),
            settings=self.settings,
        )
        self.operations = operations_of(self.service)

    async def crash(self) -> None:
        """Lose the process with all that it was doing, and start another on what it left."""
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)
        self.boot()
        await self.service.start()

    def _open_log(self, stream_id: str, cipher: BlockCipher) -> RecordLog:
        if stream_id in self.damaged:
            raise LogCorrupt(stream_id, 0, "damaged")
        log = self.logs.setdefault(stream_id, MemoryLog(self.clock))
        log.stopped = False
        return log

    def _delete_log(self, stream_id: str) -> None:
        self.logs.pop(stream_id, None)
        self.damaged.discard(stream_id)
        self.deleted.append(stream_id)

    async def call(self, operation: str, *, account: str = ACCOUNT, region: str = REGION, **params: Any) -> Any:
        """Make a call as a JSON client does; returns the decoded reply, raises the fault."""
        context = CallContext(operation, account, region, "request-id", Codec.JSON)
        request = _wire().decode(_wire().find(operation), Codec.JSON, json.dumps(params).encode())
        result = self.operations[operation].handler(context, request)
        if inspect.isawaitable(result):
            result = await result
        if isinstance(result, Encoded):
            return json.loads(result.body)
        assert result is None or isinstance(result, dict)
        body = _wire().encode(_wire().find(operation), Codec.JSON, result)
        return json.loads(body) if body else None

    async def refusal(self, operation: str, **params: Any) -> Refusal:
        """The fault that a call must be answered with."""
        with pytest.raises(Fault) as caught:
            await self.call(operation, **params)
        return Refusal(caught.value.code, caught.value.message)

    async def pass_ms(self, ms: int) -> None:
        """Let time pass, and everything happen that is due."""
        while ms > 0:
            step = min(ms, 10)
            self.scheduler.advance(step)
            ms -= step
            await self.settle()

    async def skip_ms(self, ms: int) -> None:
        """Let much time pass in one leap."""
        self.scheduler.advance(ms)
        await self.settle()

    async def settle(self) -> None:
        """Let tasks run until they wait for time, or for a thread."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def gone(self, name: str = "orders") -> None:
        """Return when a DELETING stream is gone; its log is deleted in a thread."""
        await self.pass_ms(60)
        async with asyncio.timeout(10):
            while self.service.registry.has(ACCOUNT, REGION, name):
                await asyncio.sleep(0.001)

    async def create(self, name: str = "orders", shards: int | None = 1, **params: Any) -> StreamHandle:
        """An ACTIVE stream."""
        if shards is not None:
            params["ShardCount"] = shards
        account, region = params.get("account", ACCOUNT), params.get("region", REGION)
        await self.call("CreateStream", StreamName=name, **params)
        await self.pass_ms(60)
        return self.service.registry.find_by(account, region, name=name)

    async def change(self, operation: str, name: str = "orders", **params: Any) -> Any:
        """Make a call that has the stream UPDATING, and wait until it is ACTIVE again."""
        reply = await self.call(operation, StreamName=name, **params)
        await self.pass_ms(60)
        return reply

    async def summary(self, name: str = "orders") -> dict[str, Any]:
        """DescribeStreamSummary of a stream."""
        reply = await self.call("DescribeStreamSummary", StreamName=name)
        summary: dict[str, Any] = reply["StreamDescriptionSummary"]
        return summary

    async def status(self, name: str = "orders") -> str:
        """StreamStatus of a stream."""
        status: str = (await self.summary(name))["StreamStatus"]
        return status

    async def put(self, name: str = "orders", hash_key: int = 0, data: str = "eA==") -> dict[str, Any]:
        """PutRecord at a hash key."""
        reply: dict[str, Any] = await self.call(
            "PutRecord", StreamName=name, Data=data, PartitionKey="k", ExplicitHashKey=str(hash_key)
        )
        return reply
