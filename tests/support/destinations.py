"""What a destination is given, and what it is asked to deliver, made by hand."""

from __future__ import annotations

import asyncio
import json
import math
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from millstream.base.clock import Clock, ManualClock
from millstream.firehose.configuration import Configuration, parse
from millstream.firehose.model import Destination
from millstream.firehose.ports import MAIN, Lane, Report, Surroundings, Tables
from millstream.functions import Functions
from millstream.objects.port import ObjectStores

ARRIVAL_MS = round(datetime(2026, 11, 23, 23, 59, 30, tzinfo=UTC).timestamp() * 1000)
STREAM_ARN = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/ticks"
BACKUP = {"BucketARN": "arn:aws:s3:::failures", "RoleARN": "arn:aws:iam::123456789012:role/firehose"}


class GivenParcel:
    """A parcel of given records; each list that it gives out has at most `list_records` of them."""

    def __init__(
        self,
        records: Sequence[bytes],
        *,
        parcel_id: str = "0b7d1a52-2f5e-4c0e-9f1d-6a7c1f0e2d31",
        key: str = "",
        list_records: int = 100,
    ) -> None:
        self.parcel_id = parcel_id
        self.lane: Lane = MAIN
        self.key = key
        self.record_count = len(records)
        self.size_bytes = sum(map(len, records))
        self.first_arrival_ms = ARRIVAL_MS
        self.last_arrival_ms = ARRIVAL_MS + 60_000
        self._records = list(records)
        self._list_records = list_records

    def pieces(self) -> Iterator[bytes]:
        yield b"".join(self._records)

    def record_lists(self) -> Iterator[list[bytes]]:
        for begin in range(0, len(self._records), self._list_records):
            yield self._records[begin : begin + self._list_records]


class SwiftClock(ManualClock):
    """A clock that pauses move on at once; `on_pause` is called at each, `pauses_s` has them all."""

    def __init__(self) -> None:
        super().__init__(ARRIVAL_MS + 60_000)
        self.pauses_s: list[float] = []
        self.on_pause: Callable[[], None] = lambda: None

    @classmethod
    def install(cls, patch: pytest.MonkeyPatch) -> SwiftClock:
        """Take the place of asyncio.sleep."""
        clock, really_sleep = cls(), asyncio.sleep

        async def sleep(delay_s: float) -> None:
            clock.pauses_s.append(delay_s)
            clock.advance(math.ceil(delay_s * 1000))
            clock.on_pause()
            await really_sleep(0)

        patch.setattr(asyncio, "sleep", sleep)
        return clock


class Told:
    """An error log that keeps what it is told."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, str]] = []
        self.last_error: str | None = None
        self.last_error_ms: int | None = None

    def report(self, code: str, message: str, **details: Any) -> None:
        self.errors.append((code, message))

    @property
    def codes(self) -> list[str]:
        return [code for code, _ in self.errors]


def surroundings(clock: Clock, told: Told, threads: ThreadPoolExecutor) -> Surroundings:
    """Surroundings of the delivery stream `ticks`, for destinations that need no stores, functions or tables."""
    return Surroundings(
        account="123456789012",
        region="eu-west-1",
        stream_name="ticks",
        stream_arn=STREAM_ARN,
        version=1,
        source_stream_arn=None,
        clock=clock,
        generator=random.Random(613),
        threads=threads,
        converters=threads,
        stores=cast(ObjectStores, None),
        errors=told,
        functions=cast(Functions, None),
        tables=cast(Tables, None),
        scratch=Path(tempfile.gettempdir()),
        warehouse_path="",
        sequence_number=lambda shard, offset, arrival_ms: f"{shard}.{offset}.{arrival_ms}",
    )


class Bench:
    """Where a destination is tried: a clock that moves on by itself, an error log, surroundings of both."""

    def __init__(self, patch: pytest.MonkeyPatch, threads: ThreadPoolExecutor) -> None:
        self.clock = SwiftClock.install(patch)
        self.told = Told()
        self.surroundings = surroundings(self.clock, self.told, threads)

    @classmethod
    def set_up(cls, patch: pytest.MonkeyPatch) -> Iterator[Bench]:
        """For a fixture to yield from."""
        with ThreadPoolExecutor(1) as threads:
            yield cls(patch, threads)


def configured(kind: str, *, secrets: dict[str, str] | None = None, **members: Any) -> Configuration:
    """A destination's configuration from members of the API's description; the backup bucket is added."""
    described = {"S3DestinationDescription": BACKUP, "RetryOptions": {"DurationInSeconds": 0}} | members
    return parse(Destination(kind=kind, configuration=described, secrets=secrets or {}), lambda sealed: sealed)


def error_lines(report: Report) -> list[dict[str, Any]]:
    """The lines of a report's only error output; none if there is no error output."""
    if not report.errors:
        return []
    (output,) = report.errors
    content = b"".join(output.pieces())
    lines = [json.loads(line) for line in content.splitlines()]
    assert content.endswith(b"\n")
    assert len(lines) == output.record_count
    return lines
