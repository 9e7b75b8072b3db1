"""Throttling as AWS does it: token buckets a shard, for writes, reads and iterators.

A bucket holds one second's worth. What is larger than that (a record of up to 10 MiB, a reply of up to 10 MiB) is let
through and leaves a debt, so that the average over time stays at the limit: this is how AWS describes large records.
Source: Kinesis developer guide, "Quotas and limits" and "Handle large records".
"""

from __future__ import annotations

from collections.abc import Iterable

from millstream.base.clock import Clock
from millstream.base.tokens import TokenBucket
from millstream.base.units import MIB

WRITE_RECORDS_PER_S = 1_000
WRITE_BYTES_PER_S = 1 * MIB
READ_CALLS_PER_S = 5
READ_BYTES_PER_S = 2 * MIB
ITERATORS_PER_S = 5


class ShardLimiter:
    """The limits of one shard, and what was ever written to it (the load that on-demand streams scale by)."""

    __slots__ = (
        "_calls",
        "_clock",
        "_iterators",
        "_read_bytes",
        "_records",
        "_write_bytes",
        "bytes_written",
        "records_written",
    )

    def __init__(self, clock: Clock) -> None:
        now_s = clock.monotonic()
        self._clock = clock
        self._records = TokenBucket(WRITE_RECORDS_PER_S, now_s)
        self._write_bytes = TokenBucket(WRITE_BYTES_PER_S, now_s)
        self._calls = TokenBucket(READ_CALLS_PER_S, now_s)
        self._read_bytes = TokenBucket(READ_BYTES_PER_S, now_s)
        self._iterators = TokenBucket(ITERATORS_PER_S, now_s)
        self.records_written = 0
        self.bytes_written = 0

    def admit(self, count: int, size_bytes: int) -> bool:
        """Whether `count` records of `size_bytes` together (data and keys) fit; takes them if so, nothing if not."""
        now_s = self._clock.monotonic()
        records, write_bytes = self._records, self._write_bytes
        records.refill(now_s)
        write_bytes.refill(now_s)
        if records.level < count or write_bytes.level < size_bytes:
            return False
        records.level -= count
        write_bytes.level -= size_bytes
        return True

    def admit_each(self, sizes_bytes: Iterable[int]) -> list[bool]:
        """Decide record by record, in order: a large one that is refused does not stop a small one behind it."""
        now_s = self._clock.monotonic()
        self._records.refill(now_s)
        admitted = []
        for size_bytes in sizes_bytes:
            fits = self._records.level >= 1 and self._write_bytes.take(size_bytes, now_s)
            self._records.level -= fits
            admitted.append(fits)
        return admitted

    def count_written(self, count: int, size_bytes: int) -> None:
        """Account for records that were stored."""
        self.records_written += count
        self.bytes_written += size_bytes

    def admit_read(self) -> bool:
        """Whether a GetRecords call may be made now."""
        now_s = self._clock.monotonic()
        self._read_bytes.refill(now_s)
        return self._read_bytes.level >= 0 and self._calls.take(1, now_s)

    def charge_read(self, size_bytes: int) -> None:
        """Account for a reply; one above a second's worth empties the bucket first, so that 10 MiB block 5 s."""
        bucket = self._read_bytes
        bucket.refill(self._clock.monotonic())
        bucket.level = -size_bytes if size_bytes > READ_BYTES_PER_S else bucket.level - size_bytes

    def admit_iterator(self) -> bool:
        """Whether a GetShardIterator call may be made now."""
        return self._iterators.take(1, self._clock.monotonic())


class StreamLimits:
    """The limiters of a stream's shards. `enabled` False: nothing is refused, load is still counted."""

    def __init__(self, clock: Clock, enabled: bool) -> None:
        self.enabled = enabled
        self._clock = clock
        self._by_shard: dict[int, ShardLimiter] = {}

    def of(self, shard: int) -> ShardLimiter:
        """The limiter of a shard by its index, made on first use with full buckets."""
        limiter = self._by_shard.get(shard)
        if limiter is None:
            limiter = self._by_shard[shard] = ShardLimiter(self._clock)
        return limiter
