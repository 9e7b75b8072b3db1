"""The journal: what a function made of records, in order, durably, with how far the source was read.

It is a log of one shard. A record's key is a header: its arrival, the error output type if it is an error-output line,
and the partition keys that the function gave. The last record of every commit is a marker (its key starts with a byte
that no header starts with) which says where in the source the next records come from:

    commit = header | data, …, marker(position in the source; what of the chunk there is done: records, pieces)

A commit is whole or absent after a crash, so the newest marker and the records before it always belong together.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import msgspec

from millstream.base.errors import MillstreamError
from millstream.disk import Disk
from millstream.firehose.ports import Chunk
from millstream.log import Batch, BlockCipher
from millstream.log.follower import FollowedBlock, LogFollower
from millstream.log.store import LogStore

_MARKER = struct.Struct("<cQIII")
_MARKER_BYTE = b"\xc1"  # MessagePack never uses it

HEADER_BYTES_MAX = 65_535
"""What a log takes as a key: partition keys of a function that do not fit fail their record."""


class JournalError(MillstreamError):
    """The journal does not say where the source was read to."""


class Header(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a record beside its data."""

    arrival_ms: int  # in the source
    failure: str = ""
    partition_keys: dict[str, str] = {}


class Entry(NamedTuple):
    """A record in the journal."""

    header: bytes
    data: bytes


class SourcePoint(NamedTuple):
    """Where the source goes on: in the chunk at log position `position`, after `records` records and `pieces` pieces.

    The pieces are those that the next record was split into, in the way that `splitting` stands for: in any other way
    they mean nothing, and the record has to be done again.
    """

    position: int
    records: int = 0
    pieces: int = 0
    splitting: int = 0


_encode = msgspec.msgpack.Encoder().encode
decode_header = msgspec.msgpack.Decoder(Header).decode


def encode_header(arrival_ms: int, failure: str = "", partition_keys: dict[str, str] | None = None) -> bytes:
    """The key of a journal's record."""
    return _encode(Header(arrival_ms, failure, partition_keys or {}))


def commit_batch(entries: list[Entry], point: SourcePoint) -> Batch:
    """The batch that commits `entries` together with the point that the source goes on from."""
    keys = [entry.header for entry in entries]
    data = [entry.data for entry in entries]
    return Batch(0, [*keys, _MARKER.pack(_MARKER_BYTE, *point)], [*data, b""])


def source_point(journal: LogStore) -> SourcePoint | None:
    """Blocking. Where the source goes on, by the newest marker; None for a new journal. Raises JournalError."""
    first, following = journal.shard_range(0)
    if following == 0:
        return None
    runs = journal.read(0, following - 1, records_max=1, bytes_max=1) if first < following else []
    if not runs or not runs[-1].keys[-1].startswith(_MARKER_BYTE):
        raise JournalError("the journal of processed records does not end with a marker: its end was removed")
    return SourcePoint(*_MARKER.unpack(runs[-1].keys[-1])[1:])


class JournalSource:
    """A `RecordSource` over a journal. The chunks' keys are headers, their arrival is that of the oldest record."""

    def __init__(self, disk: Disk, directory: str, cipher: BlockCipher | None = None) -> None:
        self._follower = LogFollower(disk, directory, cipher)

    def end(self) -> int:
        """See RecordSource.end."""
        return self._follower.end()

    def read(self, position: int, *, bytes_max: int) -> list[Chunk]:
        """See RecordSource.read. A chunk may be without records: where a function dropped them all."""
        return [_chunk(block) for block in self._follower.read(position, bytes_max=bytes_max)]


def _chunk(block: FollowedBlock) -> Chunk:
    records = zip(block.keys.cut(), block.data.cut(), strict=True)
    kept = [(key, data) for key, data in records if not key.startswith(_MARKER_BYTE)]
    keys = [key for key, _ in kept]
    arrival_ms = min((decode_header(key).arrival_ms for key in set(keys)), default=block.arrival_ms)
    return Chunk(
        start=block.start,
        end=block.end,
        shard=block.shard,
        first_offset=block.first_offset,
        arrival_ms=arrival_ms,
        keys=keys,
        records=[data for _, data in kept],
    )
