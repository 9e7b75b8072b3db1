"""The segments of one log, from the oldest that is kept to the one that is written to, and the way to each.

    removed ◄─ dropped │ sealed ─ sealed ─ … ─ sealed ─ active ◄─ commits
                         └───────── among the bases ─────────┘

What holds between any two calls
- A segment ends where the next one begins: `_bases` ascends without gaps, and the last of them is the active one's.
- A shard's state names a segment only if that is among `_bases`, and a segment goes from both under one lock.
- A file and an index are in memory for the active segment and a few sealed ones, the last used; for every other one
  there are 24 bytes a shard. Whoever has found a segment may go on reading it when it is dropped or leaves the cache:
  its file closes with its last reader.
- Nothing is found in a segment before it is synced: `publish` comes after the sync, and a shard's `next_offset` last.

Who may call what
- One thread at a time changes the log; `LogStore` sees to it with its write lock, which is taken before the lookup
  lock, never after it. Only that thread touches `_dropped`, and it reads all but `_sealed` without a lock.
- `holding_offset` and `holding_time` are for any thread. The lookup lock guards their way from a shard's offset to an
  open segment: `_bases`, `_sealed`, the columns of the shards' states, and every change of `active` after the start.
  It is held while a sealed segment is opened (its index file is read, or without one all of it): commits wait, too.
- Without a lock any thread may look at `active`, `shards`, a shard's `next_offset`, the first and the last entry of its
  columns, and the index of a segment that it has found: each grows so that what is there leads to what is there.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from millstream.disk import Disk, File
from millstream.log.frame import FLAG_CHECKPOINT, BlockHeader
from millstream.log.index import SegmentIndex
from millstream.log.port import LogStopped
from millstream.log.recovery import recover_last, recover_sealed, segment_bases
from millstream.log.segment import index_name, segment_name
from millstream.log.shards import ShardState

_OPEN_SEGMENTS_MAX = 8


@dataclass(frozen=True, slots=True, eq=False)
class OpenSegment:
    """A segment that can be read. The active one's index grows with each commit, a sealed one's no longer changes."""

    path: str
    file: File
    index: SegmentIndex


class Segments:
    """The segments in `directory` of `disk`. Empty until `recover`; every method may raise DiskError."""

    def __init__(self, disk: Disk, directory: str) -> None:
        self._disk = disk
        self._directory = directory
        self.shards: dict[int, ShardState] = {}
        self.active: OpenSegment | None = None
        self.active_since_ms = 0
        self.last_commit = 0
        self.last_arrival_ms = 0  # never goes back
        self._bases: list[int] = []
        self._dropped: list[int] = []  # bases of segments that are forgotten but still to be removed, oldest first
        self._sealed: OrderedDict[int, OpenSegment] = OrderedDict()
        self._lookup_lock = threading.Lock()

    def path(self, name: str) -> str:
        """The path of a file of the log."""
        return f"{self._directory}/{name}"

    # At the start

    def recover(self) -> None:
        """Take in what is in the directory. Raises LogCorrupt."""
        bases = segment_bases(self._disk, self._directory)
        last = None
        while bases and last is None:
            index = recover_last(self._disk, self._directory, bases[-1])
            if index.end > index.base:
                last = index
            else:  # a crash while it was made: the one before it is the newest
                self._remove(bases.pop())
        for base, following in pairwise(bases):
            self._adopt(recover_sealed(self._disk, self._directory, base, following))
        if last is not None:
            self._adopt(last)
            path = self.path(segment_name(last.base))
            self.active = OpenSegment(path, self._disk.open(path), last)

    def _adopt(self, index: SegmentIndex) -> None:
        for number, next_offset in index.next_offsets.items():
            state = self.shards.setdefault(number, ShardState(next_offset))
            state.next_offset = max(state.next_offset, next_offset)
        for number, shard in index.shards.items():
            self.shards[number].take(index.base, shard.first_offset, shard.last_arrival_ms, shard.next_offset)
        self._bases.append(index.base)
        self.last_commit = max(self.last_commit, index.last_commit)
        self.last_arrival_ms = max(self.last_arrival_ms, index.last_arrival_ms)
        self.active_since_ms = min((s.arrivals_ms[0] for s in index.shards.values()), default=0)

    # Growing

    def next_offset(self, shard: int) -> int:
        """The offset of the next record of a shard."""
        state = self.shards.get(shard)
        return state.next_offset if state else 0

    def publish(self, index: SegmentIndex, commit: int, headers: Sequence[BlockHeader]) -> None:
        """Let readers find the blocks of a commit, which is synced, in the segment of `index`."""
        self.last_commit = commit
        with self._lookup_lock:
            for header in headers:
                index.add(header)
                if header.flags & FLAG_CHECKPOINT:
                    continue
                state = self.shards.get(header.shard)
                if state is None:
                    state = self.shards[header.shard] = ShardState(0)
                next_offset = header.first_offset + header.record_count
                state.take(index.base, header.first_offset, header.arrival_ms, next_offset)
                self.last_arrival_ms = header.arrival_ms

    def activate(self, segment: OpenSegment, arrival_ms: int) -> None:
        """From now on `segment`, whose checkpoint is durable, is the active one; the one before it joins the sealed."""
        with self._lookup_lock:
            previous = self.active
            self._bases.append(segment.index.base)
            self.active = segment
            if previous is not None:
                self._remember(previous)
        self.active_since_ms = arrival_ms

    # Finding

    def holding_offset(self, state: ShardState, offset: int, end: int) -> tuple[OpenSegment, int] | None:
        """The segment to read a shard's `offset` in, and the offset, or the first one kept if retention has passed it.

        None if that is `end` or after it. Raises LogStopped, LogCorrupt.
        """
        with self._lookup_lock:
            offset = max(offset, state.first_offset)
            if offset >= end:
                return None
            return self._open(state.bases[bisect_right(state.first_offsets, offset) - 1]), offset

    def holding_time(self, state: ShardState, time_ms: int) -> tuple[OpenSegment | None, int]:
        """The segment of a shard's first record that arrived at or after `time_ms`, None if there is no such record.

        And the shard's next offset at that moment: a commit just after it may have such a record. Raises LogStopped,
        LogCorrupt.
        """
        with self._lookup_lock:
            at = bisect_left(state.last_arrivals_ms, time_ms)
            segment = self._open(state.bases[at]) if at < len(state.bases) else None
            return segment, state.next_offset

    def _open(self, base: int) -> OpenSegment:
        """The segment at `base`: the active one, or a sealed one by the cache. The lookup lock is held."""
        active = self.active
        if active is None:
            raise LogStopped("this log is closed")
        if active.index.base == base:
            return active
        if (known := self._sealed.get(base)) is not None:
            self._sealed.move_to_end(base)
            return known
        end = self._bases[bisect_right(self._bases, base)]
        index = recover_sealed(self._disk, self._directory, base, end)
        path = self.path(segment_name(base))
        opened = OpenSegment(path, self._disk.open(path, read_only=True), index)
        self._remember(opened)
        return opened

    def _remember(self, segment: OpenSegment) -> None:
        self._sealed[segment.index.base] = segment
        while len(self._sealed) > _OPEN_SEGMENTS_MAX:
            self._sealed.popitem(last=False)

    # Dropping

    def drop_before(self, before_ms: int) -> int:
        """Drop sealed segments whose records all arrived before `before_ms`; returns the bytes freed."""
        freed = 0
        while len(self._bases) > 1 and self._newest_of_first_ms() < before_ms:
            freed += self._drop_first()
        return freed

    def drop_up_to(self, position: int) -> int:
        """Drop sealed segments that end at or before `position`; returns the bytes freed."""
        freed = 0
        while len(self._bases) > 1 and self._bases[1] <= position:
            freed += self._drop_first()
        return freed

    def _newest_of_first_ms(self) -> int:
        """The last arrival in the oldest segment; 0 if it has no records."""
        base = self._bases[0]
        states = (state for state in self.shards.values() if state.bases and state.bases[0] == base)
        return max((state.last_arrivals_ms[0] for state in states), default=0)

    def _drop_first(self) -> int:
        """Forget the oldest segment, then remove it: a reader who has found it has its file, too."""
        base, end = self._bases[0], self._bases[1]
        with self._lookup_lock:
            for state in self.shards.values():
                if state.bases and state.bases[0] == base:
                    state.drop_first()
            self._sealed.pop(base, None)
            del self._bases[0]
        self._dropped.append(base)
        self.remove_dropped()
        return end - base

    def remove_dropped(self) -> None:
        """Remove what was dropped, each durably before the next: a start would take a gap between them for damage.

        Where the disk fails, the rest stays to be removed by the next call.
        """
        while self._dropped:
            self._remove(self._dropped[0])
            del self._dropped[0]

    def _remove(self, base: int) -> None:
        for name in (index_name(base), segment_name(base)):
            if self._disk.exists(self.path(name)):
                self._disk.remove(self.path(name))
        self._disk.sync_directory(self._directory)

    def close(self) -> None:
        """From now on nothing is found; files close with their last readers."""
        with self._lookup_lock:
            self.active = None
            self._sealed.clear()
