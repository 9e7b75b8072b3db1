"""The log over an in-memory disk: commits, reads, time, retention, restarts, damage."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from millstream.base.units import HOUR_MS
from millstream.disk import DiskError, DiskFull, FaultyDisk, MemoryDisk, RealDisk
from millstream.log import Batch, LogCorrupt, LogFull, LogStopped
from millstream.log.check import check_directory
from millstream.log.store import LogStore

DIRECTORY = "log"


def records(count: int, size_bytes: int = 10, start: int = 0) -> tuple[list[bytes], list[bytes]]:
    keys = [b"key-%d" % i for i in range(start, start + count)]
    return keys, [b"%0*d" % (size_bytes, i) for i in range(start, start + count)]


def put(store: LogStore, shard: int, count: int, now_ms: int, size_bytes: int = 10) -> int:
    """Append `count` records whose data is their offset; the first offset."""
    _, start = store.shard_range(shard)
    return store.commit([Batch(shard, *records(count, size_bytes, start))], now_ms)[0].first_offset


def offsets_read(
    store: LogStore, shard: int, offset: int = 0, records_max: int = 10_000, bytes_max: int = 10**7
) -> list[int]:
    runs = store.read(shard, offset, records_max=records_max, bytes_max=bytes_max)
    for run in runs:
        assert [int(data) for data in run.data] == list(range(run.first_offset, run.first_offset + len(run.data)))
    return [offset for run in runs for offset in range(run.first_offset, run.first_offset + len(run.keys))]


def segments(disk: MemoryDisk) -> list[str]:
    return [name for name in disk.list(DIRECTORY) if name.endswith(".log")]


def damage(disk: MemoryDisk, name: str, position: int) -> None:
    file = disk.open(f"{DIRECTORY}/{name}")
    byte = file.pread(1, position)
    file.write([bytes([byte[0] ^ 0xFF])], position)
    file.sync()


@pytest.fixture
def disk() -> MemoryDisk:
    return MemoryDisk()


@pytest.fixture
def store(disk: MemoryDisk) -> LogStore:
    return LogStore.open(disk, DIRECTORY)


class TestCommitAndRead:
    def test_offsets_are_dense_per_shard(self, store: LogStore) -> None:
        batches = [Batch(0, *records(3)), Batch(1, *records(2)), Batch(0, *records(2, start=3))]
        assert [p.first_offset for p in store.commit(batches, 1)] == [0, 0, 3]
        assert store.shard_range(0) == (0, 5)
        assert store.shard_range(1) == (0, 2)
        assert offsets_read(store, 0) == [0, 1, 2, 3, 4]

    def test_a_shard_never_written_is_empty(self, store: LogStore) -> None:
        assert store.shard_range(7) == (0, 0)
        assert store.read(7, 0, records_max=10, bytes_max=10) == []
        assert store.find_time(7, 0) == 0
        assert store.last_arrival_ms(7) is None

    def test_reading_from_the_middle_within_limits(self, store: LogStore) -> None:
        for i in range(10):
            put(store, 0, 7, i)
        assert offsets_read(store, 0, offset=16, records_max=9) == list(range(16, 25))
        assert offsets_read(store, 0, offset=69) == [69]
        assert offsets_read(store, 0, offset=70) == []

    def test_the_byte_limit_counts_keys_and_gives_at_least_one_record(self, store: LogStore) -> None:
        put(store, 0, 20, 1, size_bytes=100)
        assert len(offsets_read(store, 0, bytes_max=1)) == 1
        assert len(offsets_read(store, 0, bytes_max=105 * 3)) == 3
        assert len(offsets_read(store, 0, bytes_max=105 * 3 - 1)) in {1, 2}

    def test_large_batches_are_cut_into_blocks(self, disk: MemoryDisk) -> None:
        store = LogStore.open(disk, DIRECTORY, block_bytes=1000)
        put(store, 0, 100, 1, size_bytes=99)
        assert len(store.read(0, 0, records_max=1000, bytes_max=10**6)) == 10
        assert offsets_read(store, 0) == list(range(100))

    def test_arrival_times_never_go_back(self, store: LogStore) -> None:
        put(store, 0, 1, 1000)
        put(store, 0, 1, 500)
        assert [run.arrival_ms for run in store.read(0, 0, records_max=9, bytes_max=999)] == [1000, 1000]

    def test_explicit_hash_keys_do_not_disturb_the_records(self, store: LogStore) -> None:
        keys, data = records(3)
        store.commit([Batch(0, keys, data, [b"", b"h" * 16, b""]), Batch(0, *records(2, start=3))], 1)
        assert offsets_read(store, 0) == [0, 1, 2, 3, 4]
        assert store.read(0, 1, records_max=1, bytes_max=99)[0].keys == [b"key-1"]

    def test_reads_run_across_segments(self, disk: MemoryDisk) -> None:
        store = LogStore.open(disk, DIRECTORY, segment_bytes=2000)
        for i in range(40):
            put(store, i % 2, 5, i, size_bytes=30)
        assert len(segments(disk)) > 3
        assert offsets_read(store, 0) == offsets_read(store, 1) == list(range(100))


class TestTime:
    def test_finds_the_first_record_at_or_after_a_time(self, disk: MemoryDisk) -> None:
        store = LogStore.open(disk, DIRECTORY, segment_bytes=3000)
        for i in range(100):
            put(store, 0, 2, 1000 + 10 * i)
            put(store, 1, 1, 1000 + 10 * i)
        assert store.find_time(0, 0) == 0
        assert store.find_time(0, 1000) == 0
        assert store.find_time(0, 1001) == 2
        assert store.find_time(0, 1500) == 100
        assert store.find_time(1, 1495) == 50
        assert store.find_time(0, 1990) == 198
        assert store.find_time(0, 1991) == 200


class TestMemory:
    def test_many_small_commits_cost_few_index_entries(self, disk: MemoryDisk) -> None:
        store = LogStore.open(disk, DIRECTORY)
        for i in range(5_000):
            put(store, 0, 1, i)
        assert store._segments.active is not None
        used_bytes = store._segments.active.index.end
        assert len(store._segments.active.index.shards[0].positions) <= used_bytes // 65_536 + 1

    def test_few_sealed_segments_stay_open(self, disk: MemoryDisk) -> None:
        store = LogStore.open(disk, DIRECTORY, segment_bytes=300)
        for i in range(100):
            put(store, 0, 1, i, size_bytes=90)
        assert offsets_read(store, 0) == list(range(100))
        assert len(segments(disk)) > 30
        assert len(store._segments._sealed) <= 8


class TestRetention:
    def test_drops_whole_segments_only(self, disk: MemoryDisk) -> None:
        store = LogStore.open(disk, DIRECTORY, segment_bytes=1000)
        for i in range(50):
            put(store, 0, 1, i * 10, size_bytes=90)
        before = len(segments(disk))
        freed = store.trim(250, 500)
        first, end = store.shard_range(0)
        assert freed > 0
        assert 0 < first <= 25
        assert end == 50
        assert len(segments(disk)) < before
        assert offsets_read(store, 0) == list(range(first, 50))

    def test_an_expired_shard_goes_on_where_it_stood_also_after_a_restart(self, disk: MemoryDisk) -> None:
        store = LogStore.open(disk, DIRECTORY)
        put(store, 0, 3, 1)
        put(store, 1, 3, 2)
        store.trim(10 * HOUR_MS, 20 * HOUR_MS)
        assert store.shard_range(0) == (3, 3)
        for i in range(3):
            put(store, 1, 1, 20 * HOUR_MS)
            store.trim(30 * HOUR_MS * (i + 1), 40 * HOUR_MS * (i + 1))
        store = LogStore.open(disk, DIRECTORY)
        assert store.shard_range(0) == (3, 3)
        assert put(store, 0, 1, 0) == 3

    def test_an_old_segment_is_rolled_so_that_it_can_expire(self, disk: MemoryDisk) -> None:
        store = LogStore.open(disk, DIRECTORY)
        put(store, 0, 1, 0)
        put(store, 0, 1, 2 * HOUR_MS)
        assert len(segments(disk)) == 2

    def test_nothing_young_is_dropped(self, store: LogStore) -> None:
        put(store, 0, 5, 1000)
        assert store.trim(1000, 2000) == 0
        assert store.shard_range(0) == (0, 5)


class TestRestart:
    @pytest.mark.parametrize("clean", [True, False])
    def test_everything_is_there_again(self, disk: MemoryDisk, clean: bool) -> None:
        store = LogStore.open(disk, DIRECTORY, segment_bytes=2000)
        for i in range(60):
            put(store, i % 3, 2, i, size_bytes=40)
        if clean:
            store.close()
        again = LogStore.open(disk, DIRECTORY, segment_bytes=2000)
        for shard in range(3):
            assert offsets_read(again, shard) == list(range(40))
            assert again.last_arrival_ms(shard) == 57 + shard
        assert put(again, 0, 1, 0) == 40

    def test_a_damaged_index_only_costs_a_scan(self, disk: MemoryDisk) -> None:
        store = LogStore.open(disk, DIRECTORY, segment_bytes=1000)
        for i in range(30):
            put(store, 0, 1, i, size_bytes=90)
        for name in disk.list(DIRECTORY):
            if name.endswith(".index"):
                damage(disk, name, 20)
        again = LogStore.open(disk, DIRECTORY, segment_bytes=1000)
        assert offsets_read(again, 0) == list(range(30))

    def test_a_closed_log_holds_no_file(self, tmp_path: Path) -> None:
        def open_files() -> list[str]:
            links = Path("/proc/self/fd").iterdir()
            return [name for link in links if str(tmp_path) in (name := os.path.realpath(link))]

        store = LogStore.open(RealDisk(tmp_path), DIRECTORY, segment_bytes=1000)
        for i in range(30):
            put(store, 0, 1, i, size_bytes=90)
        assert len(open_files()) > 1
        store.close()
        assert open_files() == []
        with pytest.raises(LogStopped, match="closed"):
            offsets_read(store, 0)

    def test_a_closed_log_takes_no_more(self, store: LogStore) -> None:
        put(store, 0, 1, 0)
        store.close()
        with pytest.raises(LogStopped, match="closed"):
            put(store, 0, 1, 0)


class TestDamage:
    def test_a_torn_tail_is_cut_and_written_over(self, disk: MemoryDisk) -> None:
        store = LogStore.open(disk, DIRECTORY)
        put(store, 0, 5, 1)
        assert store._segments.active is not None
        end = store._segments.active.index.end
        put(store, 0, 5, 2)
        damage(disk, segments(disk)[0], end + 70)
        again = LogStore.open(disk, DIRECTORY)
        assert again.shard_range(0) == (0, 5)
        assert put(again, 0, 1, 3) == 5

    def test_a_bad_block_before_acknowledged_ones_refuses_to_open(self, disk: MemoryDisk) -> None:
        store = LogStore.open(disk, DIRECTORY)
        put(store, 0, 5, 1)
        assert store._segments.active is not None
        bad = store._segments.active.index.end
        for i in range(3):
            put(store, 0, 5, 2 + i)
        damage(disk, segments(disk)[0], bad + 70)
        with pytest.raises(LogCorrupt, match=rf"{segments(disk)[0]}: corrupt block at byte {bad}: acknowledged"):
            LogStore.open(disk, DIRECTORY)
        [report] = check_directory(disk, DIRECTORY)
        assert (report.problem_at, report.problem) == (bad, "the payload's checksum does not match")

    def test_a_bad_block_in_a_sealed_segment_is_named_when_it_is_read(self, disk: MemoryDisk) -> None:
        store = LogStore.open(disk, DIRECTORY, segment_bytes=1000)
        for i in range(30):
            put(store, 0, 1, i, size_bytes=90)
        damage(disk, segments(disk)[1], 300)
        again = LogStore.open(disk, DIRECTORY, segment_bytes=1000)
        with pytest.raises(LogCorrupt, match=segments(disk)[1]):
            offsets_read(again, 0)
        problems = [report for report in check_directory(disk, DIRECTORY) if report.problem]
        assert [problem.path for problem in problems] == [f"{DIRECTORY}/{segments(disk)[1]}"]

    def test_damage_in_a_segment_dropped_meanwhile_is_reported_where_it_is(self, disk: MemoryDisk) -> None:
        damaged = f"{DIRECTORY}/{0:020d}.log"

        def drop_it(operation: str, path: str) -> None:
            if operation == "pread" and path == damaged:
                log.trim(HOUR_MS, HOUR_MS)

        log = LogStore.open(FaultyDisk(disk, drop_it), DIRECTORY, segment_bytes=1000)
        for i in range(30):
            put(log, 0, 1, i, size_bytes=90)
        damage(disk, segments(disk)[0], log._segments._sealed[0].index.shards[0].positions[0] + 70)
        with pytest.raises(LogCorrupt, match=f"{damaged}: corrupt block"):
            offsets_read(log, 0)
        assert not disk.exists(damaged)

    def test_a_missing_segment_is_corruption(self, disk: MemoryDisk) -> None:
        store = LogStore.open(disk, DIRECTORY, segment_bytes=1000)
        for i in range(30):
            put(store, 0, 1, i, size_bytes=90)
        disk.remove(f"{DIRECTORY}/{segments(disk)[1]}")
        with pytest.raises(LogCorrupt, match="not intact"):
            LogStore.open(disk, DIRECTORY, segment_bytes=1000)


class TestFaults:
    def test_a_full_disk_refuses_and_recovers(self, disk: MemoryDisk) -> None:
        failing: set[str] = set()
        faulty = FaultyDisk(disk, lambda operation, path: DiskFull(path) if operation in failing else None)
        store = LogStore.open(faulty, DIRECTORY, segment_bytes=1000)
        put(store, 0, 3, 1)
        for operation in ("write", "allocate", "create"):
            failing.add(operation)
            with pytest.raises(LogFull, match="the disk is full"):
                put(store, 0, 30, 2, size_bytes=50)
            assert offsets_read(store, 0) == [0, 1, 2]
            failing.clear()
        assert put(store, 0, 1, 3) == 3
        assert offsets_read(LogStore.open(disk, DIRECTORY, segment_bytes=1000), 0) == [0, 1, 2, 3]

    @pytest.mark.parametrize("operation", ["sync", "write"])
    def test_a_failed_sync_or_write_stops_the_writes_and_nothing_shows(self, disk: MemoryDisk, operation: str) -> None:
        failing: set[str] = set()
        faulty = FaultyDisk(disk, lambda op, path: DiskError(path) if op in failing else None)
        store = LogStore.open(faulty, DIRECTORY)
        put(store, 0, 3, 1)
        failing.add(operation)
        with pytest.raises(LogStopped, match="failed"):
            put(store, 0, 1, 2)
        failing.clear()
        with pytest.raises(LogStopped, match="started again"):
            put(store, 0, 1, 2)
        assert offsets_read(store, 0) == [0, 1, 2]
        again = LogStore.open(disk, DIRECTORY)
        assert put(again, 0, 1, 3) == 3

    def test_a_segment_that_cannot_be_removed_leaves_no_gap(self, disk: MemoryDisk) -> None:
        failing = [DiskError("Device or resource busy")]
        faulty = FaultyDisk(disk, lambda op, path: failing[0] if failing and op == "remove" else None)
        store = LogStore.open(faulty, DIRECTORY, segment_bytes=1000)
        for i in range(50):
            put(store, 0, 1, i * 10, size_bytes=90)
        before = segments(disk)
        with pytest.raises(DiskError, match="busy"):
            store.trim(250, 500)
        with pytest.raises(DiskError, match="busy"):
            store.trim(400, 500)
        assert offsets_read(LogStore.open(disk, DIRECTORY, segment_bytes=1000), 0) == list(range(50))
        failing.clear()
        assert store.trim(400, 500) > 0
        first, end = store.shard_range(0)
        assert offsets_read(store, 0) == list(range(first, end))
        again = LogStore.open(disk, DIRECTORY, segment_bytes=1000)
        assert again.shard_range(0) == (first, end)
        assert len(segments(disk)) < len(before) - 2

    def test_a_segment_whose_removal_cannot_be_synced_goes_before_any_other(self, disk: MemoryDisk) -> None:
        failing: set[str] = set()
        faulty = FaultyDisk(disk, lambda op, path: DiskError(path) if op in failing else None)
        store = LogStore.open(faulty, DIRECTORY, segment_bytes=1000)
        for i in range(50):
            put(store, 0, 1, i * 10, size_bytes=90)
        failing.add("sync_directory")
        for before_ms in (250, 400):
            with pytest.raises(DiskError):
                store.trim(before_ms, 500)
        for seed in range(20):
            again = LogStore.open(disk.crash_clone(random.Random(seed)), DIRECTORY, segment_bytes=1000)
            assert again.shard_range(0)[1] == 50

    @pytest.mark.parametrize("error", [DiskError, DiskFull])
    def test_an_index_that_cannot_be_kept_stops_nothing(self, disk: MemoryDisk, error: type[DiskError]) -> None:
        faulty = FaultyDisk(disk, lambda op, path: error(path) if op == "create" and ".index" in path else None)
        store = LogStore.open(faulty, DIRECTORY, segment_bytes=1000)
        for i in range(30):
            put(store, 0, 1, i, size_bytes=90)
        assert offsets_read(store, 0) == list(range(30))
        store.close()
        assert not [name for name in disk.list(DIRECTORY) if ".index" in name]
        assert offsets_read(LogStore.open(disk, DIRECTORY, segment_bytes=1000), 0) == list(range(30))

    def test_an_index_that_cannot_be_read_only_costs_a_scan(self, disk: MemoryDisk) -> None:
        store = LogStore.open(disk, DIRECTORY, segment_bytes=1000)
        for i in range(30):
            put(store, 0, 1, i, size_bytes=90)
        store.close()
        failing: set[str] = set()
        faulty = FaultyDisk(disk, lambda op, path: DiskError(path) if op in failing and ".index" in path else None)
        for operation in ("open", "pread"):
            failing.add(operation)
            assert offsets_read(LogStore.open(faulty, DIRECTORY, segment_bytes=1000), 0) == list(range(30))
            failing.clear()

    def test_closing_on_a_failing_disk_closes(self, disk: MemoryDisk) -> None:
        failing: set[str] = set()
        faulty = FaultyDisk(disk, lambda op, path: DiskError(path) if op in failing else None)
        store = LogStore.open(faulty, DIRECTORY)
        put(store, 0, 3, 1)
        failing.update({"sync", "truncate", "create"})
        store.close()
        with pytest.raises(LogStopped, match="closed"):
            put(store, 0, 1, 2)
        assert offsets_read(LogStore.open(disk, DIRECTORY), 0) == [0, 1, 2]

    def test_a_segment_that_cannot_be_made_refuses_only_this_commit(self, disk: MemoryDisk) -> None:
        failing: set[str] = set()
        faulty = FaultyDisk(disk, lambda op, path: DiskError("Too many open files") if op in failing else None)
        store = LogStore.open(faulty, DIRECTORY, segment_bytes=1000)
        put(store, 0, 5, 1, size_bytes=100)
        failing.add("create")
        with pytest.raises(DiskError, match="Too many open files"):
            put(store, 0, 5, 2, size_bytes=100)
        failing.clear()
        assert put(store, 0, 5, 3, size_bytes=100) == 5
        assert offsets_read(LogStore.open(disk, DIRECTORY, segment_bytes=1000), 0) == list(range(10))
