"""The Firehose service over in-memory catalog and logs, with a manual clock: calls go through the wire's shapes."""

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
from millstream.firehose.model import DeliveryStream, Destination, KinesisSource, StreamStatus
from millstream.firehose.operations import OPERATIONS, operations_of
from millstream.firehose.registry import FoundSource, Handle
from millstream.firehose.service import FirehoseService, Settings
from millstream.log import BlockCipher, LogCorrupt, RecordLog
from millstream.security import Keyring, TokenSealer
from millstream.wire import CallContext, Codec, Encoded, Fault, Operation, Service
from millstream.wire.faults import InvalidArgumentException
from support.memory_log import MemoryLog

ACCOUNT = "123456789012"
REGION = "us-east-1"
BUCKET = Destination(kind="ExtendedS3", configuration={"BucketARN": "arn:aws:s3:::lake", "S3BackupMode": "Disabled"})


@cache
def _wire() -> Service:
    return Service("firehose", {name: Operation(name, print, row.request) for name, row in OPERATIONS.items()})


class Refusal(NamedTuple):
    """The fault that a call was answered with."""

    code: str
    message: str
    status: int


class MemoryFiles:
    """Logs in memory, as `firehose.registry.Files`. Those in `damaged` do not open."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.logs: dict[str, MemoryLog] = {}
        self.ciphers: dict[str, BlockCipher] = {}
        self.deleted: list[str] = []
        self.damaged: set[str] = set()

    def open_log(self, stream_id: str, cipher: BlockCipher) -> RecordLog:
        if stream_id in self.damaged:
            raise LogCorrupt(stream_id, 0, "damaged")
        self.ciphers[stream_id] = cipher
        log = self.logs.setdefault(stream_id, MemoryLog(self._clock))
        log.stopped = False
        return log

    def delete(self, stream_id: str) -> None:
        self.logs.pop(stream_id, None)
        self.damaged.discard(stream_id)
        self.deleted.append(stream_id)

    def stream_ids(self) -> list[str]:
        return sorted(self.logs)


class MemorySources:
    """Data streams by ARN, as `firehose.registry.Sources`; `attached` are those attached at a start."""

    def __init__(self) -> None:
        self.found: dict[str, FoundSource] = {}
        self.attached: list[str] = []

    def find(self, account: str, region: str, stream_arn: str) -> FoundSource:
        if stream_arn not in self.found:
            raise InvalidArgumentException(f"{stream_arn} in {account} and {region} not found")
        return self.found[stream_arn]

    def attach(self, source: KinesisSource) -> None:
        self.attached.append(source.stream_arn)


class DeliveryPlane:
    """One server's delivery streams. Logs, catalog and the worker's positions outlive `crash`, as a disk does."""

    def __init__(self, **settings: Any) -> None:
        self.clock = ManualClock()
        self.catalog: Catalog = SqliteCatalog(":memory:")
        self.keyring = Keyring(bytes(32))
        self.settings = Settings(**{"limits_aws": False, **settings})
        self.files = MemoryFiles(self.clock)
        self.sources = MemorySources()
        self.positions: dict[str, dict[str, int]] = {}
        self.changes = 0
        self.boot()

    def boot(self) -> None:
        """A new process on the same catalog and logs; it does nothing until its `service` is started."""
        self.scheduler = ManualScheduler(self.clock)
        self.service = FirehoseService(
            catalog=self.catalog,
            files=self.files,
            sources=self.sources,
            read_positions=lambda: self.positions,
            clock=self.clock,
            scheduler=self.scheduler,
            keyring=self.keyring,
            sealer=TokenSealer(b"secret"),
            settings=self.settings,
        )
        self.service.on_change = self._count_change
        self.operations = operations_of(self.service)

    def _count_change(self) -> None:
        self.changes += 1

    async def crash(self) -> None:
        """Lose the process with all that it was doing, and start another on what it left."""
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)
        self.boot()
        await self.service.start()

    async def call(self, operation: str, *, codec: Codec = Codec.JSON, region: str = REGION, **params: Any) -> Any:
        """Make a call as a client does; returns the decoded reply (bytes unless JSON), raises the fault."""
        context = CallContext(operation, ACCOUNT, region, "request-id", codec)
        request = _wire().decode(_wire().find(operation), Codec.JSON, json.dumps(params).encode())
        result = self.operations[operation].handler(context, request)
        if inspect.isawaitable(result):
            result = await result
        if isinstance(result, Encoded):
            return json.loads(result.body) if codec is Codec.JSON else result.body
        assert isinstance(result, dict)
        return json.loads(_wire().encode(_wire().find(operation), Codec.JSON, result))

    async def refusal(self, operation: str, **params: Any) -> Refusal:
        """The fault that a call must be answered with."""
        with pytest.raises(Fault) as caught:
            await self.call(operation, **params)
        return Refusal(caught.value.code, caught.value.message, caught.value.status)

    async def create(self, name: str = "ticks", region: str = REGION, **members: Any) -> Handle:
        """An ACTIVE delivery stream, made without the API's checks."""
        stream = DeliveryStream(
            **{
                "account": ACCOUNT,
                "region": region,
                "name": name,
                "stream_id": f"id-of-{name}",
                "created_ms": self.clock.now_ms(),
                "destination": BUCKET,
                **members,
            }
        )
        handle = self.service.registry.add(stream)
        self.service.lifecycle.resume(handle)
        if stream.status is StreamStatus.CREATING:
            await self.pass_ms(60)
        return handle

    async def pass_ms(self, ms: int) -> None:
        """Let time pass, and everything happen that is due."""
        while ms > 0:
            step = min(ms, 10)
            self.scheduler.advance(step)
            ms -= step
            await self.settle()

    async def settle(self) -> None:
        """Let tasks run until they wait for time, or for a thread."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def until(self, condition: Any) -> None:
        """Return when `condition()` holds, which may take a thread."""
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.001)

    def log(self, name: str = "ticks") -> MemoryLog:
        """A delivery stream's log."""
        return self.files.logs[f"id-of-{name}"]

    def records(self, name: str = "ticks") -> list[bytes]:
        """What is in a delivery stream's log."""
        runs = self.log(name).read(0, 0, records_max=10**6, bytes_max=10**9)
        return [datum for run in runs for datum in run.data]
