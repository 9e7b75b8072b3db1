"""The index of a log stream: where in the log its events of a time are.

Events come in about the order of their times, but not quite: several writers share a log stream, and an agent that was
cut off sends late. So the offsets of a log stream are cut into *chunks*, and of each it is known which times it spans:

    offsets   0 ........ 310 ........ 640 ... 655 ......... 1010
    times     12:00-12:07 | 12:07-12:13 | 09:30 | 12:12-12:20 |

Puts join the last chunk until it is about `GRAIN_BYTES`; what comes much too late begins one of its own, so that the
others stay narrow. Where a log stream has got many chunks, neighbours are joined: the index has at most some thousand
of them, and then one of 32 bytes for each MiB of log. Nothing here is needed to know what was stored: what is not in
the index is in the log, from `next_offset` on.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from millstream.base.units import KIB, MIB, MINUTE_MS
from millstream.logs.events import EVENT_OVERHEAD_BYTES

GRAIN_BYTES = 16 * KIB
GRAIN_BYTES_MAX = MIB
CHUNKS_MAX = 2048  # from here on neighbours are joined
LATE_MS = MINUTE_MS


class Chunk(NamedTuple):
    """Consecutive events of a log stream; `from_ms` and `to_ms` are the earliest and the latest time among them."""

    shard: int
    first_offset: int
    events: int
    from_ms: int
    to_ms: int
    size_bytes: int


class IndexImage(msgspec.Struct, array_like=True):
    """A saved index."""

    next_offset: int
    last_arrival_ms: int
    grain_bytes: int
    offsets: bytes
    froms_ms: bytes
    tos_ms: bytes
    sizes_bytes: bytes


class StreamIndex:
    """The chunks of one log stream, in the order of their offsets. To be used from one thread at a time.

    `first_ms` and `last_ms` are the earliest and the latest time of the events that are kept; None without any.
    """

    __slots__ = (
        "_chunks_max",
        "_froms_ms",
        "_grain_bytes",
        "_offsets",
        "_shard",
        "_sizes_bytes",
        "_tos_ms",
        "first_ms",
        "last_arrival_ms",
        "last_ms",
        "next_offset",
        "stored_bytes",
    )

    def __init__(self, shard: int) -> None:
        self.next_offset = 0
        self.last_arrival_ms: int | None = None
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self.stored_bytes = 0
        """Bytes of the events, as CloudWatch Logs counts them."""
        self._shard = shard
        self._grain_bytes = GRAIN_BYTES
        self._chunks_max = CHUNKS_MAX
        self._offsets = array("Q")
        self._froms_ms = array("q")
        self._tos_ms = array("q")
        self._sizes_bytes = array("Q")

    def note(self, first_offset: int, times_ms: Sequence[int], message_bytes: int, arrival_ms: int) -> None:
        """Take note of events that were stored from `first_offset` on; what is noted already is passed over."""
        if first_offset < self.next_offset or not times_ms:
            return
        from_ms, to_ms = min(times_ms), max(times_ms)
        size_bytes = message_bytes + EVENT_OVERHEAD_BYTES * len(times_ms)
        if self._joins(from_ms, size_bytes):
            self._widen(from_ms, to_ms, size_bytes)
        else:
            self._append(first_offset, from_ms, to_ms, size_bytes)
            if len(self._offsets) >= self._chunks_max:
                self._coarsen()
        self.next_offset = first_offset + len(times_ms)
        self.last_arrival_ms = arrival_ms
        self.stored_bytes += size_bytes
        self.first_ms = from_ms if self.first_ms is None else min(self.first_ms, from_ms)
        self.last_ms = to_ms if self.last_ms is None else max(self.last_ms, to_ms)

    def chunks(self, start_ms: int, end_ms: int) -> Iterator[Chunk]:
        """The chunks that may have events from `start_ms` on and before `end_ms`, in the order of offsets."""
        columns = zip(self._offsets, self._ends(), self._froms_ms, self._tos_ms, self._sizes_bytes, strict=True)
        for offset, end, from_ms, to_ms, size_bytes in columns:
            if from_ms < end_ms and to_ms >= start_ms:
                yield Chunk(self._shard, offset, end - offset, from_ms, to_ms, size_bytes)

    def drop(self, oldest_ms: int, first_offset: int) -> bool:
        """Forget the oldest chunks that only have events before `oldest_ms`, or before `first_offset`; whether any."""
        dropped = 0
        for end, to_ms in zip(self._ends(), self._tos_ms, strict=True):
            if to_ms >= oldest_ms and end > first_offset:
                break
            dropped += 1
        if dropped:
            for column in (self._offsets, self._froms_ms, self._tos_ms, self._sizes_bytes):
                del column[:dropped]
            self._sum_up()
        return dropped > 0

    def image(self) -> bytes:
        """The index, to be saved."""
        columns = (self._offsets, self._froms_ms, self._tos_ms, self._sizes_bytes)
        contents = (column.tobytes() for column in columns)
        return msgspec.msgpack.encode(
            IndexImage(self.next_offset, self.last_arrival_ms or 0, self._grain_bytes, *contents)
        )

    @classmethod
    def from_image(cls, shard: int, content: bytes) -> StreamIndex:
        """The index in an image. Raises ValueError if it is none."""
        image = msgspec.msgpack.decode(content, type=IndexImage)
        index = cls(shard)
        index.next_offset = image.next_offset
        index.last_arrival_ms = image.last_arrival_ms or None
        index._grain_bytes = image.grain_bytes
        index._offsets = array("Q", image.offsets)
        index._froms_ms = array("q", image.froms_ms)
        index._tos_ms = array("q", image.tos_ms)
        index._sizes_bytes = array("Q", image.sizes_bytes)
        if len({len(index._offsets), len(index._froms_ms), len(index._tos_ms), len(index._sizes_bytes)}) > 1:
            raise ValueError("columns of a saved index have different lengths")
        index._chunks_max = max(CHUNKS_MAX, 2 * len(index._offsets))
        index._sum_up()
        return index

    def _ends(self) -> list[int]:
        """Where each chunk ends, which is where the next one begins."""
        return [*self._offsets[1:], self.next_offset] if self._offsets else []

    def _joins(self, from_ms: int, size_bytes: int) -> bool:
        """Whether events from `from_ms` on become a part of the last chunk."""
        if not self._offsets or self._sizes_bytes[-1] + size_bytes > GRAIN_BYTES:
            return False
        return from_ms >= self._tos_ms[-1] - LATE_MS

    def _append(self, first_offset: int, from_ms: int, to_ms: int, size_bytes: int) -> None:
        self._offsets.append(first_offset)
        self._froms_ms.append(from_ms)
        self._tos_ms.append(to_ms)
        self._sizes_bytes.append(size_bytes)

    def _coarsen(self) -> None:
        """Join neighbours that together are not larger than the grain, which doubles; the last chunk stays."""
        self._grain_bytes = min(2 * self._grain_bytes, GRAIN_BYTES_MAX)
        columns = list(zip(self._offsets, self._froms_ms, self._tos_ms, self._sizes_bytes, strict=True))
        for column in (self._offsets, self._froms_ms, self._tos_ms, self._sizes_bytes):
            del column[:]
        for offset, from_ms, to_ms, size_bytes in columns[:-1]:
            if self._offsets and self._sizes_bytes[-1] + size_bytes <= self._grain_bytes:
                self._widen(from_ms, to_ms, size_bytes)
            else:
                self._append(offset, from_ms, to_ms, size_bytes)
        self._append(*columns[-1])
        self._chunks_max = max(CHUNKS_MAX, 2 * len(self._offsets))

    def _widen(self, from_ms: int, to_ms: int, size_bytes: int) -> None:
        """Have the last chunk take more events."""
        self._froms_ms[-1] = min(self._froms_ms[-1], from_ms)
        self._tos_ms[-1] = max(self._tos_ms[-1], to_ms)
        self._sizes_bytes[-1] += size_bytes

    def _sum_up(self) -> None:
        self.stored_bytes = sum(self._sizes_bytes)
        self.first_ms = min(self._froms_ms, default=None)
        self.last_ms = max(self._tos_ms, default=None)
