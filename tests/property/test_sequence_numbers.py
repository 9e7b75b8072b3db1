"""Sequence numbers: what is put in comes out, and the order of numbers is the order of records."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from millstream.streams.model import Shard
from millstream.streams.sequence import (
    decode,
    ending_sequence_number,
    number_base,
    position_number,
    record_numbers,
    starting_sequence_number,
)

created = st.integers(1_000_000_000, 16_000_000_000)
indexes = st.integers(0, 2**31 - 1)
offsets = st.integers(0, 2**62)
delays_ms = st.integers(0, 10**12)


def record(shard: Shard, offset: int, arrival_ms: int) -> str:
    return str(record_numbers(number_base(shard.created_s, shard.index), offset, arrival_ms, 1)[0])


def shard_of(created_s: int, index: int, closed_ms: int | None = None) -> Shard:
    return Shard(index=index, created_s=created_s, opened_ms=created_s * 1000, closed_ms=closed_ms)


@given(created, indexes, offsets, delays_ms)
def test_records_round_trip_in_56_digits(created_s: int, index: int, offset: int, delay_ms: int) -> None:
    arrival_ms = created_s * 1000 + delay_ms
    text = record(shard_of(created_s, index), offset, arrival_ms)
    number = decode(text)
    assert len(text) == 56
    assert (number.version, number.created_s, number.shard) == (2, created_s, index)
    assert (number.offset_at, number.offset_after) == (offset, offset + 1)
    assert number.second == arrival_ms // 1000


@given(created, indexes, offsets, delays_ms, delays_ms)
def test_numbers_grow_within_a_shard_whatever_the_clock_does(
    created_s: int, index: int, offset: int, delay_ms: int, later_ms: int
) -> None:
    shard = shard_of(created_s, index, closed_ms=created_s * 1000)
    numbers = [
        starting_sequence_number(shard),
        position_number(shard, 0, created_s * 1000 + later_ms),
        record(shard, offset, created_s * 1000 + later_ms),
        position_number(shard, offset + 1, created_s * 1000 + delay_ms),
        record(shard, offset + 1, created_s * 1000 + delay_ms),
        ending_sequence_number(shard),
    ]
    texts = [text for text in numbers if text is not None]
    assert len(texts) == 6
    assert texts == sorted(texts)
    assert len(set(texts[1:])) == 5
    assert {len(text) for text in texts} == {56}


@given(created, indexes, indexes, offsets, delays_ms, st.integers(1, 1000))
def test_numbers_grow_from_a_parent_to_its_child(
    created_s: int, parent_index: int, child_index: int, offset: int, delay_ms: int, gap_s: int
) -> None:
    parent = shard_of(created_s, parent_index, closed_ms=created_s * 1000 + delay_ms)
    child = shard_of(created_s + gap_s, child_index)
    last = ending_sequence_number(parent)
    assert last is not None
    assert record(parent, offset, created_s * 1000 + delay_ms) < last < starting_sequence_number(child)


@given(created, indexes, offsets, delays_ms)
def test_reading_at_and_after_a_position_are_the_same(created_s: int, index: int, offset: int, delay_ms: int) -> None:
    number = decode(position_number(shard_of(created_s, index), offset, created_s * 1000 + delay_ms))
    assert number.offset_at == number.offset_after == offset


@given(st.integers(0, 10**129 - 1))
def test_any_number_decodes_or_is_refused(number: int) -> None:
    try:
        decoded = decode(str(number))
    except ValueError:
        return
    assert decoded.offset_at >= 0


@given(created, indexes, offsets, delays_ms, st.integers(1, 500))
def test_a_batch_has_the_numbers_of_its_records(
    created_s: int, index: int, offset: int, delay_ms: int, count: int
) -> None:
    arrival_ms = created_s * 1000 + delay_ms
    numbers = record_numbers(number_base(created_s, index), offset, arrival_ms, count)
    expected = [record(shard_of(created_s, index), offset + place, arrival_ms) for place in range(count)]
    assert [str(number) for number in numbers] == expected
