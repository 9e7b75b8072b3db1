"""What a server does for its streams without being asked: expire what retention lets go, scale on-demand streams."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from millstream.base.clock import Clock
from millstream.base.errors import MillstreamError
from millstream.base.scheduler import Cancel, Scheduler
from millstream.streams.lifecycle import Lifecycle
from millstream.streams.model import Resharding, StreamMode, StreamStatus
from millstream.streams.registry import StreamHandle, StreamRegistry
from millstream.streams.resharding import halved_starts
from millstream.streams.scaling import LoadMeter, shards_to_split

_log = logging.getLogger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]


class Maintenance:
    """Goes through all streams, for expiry and for scaling each at its own interval, from `start` to `stop`."""

    def __init__(
        self,
        registry: StreamRegistry,
        lifecycle: Lifecycle,
        clock: Clock,
        scheduler: Scheduler,
        *,
        expiry_interval_ms: int,
        scaling_interval_ms: int,
    ) -> None:
        self._registry = registry
        self._lifecycle = lifecycle
        self._clock = clock
        self._scheduler = scheduler
        self._rounds: dict[Work, int] = {self.expire: expiry_interval_ms, self.scale: scaling_interval_ms}
        self._meter = LoadMeter(clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._cancels: dict[Work, Cancel] = {}

    def start(self) -> None:
        """Begin the rounds, the first of each after its interval."""
        for work in self._rounds:
            self._wait(work)

    async def stop(self) -> None:
        """End the rounds, and return when none is under way."""
        for cancel in self._cancels.values():
            cancel()
        self._rounds.clear()
        await asyncio.gather(*self._tasks)

    async def expire(self) -> None:
        """Drop records whose retention period is over, and closed shards all of whose records are gone."""
        for handle in self._registry:
            try:
                await self._expire(handle)
            except (MillstreamError, OSError) as error:
                _log.warning("stream %s: cannot expire old records: %s", handle.stream.arn, error)

    async def scale(self) -> None:
        """Split shards of on-demand streams whose load asks for it."""
        handles = [handle for handle in self._registry if handle.stream.mode is StreamMode.ON_DEMAND]
        self._meter.forget_all_but({handle.stream.stream_id for handle in handles})
        for handle in handles:
            split = shards_to_split(self._meter.loads(handle))
            if split and handle.stream.status is StreamStatus.ACTIVE:
                starts = halved_starts(handle.stream.open_shards, split)
                try:
                    self._lifecycle.update(handle, Resharding(starts=starts))
                except MillstreamError as error:
                    _log.warning("stream %s: cannot split shards: %s", handle.stream.arn, error)

    async def _expire(self, handle: StreamHandle) -> None:
        if not handle.is_serving:
            return
        horizon_ms = handle.stream.trim_horizon_ms(self._clock.now_ms())
        try:
            self._forget_closed_shards(handle, horizon_ms)
        finally:  # on a full disk nothing can be saved before something is dropped
            await asyncio.get_running_loop().run_in_executor(None, handle.log.trim, horizon_ms)

    def _forget_closed_shards(self, handle: StreamHandle, horizon_ms: int) -> None:
        kept = [
            shard
            for shard in handle.stream.shards
            if shard.closed_ms is None or shard.end_offset is None or shard.closed_ms >= horizon_ms
        ]
        if len(kept) < len(handle.stream.shards):
            self._registry.save(handle, shards=kept)

    def _wait(self, work: Work) -> None:
        self._cancels[work] = self._scheduler.call_later(self._rounds[work], lambda: self._begin(work))

    def _begin(self, work: Work) -> None:
        task = asyncio.get_running_loop().create_task(self._round(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _round(self, work: Work) -> None:
        await work()
        if work in self._rounds:
            self._wait(work)
