"""Group commit: an asyncio face on `LogStore`.

Appends that arrive while a commit is being written join the next one. One thread at a time, from a pool shared by all
logs, takes whatever has gathered, commits it, hands the result to the event loop, and goes on until nothing is left or
its turn is over: however busy some logs are, every other one gets a thread soon.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from millstream.base.clock import Clock
from millstream.base.units import MIB
from millstream.disk import Disk, DiskError
from millstream.log.port import Batch, BlockCipher, LogError, LogFull, LogStopped, Placement, RecordRun
from millstream.log.store import BLOCK_BYTES, SEGMENT_BYTES, LogStore

_COMMIT_BYTES_MAX = 32 * MIB  # a commit takes no further append once it has this much
_SIBLINGS = 8  # appends in a commit from which on the next one waits a little, to gather as many again
_GATHER_S = 0.001
_TURN_COMMITS = 16  # commits of one log after which the thread is offered to other logs


class _Append:
    """An append that waits for its commit."""

    __slots__ = ("batches", "future", "size_bytes")

    def __init__(self, batches: list[Batch], future: asyncio.Future[list[Placement]]) -> None:
        self.batches = batches
        self.future = future
        self.size_bytes = sum(sum(map(len, batch.data)) for batch in batches)


class EmbeddedLog:
    """`RecordLog` on files. Made by `open`; appended to and watched from one event loop."""

    def __init__(self, store: LogStore, executor: ThreadPoolExecutor, clock: Clock) -> None:
        self._store = store
        self._executor = executor
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: list[_Append] = []
        self._writing = False
        self._closed = False
        self._watchers: dict[int, set[Callable[[], None]]] = {}

    @classmethod
    def open(
        cls,
        disk: Disk,
        directory: str,
        *,
        executor: ThreadPoolExecutor,
        clock: Clock,
        cipher: BlockCipher | None = None,
        segment_bytes: int = SEGMENT_BYTES,
        block_bytes: int = BLOCK_BYTES,
    ) -> EmbeddedLog:
        """Blocking. Open or make the log in `directory`. Raises LogCorrupt, DiskError."""
        store = LogStore.open(disk, directory, cipher=cipher, segment_bytes=segment_bytes, block_bytes=block_bytes)
        return cls(store, executor, clock)

    async def append(self, batches: list[Batch]) -> list[Placement]:
        """See RecordLog.append."""
        if self._closed:
            raise LogStopped("this log is closed")
        return await self._enqueue(batches)

    def _enqueue(self, batches: list[Batch]) -> asyncio.Future[list[Placement]]:
        loop = asyncio.get_running_loop()
        append = _Append(batches, loop.create_future())
        with self._lock:
            self._pending.append(append)
            start = not self._writing
            self._writing = True
        if start:
            self._executor.submit(self._write_pending, loop)
        return append.future

    def _take(self) -> list[_Append]:
        """The appends of the next commit; none ends the writing thread."""
        with self._lock:
            taken = self._pending
            size_bytes = 0
            for i, append in enumerate(taken):
                size_bytes += append.size_bytes
                if size_bytes >= _COMMIT_BYTES_MAX and i + 1 < len(taken):
                    self._pending = taken[i + 1 :]
                    return taken[: i + 1]
            self._pending = []
            self._writing = bool(taken)
            return taken

    def _write_pending(self, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(_TURN_COMMITS):
            group = self._take()
            if not group:
                return
            loop.call_soon_threadsafe(self._settle, group, self._commit(group))
            if len(group) >= _SIBLINGS:
                time.sleep(_GATHER_S)  # a few records a commit would cost more CPU than the wait costs time
        self._executor.submit(self._write_pending, loop)

    def _commit(self, group: Iterable[_Append]) -> list[Placement] | BaseException:
        batches = [batch for append in group for batch in append.batches]
        try:
            return self._store.commit(batches, self._clock.now_ms()) if batches else []
        except BaseException as error:  # noqa: BLE001 - whatever it was, every caller must hear of it
            return error

    def _settle(self, group: Iterable[_Append], result: list[Placement] | BaseException) -> None:
        if isinstance(result, BaseException):
            for append in group:
                if not append.future.done():
                    append.future.set_exception(_for_callers(result))
            return
        at = 0
        for append in group:
            following = at + len(append.batches)
            if not append.future.done():
                append.future.set_result(result[at:following])
            at = following
        if self._watchers:
            self._wake({batch.shard for append in group for batch in append.batches})

    def _wake(self, shards: set[int]) -> None:
        for shard in shards & self._watchers.keys():
            for wake in tuple(self._watchers[shard]):
                wake()

    def read(self, shard: int, offset: int, *, records_max: int, bytes_max: int) -> list[RecordRun]:
        """See RecordLog.read."""
        return self._store.read(shard, offset, records_max=records_max, bytes_max=bytes_max)

    def find_time(self, shard: int, time_ms: int) -> int:
        """See RecordLog.find_time."""
        return self._store.find_time(shard, time_ms)

    def shard_range(self, shard: int) -> tuple[int, int]:
        """See RecordLog.shard_range."""
        return self._store.shard_range(shard)

    def last_arrival_ms(self, shard: int) -> int | None:
        """See RecordLog.last_arrival_ms."""
        return self._store.last_arrival_ms(shard)

    def end_position(self) -> int:
        """See RecordLog.end_position."""
        return self._store.end_position()

    def publish_end(self) -> None:
        """See RecordLog.publish_end."""
        self._store.share_end()

    def watch(self, shard: int, wake: Callable[[], None]) -> Callable[[], None]:
        """See RecordLog.watch."""
        self._watchers.setdefault(shard, set()).add(wake)

        def unwatch() -> None:
            watchers = self._watchers.get(shard, set())
            watchers.discard(wake)
            if not watchers:
                self._watchers.pop(shard, None)

        return unwatch

    async def drain(self) -> None:
        """See RecordLog.drain."""
        with suppress(Exception):  # settled, too: the callers of those that failed hear of it
            await self._enqueue([])  # commits are in order: once this one is settled, so are all before it

    def trim(self, before_ms: int) -> int:
        """See RecordLog.trim."""
        return self._store.trim(before_ms, self._clock.now_ms())

    def trim_to(self, position: int) -> int:
        """See RecordLog.trim_to."""
        return self._store.trim_to(position)

    async def close(self) -> None:
        """See RecordLog.close."""
        self._closed = True
        await self.drain()
        await asyncio.get_running_loop().run_in_executor(self._executor, self._store.close)


def _for_callers(error: BaseException) -> BaseException:
    """The error that an append raises, a new one each."""
    if isinstance(error, LogFull | LogStopped):
        return type(error)(*error.args)
    return LogError(f"nothing was written: {error}") if isinstance(error, DiskError) else error
