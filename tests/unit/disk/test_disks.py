"""The port's contract, on every implementation; and what only the in-memory one can do: lose power."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest

from millstream.disk import Disk, DiskError, DiskFull, FaultyDisk, MemoryDisk, RealDisk
from millstream.disk.port import read_whole, write_atomically


@pytest.fixture(params=["real", "memory", "faulty"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    if request.param == "real":
        return RealDisk(tmp_path)
    return MemoryDisk() if request.param == "memory" else FaultyDisk(MemoryDisk(), lambda operation, path: None)


def test_writes_at_positions_read_back(disk: Disk) -> None:
    disk.make_directory("a/b")
    file = disk.open("a/b/f", create=True)
    file.write([b"hello ", b"world"], 0)
    file.write([b"W"], 6)
    file.sync()
    assert file.pread(100, 0) == b"hello World"
    assert file.pread(5, 6) == b"World"
    assert file.pread(5, 100) == b""


def test_more_buffers_than_one_writev_takes(disk: Disk) -> None:
    file = disk.open("f", create=True)
    file.write([b"%04d" % i for i in range(3000)], 0)
    assert file.size() == 12_000
    assert file.pread(4, 4 * 2999) == b"2999"


def test_allocate_grows_with_zeros_and_truncate_cuts(disk: Disk) -> None:
    file = disk.open("f", create=True)
    file.write([b"abc"], 0)
    file.allocate(8)
    assert file.pread(100, 0) == b"abc" + bytes(5)
    file.allocate(4)
    assert file.size() == 8
    file.truncate(2)
    assert file.pread(100, 0) == b"ab"


def test_names(disk: Disk) -> None:
    disk.make_directory("d")
    disk.open("d/one", create=True).close()
    disk.open("d/two", create=True).close()
    disk.rename("d/one", "d/three")
    assert disk.list("d") == ["three", "two"]
    assert disk.exists("d/three")
    disk.remove("d/two")
    disk.sync_directory("d")
    disk.remove_tree("d")
    assert disk.list("d") == []
    assert not disk.exists("d")
    disk.remove_tree("d")


def test_files_that_are_not_there_and_files_that_are(disk: Disk) -> None:
    with pytest.raises(DiskError, match="nothing"):
        disk.open("nothing")
    disk.open("f", create=True)
    with pytest.raises(DiskError, match="f: File exists"):
        disk.open("f", create=True)


def test_a_file_opened_for_reading_only(disk: Disk) -> None:
    disk.open("f", create=True).write([b"abc"], 0)
    file = disk.open("f", read_only=True)
    assert file.pread(3, 0) == b"abc"
    with pytest.raises(DiskError):
        file.write([b"x"], 0)
    with pytest.raises(DiskError):
        file.truncate(0)
    with pytest.raises(DiskError):
        file.allocate(9)
    assert read_whole(disk, "f") == b"abc"


def test_replacing_a_file_atomically(disk: Disk) -> None:
    disk.make_directory("d")
    write_atomically(disk, "d/f", b"one")
    write_atomically(disk, "d/f", b"two")
    assert read_whole(disk, "d/f") == b"two"
    assert disk.list("d") == ["f"]


def test_no_space_is_told_from_other_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = RealDisk(tmp_path).open("f", create=True)

    def fail(code: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fdatasync", lambda fd: fail(errno.ENOSPC))
    with pytest.raises(DiskFull, match="No space left"):
        file.sync()
    monkeypatch.setattr(os, "fdatasync", lambda fd: fail(errno.EIO))
    with pytest.raises(DiskError, match="Input/output error"):
        file.sync()


def test_a_crash_keeps_what_was_synced() -> None:
    for seed in range(50):
        disk = MemoryDisk()
        file = disk.open("f", create=True)
        file.write([b"x" * 2000], 0)
        file.sync()
        disk.sync_directory("")
        file.write([b"y" * 3000], 2000)
        after = read_whole(disk.crash_clone(random.Random(seed)), "f")
        assert after[:2000] == b"x" * 2000
        assert set(after[2000:]) <= set(b"y\0")


def test_a_crash_may_lose_or_tear_what_was_not() -> None:
    disk = MemoryDisk()
    file = disk.open("f", create=True)
    disk.sync_directory("")
    file.write([b"y" * 3000], 0)
    outcomes = {read_whole(disk.crash_clone(random.Random(seed)), "f") for seed in range(100)}
    assert b"" in outcomes
    assert b"y" * 3000 in outcomes
    assert any(b"y" in outcome and b"\0" in outcome for outcome in outcomes)


def test_a_crash_may_lose_a_name_that_was_not_synced() -> None:
    disk = MemoryDisk()
    disk.open("f", create=True).sync()
    assert {disk.crash_clone(random.Random(seed)).exists("f") for seed in range(50)} == {True, False}
    disk.sync_directory("")
    assert {disk.crash_clone(random.Random(seed)).exists("f") for seed in range(50)} == {True}


def test_a_faulty_disk_fails_as_told_and_leaves_half_a_write() -> None:
    failing: set[str] = set()
    disk = FaultyDisk(MemoryDisk(), lambda operation, path: DiskFull(path) if operation in failing else None)
    file = disk.open("f", create=True)
    failing.add("write")
    with pytest.raises(DiskFull):
        file.write([b"abcd"], 0)
    assert file.pread(10, 0) == b"ab"
