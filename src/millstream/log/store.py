"""The log itself, as straight-line code over a disk: commit, read, find by time, trim.

One thread at a time commits or trims (a lock sees to it); any number read. A commit's effects are published after its
sync, a shard's `next_offset` last, so a reader that takes `next_offset` first finds all that it needs.
"""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple

from millstream.base.units import HOUR_MS, KIB, MIB
from millstream.disk import Disk, DiskError, DiskFull, File
from millstream.disk.port import write_atomically
from millstream.log.frame import FLAG_CHECKPOINT, BlockHeader, PayloadView, open_payload, payload_crc
from millstream.log.index import SegmentIndex
from millstream.log.layout import Block, checkpoint, lay_out, size_of, stamp
from millstream.log.port import (
    Batch,
    BlockCipher,
    LogCorrupt,
    LogFull,
    LogStopped,
    NoCipher,
    Placement,
    RecordRun,
)
from millstream.log.recovery import recover_last, recover_sealed, segment_bases
from millstream.log.segment import BlockScanner, index_name, segment_name
from millstream.log.shards import ShardState

_log = logging.getLogger(__name__)

SEGMENT_BYTES = 128 * MIB
BLOCK_BYTES = MIB  # larger batches are cut, so that reading one record never costs more than this
_ALLOCATE_BYTES_MIN = 64 * KIB
_ALLOCATE_BYTES_MAX = 32 * MIB
_ROLLS_A_RETENTION = 24
_OPEN_SEGMENTS_MAX = 8


class _OpenSegment(NamedTuple):
    file: File
    map: SegmentIndex


class LogStore:
    """One log in `directory` of `disk`. Made by `open`; every method may raise DiskError."""

    def __init__(self, disk: Disk, directory: str, cipher: BlockCipher, segment_bytes: int, block_bytes: int) -> None:
        self._disk = disk
        self._directory = directory
        self._cipher = cipher
        self._segment_bytes = segment_bytes
        self._block_bytes = block_bytes
        self._roll_age_ms = HOUR_MS
        self._write_lock = threading.Lock()
        self._stopped: str | None = None
        self._shards: dict[int, ShardState] = {}
        self._bases: list[int] = []
        self._dropped: list[int] = []  # bases of expired segments that are still to be removed, oldest first
        self._sealed: OrderedDict[int, _OpenSegment] = OrderedDict()
        self._lookup_lock = threading.Lock()  # the way from a shard's offset to an open segment
        self._active: _OpenSegment | None = None
        self._allocated_bytes = 0
        self._active_since_ms = 0
        self._commit_number = 0
        self._last_arrival_ms = 0

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
        store._recover()
        return store

    def _recover(self) -> None:
        bases = segment_bases(self._disk, self._directory)
        last = None
        while bases and last is None:
            index = recover_last(self._disk, self._directory, bases[-1])
            if index.end > index.base:
                last = index
            else:  # a crash while it was made: the one before it is the newest
                self._remove_segment(bases.pop())
        for base, following in pairwise(bases):
            self._adopt(recover_sealed(self._disk, self._directory, base, following))
        if last is not None:
            self._adopt(last)
            file = self._disk.open(self._path(segment_name(last.base)))
            self._active = _OpenSegment(file, last)
            self._allocated_bytes = file.size()

    def _adopt(self, index: SegmentIndex) -> None:
        for number, next_offset in index.next_offsets.items():
            state = self._shards.setdefault(number, ShardState(next_offset))
            state.next_offset = max(state.next_offset, next_offset)
        for number, shard in index.shards.items():
            self._shards[number].take(index.base, shard.first_offset, shard.last_arrival_ms, shard.next_offset)
        self._bases.append(index.base)
        self._commit_number = max(self._commit_number, index.last_commit)
        self._last_arrival_ms = max(self._last_arrival_ms, index.last_arrival_ms)
        self._active_since_ms = min((s.arrivals_ms[0] for s in index.shards.values()), default=0)

    def _path(self, name: str) -> str:
        return f"{self._directory}/{name}"

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
        with self._write_lock:
            if self._stopped is not None:
                raise LogStopped(self._stopped)
            arrival_ms = max(now_ms, self._last_arrival_ms)
            placements, blocks = lay_out(batches, self._next_offset, arrival_ms, self._cipher, self._block_bytes)
            active = self._writable_segment(size_of(blocks), arrival_ms)
            self._write(active, blocks)
            return placements

    def _next_offset(self, shard: int) -> int:
        state = self._shards.get(shard)
        return state.next_offset if state else 0

    def _writable_segment(self, size_bytes: int, arrival_ms: int) -> _OpenSegment:
        """The segment that takes the next `size_bytes`, with space reserved for them."""
        active = self._active
        if active is None:
            active = self._roll(arrival_ms)
        used = active.map.end - active.map.base
        too_old = bool(active.map.shards) and arrival_ms - self._active_since_ms > self._roll_age_ms
        if active.map.shards and (used + size_bytes > self._segment_bytes or too_old):
            active = self._roll(arrival_ms)
            used = active.map.end - active.map.base
        if used + size_bytes > self._allocated_bytes:
            self._allocate(active.file, used, used + size_bytes)
        return active

    def _allocate(self, file: File, used_bytes: int, needed_bytes: int) -> None:
        """Reserve space ahead, growing with the segment; just what is needed when the disk is almost full."""
        ahead = min(max(used_bytes, _ALLOCATE_BYTES_MIN), _ALLOCATE_BYTES_MAX)
        wanted = max(needed_bytes, min(needed_bytes + ahead, self._segment_bytes))
        try:
            try:
                file.allocate(wanted)
            except DiskFull:
                wanted = needed_bytes
                file.allocate(wanted)
        except DiskFull as error:
            self._undo(file, self._allocated_bytes)
            raise LogFull(f"the disk is full: {error}") from error
        self._allocated_bytes = wanted

    def _roll(self, arrival_ms: int) -> _OpenSegment:
        """Start a segment with a checkpoint, durably, then seal the one before it."""
        previous = self._active
        base = previous.map.end if previous else 0
        path = self._path(segment_name(base))
        file = self._create(path)
        next_offsets = {number: state.next_offset for number, state in self._shards.items()}
        segment = _OpenSegment(file, SegmentIndex(base))
        segment.map.next_offsets = next_offsets
        blocks = [checkpoint(next_offsets, arrival_ms)]
        allocated, self._allocated_bytes = self._allocated_bytes, 0
        try:
            self._allocate(file, 0, size_of(blocks))
            self._write(segment, blocks)
            self._disk.sync_directory(self._directory)
        except LogFull:
            self._allocated_bytes = allocated
            self._undo_roll(path)
            raise
        except DiskError as error:
            raise self._stop(f"a new segment could not be synced: {error}") from error
        with self._lookup_lock:
            self._bases.append(base)
            self._active = segment
            if previous is not None:
                self._remember(previous)
        self._active_since_ms = arrival_ms
        if previous is not None:
            self._seal(previous)
        return segment

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

    def _seal(self, segment: _OpenSegment) -> None:
        """Give back what was reserved, and keep the index beside the segment."""
        index = segment.map
        try:
            segment.file.truncate(index.end - index.base)
            segment.file.sync()
        except DiskError as error:
            raise self._stop(f"a segment could not be sealed: {error}") from error
        with suppress(DiskError):  # without it this segment is scanned when it is needed
            write_atomically(self._disk, self._path(index_name(index.base)), index.encode())

    def _write(self, segment: _OpenSegment, blocks: Sequence[Block]) -> None:
        """Write and sync one commit, then publish it."""
        headers, buffers = stamp(blocks, self._commit_number + 1, segment.map.end)
        start = segment.map.end - segment.map.base
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
        self._commit_number += 1
        self._publish(segment.map, headers)

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

    def _publish(self, index: SegmentIndex, headers: Sequence[BlockHeader]) -> None:
        with self._lookup_lock:
            for header in headers:
                index.add(header)
                if header.flags & FLAG_CHECKPOINT:
                    continue
                state = self._shards.get(header.shard)
                if state is None:
                    state = self._shards[header.shard] = ShardState(0)
                next_offset = header.first_offset + header.record_count
                state.take(index.base, header.first_offset, header.arrival_ms, next_offset)
                self._last_arrival_ms = header.arrival_ms

    # Reading

    def shard_range(self, shard: int) -> tuple[int, int]:
        """(first kept offset, next offset)."""
        state = self._shards.get(shard)
        return (state.first_offset, state.next_offset) if state else (0, 0)

    def last_arrival_ms(self, shard: int) -> int | None:
        """Arrival time of the shard's newest kept record."""
        state = self._shards.get(shard)
        return state.last_arrivals_ms[-1] if state and state.last_arrivals_ms else None

    def read(self, shard: int, offset: int, *, records_max: int, bytes_max: int) -> list[RecordRun]:
        """See RecordLog.read."""
        state = self._shards.get(shard)
        runs: list[RecordRun] = []
        if state is None:
            return runs
        end = state.next_offset
        while offset < end and records_max > 0 and bytes_max > 0:
            with self._lookup_lock:
                offset = max(offset, state.first_offset)  # retention may drop segments meanwhile
                if offset >= end:
                    break
                segment = self._segment(state.bases[bisect_right(state.first_offsets, offset) - 1])
            for run, size_bytes in self._read_segment(segment, shard, offset, end, records_max, bytes_max):
                if runs and size_bytes > bytes_max:
                    return runs
                runs.append(run)
                offset = run.first_offset + len(run.keys)
                records_max -= len(run.keys)
                bytes_max -= size_bytes
        return runs

    def _read_segment(
        self, segment: _OpenSegment, shard: int, offset: int, end: int, records_max: int, bytes_max: int
    ) -> Iterator[tuple[RecordRun, int]]:
        """Runs of one segment from `offset` on within the limits, each with its size in bytes."""
        last = min(end, segment.map.shards[shard].next_offset)
        start = segment.map.shards[shard].position_of_offset(offset)
        scanner = self._scanner(segment, bytes_max)
        for header in scanner.headers(start):
            if header.shard != shard or header.first_offset + header.record_count <= offset:
                continue
            view = PayloadView(header, self._plain_payload(scanner, header))
            run, size_bytes = view.run(max(0, offset - header.first_offset), records_max, bytes_max)
            yield run, size_bytes
            offset = run.first_offset + len(run.keys)
            records_max -= len(run.keys)
            bytes_max -= size_bytes
            if offset >= last or records_max <= 0 or bytes_max <= 0:
                return
            if offset < header.first_offset + header.record_count:
                return

    def find_time(self, shard: int, time_ms: int) -> int:
        """See RecordLog.find_time."""
        state = self._shards.get(shard)
        if state is None:
            return 0
        with self._lookup_lock:
            at = bisect_left(state.last_arrivals_ms, time_ms)
            if at >= len(state.bases):
                return state.next_offset
            segment = self._segment(state.bases[at])
        start = segment.map.shards[shard].position_of_time(time_ms)
        for header in self._scanner(segment, 0).headers(start):
            if header.shard == shard and header.arrival_ms >= time_ms:
                return header.first_offset
        return state.next_offset

    def _scanner(self, segment: _OpenSegment, bytes_max: int) -> BlockScanner:
        base = segment.map.base
        window_bytes = bytes_max + self._block_bytes // 4
        return BlockScanner(
            segment.file, self._path(segment_name(base)), base, segment.map.end, window_bytes=window_bytes
        )

    def _plain_payload(self, scanner: BlockScanner, header: BlockHeader) -> bytes:
        stored = scanner.payload(header)
        if payload_crc(stored) != header.payload_crc:
            base = self._bases[bisect_right(self._bases, header.position) - 1]
            path = self._path(segment_name(base))
            raise LogCorrupt(path, header.position - base, "the payload's checksum does not match")
        return open_payload(header, stored, self._cipher)

    def _segment(self, base: int) -> _OpenSegment:
        """The open segment at `base`: the active one, or a sealed one from a small cache. Holds the lookup lock."""
        active = self._active
        if active is None:
            raise LogStopped("this log is closed")
        if active.map.base == base:
            return active
        if (known := self._sealed.get(base)) is not None:
            self._sealed.move_to_end(base)
            return known
        end = self._bases[bisect_right(self._bases, base)]
        index = recover_sealed(self._disk, self._directory, base, end)
        opened = _OpenSegment(self._disk.open(self._path(segment_name(base)), read_only=True), index)
        self._remember(opened)
        return opened

    def _remember(self, segment: _OpenSegment) -> None:
        self._sealed[segment.map.base] = segment
        while len(self._sealed) > _OPEN_SEGMENTS_MAX:
            self._sealed.popitem(last=False)  # its file closes with its last reader

    # Retention and the end

    def trim(self, before_ms: int, now_ms: int) -> int:
        """Drop whole segments whose records all arrived before `before_ms`; returns the bytes freed.

        The active segment is rolled first if it, too, has only such records, or is older than its share of the
        retention period.
        """
        with self._write_lock:
            if self._stopped is not None:
                return 0
            self._remove_dropped()
            self._roll_age_ms = max(HOUR_MS, (now_ms - before_ms) // _ROLLS_A_RETENTION)
            active = self._active
            if active is not None and active.map.shards:
                expired = self._last_arrival_ms < before_ms
                if expired or now_ms - self._active_since_ms > self._roll_age_ms:
                    with suppress(LogFull):  # dropping segments is what makes room
                        self._roll(max(now_ms, self._last_arrival_ms))
            return self._drop_before(before_ms)

    def _drop_before(self, before_ms: int) -> int:
        freed = 0
        while len(self._bases) > 1 and self._newest_of_first_ms() < before_ms:
            freed += self._drop_first()
        return freed

    def _newest_of_first_ms(self) -> int:
        """The last arrival in the oldest segment; 0 if it has no records."""
        base = self._bases[0]
        states = (state for state in self._shards.values() if state.bases and state.bases[0] == base)
        return max((state.last_arrivals_ms[0] for state in states), default=0)

    def _drop_first(self) -> int:
        """Forget the oldest segment, then remove it: a reader who has found it has its file, too."""
        base, end = self._bases[0], self._bases[1]
        with self._lookup_lock:
            for state in self._shards.values():
                if state.bases and state.bases[0] == base:
                    state.drop_first()
            self._sealed.pop(base, None)
            del self._bases[0]
        self._dropped.append(base)
        self._remove_dropped()
        return end - base

    def _remove_dropped(self) -> None:
        """Remove what was dropped, each durably before the next: a start would take a gap between them for damage."""
        while self._dropped:
            self._remove_segment(self._dropped[0])
            del self._dropped[0]

    def _remove_segment(self, base: int) -> None:
        for name in (index_name(base), segment_name(base)):
            if self._disk.exists(self._path(name)):
                self._disk.remove(self._path(name))
        self._disk.sync_directory(self._directory)

    def close(self) -> None:
        """Keep the newest index, give back reserved space, and close. Only saves time: a crash costs a scan."""
        with self._write_lock:
            active = self._active
            if active is not None and self._stopped is None:
                with suppress(LogStopped):  # its records are on disk all the same
                    self._seal(active)
            self._stopped = "this log is closed"
            with self._lookup_lock:  # files close with their last readers
                self._active = None
                self._sealed.clear()
