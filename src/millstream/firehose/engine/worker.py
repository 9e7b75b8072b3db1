"""All delivery streams at work: the worker's main loop makes what runs follow what the catalog wants.

A delivery stream whose pipeline cannot be made, or breaks, is told of and tried again; the others do not notice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from millstream.base.errors import MillstreamError
from millstream.firehose.engine.ground import Ground
from millstream.firehose.engine.pipeline import Pipeline
from millstream.firehose.model import DeliveryStream, StreamStatus
from millstream.firehose.ports import DeliveryError
from millstream.firehose.retries import pause_s

_log = logging.getLogger(__name__)

_POLL_S = 0.05
_RECONCILE_S = 5.0
_UPDATE_DRAIN_S = 10.0  # for delivering all that was read before records are processed in another way
_UPDATE_FINISH_S = 10.0


class _Broken(NamedTuple):
    """A delivery stream that cannot be started at its version: how often that failed, and when to try again."""

    version: int
    failures: int
    next_s: float


class DeliveryWorker:
    """Runs the pipelines of the delivery streams that `wanted` returns, which reads the catalog."""

    def __init__(self, ground: Ground, wanted: Callable[[], Iterable[DeliveryStream]]) -> None:
        self._ground = ground
        self._wanted = wanted
        self._pipelines: dict[str, Pipeline] = {}
        self._broken: dict[str, _Broken] = {}
        self._changing: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._to_flush: set[str] = set()  # asked to, but not at work yet

    async def run(self) -> None:
        """Work until cancelled."""
        polling = asyncio.create_task(self._poll())
        try:
            while True:
                self._changed.clear()
                self._reconcile()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_RECONCILE_S):  # not wait_for: see Delivery._wait
                        await self._changed.wait()
        finally:
            polling.cancel()

    def reconcile(self) -> None:
        """The catalog has changed: follow it now."""
        self._changed.set()

    def flush(self, stream_id: str) -> None:
        """Begin to deliver all that a delivery stream has, due or not."""
        pipeline = self._pipelines.get(stream_id)
        if pipeline is not None:
            pipeline.begin_flush()
        else:
            self._to_flush.add(stream_id)
            self._changed.set()

    async def close(self, *, flush_s: float) -> None:
        """Deliver what can be delivered in that time, and stop everything; what is left waits in the logs."""
        if flush_s:
            self._reconcile()  # for what was created just before
        ends = (self._end(stream_id, flush_s) for stream_id in {*self._pipelines, *self._changing})
        for error in await asyncio.gather(*ends, return_exceptions=True):
            if error is not None:
                _log.error("a delivery stream did not stop well: %s", error)

    async def _end(self, stream_id: str, flush_s: float) -> None:
        if (changing := self._changing.get(stream_id)) is not None:
            await asyncio.wait([changing])
        if (pipeline := self._pipelines.pop(stream_id, None)) is not None:
            await pipeline.stop(flush_s=flush_s)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(_POLL_S)
            for pipeline in self._pipelines.values():
                try:
                    pipeline.poll()
                except Exception as error:  # noqa: BLE001 - the others are to be polled whatever it is
                    _log.error("%s: its source cannot be read: %r", pipeline.stream.arn, error)

    def _reconcile(self) -> None:
        try:
            streams = list(self._wanted())
        except Exception as error:  # noqa: BLE001 - what runs goes on, and what has changed is seen the next time
            _log.error("the catalog cannot be read: %r", error)
            return
        wanted = {stream.stream_id: stream for stream in streams if stream.status is StreamStatus.ACTIVE}
        self._to_flush &= wanted.keys()
        self._broken = {stream_id: broken for stream_id, broken in self._broken.items() if stream_id in wanted}
        for stream_id in {*wanted, *self._pipelines} - self._changing.keys():
            if self._is_to_change(stream_id, wanted.get(stream_id)):
                task = asyncio.create_task(self._change(stream_id, wanted.get(stream_id)))
                self._changing[stream_id] = task
                task.add_done_callback(partial(self._on_changed, stream_id))

    def _on_changed(self, stream_id: str, _: asyncio.Task[None]) -> None:
        del self._changing[stream_id]
        if stream_id not in self._broken:
            self._changed.set()  # more may have changed meanwhile

    def _is_to_change(self, stream_id: str, wanted: DeliveryStream | None) -> bool:
        pipeline = self._pipelines.get(stream_id)
        if pipeline is None:
            broken = self._broken.get(stream_id)
            return wanted is not None and (
                broken is None or broken.version != wanted.version or self._ground.clock.monotonic() >= broken.next_s
            )
        return wanted is None or wanted.version != pipeline.stream.version or pipeline.is_over

    async def _change(self, stream_id: str, wanted: DeliveryStream | None) -> None:
        """Make a delivery stream's pipeline what it should be."""
        try:
            await self._stop(stream_id, wanted)
            if wanted is not None:
                self._pipelines[stream_id] = await Pipeline.start(wanted, self._ground, self._changed.set)
                self._broken.pop(stream_id, None)
                if stream_id in self._to_flush:
                    self._to_flush.remove(stream_id)
                    self._pipelines[stream_id].begin_flush()
        except Exception as error:  # noqa: BLE001 - one delivery stream must not stop the others
            version = wanted.version if wanted is not None else 0
            broken = self._broken.get(stream_id)
            failures = broken.failures + 1 if broken is not None and broken.version == version else 1
            next_s = self._ground.clock.monotonic() + pause_s(failures, self._ground.generator)
            self._broken[stream_id] = _Broken(version, failures, next_s)
            self._tell(wanted.arn if wanted else stream_id, wanted, error)

    def _tell(self, name: str, wanted: DeliveryStream | None, error: Exception) -> None:
        """Tell the delivery stream's owner what is theirs (a source that was deleted), and us what is ours."""
        if wanted is not None and isinstance(error, MillstreamError):
            code = error.code if isinstance(error, DeliveryError) else "Firehose.InternalError"
            self._ground.error_log(wanted).report(code, f"The delivery cannot begin: {error}")
        else:
            _log.error("delivery stream %s cannot work: %s", name, error, exc_info=error)

    async def _stop(self, stream_id: str, wanted: DeliveryStream | None) -> None:
        pipeline = self._pipelines.pop(stream_id, None)
        if pipeline is None:
            return
        if wanted is None:
            await pipeline.stop()
            await self._ground.checkpoints.forget(pipeline.stream)
            return
        if pipeline.is_flushing:
            self._to_flush.add(stream_id)
        if _routes_alike(pipeline, wanted):
            await pipeline.stop(finish_s=_UPDATE_FINISH_S)
        else:
            await pipeline.stop(drain_s=_UPDATE_DRAIN_S)


def _routes_alike(pipeline: Pipeline, wanted: DeliveryStream) -> bool:
    try:
        return pipeline.routes_as(wanted)
    except Exception:  # noqa: BLE001 - of a configuration that is not understood: told when it is not started
        return True
