"""Records become batches of entries that know their bytes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, cast

import pytest

from millstream.agent.config import FlowConfig
from millstream.agent.entries import data_key, file_key, is_ordered, make_packer, record_bytes_max
from millstream.agent.records import FileId, Span
from millstream.client.puts import StreamEntry
from support.agentpieces import piece

if TYPE_CHECKING:
    from millstream.agent.packing import Batch, Packer, Piece

LINES = [b"line %d\n" % i for i in range(10)]


def delivery(**options: int) -> FlowConfig:
    return FlowConfig(file_pattern="/var/log/*", delivery_stream="orders", **options)  # type: ignore[arg-type]


def stream(key: str = "RANDOM", **options: int) -> FlowConfig:
    return FlowConfig(
        file_pattern="/var/log/*",
        kinesis_stream="ticks",
        partition_key_option=key,
        **options,  # type: ignore[arg-type]
    )


def packed(packer: Packer, *pieces: Piece) -> list[Batch]:
    batches = [batch for each in pieces for batch in packer.add(each)]
    last = packer.take()
    return [*batches, last] if last is not None else batches


def data_of(batches: list[Batch]) -> list[list[bytes]]:
    return [[entry.Data for entry in batch.entries] for batch in batches]


def test_batches_hold_as_many_records_as_configured() -> None:
    batches = packed(make_packer(delivery(max_buffer_size_records=4)), piece(LINES, start=70))
    assert data_of(batches) == [LINES[:4], LINES[4:8], LINES[8:]]
    assert [batch.spans() for batch in batches] == [
        [Span(FileId(1, 1), 70, 98)],
        [Span(FileId(1, 1), 98, 126)],
        [Span(FileId(1, 1), 126, 140)],
    ]


def test_batches_hold_as_many_bytes_as_configured() -> None:
    batches = packed(make_packer(delivery(max_buffer_size_bytes=21)), piece(LINES))
    assert [len(batch.entries) for batch in batches] == [3, 3, 3, 1]
    assert [batch.data_bytes for batch in batches] == [21, 21, 21, 7]


def test_keys_count_to_the_size_of_a_request() -> None:
    batches = packed(make_packer(stream(max_buffer_size_bytes=2 * (7 + 16))), piece(LINES))
    assert [len(batch.entries) for batch in batches] == [2] * 5


@pytest.mark.parametrize("size", [0, 8])
def test_a_record_longer_than_the_buffer_goes_alone(size: int) -> None:
    lines = [b"short\n", b"a much longer line\n", b"short\n"]
    flow = delivery(max_buffer_size_bytes=10, aggregated_record_size_bytes=size)
    assert data_of(packed(make_packer(flow), piece(lines))) == [[line] for line in lines]


def test_nothing_taken_is_no_batch() -> None:
    packer = make_packer(delivery())
    assert packer.add(piece([])) == []
    assert packer.take() is None


def test_spans_of_some_entries_are_merged_where_they_touch() -> None:
    [batch] = packed(make_packer(delivery()), piece(LINES[:4]), piece(LINES[4:6], start=28), piece(LINES[6:], inode=2))
    assert batch.spans() == [Span(FileId(1, 1), 0, 42), Span(FileId(1, 2), 0, 28)]
    assert batch.spans_of(range(10)) == batch.spans()
    assert batch.spans_of([0, 3, 4, 7, 9]) == [
        Span(FileId(1, 1), 0, 7),
        Span(FileId(1, 1), 21, 35),
        Span(FileId(1, 2), 7, 14),
        Span(FileId(1, 2), 21, 28),
    ]


def test_records_of_a_file_are_joined_up_to_a_size() -> None:
    packer = make_packer(delivery(aggregated_record_size_bytes=20))
    [batch] = packed(packer, piece(LINES[:3]), piece(LINES[:2], inode=2), piece(LINES[3:6], start=21))
    assert data_of([batch]) == [
        [b"line 0\nline 1\n", b"line 2\nline 3\n", b"line 0\nline 1\n", b"line 4\nline 5\n"]
    ] or (
        sorted(data_of([batch])[0])
        == [b"line 0\nline 1\n", b"line 0\nline 1\n", b"line 2\nline 3\n", b"line 4\nline 5\n"]
    )
    assert batch.records_in(range(4)) == 8
    assert batch.records_in([1]) == 2
    assert sum(span.end - span.start for span in batch.spans()) == 56


def test_records_are_not_joined_over_a_gap() -> None:
    packer = make_packer(delivery(aggregated_record_size_bytes=1000))
    [batch] = packed(packer, piece(LINES[:2]), piece(LINES[4:6], start=28))
    assert data_of([batch]) == [[b"line 0\nline 1\n", b"line 4\nline 5\n"]]
    assert batch.spans() == [Span(FileId(1, 1), 0, 14), Span(FileId(1, 1), 28, 42)]


def test_deterministic_keys_follow_from_the_data() -> None:
    [batch] = packed(make_packer(stream("DETERMINISTIC")), piece([b"a\n", b"b\n", b"a\n"]))
    keys = [cast("StreamEntry", entry).PartitionKey for entry in batch.entries]
    assert keys == [data_key(b"a\n"), data_key(b"b\n"), data_key(b"a\n")]
    assert data_key(b"a\n") == "60b725f10c9c85c70d97880dfe8191b3"


def test_random_keys_differ_and_file_keys_do_not() -> None:
    [batch] = packed(make_packer(stream()), piece(LINES))
    assert len({cast("StreamEntry", entry).PartitionKey for entry in batch.entries}) == len(LINES)
    [batch] = packed(make_packer(stream("FILE")), piece(LINES, path="/var/log/a"))
    assert {cast("StreamEntry", entry).PartitionKey for entry in batch.entries} == {"/var/log/a"}


@pytest.mark.parametrize("path", ["/var/log/\udcff.log", "/" + "x" * 300, "/log/é" * 60])
def test_any_path_gives_a_key_that_is_taken(path: str) -> None:
    assert 1 <= len(file_key(path).encode()) <= 256


def test_order_is_kept_where_keys_say_so() -> None:
    assert [is_ordered(stream(key)) for key in ("RANDOM", "DETERMINISTIC", "FILE")] == [False, True, True]
    assert not is_ordered(delivery())


@pytest.mark.parametrize("seed", range(30))
def test_nothing_is_lost_repeated_or_out_of_order(seed: int) -> None:
    """Any pieces under any limits: a file's records come out in order, and spans and counts add up."""
    chance = random.Random(seed)
    size = chance.choice([0, 0, 30, 100])
    flow = delivery(
        max_buffer_size_records=chance.randint(1, 20),
        max_buffer_size_bytes=chance.randint(1, 400),
        aggregated_record_size_bytes=size,
    )
    written = dict.fromkeys(range(4), b"")
    records = 0
    batches: list[Batch] = []
    packer = make_packer(flow)
    for _ in range(60):
        inode = chance.randrange(4)
        data = [bytes([65 + chance.randrange(26)]) * chance.randint(1, 60) for _ in range(chance.randrange(12))]
        batches += packer.add(piece(data, inode=inode, start=len(written[inode])))
        written[inode] += b"".join(data)
        records += len(data)
        assert len(packer) <= flow.max_buffer_size_records
    if (last := packer.take()) is not None:
        batches.append(last)
    _check(batches, written, records, flow)


def _check(batches: list[Batch], written: dict[int, bytes], records: int, flow: FlowConfig) -> None:
    came = dict.fromkeys(written, b"")
    for batch in batches:
        everything = range(len(batch.entries))
        assert 1 <= len(batch.entries) <= flow.max_buffer_size_records
        assert sum(len(entry.Data) for entry in batch.entries) == batch.data_bytes
        assert batch.data_bytes <= flow.max_buffer_size_bytes or batch.records_in(everything) == 1
        assert batch.spans_of(everything) == batch.spans()
        for i, entry in enumerate(batch.entries):
            [span] = batch.spans_of([i])
            came[span.file.inode] += entry.Data
            assert written[span.file.inode][span.start : span.end] == entry.Data
    assert came == written
    assert sum(batch.records_in(range(len(batch.entries))) for batch in batches) == records


def test_records_have_room_for_their_keys() -> None:
    assert record_bytes_max(delivery()) == 1000 * 1024
    assert record_bytes_max(stream()) == 1024 * 1024 - 256
