"""The stage that calls a Lambda function: from the source into the journal, in order.

    source ─► splitting ─► batches ─► invocations, several at once ─► commits, in order ─► journal

Every commit has the point from which the source goes on (see `journal`), so each record of the source gets into the
journal once, wherever the process is killed; an invocation that was under way then is made again.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from millstream.base.units import MIB
from millstream.firehose.configuration import Configuration
from millstream.firehose.ports import Chunk, RecordSource, Surroundings
from millstream.firehose.processing.chain import active_processors
from millstream.firehose.processing.invocation import (
    Attempts,
    Batch,
    FunctionSettings,
    Item,
    entries_of_failure,
    entries_of_reply,
    make_event,
    make_items,
)
from millstream.firehose.processing.journal import Entry, SourcePoint, commit_batch, source_point
from millstream.firehose.processing.splitting import Splitter
from millstream.firehose.retries import pause_s
from millstream.functions import FunctionError
from millstream.log import LogFull
from millstream.log.store import LogStore

LAG_BYTES_MAX = 256 * MIB
"""How far the journal may be ahead of what reads it: the source keeps the rest."""

INVOCATIONS_MAX = 4
INVOCATION_TIMEOUT_S = 300.0
_READ_BYTES = MIB
_POLL_S = 0.1
_FULL_PAUSE_S = 1.0

_Result = TypeVar("_Result")
_Queued = tuple[asyncio.Task[list[Entry]], SourcePoint] | asyncio.Future[None]


class Transformation:
    """Runs the function of one delivery stream.

    `start` is where a new journal begins in the source; `lag_bytes` tells how far the journal is ahead of its reader.
    An update of the processors takes effect with a new Transformation, once `run` of the old one has ended.
    """

    def __init__(
        self,
        source: RecordSource,
        journal: LogStore,
        configuration: Configuration,
        settings: FunctionSettings,
        surroundings: Surroundings,
        *,
        start: int,
        lag_bytes: Callable[[], int],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._source = source
        self._journal = journal
        self._settings = settings
        self._surroundings = surroundings
        self._splitter = Splitter(
            active_processors(configuration), from_kinesis=surroundings.source_stream_arn is not None
        )
        self._point = SourcePoint(start)  # what is read and gathered so far
        self._committed = self._point
        self._lag_bytes = lag_bytes
        self._pause = pause
        self._batch = Batch(settings.buffer_bytes)
        self._batch_began_s: float | None = None
        self._queue: asyncio.Queue[_Queued] = asyncio.Queue()
        self._slots = asyncio.Semaphore(INVOCATIONS_MAX)
        self._flushes: list[tuple[int, asyncio.Future[None]]] = []  # those that reading has not come to
        self._flushing: set[asyncio.Future[None]] = set()  # all
        self._ended = False

    @property
    def position(self) -> int:
        """The position in the source before which all is in the journal: the source may be trimmed up to it."""
        return self._committed.position

    async def run(self) -> None:
        """Work until cancelled; what was not committed then is done again by the next run.

        Raises what reading the source and committing raise (LogCorrupt, DiskError, LogStopped), and JournalError.
        """
        try:
            point = await self._in_thread(source_point, self._journal)
            if point is not None:
                same = point.splitting == self._splitter.identity
                self._point = self._committed = point if same else point._replace(pieces=0)
            self._journal.share_end()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._commit_all())
                await self._read_all(group)
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        finally:
            self._ended = True
            for future in self._flushing:
                future.cancel()

    async def flush(self) -> None:
        """Return once all that the source has now is in the journal. Raises CancelledError if `run` ends before."""
        if self._ended:
            raise asyncio.CancelledError
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._flushing.add(future)
        self._flushes.append((self._source.end(), future))
        try:
            await future
        finally:
            self._flushing.discard(future)

    def trim_to(self, position: int) -> int:
        """Blocking. Drop what of the journal is before `position`, but never its newest marker; the bytes freed."""
        return self._journal.trim_to(min(position, self._journal.end_position() - 1))

    async def _in_thread(self, call: Callable[..., _Result], *arguments: object) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._surroundings.threads, call, *arguments)

    # Reading

    async def _read_all(self, group: asyncio.TaskGroup) -> None:
        while True:
            while self._lag_bytes() > LAG_BYTES_MAX:
                await asyncio.sleep(_POLL_S)
            flushes = list(self._flushes)
            chunks = await self._in_thread(self._read, self._point.position)
            for chunk in chunks:
                await self._take(chunk, group)
            if self._is_due() or any(not chunks or end <= self._point.position for end, _ in flushes):
                await self._dispatch(group)
            self._settle(flushes, at_end=not chunks)
            if not chunks:
                await asyncio.sleep(_POLL_S)

    def _read(self, position: int) -> list[Chunk]:
        return self._source.read(position, bytes_max=_READ_BYTES)

    async def _take(self, chunk: Chunk, group: asyncio.TaskGroup) -> None:
        """Add a chunk's items to the batch, and dispatch it whenever it is full."""
        point = self._point
        done = (point.records, point.pieces) if chunk.start == point.position else (0, 0)
        for item in await self._in_thread(self._items, chunk):
            if item.place < done:
                continue
            if not self._batch.add(item):
                await self._dispatch(group)
                self._batch.add(item)
            self._advance(SourcePoint(chunk.start, *item.next_place, self._splitter.identity))
        self._advance(SourcePoint(chunk.end))

    def _items(self, chunk: Chunk) -> list[Item]:
        return make_items(chunk, self._splitter.pieces(chunk), self._surroundings)

    def _advance(self, point: SourcePoint) -> None:
        self._point = point
        if self._batch_began_s is None:
            self._batch_began_s = self._surroundings.clock.monotonic()

    def _is_due(self) -> bool:
        began_s = self._batch_began_s
        return began_s is not None and self._surroundings.clock.monotonic() - began_s >= self._settings.interval_s

    async def _dispatch(self, group: asyncio.TaskGroup) -> None:
        """Begin the invocation for what is gathered; waits while too many are under way."""
        if self._batch_began_s is None:
            return
        await self._slots.acquire()
        task = group.create_task(self._invoke(self._batch.items))
        self._queue.put_nowait((task, self._point))
        self._batch = Batch(self._settings.buffer_bytes)
        self._batch_began_s = None

    def _settle(self, flushes: list[tuple[int, asyncio.Future[None]]], *, at_end: bool) -> None:
        """Queue the ends of those flushes behind the commits that they wait for."""
        for flush in flushes:
            end, future = flush
            if at_end or end <= self._point.position:
                self._flushes.remove(flush)
                self._queue.put_nowait(future)

    # Invoking

    async def _invoke(self, items: list[Item]) -> list[Entry]:
        """What the journal keeps of `items`. Tries as often as is set; then they have failed."""
        if all(item.failure for item in items):
            return entries_of_failure(FunctionError("", ""), items, self._attempts(0))
        for attempt in range(1, self._settings.retries + 2):
            try:
                reply = await self._call(items)
                break
            except FunctionError as error:
                self._report(error, attempt)
                if attempt > self._settings.retries:
                    return entries_of_failure(error, items, self._attempts(attempt))
                await self._pause(pause_s(attempt, self._surroundings.generator))
        try:
            return entries_of_reply(reply, items, self._attempts(attempt))
        except FunctionError as error:
            self._report(error, attempt)
            return entries_of_failure(error, items, self._attempts(attempt))

    async def _call(self, items: list[Item]) -> bytes:
        surroundings = self._surroundings
        invocation_id = str(uuid.UUID(int=surroundings.generator.getrandbits(128), version=4))
        event = make_event(items, invocation_id, surroundings)
        return await surroundings.functions.invoke(self._settings.arn, event, INVOCATION_TIMEOUT_S)

    def _attempts(self, made: int) -> Attempts:
        return Attempts(self._settings.arn, made, self._surroundings.clock.now_ms())

    def _report(self, error: FunctionError, attempt: int) -> None:
        self._surroundings.errors.report(error.code, str(error), attempt=attempt, lambdaArn=self._settings.arn)

    # Committing

    async def _commit_all(self) -> None:
        while True:
            queued = await self._queue.get()
            if isinstance(queued, asyncio.Future) and not isinstance(queued, asyncio.Task):
                if not queued.done():
                    queued.set_result(None)
                continue
            task, point = queued
            await self._commit(await task, point)
            self._committed = point
            self._slots.release()

    async def _commit(self, entries: list[Entry], point: SourcePoint) -> None:
        """Commit durably; while the disk is full, wait for room."""
        batch = commit_batch(entries, point)
        while True:
            commit = asyncio.ensure_future(
                self._in_thread(self._journal.commit, [batch], self._surroundings.clock.now_ms())
            )
            try:
                await asyncio.shield(commit)
                return
            except LogFull as error:
                self._surroundings.errors.report("Processing.DiskFull", f"processed records wait for room: {error}")
                await self._pause(_FULL_PAUSE_S)
            except asyncio.CancelledError:
                with suppress(Exception):  # the next run must find what this one did
                    await asyncio.wait([commit])
                raise
