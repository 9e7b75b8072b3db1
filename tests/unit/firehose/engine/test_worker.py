"""The worker's main loop: what runs follows what the catalog wants, whatever single delivery streams do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from millstream.base.errors import MillstreamError
from millstream.catalog import CatalogError
from millstream.firehose.engine import worker
from millstream.firehose.engine.worker import DeliveryWorker
from millstream.firehose.model import DeliveryStream
from support.pipelines import Works, stream_to_s3, until


class FakePipeline:
    """A pipeline that delivers nothing, and fails as it is told."""

    made: list[FakePipeline]
    failing: Callable[[DeliveryStream], None]

    def __init__(self, stream: DeliveryStream) -> None:
        self.stream = stream
        self.is_over = self.is_flushing = self.is_stopped = self.is_misunderstood = False
        self.polls = 0
        self.poll_error: Exception | None = None
        self.stop_waits_for: asyncio.Event | None = None

    @classmethod
    async def start(cls, stream: DeliveryStream, *_: Any) -> FakePipeline:
        cls.failing(stream)
        cls.made.append(cls(stream))
        return cls.made[-1]

    def poll(self) -> None:
        self.polls += 1
        if self.poll_error is not None:
            raise self.poll_error

    def begin_flush(self) -> None:
        self.is_flushing = True

    def routes_as(self, _: DeliveryStream) -> bool:
        if self.is_misunderstood:
            raise KeyError("Snowflake")
        return True

    async def stop(self, **_: float) -> None:
        if self.stop_waits_for is not None:
            await self.stop_waits_for.wait()
        self.is_stopped = True


class Rig:
    """A worker of fake pipelines, of the delivery streams in `streams`."""

    def __init__(self, scratch: Path) -> None:
        self.streams: list[DeliveryStream] = []
        self.catalog_error: Exception | None = None
        works = Works(scratch)
        self.told = works.told
        self.worker = DeliveryWorker(works.ground, self._wanted)
        self._running: asyncio.Task[None] | None = None

    def _wanted(self) -> list[DeliveryStream]:
        if self.catalog_error is not None:
            raise self.catalog_error
        return self.streams

    async def __aenter__(self) -> Rig:
        self._running = asyncio.create_task(self.worker.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._running is not None
        assert not self._running.done()
        self._running.cancel()
        await self.worker.close(flush_s=0)

    async def change(self, *streams: DeliveryStream) -> FakePipeline:
        """Have these wanted; the pipeline that is made for it."""
        self.streams = list(streams)
        count = len(FakePipeline.made)
        self.worker.reconcile()
        await until(lambda: len(FakePipeline.made) > count, "a pipeline")
        return FakePipeline.made[-1]


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    FakePipeline.made = []
    FakePipeline.failing = lambda _: None
    monkeypatch.setattr(worker, "Pipeline", FakePipeline)
    return Rig(tmp_path)


@pytest.mark.parametrize("error", [CatalogError("locked"), ValueError("no such document")])
async def test_a_catalog_that_cannot_be_read_stops_nothing(rig: Rig, error: Exception) -> None:
    async with rig:
        pipeline = await rig.change(stream_to_s3())
        rig.catalog_error = error
        rig.worker.reconcile()
        await until(lambda: pipeline.polls > 2, "polls")
        assert not pipeline.is_stopped
        rig.catalog_error = None
        assert (await rig.change(stream_to_s3(2))).stream.version == 2


async def test_a_source_that_cannot_be_polled_does_not_keep_the_others_from_it(rig: Rig) -> None:
    async with rig:
        bad = await rig.change(stream_to_s3())
        bad.poll_error = RuntimeError("a mistake")
        good = await rig.change(bad.stream, replace(stream_to_s3(), stream_id="other"))
        await until(lambda: good.polls > 2, "polls of the other")


async def test_what_could_not_be_started_is_tried_at_once_when_it_was_changed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(stream: DeliveryStream) -> None:
        attempts.append(stream.version)
        if stream.version == 1:
            raise ValueError("as the user wants it, it cannot be")

    attempts: list[int] = []
    monkeypatch.setattr(worker, "pause_s", lambda *_: 1_000.0)
    FakePipeline.failing = fail
    async with rig:
        rig.streams = [stream_to_s3()]
        rig.worker.reconcile()
        await until(lambda: attempts, "an attempt")
        assert (await rig.change(stream_to_s3(2))).stream.version == 2
        assert attempts == [1, 2]


async def test_an_update_that_is_not_understood_stops_the_old_all_the_same(rig: Rig) -> None:
    async with rig:
        old = await rig.change(stream_to_s3())
        old.is_misunderstood = True
        await rig.change(stream_to_s3(2))
        assert old.is_stopped


async def test_a_flush_that_an_update_interrupts_goes_on_after_it(rig: Rig) -> None:
    async with rig:
        old = await rig.change(stream_to_s3())
        rig.worker.flush(old.stream.stream_id)
        new = await rig.change(stream_to_s3(2))
        await until(lambda: new.is_flushing, "the flush")


async def test_a_delivery_stream_that_does_not_stop_keeps_no_other_from_stopping(rig: Rig) -> None:
    async with rig:
        slow = await rig.change(stream_to_s3())
        other = await rig.change(slow.stream, replace(stream_to_s3(), stream_id="other"))
        slow.stop_waits_for = asyncio.Event()
        rig.streams = [replace(slow.stream, version=2), other.stream]
        rig.worker.reconcile()
        await until(lambda: rig.worker._changing, "the update")
        closing = asyncio.create_task(rig.worker.close(flush_s=1))
        await until(lambda: other.is_stopped, "the other's end")
        slow.stop_waits_for.set()
        await closing


async def test_why_a_delivery_cannot_begin_is_told_to_its_owner(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: DeliveryStream) -> None:
        raise MillstreamError("the data stream was deleted")

    FakePipeline.failing = fail
    async with rig:
        rig.streams = [stream_to_s3()]
        rig.worker.reconcile()
        await until(lambda: rig.told.errors, "an error to be told")
    assert rig.told.errors[0] == (
        "Firehose.InternalError",
        "The delivery cannot begin: the data stream was deleted",
    )
    assert caplog.records == []
