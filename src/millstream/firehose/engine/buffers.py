"""Buffers: the records of each lane until they are due, and the parcels that they become.

A buffer takes records in memory up to a share of what all buffers of the process may use together; beyond that they
are spooled. So memory grows neither with the sizes of buffers nor with how many there are.
"""

from __future__ import annotations

import threading
from array import array
from collections import deque
from collections.abc import Iterator

from millstream.base.units import KIB, MIB
from millstream.disk import DiskFull
from millstream.firehose.configuration import BufferingHints
from millstream.firehose.engine.spool import Extent, Spool
from millstream.firehose.ports import Chunk, Lane, Records
from millstream.log import Packed

_SHARE_BYTES_MIN = 16 * KIB
_SHARE_BYTES_MAX = 8 * MIB
_PIECE_BYTES_MIN = 64 * KIB  # smaller ones are put together: each costs whoever takes it some


class Memory:
    """What all buffers of a process, delivered or not, may keep in memory together: `total_bytes`, in equal shares.

    A share shrinks as buffers come, and what older ones keep is theirs until they are delivered: once all is used up,
    new ones have little. Used by all threads; buffers go away when garbage is collected, also while the lock is held.
    """

    def __init__(self, total_bytes: int = 128 * MIB) -> None:
        self._total_bytes = total_bytes
        self._buffers: list[None] = []  # as many as there are buffers: appending and popping are atomic
        self._lock = threading.Lock()
        self._kept_bytes = 0
        self._let_go = deque[int]()

    def enter(self) -> None:
        """There is one buffer more."""
        self._buffers.append(None)

    def leave(self, kept_bytes: int) -> None:
        """A buffer is gone, which kept so much."""
        self._buffers.pop()
        self._let_go.append(kept_bytes)

    def keep(self, size_bytes: int) -> None:
        """A buffer keeps so much more, or less."""
        with self._lock:
            while self._let_go:
                size_bytes -= self._let_go.popleft()
            self._kept_bytes += size_bytes

    @property
    def share_bytes(self) -> int:
        """What one buffer may keep in memory now."""
        if self._kept_bytes >= self._total_bytes:
            return _SHARE_BYTES_MIN
        return max(_SHARE_BYTES_MIN, min(_SHARE_BYTES_MAX, self._total_bytes // max(1, len(self._buffers))))


class Buffer:
    """Records of one lane, from log position `start` on, in the order of the log; once cut, a `ports.Parcel`."""

    def __init__(
        self, lane: Lane, start: int, opened_s: float, spool: Spool, memory: Memory, parcel_id: str = ""
    ) -> None:
        self._memory = memory
        memory.enter()
        self.lane = lane
        self.start = start
        self.end = start
        self.opened_s = opened_s
        self.parcel_id = parcel_id
        self.key = ""
        self.record_count = 0
        self.size_bytes = 0
        self.first_arrival_ms = 0
        self.last_arrival_ms = 0
        self._spool = spool
        self._extents: list[tuple[Extent, Extent]] = []  # records, and their sizes
        self._tail: list[bytes] = []
        self._tail_bytes = 0
        self._sizes = array("I")

    def __del__(self) -> None:
        self._memory.leave(self._tail_bytes)

    def add(self, records: Records, chunk: Chunk) -> None:
        """Blocking. Take records that `chunk` became.

        Raises DiskError if what is in memory cannot be spooled; it is in the buffer all the same.
        """
        if not self.record_count:
            self.first_arrival_ms = chunk.arrival_ms
        self.first_arrival_ms = min(self.first_arrival_ms, chunk.arrival_ms)
        self.last_arrival_ms = max(self.last_arrival_ms, chunk.arrival_ms)
        if isinstance(records, Packed):
            piece = records.content
            self._sizes.extend(records.sizes)
        else:
            piece = records[0] if len(records) == 1 else b"".join(records)
            self._sizes.extend(map(len, records))
        self._tail.append(piece)
        self._tail_bytes += len(piece)
        self._memory.keep(len(piece))
        self.record_count += len(records)
        self.size_bytes += len(piece)
        self.end = chunk.end
        if self._tail_bytes >= self._memory.share_bytes:
            self._extents.append((self._spool.append(self._tail), self._spool.append([self._sizes.tobytes()])))
            self._memory.keep(-self._tail_bytes)
            self._tail, self._tail_bytes, self._sizes = [], 0, array("I")

    def pieces(self) -> Iterator[bytes]:
        """See ports.Parcel."""
        for extent, _ in self._extents:
            yield extent.read()
        if self._tail_bytes >= len(self._tail) * _PIECE_BYTES_MIN:
            yield from self._tail
        else:
            yield b"".join(self._tail)

    def record_lists(self) -> Iterator[list[bytes]]:
        """See ports.Parcel."""
        for extent, sizes in self._extents:
            yield from _lists(extent.read(), array("I", sizes.read()))
        if self._tail:
            yield from _lists(b"".join(self._tail), self._sizes)


def _lists(content: bytes, sizes: array[int]) -> Iterator[list[bytes]]:
    """The records of `content`, in lists of about a MiB."""
    records = Packed(content, 0, sizes).cut()
    step = max(1, len(records) * MIB // max(1, len(content)))
    for at in range(0, len(records), step):
        yield records[at : at + step]


class Buffers:
    """The open buffers of one delivery, a lane each."""

    def __init__(self, hints: BufferingHints, failure_hints: BufferingHints, spool: Spool, memory: Memory) -> None:
        self._hints = hints
        self._failure_hints = failure_hints
        self._spool = spool
        self._memory = memory
        self._open: dict[Lane, Buffer] = {}
        self._full: set[Lane] = set()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def any_full(self) -> bool:
        """Whether a buffer has reached its size."""
        return bool(self._full)

    @property
    def partition_count(self) -> int:
        """How many partitions have a buffer."""
        return sum(1 for lane in self._open if not lane.failure)

    @property
    def starts(self) -> Iterator[int]:
        """Where in the log each buffer starts."""
        return (buffer.start for buffer in self._open.values())

    @property
    def oldest_arrival_ms(self) -> int | None:
        """The arrival of the oldest record that is buffered."""
        return min((buffer.first_arrival_ms for buffer in self._open.values()), default=None)

    def add(self, lane: Lane, records: Records, chunk: Chunk, now_s: float) -> None:
        """Blocking. Buffer records of a chunk. Raises DiskError."""
        buffer = self._open.get(lane)
        if buffer is None:
            buffer = self._open[lane] = Buffer(lane, chunk.start, now_s, self._spool, self._memory)
        try:
            buffer.add(records, chunk)
        except DiskFull:
            self._full.add(lane)  # delivered before its time, from memory, it makes room
        if buffer.size_bytes >= self._hints_of(lane).size_bytes:
            self._full.add(lane)

    def _hints_of(self, lane: Lane) -> BufferingHints:
        return self._failure_hints if lane.failure else self._hints

    def _due_s(self, buffer: Buffer) -> float:
        return buffer.opened_s + self._hints_of(buffer.lane).interval_s

    def next_due_s(self) -> float | None:
        """When (on the monotonic clock) the next buffer will be due by its age; None if there is none."""
        return min(map(self._due_s, self._open.values()), default=None)

    def cut_due(self, now_s: float, end: int) -> list[Buffer]:
        """Take out the buffers that are due by size or age; they reach to `end`, up to where the log was read."""
        due = [lane for lane, buffer in self._open.items() if lane in self._full or self._due_s(buffer) <= now_s]
        return [self._cut(lane, end) for lane in due]

    def cut_all(self, end: int) -> list[Buffer]:
        """Take out all buffers, due or not."""
        return [self._cut(lane, end) for lane in list(self._open)]

    def cut_largest(self, end: int) -> Buffer:
        """Take out the largest buffer before its time, to make room."""
        return self._cut(max(self._open, key=lambda lane: self._open[lane].size_bytes), end)

    def _cut(self, lane: Lane, end: int) -> Buffer:
        buffer = self._open.pop(lane)
        self._full.discard(lane)
        buffer.end = end
        if not self._open:
            self._spool.rest()
        return buffer
