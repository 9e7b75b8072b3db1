"""Pipelines of delivery streams over a log, checkpoints and stores in memory: lives of a worker without processes."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from millstream.base.clock import SystemClock
from millstream.catalog import Catalog, Document, SqliteCatalog
from millstream.disk import MemoryDisk
from millstream.firehose.engine.buffers import Memory
from millstream.firehose.engine.checkpoints import Checkpoints
from millstream.firehose.engine.ground import Ground
from millstream.firehose.engine.pipeline import Pipeline
from millstream.firehose.engine.sources import LogSource
from millstream.firehose.model import DeliveryStream, Destination, StreamStatus
from millstream.firehose.ports import RecordSource, Tables
from millstream.firehose.progress import KIND, Progress
from millstream.log import Batch, LogFollower, NoCipher
from millstream.log.store import LogStore
from support.configurations import processor
from support.destinations import Told
from support.memory_objects import MemoryStores
from support.processing import FUNCTION_ARN, MemoryFunctions
from support.virtualtime import InlineExecutor

S3 = {"BucketARN": "arn:aws:s3:::lake", "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}}
FUNCTION: dict[str, Any] = {
    "ProcessingConfiguration": {
        "Enabled": True,
        "Processors": [processor("Lambda", LambdaArn=FUNCTION_ARN, BufferIntervalInSeconds="0")],
    }
}
BACKUP: dict[str, Any] = {
    "S3BackupMode": "Enabled",
    "S3BackupDescription": {**S3, "BucketARN": "arn:aws:s3:::backup"},
}


def stream_to_s3(version: int = 1, **members: Any) -> DeliveryStream:
    """A delivery stream that delivers everything at once."""
    return DeliveryStream(
        account="123456789012",
        region="us-east-1",
        name="ticks",
        stream_id="id-of-ticks",
        created_ms=0,
        status=StreamStatus.ACTIVE,
        version=version,
        destination=Destination(kind="ExtendedS3", configuration={**S3, **members}),
    )


class LentCatalog(SqliteCatalog):
    """A catalog in memory that outlives the checkpoints that close it; `fail` is called with what is to be saved."""

    def __init__(self) -> None:
        super().__init__(":memory:", any_thread=True)
        self.fail: Callable[[bytes], None] = lambda _: None

    def put(self, kind: str, account: str, region: str, name: str, body: bytes, expected_version: int) -> int:
        version = super().put(kind, account, region, name, body, expected_version)
        self.fail(body)
        return version

    def close(self) -> None:
        """It goes with the test."""


class Works:
    """What a worker stands on; `follow` makes pipelines on it, one after the other, as updates and restarts do."""

    def __init__(self, scratch: Path) -> None:
        self.disk = MemoryDisk()
        self.catalog = LentCatalog()
        self.stores = MemoryStores()
        self.functions = MemoryFunctions()
        self.told = Told()
        self.sources: list[RecordSource] = []
        self._log = LogStore.open(self.disk, "source")
        self._log.share_end()
        self.ground = Ground(
            data_dir=scratch,
            disk=self.disk,
            clock=SystemClock(),
            generator=random.Random(613),
            reader=InlineExecutor(),
            threads=InlineExecutor(),
            converters=InlineExecutor(),
            checkpoints=Checkpoints(lambda: cast(Catalog, self.catalog)),
            memory=Memory(),
            stores=cast(Any, self.stores),
            functions=self.functions,
            tables=cast(Tables, None),
            open_source=self._open_source,
            journal_cipher=lambda _: NoCipher(),
            open_secret=lambda text: text,
            error_log=lambda _: self.told,
            scratch=scratch,
            sequence_numbers=lambda _: lambda shard, offset, arrival_ms: "",
            limits_aws=False,
        )

    def _open_source(self, stream: DeliveryStream) -> RecordSource:
        self.sources.append(LogSource(LogFollower(self.disk, "source"), lambda: None))
        return self.sources[-1]

    def put(self, *records: bytes) -> None:
        """Records into the source, in one block."""
        self._log.commit([Batch(0, [b"k"] * len(records), list(records))], round(time.time() * 1000))

    async def follow(self, stream: DeliveryStream) -> Pipeline:
        """A pipeline at work."""
        return await Pipeline.start(stream, self.ground, lambda: None)

    def objects(self, bucket: str = "lake") -> list[bytes]:
        """What is in a bucket, sorted."""
        return sorted(self.stores.objects[bucket].values())

    def documents(self) -> dict[str, Document]:
        """What is saved, by delivery."""
        return {each.name.rpartition("/")[2]: each for each in self.catalog.list(KIND)}

    def rewrite(self, delivery: str, **changes: Any) -> None:
        """Change what is saved, as if it had been saved at another moment."""
        document = self.documents()[delivery]
        progress = replace(msgspec.json.decode(document.body, type=Progress), **changes)
        key = (document.kind, document.account, document.region, document.name)
        self.catalog.put(*key, msgspec.json.encode(progress), document.version)


async def flush(pipeline: Pipeline) -> None:
    """Flush it while it is polled, as a worker does."""
    flushing = asyncio.create_task(pipeline.flush())
    await until(flushing.done, "the flush", pipeline.poll)
    await flushing


async def until(condition: Callable[[], Any], what: str, meanwhile: Callable[[], Any] = lambda: None) -> None:
    """Return when the condition holds; `meanwhile` is called again and again."""
    async with asyncio.timeout(10):
        while not condition():
            meanwhile()
            await asyncio.sleep(0.002)
    assert condition(), what
