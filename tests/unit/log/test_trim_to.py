"""Trimming by position: for logs whose records are kept until somebody is done with them."""

from __future__ import annotations

import pytest

from millstream.base.units import HOUR_MS, MIB
from millstream.disk import FaultyDisk, MemoryDisk
from millstream.disk.port import DiskError, DiskFull
from millstream.log import Batch
from millstream.log.check import check_directory
from millstream.log.store import LogStore

DIRECTORY = "log"


def put(store: LogStore, size_bytes: int, now_ms: int = 1_000) -> int:
    """Append a record; the position after it."""
    store.commit([Batch(0, [b"k"], [bytes(size_bytes)])], now_ms)
    return store.end_position()


def segments(disk: MemoryDisk) -> list[str]:
    return [name for name in disk.list(DIRECTORY) if name.endswith(".log")]


@pytest.fixture
def disk() -> MemoryDisk:
    return MemoryDisk()


def test_only_whole_segments_below_the_position_go(disk: MemoryDisk) -> None:
    store = LogStore.open(disk, DIRECTORY, segment_bytes=2_000)
    ends = [put(store, 1_000) for _ in range(5)]
    assert len(segments(disk)) == 5
    assert store.trim_to(ends[1] - 1) > 0
    assert store.shard_range(0) == (1, 5)
    assert store.trim_to(ends[1]) > 0
    assert store.shard_range(0) == (2, 5)
    assert store.trim_to(ends[1]) == 0
    assert store.trim_to(ends[4]) > 0
    assert store.shard_range(0) == (4, 5)  # the active segment is too small to be worth it
    assert len(segments(disk)) == 1


def test_records_of_any_age_are_kept(disk: MemoryDisk) -> None:
    store = LogStore.open(disk, DIRECTORY, segment_bytes=2_000)
    for hour in range(5):
        put(store, 1_000, 1_000 + hour * 1_000 * HOUR_MS)
    assert store.trim_to(0) == 0
    assert store.shard_range(0) == (0, 5)


def test_a_large_active_segment_goes_when_all_of_it_is_done_with(disk: MemoryDisk) -> None:
    store = LogStore.open(disk, DIRECTORY)
    end = put(store, 5 * MIB)
    assert store.trim_to(end - 1) == 0
    assert store.trim_to(end) > 5 * MIB
    assert store.shard_range(0) == (1, 1)
    assert store.end_position() == end  # a reader who was done still is
    assert store.trim_to(end) == 0
    assert len(segments(disk)) == 1
    put(store, 10)
    assert store.shard_range(0) == (1, 2)
    reopened = LogStore.open(disk, DIRECTORY)
    assert reopened.shard_range(0) == (1, 2)
    assert all(report.problem is None for report in check_directory(disk, DIRECTORY))


def test_the_end_stays_where_it_was_over_a_restart_without_records(disk: MemoryDisk) -> None:
    store = LogStore.open(disk, DIRECTORY)
    end = put(store, 5 * MIB)
    store.trim_to(end)
    assert LogStore.open(disk, DIRECTORY).end_position() == end


def test_on_a_full_disk_what_can_go_goes(disk: MemoryDisk) -> None:
    full = False

    def decide(operation: str, path: str) -> DiskError | None:
        return DiskFull(path) if full and operation in {"allocate", "write", "create"} else None

    store = LogStore.open(FaultyDisk(disk, decide), DIRECTORY, segment_bytes=5 * MIB)
    put(store, 4 * MIB)
    end = put(store, 4 * MIB + 1)
    full = True
    assert store.trim_to(end) > 4 * MIB
    assert store.shard_range(0) == (1, 2)
    full = False
    assert store.trim_to(end) > 4 * MIB
    assert store.shard_range(0) == (2, 2)


def test_a_full_disk_is_no_reason_to_keep_a_segment_that_may_go(disk: MemoryDisk) -> None:
    """It keeps the space that the next one takes: else all that fills a disk would be there for ever."""
    full = False

    def decide(operation: str, path: str) -> DiskError | None:
        nonlocal full
        if operation == "truncate":
            full = False
        return DiskFull(path) if full and operation in {"allocate", "write", "create"} else None

    store = LogStore.open(FaultyDisk(disk, decide), DIRECTORY)
    end = put(store, 5 * MIB)
    full = True
    assert store.trim_to(end) > 5 * MIB
    put(store, 10)
    assert LogStore.open(disk, DIRECTORY).shard_range(0) == (1, 2)
