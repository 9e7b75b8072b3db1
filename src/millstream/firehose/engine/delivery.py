"""The loop of one delivery: read, process, buffer, cut, record, deliver, settle.

    ┌────────────► read and process (a thread) ──► buffers ──► cut what is due ──► record (saved) ──► queue ─┐
    │                                                                                                        ▼
    └── wait: new records, a due buffer, a parcel done ◄── settle (saved) ◄───────────── deliver (a task a parcel)

Reading stops while parcels queue up, so a destination that is down costs no memory: data waits in the log. Any failure
of the loop itself (a full scratch disk, say) is answered as a crash would be: everything held is let go, and the loop
starts again from what is recorded.
"""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import suppress
from enum import Enum
from typing import NamedTuple

from msgspec.structs import replace

from millstream.base.errors import MillstreamError
from millstream.base.units import GIB, MIB
from millstream.disk import DiskFull
from millstream.firehose.configuration import BufferingHints
from millstream.firehose.destinations.erroroutput import ErrorWriter
from millstream.firehose.engine.buffers import Buffer, Buffers, Memory
from millstream.firehose.engine.ledger import Ledger, Place
from millstream.firehose.engine.spool import Spool
from millstream.firehose.engine.tasks import end_tasks, is_being_cancelled
from millstream.firehose.ports import Chain, Chunk, DeliveryError, Destination, RecordSource, Report, Surroundings
from millstream.firehose.progress import Progress, RecordedParcel
from millstream.firehose.retries import pause_s

_log = logging.getLogger(__name__)

_READ_BYTES = 4 * MIB
_SPOOL_BYTES_MAX = GIB  # from here on buffers are delivered before their time
_SAVE_INTERVAL_S = 10.0  # for progress that nothing waits for
_TELL_S = 1.0  # how soon an error of what is under way is told to who asks how the delivery goes
_WAIT_S_MIN = 0.001  # shorter ones may end before the clock has moved
_STEADY_S = 60.0  # a run so long was no failed start


class Parts(NamedTuple):
    """What a delivery is made of. `failures` delivers failure lanes, `errors` what a destination could not deliver."""

    name: str
    source: RecordSource
    chain: Chain
    destination: Destination
    failures: Destination
    error_writer: ErrorWriter
    hints: BufferingHints
    failure_hints: BufferingHints
    partitions_max: int
    spool: Spool
    memory: Memory
    reader: Executor
    save: Callable[[Progress], Awaitable[None]]


class _Mode(Enum):
    """What a delivery is to do."""

    RUNNING = "running"
    DRAINING = "draining"  # deliver what is read
    FINISHING = "finishing"  # deliver what is cut


class Delivery:
    """One source's way to one destination. `wake` is to be set when the source has more."""

    def __init__(self, parts: Parts, progress: Progress, surroundings: Surroundings) -> None:
        self.source = parts.source
        self.wake = asyncio.Event()
        self.progress = progress
        """What is saved. Everything before its `position` is delivered for good."""
        self._parts = parts
        self._around = surroundings
        self._saved = asyncio.Event()
        self._flush_target = 0  # everything before it is to be delivered, due or not
        self._flush_to = 0  # the same, until what is before it is cut
        self._mode = _Mode.RUNNING
        self._at_rest = asyncio.Event()
        self._start_over()

    def _start_over(self) -> None:
        progress, parts = self.progress, self._parts
        self._ledger = Ledger(progress)
        self._buffers = Buffers(parts.hints, parts.failure_hints, parts.spool, parts.memory)
        self._chunks: deque[Chunk] = deque()  # read, and still to be processed
        self._again = {parcel.parcel_id: self._recorded(parcel) for parcel in progress.parcels}
        self._queue: deque[_Recorded] = deque()
        self._under_way: dict[asyncio.Task[Report], _Recorded] = {}
        self._changed = False
        self._flush_to = self._flush_target if self._flush_target > progress.position else 0
        self._saved_s = self._around.clock.monotonic()

    def _recorded(self, parcel: RecordedParcel) -> _Recorded:
        buffer = Buffer(parcel.lane, parcel.start, 0, self._parts.spool, self._parts.memory, parcel.parcel_id)
        buffer.key = parcel.key
        return _Recorded(parcel, buffer)

    async def run(self) -> None:
        """Deliver until cancelled."""
        failures = 0
        while True:
            began_s = self._around.clock.monotonic()
            try:
                await self._run()
            except (MillstreamError, OSError) as error:
                self._around.errors.report("Firehose.InternalError", f"delivery starts again: {error}")
            except asyncio.CancelledError:
                if is_being_cancelled():
                    raise
                _log.error("%s: delivery %s was cancelled from within", self._around.stream_arn, self._parts.name)
            except Exception as error:  # noqa: BLE001 - ours: told, and answered as any other failure
                _log.exception("%s: delivery %s starts again", self._around.stream_arn, self._parts.name)
                self._around.errors.report(
                    "Firehose.InternalError", f"delivery starts again (the server's log has more): {error!r}"
                )
            finally:
                await self._let_go()
            failures = 1 if self._around.clock.monotonic() - began_s > _STEADY_S else failures + 1
            await asyncio.sleep(pause_s(failures, self._around.generator))

    async def flush(self) -> None:
        """Return once everything that was in the source at the call is delivered, not waiting for buffers to be due."""
        target = self.source.end()
        if self.progress.position < target:
            self._flush_target = max(self._flush_target, target)
            self._flush_to = max(self._flush_to, target)
        while self.progress.position < target:
            self._saved.clear()
            self.wake.set()
            await self._saved.wait()

    async def drain(self) -> None:
        """Read no more, and return once everything that was read is delivered: nothing is held then."""
        await self._rest(_Mode.DRAINING)

    async def finish_under_way(self) -> None:
        """Begin nothing more, and return once every parcel that was cut is delivered; buffers stay as they are."""
        await self._rest(_Mode.FINISHING)

    async def _rest(self, mode: _Mode) -> None:
        self._mode = mode
        self.wake.set()
        await self._at_rest.wait()

    async def _let_go(self) -> None:
        await end_tasks(self._under_way)
        self._start_over()

    async def _run(self) -> None:
        while True:
            self.wake.clear()
            self._settle()
            advanced = self._may_advance and await self._advance()
            cut = [] if self._mode is _Mode.FINISHING else self._cut()
            self._queue += cut
            if self._changed or self._is_waiting_untold() or self._is_error_untold() or self._is_unsaved_for_long():
                await self._save()
            self._launch()
            if self._is_done:
                self._at_rest.set()
            if not advanced:
                await self._wait()

    @property
    def _is_done(self) -> bool:
        """Whether all is done that was to be done before a rest; it is saved, too."""
        if self._mode is _Mode.FINISHING:
            return not (self._queue or self._under_way)
        return self._mode is _Mode.DRAINING and not (len(self._buffers) or self._ledger.parcels)

    # Reading

    @property
    def _may_advance(self) -> bool:
        if self._mode is _Mode.FINISHING or (self._mode is _Mode.DRAINING and not self._again):
            return False
        if self._ledger.is_crowded and not self._again:  # a parcel is stuck while others go: it holds them up at last
            return False
        return len(self._queue) < self._parts.destination.parcels_max

    async def _advance(self) -> bool:
        """Read and process what there is, up to where a buffer is full. Whether there was any."""
        loop = asyncio.get_running_loop()
        position = self._ledger.read_position
        if not self._chunks:
            if position >= self.source.end():
                return False
            self._chunks += await loop.run_in_executor(self._parts.reader, self._read, position)
            if not self._chunks:
                return False
        if self._chunks[0].start > position:
            self._renew_before(self._chunks[0].start)
        self._ledger.read_position = await loop.run_in_executor(self._parts.reader, self._process)
        return True

    def _read(self, position: int) -> list[Chunk]:
        return self.source.read(position, bytes_max=_READ_BYTES)

    def _process(self) -> int:
        """Process chunks until a buffer is full; the position up to which that was done."""
        now_s = self._around.clock.monotonic()
        while True:
            chunk = self._chunks.popleft()
            for lane, records in self._parts.chain.process(chunk) if len(chunk.records) else ():
                place = self._ledger.place(lane, chunk.start)
                if place is Place.OPEN:
                    self._buffers.add(lane, records, chunk, now_s)
                elif isinstance(place, RecordedParcel) and place.parcel_id in self._again:
                    with suppress(DiskFull):  # it is in the buffer all the same, and delivered it makes room
                        self._again[place.parcel_id].buffer.add(records, chunk)
            if not self._chunks or self._buffers.any_full:
                return chunk.end

    def _renew_before(self, position: int) -> None:
        """Records before `position` are gone: what is left of a parcel must not replace the object of all of it."""
        gap = [recorded.parcel for recorded in self._again.values() if recorded.parcel.start < position]
        for parcel in gap:
            renewed = renew(parcel, self._around.generator)
            self._ledger.replace(parcel, renewed)
            del self._again[parcel.parcel_id]
            self._again[renewed.parcel_id] = self._recorded(renewed)
        if self._ledger.read_position:
            self._around.errors.report(
                "Firehose.RecordsExpired", "records passed their retention period before they could be delivered"
            )

    # Cutting and recording

    def _cut(self) -> list[_Recorded]:
        """The parcels that are complete now, recorded but not saved."""
        end = self._ledger.read_position
        complete = [recorded for recorded in self._again.values() if recorded.parcel.end <= end]
        for recorded in complete:
            del self._again[recorded.parcel.parcel_id]
        fresh = [self._record(buffer) for buffer in self._cut_buffers(end)]
        self._ledger.record(recorded.parcel for recorded in fresh)
        planned = [self._planned(recorded) for recorded in complete if recorded.buffer.record_count]
        for recorded in complete:
            if not recorded.buffer.record_count:  # all of it has expired
                self._ledger.settle(recorded.parcel)
        self._changed = self._changed or bool(complete or fresh)
        return planned + fresh

    def _cut_buffers(self, end: int) -> list[Buffer]:
        buffers = self._buffers
        cut = buffers.cut_due(self._around.clock.monotonic(), end)
        if self._flush_to and end >= self._flush_to:
            cut += buffers.cut_all(end)
            self._flush_to = 0
            self._changed = True
        if self._ledger.is_crowded or (self._mode is _Mode.DRAINING and not self._again):
            cut += buffers.cut_all(end)
        if len(buffers) and self._parts.spool.held_bytes > _SPOOL_BYTES_MAX:
            cut.append(buffers.cut_largest(end))
        if buffers.partition_count > self._parts.partitions_max:
            self._around.errors.report(
                "DynamicPartitioning.ActivePartitionLimitExceeded",
                f"more than {self._parts.partitions_max} partitions are active: the largest are delivered early",
            )
        while buffers.partition_count > self._parts.partitions_max:
            cut.append(buffers.cut_largest(end))
        return cut

    def _record(self, buffer: Buffer) -> _Recorded:
        buffer.parcel_id = new_id(self._around.generator)
        buffer.key = self._destination_of(buffer).plan(buffer)
        parcel = RecordedParcel(buffer.parcel_id, buffer.lane, buffer.key, buffer.start, buffer.end)
        return _Recorded(parcel, buffer)

    def _planned(self, recorded: _Recorded) -> _Recorded:
        """A parcel that was made again, with a key if it has none: where it was to go is no longer where it goes."""
        parcel, buffer = recorded
        if not parcel.key:
            buffer.key = self._destination_of(buffer).plan(buffer)
            planned = replace(parcel, key=buffer.key)
            self._ledger.replace(parcel, planned)
            return _Recorded(planned, buffer)
        return recorded

    def _destination_of(self, buffer: Buffer) -> Destination:
        return self._parts.failures if buffer.lane.failure else self._parts.destination

    # Delivering and settling

    def _launch(self) -> None:
        while self._queue and len(self._under_way) < self._parts.destination.parcels_max:
            recorded = self._queue.popleft()
            task = asyncio.create_task(self._deliver(recorded.buffer))
            self._under_way[task] = recorded
            task.add_done_callback(lambda _: self.wake.set())

    async def _deliver(self, buffer: Buffer) -> Report:
        """Deliver a parcel, with what of it failed, whatever it takes."""
        attempt = 0
        report: Report | None = None
        while True:
            try:
                if report is None:  # else only what failed of it is still to be kept
                    report = await self._destination_of(buffer).deliver(buffer)
                await self._write_errors(buffer, report)
                return report
            except DeliveryError as error:
                self._around.errors.report(error.code, str(error))
            except (MillstreamError, OSError) as error:
                self._around.errors.report("Firehose.InternalError", str(error))
            except Exception as error:  # noqa: BLE001 - whatever it is, the parcel stays
                _log.exception("%s: a delivery failed", self._around.stream_arn)
                self._around.errors.report("Firehose.InternalError", f"{type(error).__name__}: {error}")
            except asyncio.CancelledError:
                if is_being_cancelled():
                    raise  # by us; else something that was awaited was cancelled, which is a failure as any other
                self._around.errors.report("Firehose.InternalError", "the delivery was cancelled from within")
            attempt += 1
            await asyncio.sleep(pause_s(attempt, self._around.generator))

    async def _write_errors(self, buffer: Buffer, report: Report) -> None:
        writer = self._parts.error_writer
        for error in report.errors:
            error_id = str(uuid.uuid5(uuid.UUID(buffer.parcel_id), error.kind))
            key = writer.plan(error.kind, buffer.first_arrival_ms, error_id)
            await writer.write(key, error.pieces)

    def _settle(self) -> None:
        for task in [task for task in self._under_way if task.done()]:
            recorded = self._under_way.pop(task)
            report = task.result()
            failed = sum(error.record_count for error in report.errors)
            if recorded.parcel.lane.failure:
                failed, report = report.delivered_records, Report(0, 0)
            self._ledger.settle(recorded.parcel)
            now_ms = self._around.clock.now_ms()
            self._ledger.count(report.delivered_records, report.delivered_bytes, failed, now_ms)
            self._changed = True

    # Saving and waiting

    def _is_waiting_untold(self) -> bool:
        """Whether records began to wait since the last save: who asks for the freshness is to see it."""
        return len(self._buffers) > 0 and self.progress.counters.oldest_waiting_ms is None

    def _is_error_untold(self) -> bool:
        """Whether something failed since the last save: who waits is to see why, also while it is tried again."""
        if self._around.errors.last_error_ms in (None, self.progress.counters.last_error_ms):
            return False
        return self._around.clock.monotonic() - self._saved_s >= _TELL_S

    def _is_unsaved_for_long(self) -> bool:
        behind = self._ledger.read_position > self.progress.position
        idle = not (len(self._buffers) or self._ledger.parcels or self._again)
        return behind and idle and self._around.clock.monotonic() - self._saved_s > _SAVE_INTERVAL_S

    async def _save(self) -> None:
        ledger = self._ledger
        waiting = (recorded.buffer.first_arrival_ms for recorded in (*self._queue, *self._under_way.values()))
        oldest = min((time for time in (*waiting, self._buffers.oldest_arrival_ms) if time), default=None)
        ledger.counters = replace(ledger.counters, oldest_waiting_ms=oldest)
        errors = self._around.errors
        if errors.last_error is not None:  # else the one before the start, if any, is still the last
            ledger.counters = replace(ledger.counters, last_error=errors.last_error, last_error_ms=errors.last_error_ms)
        was_crowded = ledger.is_crowded
        progress = ledger.progress(self._buffers.starts)
        await self._parts.save(progress)
        if was_crowded:
            self.wake.set()  # to see whether it still is
        self.progress = progress
        self._changed = False
        self._saved_s = self._around.clock.monotonic()
        self._saved.set()

    async def _wait(self) -> None:
        """Return when there may be something to do."""
        due_s = None if self._mode is _Mode.FINISHING else self._buffers.next_due_s()
        left_s = _SAVE_INTERVAL_S if due_s is None else due_s - self._around.clock.monotonic()
        with suppress(TimeoutError):
            # not wait_for: until Python 3.12 it swallows a cancellation that comes together with the event
            async with asyncio.timeout(max(_WAIT_S_MIN, min(left_s, _TELL_S if self._under_way else _SAVE_INTERVAL_S))):
                await self.wake.wait()


class _Recorded(NamedTuple):
    """A recorded parcel with its records, as far as they have been read (again)."""

    parcel: RecordedParcel
    buffer: Buffer


def new_id(generator: random.Random) -> str:
    """The id of a new parcel."""
    return str(uuid.UUID(int=generator.getrandbits(128), version=4))


def renew(parcel: RecordedParcel, generator: random.Random) -> RecordedParcel:
    """Another parcel for the same records, to be delivered elsewhere than was planned."""
    return replace(parcel, parcel_id=new_id(generator), key="")
