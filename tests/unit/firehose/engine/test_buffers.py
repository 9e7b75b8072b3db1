"""Buffers: when they are due, what a parcel holds, how little of it is in memory."""

from __future__ import annotations

import gc
import random
from array import array
from pathlib import Path

import pytest

from millstream.base.units import MIB
from millstream.disk import DiskError
from millstream.firehose.configuration import BufferingHints
from millstream.firehose.engine.buffers import Buffer, Buffers, Memory
from millstream.firehose.engine.spool import Spool
from millstream.firehose.ports import MAIN, Chunk, Lane
from millstream.log import Packed


def _chunk(start: int, records: list[bytes], arrival_ms: int = 1_000) -> Chunk:
    return Chunk(start, start + 100, 0, 0, arrival_ms, [b"k"] * len(records), records)


def _buffers(spool: Spool, size_mib: float = 1, interval_s: int = 60) -> Buffers:
    hints = BufferingHints(size_mib, interval_s)
    return Buffers(hints, BufferingHints(1, 300), spool, Memory())


def _add(buffers: Buffers, lane: Lane, records: list[bytes], start: int = 0, now_s: float = 0) -> None:
    buffers.add(lane, records, _chunk(start, records), now_s)


def test_a_buffer_is_due_at_its_size(tmp_path: Path) -> None:
    buffers = _buffers(Spool(tmp_path))
    _add(buffers, MAIN, [b"x" * (MIB - 1)])
    assert not buffers.any_full
    assert buffers.cut_due(now_s=1, end=100) == []
    _add(buffers, MAIN, [b"x"], start=100)
    assert buffers.any_full
    (parcel,) = buffers.cut_due(now_s=1, end=200)
    assert (parcel.start, parcel.end, parcel.record_count, parcel.size_bytes) == (0, 200, 2, MIB)
    assert len(buffers) == 0


def test_a_buffer_is_due_at_its_age_though_nothing_more_comes(tmp_path: Path) -> None:
    buffers = _buffers(Spool(tmp_path), interval_s=60)
    _add(buffers, MAIN, [b"x"], now_s=10)
    assert buffers.next_due_s() == 70
    assert buffers.cut_due(now_s=69.9, end=100) == []
    assert len(buffers.cut_due(now_s=70, end=100)) == 1
    assert buffers.next_due_s() is None


def test_an_interval_of_zero_delivers_at_once(tmp_path: Path) -> None:
    buffers = _buffers(Spool(tmp_path), interval_s=0)
    _add(buffers, MAIN, [b"x"], now_s=10)
    assert len(buffers.cut_due(now_s=10, end=100)) == 1


def test_each_lane_is_due_by_itself(tmp_path: Path) -> None:
    buffers = _buffers(Spool(tmp_path))
    lanes = [Lane("", (("query:p", name),)) for name in "ab"]
    _add(buffers, lanes[0], [b"x"], start=0, now_s=0)
    _add(buffers, lanes[1], [b"y"], start=100, now_s=30)
    assert [parcel.lane for parcel in buffers.cut_due(now_s=60, end=200)] == [lanes[0]]
    assert list(buffers.starts) == [100]


def test_a_parcel_holds_its_records_however_they_were_spooled(tmp_path: Path) -> None:
    generator = random.Random(1)
    records = [generator.randbytes(generator.choice([0, 1, 700, 30_000])) for _ in range(500)]
    spool = Spool(tmp_path)
    buffer = Buffer(MAIN, 0, 0, spool, Memory(50_000))
    for at in range(0, 500, 7):
        buffer.add(records[at : at + 7], _chunk(at, records[at : at + 7]))
    assert spool.held_bytes > MIB
    for _ in range(2):  # any number of times
        assert [record for some in buffer.record_lists() for record in some] == records
        assert b"".join(buffer.pieces()) == b"".join(records)


def test_records_may_come_as_they_stand_in_the_log(tmp_path: Path) -> None:
    packed = Packed(b"-".join([b"head", b"onetwo", b"tail"]), 5, array("I", [3, 3]))
    buffer = Buffer(MAIN, 0, 0, Spool(tmp_path), Memory())
    buffer.add(packed, Chunk(0, 100, 0, 0, 1_000, [b"k", b"k"], packed))
    assert (buffer.record_count, buffer.size_bytes) == (2, 6)
    assert list(buffer.record_lists()) == [[b"one", b"two"]]
    assert b"".join(buffer.pieces()) == b"onetwo"


def test_more_pieces_than_one_write_takes_are_spooled(tmp_path: Path) -> None:
    pieces = [b"%04d" % number for number in range(3_000)]
    assert Spool(tmp_path).append(pieces).read() == b"".join(pieces)


def test_arrival_times_are_the_oldest_and_the_newest(tmp_path: Path) -> None:
    buffer = Buffer(MAIN, 0, 0, Spool(tmp_path), Memory())
    for arrival_ms in (2_000, 1_000, 3_000):
        buffer.add([b"x"], _chunk(0, [b"x"], arrival_ms))
    assert (buffer.first_arrival_ms, buffer.last_arrival_ms) == (1_000, 3_000)


def test_many_buffers_share_the_memory_that_one_may_use(tmp_path: Path) -> None:
    memory, spool = Memory(64 * MIB), Spool(tmp_path)
    buffers = [Buffer(MAIN, 0, 0, spool, memory)]
    assert memory.share_bytes == 8 * MIB
    buffers += [Buffer(MAIN, 0, 0, spool, memory) for _ in range(999)]
    assert memory.share_bytes * 1_000 <= 64 * MIB
    del buffers[1:]
    assert memory.share_bytes == 8 * MIB


def test_the_largest_makes_room(tmp_path: Path) -> None:
    buffers = _buffers(Spool(tmp_path))
    for number, size_bytes in enumerate((10, 30, 20)):
        _add(buffers, Lane("", (("query:p", str(number)),)), [b"x" * size_bytes])
    assert buffers.cut_largest(end=100).size_bytes == 30
    assert buffers.partition_count == 2


def test_spooled_space_returns_with_the_last_who_uses_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    first, second = spool.append([b"a" * 100]), spool.append([b"b", b"c"])
    assert list(tmp_path.iterdir()) == []  # no names: nothing is left behind by a crash
    assert (first.read(), second.read()) == (b"a" * 100, b"bc")
    del first
    assert spool.held_bytes == 102
    spool.rest()
    del second
    gc.collect()
    assert spool.held_bytes == 0


def test_a_spool_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match="spool"):
        Spool(tmp_path / "file").append([b"x"])
