"""Lots: records gathered for one request, until no more fit. No input or output.

`add` says whether a record fitted; the lot that said no is to be sent. With `is_ordered` a request holds nothing twice
of one partition key, unless packed into one record: the service may take any part of a request and refuse the rest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from millstream.base.hashkeys import hash_key
from millstream.base.units import KIB
from millstream.client.puts import DeliveryEntry, Entry, PutTarget, StreamEntry
from millstream.client.shards import Shard
from millstream.wire.aggregation import Packer

AGGREGATE_BYTES_MAX = 50 * KIB  # as the KPL has it: small enough to come through a shard that is nearly full


class Lot(Protocol):
    """Records for one request."""

    def add(self, key: str, data: bytes) -> bool:
        """Take a record, if it fits. One that is too large for any request must not be offered."""
        ...

    def entries(self) -> list[Entry]:
        """What is to be put."""
        ...


class PlainLot:
    """Every record for itself."""

    def __init__(self, target: PutTarget, *, is_ordered: bool) -> None:
        self._target = target
        self._keys: set[str] | None = set() if is_ordered else None
        self._size_bytes = 0
        self._entries: list[Entry] = []
        self._has_keys = target.operation == "PutRecords"

    def add(self, key: str, data: bytes) -> bool:
        """Take a record, if it fits."""
        size_bytes = self._size_bytes + len(data) + len(key.encode())
        if len(self._entries) >= self._target.records_max or size_bytes > self._target.bytes_max:
            return False
        if self._keys is not None:
            if key in self._keys:
                return False
            self._keys.add(key)
        self._size_bytes = size_bytes
        self._entries.append(StreamEntry(data, key) if self._has_keys else DeliveryEntry(data))
        return True

    def entries(self) -> list[Entry]:
        """What is to be put."""
        return self._entries


class HashRanges:
    """The open shards' hash key ranges, as they were when shards were listed."""

    def __init__(self, shards: Iterable[Shard]) -> None:
        self.starts = sorted(shard.hash_key_min for shard in shards if shard.is_open) or [0]

    def find(self, key: str) -> int:
        """The start of the range that a partition key belongs to."""
        return self.starts[bisect_right(self.starts, hash_key(key.encode())) - 1]


class _Pack(NamedTuple):
    first_key: str  # the packed record's partition key, too
    first_data: bytes
    packer: Packer


class AggregateLot:
    """Records packed together by the shard that their keys belong to; each packed record is put into that shard.

    The shards are those that `ranges` knows. If they have changed since, a packed record still goes to one shard and
    the records in it say that they belong there: readers that check drop nothing. One that would be packed alone is put
    as it is.
    """

    def __init__(self, target: PutTarget, ranges: HashRanges, *, is_ordered: bool) -> None:
        self._target = target
        self._ranges = ranges
        self._is_ordered = is_ordered
        self._open: dict[int, _Pack] = {}
        self._entries: list[Entry] = []
        self._entries_left = target.records_max
        self._bytes_left = target.bytes_max

    def add(self, key: str, data: bytes) -> bool:
        """Take a record, if it fits."""
        start = self._ranges.find(key)
        name = key.encode()
        pack = self._open.get(start)
        size_bytes = pack.packer.size_with(name, data) if pack is not None else 0
        if pack is not None and size_bytes <= AGGREGATE_BYTES_MAX:
            grows = size_bytes - pack.packer.size_bytes
            if grows > self._bytes_left:
                return False
        else:
            fresh = _Pack(key, data, Packer(str(start)))
            grows = fresh.packer.size_with(name, data) + len(name)
            if not self._entries_left or grows > self._bytes_left or (pack is not None and self._is_ordered):
                return False
            self._close(start)
            pack = self._open[start] = fresh
            self._entries_left -= 1
        self._bytes_left -= grows
        pack.packer.add(name, data)
        return True

    def entries(self) -> list[Entry]:
        """What is to be put. Nothing may be added afterwards."""
        for start in list(self._open):
            self._close(start)
        return self._entries

    def _close(self, start: int) -> None:
        pack = self._open.pop(start, None)
        if pack is not None:
            data = pack.packer.pack() if len(pack.packer) > 1 else pack.first_data
            self._entries.append(StreamEntry(data, pack.first_key, str(start)))
