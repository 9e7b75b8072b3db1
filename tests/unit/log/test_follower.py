"""Following a log that is being written, trimmed and damaged."""

from __future__ import annotations

from typing import Any

import pytest

from millstream.disk import MemoryDisk, RealDisk
from millstream.log import Batch, LogCorrupt, LogFollower
from millstream.log.segment import segment_name
from millstream.log.store import LogStore

DIRECTORY = "streams/one"


def _store(disk: MemoryDisk | RealDisk, **options: Any) -> LogStore:
    disk.make_directory("streams")
    store = LogStore.open(disk, DIRECTORY, **options)
    store.share_end()
    return store


def _commit(store: LogStore, *data: bytes, shard: int = 0, now_ms: int = 1_000) -> None:
    store.commit([Batch(shard, [b"k"] * len(data), list(data))], now_ms)


def _drain(follower: LogFollower, position: int = 0, bytes_max: int = 1 << 20) -> tuple[list[bytes], int]:
    found: list[bytes] = []
    while blocks := follower.read(position, bytes_max=bytes_max):
        for block in blocks:
            assert block.start >= position
            found += block.data.cut()
            position = block.end
    return found, position


def test_nothing_is_read_before_the_writer_shares_its_end() -> None:
    disk = MemoryDisk()
    disk.make_directory("streams")
    store = LogStore.open(disk, DIRECTORY)
    _commit(store, b"one")
    follower = LogFollower(disk, DIRECTORY)
    assert follower.end() == 0
    assert follower.read(0, bytes_max=100) == []
    store.share_end()
    assert _drain(follower)[0] == [b"one"]


def test_records_of_all_shards_come_in_the_order_of_their_commits() -> None:
    disk = MemoryDisk()
    store = _store(disk)
    follower = LogFollower(disk, DIRECTORY)
    for number in range(9):
        _commit(store, b"%d" % number, shard=number % 3)
    assert _drain(follower) == ([b"%d" % number for number in range(9)], store.end_position())


def test_following_goes_on_over_segments_while_they_are_made() -> None:
    disk = MemoryDisk()
    store = _store(disk, segment_bytes=2_000, block_bytes=500)
    follower = LogFollower(disk, DIRECTORY)
    position = 0
    found: list[bytes] = []
    for number in range(60):
        _commit(store, b"%03d" % number * 50)
        if number % 7 == 0:
            more, position = _drain(follower, position, bytes_max=1)
            found += more
    more, position = _drain(follower, position)
    assert found + more == [b"%03d" % number * 50 for number in range(60)]
    assert len([name for name in disk.list(DIRECTORY) if name.endswith(".log")]) > 3


def test_what_retention_dropped_is_stepped_over() -> None:
    disk = MemoryDisk()
    store = _store(disk, segment_bytes=1_000)
    for number in range(20):
        _commit(store, b"%03d" % number * 100, now_ms=1_000 + number)
    store.trim(1_010, 2_000)
    found, _ = _drain(LogFollower(disk, DIRECTORY))
    assert 0 < len(found) < 20
    assert found == [b"%03d" % number * 100 for number in range(20 - len(found), 20)]


def test_damage_is_told_and_never_skipped() -> None:
    disk = MemoryDisk()
    store = _store(disk)
    _commit(store, b"a" * 100)
    start = store.end_position()
    _commit(store, b"b" * 100)
    disk.open(f"{DIRECTORY}/{segment_name(0)}").write([b"X"], start + 100)
    follower = LogFollower(disk, DIRECTORY)
    with pytest.raises(LogCorrupt, match="checksum"):
        _drain(follower)
    disk.open(f"{DIRECTORY}/{segment_name(0)}").write([b"X"], start)
    with pytest.raises(LogCorrupt, match="header"):
        follower.read(start, bytes_max=1)


def test_a_log_that_is_gone_has_no_more_records() -> None:
    disk = MemoryDisk()
    store = _store(disk)
    _commit(store, b"one")
    follower = LogFollower(disk, DIRECTORY)
    assert follower.end() > 0
    disk.remove_tree(DIRECTORY)
    assert follower.read(0, bytes_max=1) == []


def test_the_shared_end_is_seen_through_the_file_system(tmp_path: object) -> None:
    disk = RealDisk(str(tmp_path))
    store = _store(disk)
    follower = LogFollower(RealDisk(str(tmp_path)), DIRECTORY)
    _commit(store, b"one")
    assert follower.end() == store.end_position() > 0
    assert _drain(follower)[0] == [b"one"]
    _commit(store, b"two")
    assert _drain(follower)[0] == [b"one", b"two"]
    store.close()
    again = LogStore.open(RealDisk(str(tmp_path)), DIRECTORY)
    again.share_end()
    assert follower.end() == again.end_position()


def test_a_commit_under_way_holds_time_back() -> None:
    disk = MemoryDisk()
    disk.make_directory("streams")
    store = LogStore.open(disk, DIRECTORY)
    follower = LogFollower(disk, DIRECTORY)
    assert follower.settled_ms(5_000) == 5_000
    store.share_end()
    seen: list[int] = []
    write = store._write

    def watched(*arguments: Any) -> None:
        seen.append(follower.settled_ms(5_000))
        write(*arguments)

    store._write = watched  # type: ignore[method-assign,assignment]
    _commit(store, b"one", now_ms=4_000)
    assert set(seen) == {4_000}
    assert follower.settled_ms(5_000) == 5_000
