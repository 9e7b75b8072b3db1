"""The sparse index of one segment: for each shard, where to start reading for an offset or a time.

An entry (first offset, arrival, position) is kept for a block only if the shard's previous entry is at least
`ENTRY_SPACING_BYTES` behind it, so a segment holds at most segment size / spacing entries a shard, however small its
blocks. Beside a segment the index is kept as `<segment>.index`:

    crc32c of the rest u32 | MessagePack of IndexImage

It says what a scan of the segment's first `covered_bytes` would find. It is never needed: a missing, short or damaged
one costs a scan.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left, bisect_right

import google_crc32c
import msgspec

from millstream.base.units import KIB
from millstream.log.frame import FLAG_CHECKPOINT, BlockHeader

ENTRY_SPACING_BYTES = 64 * KIB

_CRC = struct.Struct("<I")


class ShardIndex(msgspec.Struct):
    """One shard in one segment. The three arrays are columns of the sparse entries, in order."""

    first_offset: int
    next_offset: int
    last_arrival_ms: int
    offsets: array[int]
    arrivals_ms: array[int]
    positions: array[int]

    def position_of_offset(self, offset: int) -> int:
        """A position at or before the block that holds `offset`, which must be in this segment."""
        return self.positions[max(0, bisect_right(self.offsets, offset) - 1)]

    def position_of_time(self, time_ms: int) -> int:
        """A position at or before the first block that arrived at or after `time_ms`."""
        return self.positions[max(0, bisect_left(self.arrivals_ms, time_ms) - 1)]


class _ShardImage(msgspec.Struct, array_like=True):
    first_offset: int
    next_offset: int
    last_arrival_ms: int
    offsets: bytes
    arrivals_ms: bytes
    positions: bytes


class IndexImage(msgspec.Struct, array_like=True):
    """What an index file holds."""

    covered_bytes: int
    last_commit: int
    last_arrival_ms: int
    next_offsets: dict[int, int]
    shards: dict[int, _ShardImage]


_DECODER = msgspec.msgpack.Decoder(IndexImage)


class SegmentIndex:
    """All shards of one segment, and how far the segment reaches.

    `end` is the log position after the last whole commit; `next_offsets` are those of the segment's checkpoint, brought
    up to `end`.
    """

    def __init__(self, base: int) -> None:
        self.base = base
        self.end = base
        self.last_commit = 0
        self.last_arrival_ms = 0
        self.next_offsets: dict[int, int] = {}
        self.shards: dict[int, ShardIndex] = {}

    def add(self, header: BlockHeader) -> None:
        """Take a block of a whole commit, in log order."""
        if not header.flags & FLAG_CHECKPOINT:
            self._add_records(header)
        self.end = header.end
        self.last_commit = header.commit
        self.last_arrival_ms = header.arrival_ms

    def _add_records(self, header: BlockHeader) -> None:
        shard = self.shards.get(header.shard)
        if shard is None:
            shard = ShardIndex(header.first_offset, 0, 0, array("Q"), array("Q"), array("Q"))
            self.shards[header.shard] = shard
        if not shard.positions or header.position - shard.positions[-1] >= ENTRY_SPACING_BYTES:
            shard.positions.append(header.position)
            shard.arrivals_ms.append(header.arrival_ms)
            shard.offsets.append(header.first_offset)
        shard.last_arrival_ms = header.arrival_ms
        shard.next_offset = header.first_offset + header.record_count
        self.next_offsets[header.shard] = shard.next_offset

    def encode(self) -> bytes:
        """The content of the index file."""
        shards = {
            number: _ShardImage(
                shard.first_offset,
                shard.next_offset,
                shard.last_arrival_ms,
                shard.offsets.tobytes(),
                shard.arrivals_ms.tobytes(),
                shard.positions.tobytes(),
            )
            for number, shard in self.shards.items()
        }
        image = IndexImage(self.end - self.base, self.last_commit, self.last_arrival_ms, self.next_offsets, shards)
        body = msgspec.msgpack.encode(image)
        return _CRC.pack(google_crc32c.value(body)) + body

    @classmethod
    def decode(cls, base: int, content: bytes) -> SegmentIndex | None:
        """The index in an index file's content; None if it is damaged."""
        if len(content) < _CRC.size or _CRC.unpack_from(content)[0] != google_crc32c.value(content[_CRC.size :]):
            return None
        try:
            image = _DECODER.decode(content[_CRC.size :])
        except msgspec.DecodeError:
            return None
        index = cls(base)
        index.end = base + image.covered_bytes
        index.last_commit = image.last_commit
        index.last_arrival_ms = image.last_arrival_ms
        index.next_offsets = image.next_offsets
        index.shards = {
            number: ShardIndex(
                shard.first_offset,
                shard.next_offset,
                shard.last_arrival_ms,
                array("Q", shard.offsets),
                array("Q", shard.arrivals_ms),
                array("Q", shard.positions),
            )
            for number, shard in image.shards.items()
        }
        return index
