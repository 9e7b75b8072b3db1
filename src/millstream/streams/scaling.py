"""How on-demand streams grow with their load.

AWS keeps the write capacity of an on-demand stream at twice the peak of the last 30 days. Here the same promise is kept
from measurement to measurement: when the load of a stream exceeds half of its capacity, its busiest shards are split,
so that capacity is at least twice the load again; at most all of them at once, which doubles it.
"""

from __future__ import annotations

import math

from millstream.base.clock import Clock
from millstream.streams.limits import WRITE_BYTES_PER_S, WRITE_RECORDS_PER_S
from millstream.streams.registry import StreamHandle

FIRST_SHARDS = 4
SHARDS_MAX = 10_000
HOT = 0.8  # load of one shard, as a share of its capacity, from which it is split whatever the others do


class LoadMeter:
    """Turns the running totals of shards into loads since the last look."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[float, dict[int, tuple[int, int]]]] = {}

    def loads(self, handle: StreamHandle) -> dict[int, float]:
        """Load of each open shard since the last look at this stream, as a share of a shard's write capacity.

        Empty at the first look.
        """
        now_s = self._clock.monotonic()
        totals = {}
        for shard in handle.stream.open_shards:
            limiter = handle.limits.of(shard.index)
            totals[shard.index] = (limiter.records_written, limiter.bytes_written)
        then_s, before = self._seen.get(handle.stream.stream_id, (now_s, {}))
        self._seen[handle.stream.stream_id] = (now_s, totals)
        elapsed_s = now_s - then_s
        if elapsed_s <= 0:
            return {}
        loads = {}
        for index, (records, size_bytes) in totals.items():
            records_before, bytes_before = before.get(index, (0, 0))
            records_share = (records - records_before) / (WRITE_RECORDS_PER_S * elapsed_s)
            bytes_share = (size_bytes - bytes_before) / (WRITE_BYTES_PER_S * elapsed_s)
            loads[index] = max(records_share, bytes_share)
        return loads

    def forget_all_but(self, stream_ids: set[str]) -> None:
        """Drop what was measured of streams that are gone."""
        for stream_id in self._seen.keys() - stream_ids:
            del self._seen[stream_id]


def shards_to_split(loads: dict[int, float]) -> set[int]:
    """The shards to split, given the load of each open one; empty while capacity is twice the load.

    A single hot shard is split too, however idle the others are: its records cannot go anywhere else.
    """
    room = min(len(loads), SHARDS_MAX - len(loads))
    missing = math.ceil(2 * sum(loads.values())) - len(loads)
    hot = sum(load > HOT for load in loads.values())
    busiest_first = sorted(loads, key=lambda index: loads[index], reverse=True)
    return set(busiest_first[: max(0, min(room, max(missing, hot)))])
