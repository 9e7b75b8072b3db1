"""The records of a turn, and where each came from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from millstream.analytics.engine.ports import Transformed, TransformRecord
from millstream.analytics.operators.frames import Times
from millstream.analytics.records.rows import Indexes
from millstream.analytics.records.texts import Records, from_list
from millstream.analytics.records.unpacking import unpack_blocks
from millstream.log import FollowedBlock


class Batch:
    """Records of blocks that follow each other, KPL's aggregates taken apart. What is said of each is by its index."""

    def __init__(self, blocks: Sequence[FollowedBlock]) -> None:
        self._blocks = [block for block in blocks if len(block.data)]
        unpacked = unpack_blocks(self._blocks)
        self.records: Records = unpacked.records
        self.failures: dict[int, str] = {}  # what a function gave nothing for, by index, and why it failed, if it did
        self._counts = np.array([len(block.data) for block in self._blocks], dtype=np.int64)
        self._source = unpacked.source
        self._inner_keys = unpacked.keys

    def arrivals_ms(self) -> Times:
        """When each arrived; never goes back."""
        return self._spread(lambda block: block.arrival_ms)

    def shards(self) -> Indexes:
        """The index of each one's shard."""
        return self._spread(lambda block: block.shard)

    def offsets(self) -> Indexes:
        """The offset of each in its shard."""
        starts = np.concatenate([[0], np.cumsum(self._counts)[:-1]]) if len(self._counts) else self._counts
        places = np.arange(int(self._counts.sum()), dtype=np.int64) - np.repeat(starts, self._counts)
        return self._by_record(np.repeat(self._of_blocks(lambda block: block.first_offset), self._counts) + places)

    def keys(self) -> list[bytes]:
        """The partition key of each."""
        outer = [key for block in self._blocks for key in block.keys.cut()]
        if self._source is None:
            return outer
        return [self._inner_keys.get(at, outer[source]) for at, source in enumerate(self._source.tolist())]

    def for_function(self) -> list[TransformRecord]:
        """The records as a preprocessing function takes them."""
        places = zip(self.shards().tolist(), self.offsets().tolist(), self.arrivals_ms().tolist(), strict=True)
        keyed = zip(self.keys(), places, strict=True)
        return [TransformRecord(self.records.record(at), key, *place) for at, (key, place) in enumerate(keyed)]

    def replace(self, results: Sequence[Transformed]) -> None:
        """Have each record be what a function made of it; one that was dropped or failed is empty, which is no row."""
        self.records = from_list([result.data or b"" for result in results])
        self.failures = {at: result.failure for at, result in enumerate(results) if result.data is None}

    def _spread(self, value: Callable[[FollowedBlock], int]) -> Indexes:
        return self._by_record(np.repeat(self._of_blocks(value), self._counts))

    def _of_blocks(self, value: Callable[[FollowedBlock], int]) -> Indexes:
        return np.array([value(block) for block in self._blocks], dtype=np.int64)

    def _by_record(self, values: Indexes) -> Indexes:
        return values if self._source is None else values[self._source]
