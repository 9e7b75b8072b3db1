"""A `RecordLog` in memory, with the port's semantics and its failures on demand: for tests above the log."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable

from millstream.base.clock import Clock
from millstream.log import Batch, LogFull, LogStopped, Placement, RecordRun


class MemoryLog:
    """Keeps runs of records a shard, oldest first.

    Set `full` or `stopped` to have appends fail as on a full disk or after a failed sync; clear `flowing` to hold
    appends as a slow sync does. `blocking_calls` counts what the real log would do with file I/O. Positions only grow;
    nothing is dropped by `trim_to`, which leaves where it was asked to in `trimmed_to`.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.full = False
        self.stopped = False
        self.encrypting = False
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.blocking_calls = 0
        self.published = False
        self.trimmed_to = 0
        self._position = 0
        self._arrival_ms = 0
        self._runs: dict[int, list[RecordRun]] = {}
        self._next: dict[int, int] = {}
        self._watchers: dict[int, list[Callable[[], None]]] = {}
        self._pending = 0
        self._settled = asyncio.Event()
        self._settled.set()

    async def append(self, batches: list[Batch]) -> list[Placement]:
        self._refuse()
        self._pending += 1
        self._settled.clear()
        try:
            await self.flowing.wait()
            self._refuse()
            placements = [self._place(batch) for batch in batches]
        finally:
            self._pending -= 1
            if self._pending == 0:
                self._settled.set()
        for shard in {batch.shard for batch in batches}:
            for wake in list(self._watchers.get(shard, ())):
                wake()
        return placements

    def _refuse(self) -> None:
        if self.stopped:
            raise LogStopped("an earlier sync failed")
        if self.full:
            raise LogFull("no space left on device")

    def _place(self, batch: Batch) -> Placement:
        if not len(batch.keys) == len(batch.data) > 0:
            raise ValueError("a batch needs columns of equal length with at least one record")
        self._arrival_ms = max(self._arrival_ms, self.clock.now_ms())
        first_offset = self._next.get(batch.shard, 0)
        run = RecordRun(first_offset, self._arrival_ms, list(batch.keys), list(batch.data), encrypted=self.encrypting)
        self._runs.setdefault(batch.shard, []).append(run)
        self._next[batch.shard] = first_offset + len(batch.data)
        self._position += sum(map(len, batch.data)) + 1
        return Placement(first_offset, self._arrival_ms)

    def read(self, shard: int, offset: int, *, records_max: int, bytes_max: int) -> list[RecordRun]:
        self.blocking_calls += 1
        runs = self._runs.get(shard, [])
        found: list[RecordRun] = []
        size_bytes = count = 0
        start = max(bisect_right(runs, offset, key=lambda run: run.first_offset) - 1, 0)
        for run in runs[start:]:
            skip = max(offset - run.first_offset, 0)
            end = skip
            while end < len(run.data) and count < records_max:
                size_bytes += len(run.keys[end]) + len(run.data[end])
                if count and size_bytes > bytes_max:
                    break
                end += 1
                count += 1
            if end > skip:
                found.append(
                    run._replace(first_offset=run.first_offset + skip, keys=run.keys[skip:end], data=run.data[skip:end])
                )
            if end < len(run.data):
                break
        return found

    def find_time(self, shard: int, time_ms: int) -> int:
        self.blocking_calls += 1
        for run in self._runs.get(shard, []):
            if run.arrival_ms >= time_ms:
                return run.first_offset
        return self._next.get(shard, 0)

    def shard_range(self, shard: int) -> tuple[int, int]:
        runs = self._runs.get(shard)
        end = self._next.get(shard, 0)
        return (runs[0].first_offset if runs else end), end

    def last_arrival_ms(self, shard: int) -> int | None:
        runs = self._runs.get(shard)
        return runs[-1].arrival_ms if runs else None

    def watch(self, shard: int, wake: Callable[[], None]) -> Callable[[], None]:
        watchers = self._watchers.setdefault(shard, [])
        watchers.append(wake)
        return lambda: watchers.remove(wake)

    def watcher_count(self, shard: int) -> int:
        """How many watch the shard: what a test checks for leaks."""
        return len(self._watchers.get(shard, ()))

    async def drain(self) -> None:
        await self._settled.wait()

    def trim(self, before_ms: int) -> int:
        freed = 0
        for shard, runs in self._runs.items():
            kept = [run for run in runs if run.arrival_ms >= before_ms]
            freed += sum(len(data) for run in runs[: len(runs) - len(kept)] for data in run.data)
            self._runs[shard] = kept
        return freed

    def end_position(self) -> int:
        return self._position

    def publish_end(self) -> None:
        self.published = True

    def trim_to(self, position: int) -> int:
        self.trimmed_to = position
        return 0

    async def close(self) -> None:
        await self.drain()
        self.stopped = True
