"""What processing is tried with: chunks, configurations, surroundings, functions in memory."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, cast

from millstream.base.clock import Clock, ManualClock
from millstream.firehose.configuration import Configuration, Processor, parse
from millstream.firehose.model import Destination
from millstream.firehose.ports import Chunk, Surroundings, Tables
from millstream.functions import FunctionError, Functions
from millstream.objects.port import ObjectStores
from support.destinations import Told
from support.virtualtime import InlineExecutor

ARRIVAL_MS = 1_732_357_800_123
STREAM_ARN = "arn:aws:firehose:us-east-1:123456789012:deliverystream/ticks"
SOURCE_ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/ticks"
FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:enrich"


def chunk(*data: bytes, keys: Sequence[bytes] | None = None, start: int = 0, arrival_ms: int = ARRIVAL_MS) -> Chunk:
    """A chunk of a log, as long as its data."""
    end = start + 64 + sum(map(len, data))
    return Chunk(start, end, 0, 7, arrival_ms, list(keys or [b"k"] * len(data)), list(data))


def to_s3(*processors: dict[str, Any], partitioning: bool = False, **members: Any) -> Configuration:
    """A configuration of an ExtendedS3 destination with these processors."""
    configuration = {
        "BucketARN": "arn:aws:s3:::lake",
        "ProcessingConfiguration": {"Enabled": bool(processors), "Processors": list(processors)},
        "DynamicPartitioningConfiguration": {"Enabled": partitioning},
        **members,
    }
    return parse(Destination(kind="ExtendedS3", configuration=configuration), lambda sealed: sealed)


def typed(described: dict[str, Any]) -> Processor:
    """A processor of `processor`, typed."""
    processing = to_s3(described).processing
    return processing.processors[0]


def surroundings(
    *,
    kinesis: bool = False,
    clock: Clock | None = None,
    functions: Functions | None = None,
    threads: Executor | None = None,
    told: Told | None = None,
) -> Surroundings:
    """Surroundings of the delivery stream `ticks`; without stores and tables, which processing does not use."""
    return Surroundings(
        account="123456789012",
        region="us-east-1",
        stream_name="ticks",
        stream_arn=STREAM_ARN,
        version=1,
        source_stream_arn=SOURCE_ARN if kinesis else None,
        clock=clock or ManualClock(),
        generator=random.Random(613),
        threads=threads or InlineExecutor(),
        converters=threads or InlineExecutor(),
        stores=cast(ObjectStores, None),
        errors=told or Told(),
        functions=functions or cast(Functions, None),
        tables=cast(Tables, None),
        scratch=Path(tempfile.gettempdir()),
        warehouse_path="",
        sequence_number=lambda shard, offset, arrival_ms: f"{shard}.{offset}.{arrival_ms}",
    )


class MemorySource:
    """A `RecordSource` of given chunks, one after the other."""

    def __init__(self, chunks: Sequence[Chunk] = ()) -> None:
        self.chunks = list(chunks)

    def end(self) -> int:
        return self.chunks[-1].end if self.chunks else 0

    def read(self, position: int, *, bytes_max: int) -> list[Chunk]:
        size_bytes, found = 0, []
        for one in self.chunks:
            if one.start >= position and size_bytes < bytes_max:
                found.append(one)
                size_bytes += one.end - one.start
        return found


Answer = Callable[[dict[str, Any]], dict[str, Any]]
"""What a function does with one record of an event: the record of its reply."""


def upper(record: dict[str, Any]) -> dict[str, Any]:
    """A function that makes data upper case."""
    data = base64.b64encode(base64.b64decode(record["data"]).upper()).decode()
    return {"recordId": record["recordId"], "result": "Ok", "data": data}


class MemoryFunctions:
    """`Functions` in this process: `answer` for every record, after the errors in `failing` were raised in turn."""

    def __init__(self, answer: Answer = upper, failing: Sequence[FunctionError] = ()) -> None:
        self.answer = answer
        self.failing = list(failing)
        self.events: list[dict[str, Any]] = []
        self.timeouts_s: list[float] = []

    async def invoke(self, arn: str, payload: bytes, timeout_s: float) -> bytes:
        assert arn == FUNCTION_ARN
        event = json.loads(payload)
        self.events.append(event)
        self.timeouts_s.append(timeout_s)
        if self.failing:
            raise self.failing.pop(0)
        return json.dumps({"records": [self.answer(record) for record in event["records"]]}).encode()


def aggregated(*records: tuple[str, bytes]) -> bytes:
    """A KPL-aggregated record of these partition keys and data."""
    keys = list(dict.fromkeys(key for key, _ in records))
    message = b"".join(_field(1, key.encode()) for key in keys)
    message += _field(2, b"170141183460469231731687303715884105728")
    for key, data in records:
        message += _field(3, b"\x08" + _varint(keys.index(key)) + b"\x10\x00" + _field(3, data))
    return b"\xf3\x89\x9a\xc2" + message + hashlib.md5(message).digest()


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
