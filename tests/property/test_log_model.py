"""The log against a dict of lists: any commits, restarts and limits, and the same records come back."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.disk import MemoryDisk
from millstream.log import Batch
from millstream.log.index import SegmentIndex
from millstream.log.store import LogStore


class Stored(NamedTuple):
    key: bytes
    data: bytes
    arrival_ms: int


RECORDS = st.lists(st.tuples(st.binary(min_size=1, max_size=8), st.binary(max_size=80)), min_size=1, max_size=6)
COMMITS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 3), RECORDS), min_size=1, max_size=4),
        st.integers(0, 1_000),  # milliseconds since the commit before
        st.sampled_from(["go on", "restart", "close"]),
    ),
    min_size=1,
    max_size=25,
)


def read_all(store: LogStore, shard: int, records_max: int, bytes_max: int) -> list[Stored]:
    found: list[Stored] = []
    while runs := store.read(shard, len(found), records_max=records_max, bytes_max=bytes_max):
        assert sum(len(run.keys) for run in runs) <= records_max
        for run in runs:
            assert run.first_offset == len(found)
            found += [Stored(key, data, run.arrival_ms) for key, data in zip(run.keys, run.data, strict=True)]
    return found


@settings(max_examples=100, deadline=None)
@given(
    commits=COMMITS,
    segment_bytes=st.integers(200, 5_000),
    block_bytes=st.integers(20, 400),
    records_max=st.integers(1, 20),
    bytes_max=st.integers(1, 500),
)
def test_the_log_is_a_list_a_shard(
    commits: list[tuple[list[tuple[int, list[tuple[bytes, bytes]]]], int, str]],
    segment_bytes: int,
    block_bytes: int,
    records_max: int,
    bytes_max: int,
) -> None:
    disk = MemoryDisk()
    model: dict[int, list[Stored]] = defaultdict(list)
    now_ms = 1_000
    store = LogStore.open(disk, "log", segment_bytes=segment_bytes, block_bytes=block_bytes)
    for requests, passed_ms, then in commits:
        now_ms += passed_ms
        batches = [Batch(shard, [k for k, _ in records], [d for _, d in records]) for shard, records in requests]
        placements = store.commit(batches, now_ms)
        for (shard, records), placement in zip(requests, placements, strict=True):
            assert placement == (len(model[shard]), now_ms)
            model[shard] += [Stored(key, data, now_ms) for key, data in records]
        if then != "go on":
            if then == "close":
                store.close()
            store = LogStore.open(disk, "log", segment_bytes=segment_bytes, block_bytes=block_bytes)
    for shard, stored in model.items():
        assert store.shard_range(shard) == (0, len(stored))
        assert read_all(store, shard, records_max, bytes_max) == stored
        arrivals_ms = [record.arrival_ms for record in stored]
        for time_ms in {0, now_ms + 1, *arrivals_ms, *(arrival_ms + 1 for arrival_ms in arrivals_ms)}:
            assert store.find_time(shard, time_ms) == bisect_left(arrivals_ms, time_ms)


@given(st.binary(max_size=300))
def test_other_bytes_are_not_an_index(content: bytes) -> None:
    assert SegmentIndex.decode(0, content) is None
