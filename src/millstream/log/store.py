"""The log itself, as straight-line code over a disk: commit, roll, trim.

    commit ─► lay out ─► room in the active segment, or roll ─► write ─► sync ─► publish ─► tell other processes

The write lock is held over each of `commit`, `trim`, `trim_to`, `share_end` and `close`, so that one thread at a time
changes the log: all that is here belongs to it. Any number of threads read meanwhile (`reader`); they meet the writer
in `segments` alone, which has the rules, and see a commit once it is published there.

- What is after the active segment's end in its file is nothing: reserved space, which the next commit writes over, or
  bytes of a failed write, which `_undo` cuts off before anything else is written.
- A full disk changes nothing (LogFull); after any other failure the log is stopped, for good: `_stop`.
- A segment is sealed only after the one that follows it is durable, so at most the last segment ends in a torn commit.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress

from millstream.base.units import HOUR_MS, KIB, MIB
from millstream.disk import Disk, DiskError, DiskFull, File, SharedNumber
from millstream.disk.port import write_atomically
from millstream.log.index import SegmentIndex
from millstream.log.layout import Block, checkpoint, lay_out, size_of, stamp
from millstream.log.port import Batch, BlockCipher, LogFull, LogStopped, NoCipher, Placement, RecordRun
from millstream.log.reader import LogReader
from millstream.log.segment import SHARED_COMMIT_NAME, SHARED_END_NAME, index_name, segment_name
from millstream.log.segments import OpenSegment, Segments

_log = logging.getLogger(__name__)

SEGMENT_BYTES = 128 * MIB
BLOCK_BYTES = MIB  # larger batches are cut, so that reading one record never costs more than this
_ALLOCATE_BYTES_MIN = 64 * KIB
_ALLOCATE_BYTES_MAX = 32 * MIB
_ROLLS_A_RETENTION = 24
_ROLL_BYTES = 16 * KIB  # more than a new segment takes
_ROLL_BYTES_MIN = 4 * MIB  # a segment smaller than this is not worth being rolled for its space


class LogStore:
    """One log in `directory` of `disk`. Made by `open`; every method may raise DiskError."""

    def __init__(self, disk: Disk, directory: str, cipher: BlockCipher, segment_bytes: int, block_bytes: int) -> None:
        self._disk = disk
        self._directory = directory
        self._cipher = cipher
        self._segment_bytes = segment_bytes
        self._block_bytes = block_bytes
        self._segments = Segments(disk, directory)
        self._reader = LogReader(self._segments, cipher, block_bytes)
        self._write_lock = threading.Lock()
        self._stopped: str | None = None
        self._roll_age_ms = HOUR_MS
        self._allocated_bytes = 0  # of the active segment's file, for records
        self._shared_end: SharedNumber | None = None
        self._shared_commit: SharedNumber | None = None

    @classmethod
    def open(
        cls,
        disk: Disk,
        directory: str,
        *,
        cipher: BlockCipher | None = None,
        segment_bytes: int = SEGMENT_BYTES,
        block_bytes: int = BLOCK_BYTES,
    ) -> LogStore:
        """Open the log in `directory`, making it if it is not there. Raises LogCorrupt, DiskError."""
        store = cls(disk, directory, cipher or NoCipher(), segment_bytes, block_bytes)
        disk.make_directory(directory)
        store._segments.recover()
        if (active := store._segments.active) is not None:
            store._allocated_bytes = max(0, active.file.size() - _ROLL_BYTES)
        return store

    # Writing

    @property
    def stopped(self) -> str | None:
        """Why the log takes no more writes; None while it does."""
        return self._stopped

    def commit(self, batches: Sequence[Batch], now_ms: int) -> list[Placement]:
        """Append all batches as one commit, synced on return; a placement a batch.

        Arrival is `now_ms`, or the newest arrival if the clock went back. Raises LogFull (nothing changed) or
        LogStopped.
        """
        self._tell_commit(now_ms)
        try:
            with self._write_lock:
                if self._stopped is not None:
                    raise LogStopped(self._stopped)
                arrival_ms = max(now_ms, self._segments.last_arrival_ms)
                next_offset = self._segments.next_offset
                placements, blocks = lay_out(batches, next_offset, arrival_ms, self._cipher, self._block_bytes)
                active = self._writable_segment(size_of(blocks), arrival_ms)
                self._write(active, blocks)
                self._tell_end(active)
                return placements
        finally:
            self._tell_commit(0)

    def share_end(self) -> None:
        """From now on let other processes see how far the log is synced (see `follower`). Twice is harmless."""
        with self._write_lock:
            if self._shared_end is None:
                self._shared_commit = self._disk.share_number(self._segments.path(SHARED_COMMIT_NAME), create=True)
                self._shared_commit.store(0)
                self._shared_end = self._disk.share_number(self._segments.path(SHARED_END_NAME), create=True)
                self._shared_end.store(self.end_position())

    def _writable_segment(self, size_bytes: int, arrival_ms: int) -> OpenSegment:
        """The segment that takes the next `size_bytes`, with space reserved for them."""
        active = self._segments.active
        if active is None:
            active = self._roll(arrival_ms)
        used = active.index.end - active.index.base
        too_old = bool(active.index.shards) and arrival_ms - self._segments.active_since_ms > self._roll_age_ms
        if active.index.shards and (used + size_bytes > self._segment_bytes or too_old):
            active = self._roll(arrival_ms)
            used = active.index.end - active.index.base
        if used + size_bytes > self._allocated_bytes:
            self._allocate(active.file, used, used + size_bytes)
        return active

    def _allocate(self, file: File, used_bytes: int, needed_bytes: int, kept_bytes: int = _ROLL_BYTES) -> None:
        """Reserve space ahead, growing with the segment; just what is needed when the disk is almost full.

        And `kept_bytes` that are not for records: they go back to the disk when it is full and the segment could go.
        """
        ahead = min(max(used_bytes, _ALLOCATE_BYTES_MIN), _ALLOCATE_BYTES_MAX)
        wanted = max(needed_bytes, min(needed_bytes + ahead, self._segment_bytes))
        try:
            try:
                file.allocate(wanted + _ROLL_BYTES)
            except DiskFull:
                wanted = needed_bytes
                file.allocate(wanted + kept_bytes)
        except DiskFull as error:
            allocated = self._allocated_bytes
            self._undo(file, allocated + _ROLL_BYTES)
            self._allocated_bytes = allocated
            raise LogFull(f"the disk is full: {error}") from error
        self._allocated_bytes = wanted

    def _roll(self, arrival_ms: int) -> OpenSegment:
        """Start a segment with a checkpoint, durably, then seal the one before it."""
        previous = self._segments.active
        base = previous.index.end if previous else 0
        path = self._segments.path(segment_name(base))
        file = self._create(path)
        next_offsets = {number: state.next_offset for number, state in self._segments.shards.items()}
        segment = OpenSegment(path, file, SegmentIndex(base))
        segment.index.next_offsets = next_offsets
        blocks = [checkpoint(next_offsets, arrival_ms)]
        allocated, self._allocated_bytes = self._allocated_bytes, 0
        try:
            self._allocate(file, 0, size_of(blocks), kept_bytes=0)
            self._write(segment, blocks)
            self._disk.sync_directory(self._directory)
        except LogFull:
            self._allocated_bytes = allocated
            self._undo_roll(path)
            raise
        except DiskError as error:
            raise self._stop(f"a new segment could not be synced: {error}") from error
        self._segments.activate(segment, arrival_ms)
        self._tell_end(segment)
        if previous is not None:
            self._seal(previous)
        return segment

    def _roll_on_full_disk(self, active: OpenSegment) -> None:
        """Start a segment so that this one can go, with the space that this one keeps for it if there is no other."""
        try:
            self._roll(self._segments.last_arrival_ms)
        except LogFull:
            self._undo(active.file, active.index.end - active.index.base)
            self._roll(self._segments.last_arrival_ms)

    def _create(self, path: str) -> File:
        try:
            return self._disk.open(path, create=True)
        except DiskFull as error:
            raise LogFull(f"the disk is full: {error}") from error

    def _undo_roll(self, path: str) -> None:
        """Take back a segment that found no room, durably: the one before it goes on past where this one starts."""
        try:
            self._disk.remove(path)
            self._disk.sync_directory(self._directory)
        except DiskError as error:
            raise self._stop(f"a new segment could not be taken back: {error}") from error

    def _seal(self, segment: OpenSegment) -> None:
        """Give back what was reserved, and keep the index beside the segment."""
        index = segment.index
        try:
            segment.file.truncate(index.end - index.base)
            segment.file.sync()
        except DiskError as error:
            raise self._stop(f"a segment could not be sealed: {error}") from error
        with suppress(DiskError):  # without it this segment is scanned when it is needed
            write_atomically(self._disk, self._segments.path(index_name(index.base)), index.encode())

    def _write(self, segment: OpenSegment, blocks: Sequence[Block]) -> None:
        """Write and sync one commit, then publish it."""
        index, commit = segment.index, self._segments.last_commit + 1
        headers, buffers = stamp(blocks, commit, index.end)
        start = index.end - index.base
        try:
            segment.file.write(buffers, start)
        except DiskFull as error:
            self._undo(segment.file, start)
            raise LogFull(f"the disk is full: {error}") from error
        except (DiskError, MemoryError) as error:
            raise self._stop(f"a write failed: {error}") from error
        try:
            segment.file.sync()
        except (DiskError, MemoryError) as error:
            with suppress(DiskError):  # what nobody was told of need not come back
                segment.file.truncate(start)
            raise self._stop(f"a sync failed: {error}") from error
        self._segments.publish(index, commit, headers)

    def _tell_end(self, segment: OpenSegment) -> None:
        """Let other processes see what is synced, the segment's name included."""
        if self._shared_end is not None:
            self._shared_end.store(segment.index.end)

    def _tell_commit(self, since_ms: int) -> None:
        """Let other processes see that what comes next may have arrived as early as that; 0: nothing is to come."""
        if self._shared_commit is not None:
            self._shared_commit.store(since_ms)

    def _undo(self, file: File, used_bytes: int) -> None:
        """Take back a failed write, durably: what is left of it must never be taken for part of the next commit."""
        try:
            file.truncate(used_bytes)
            file.sync()
        except DiskError as error:
            raise self._stop(f"a failed write could not be undone: {error}") from error
        self._allocated_bytes = used_bytes

    def _stop(self, reason: str) -> LogStopped:
        self._stopped = f"this stream takes no more writes until the server is started again: {reason}"
        _log.error("%s: %s", self._directory, self._stopped)
        return LogStopped(self._stopped)

    # Reading

    def shard_range(self, shard: int) -> tuple[int, int]:
        """(first kept offset, next offset)."""
        state = self._segments.shards.get(shard)
        return (state.first_offset, state.next_offset) if state else (0, 0)

    def last_arrival_ms(self, shard: int) -> int | None:
        """Arrival time of the shard's newest kept record."""
        state = self._segments.shards.get(shard)
        return state.last_arrivals_ms[-1] if state and state.last_arrivals_ms else None

    def end_position(self) -> int:
        """The log position after the last synced record."""
        active = self._segments.active
        if active is None:
            return 0
        index = active.index
        return index.end if index.shards else index.base  # a checkpoint alone is nothing to follow

    def read(self, shard: int, offset: int, *, records_max: int, bytes_max: int) -> list[RecordRun]:
        """See RecordLog.read."""
        return self._reader.read(shard, offset, records_max, bytes_max)

    def find_time(self, shard: int, time_ms: int) -> int:
        """See RecordLog.find_time."""
        return self._reader.find_time(shard, time_ms)

    # Retention and the end

    def trim(self, before_ms: int, now_ms: int) -> int:
        """Drop whole segments whose records all arrived before `before_ms`; returns the bytes freed.

        The active segment is rolled first if it, too, has only such records, or is older than its share of the
        retention period.
        """
        with self._write_lock:
            if self._stopped is not None:
                return 0
            self._segments.remove_dropped()
            self._roll_age_ms = max(HOUR_MS, (now_ms - before_ms) // _ROLLS_A_RETENTION)
            active = self._segments.active
            if active is not None and active.index.shards:
                expired = self._segments.last_arrival_ms < before_ms
                if expired or now_ms - self._segments.active_since_ms > self._roll_age_ms:
                    with suppress(LogFull):  # dropping segments is what makes room
                        self._roll(max(now_ms, self._segments.last_arrival_ms))
            return self._segments.drop_before(before_ms)

    def trim_to(self, position: int) -> int:
        """Drop whole segments that end at or before `position`; returns the bytes freed.

        A large active segment all of which is before `position` is rolled first, so that it can go, too.
        """
        with self._write_lock:
            if self._stopped is not None:
                return 0
            self._segments.remove_dropped()
            active = self._segments.active
            size_bytes = active.index.end - active.index.base if active else 0
            if active is not None and active.index.end <= position and size_bytes >= _ROLL_BYTES_MIN:
                with suppress(LogFull):
                    self._roll_on_full_disk(active)
            return self._segments.drop_up_to(position)

    def close(self) -> None:
        """Keep the newest index, give back reserved space, and close. Only saves time: a crash costs a scan."""
        with self._write_lock:
            active = self._segments.active
            if active is not None and self._stopped is None:
                with suppress(LogStopped):  # its records are on disk all the same
                    self._seal(active)
            self._stopped = "this log is closed"
            self._segments.close()
