"""Packing and taking apart: what goes in comes out, and no bytes break it."""

from __future__ import annotations

import base64

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from millstream.base.hashkeys import even_ranges, hash_key
from millstream.client.checkpoints import Checkpoint, parse_checkpoint
from millstream.client.lots import AGGREGATE_BYTES_MAX, AggregateLot, HashRanges, PlainLot
from millstream.client.puts import StreamEntry, into_stream
from millstream.client.records import Record, after, deaggregate
from millstream.client.shards import Shard
from millstream.wire.aggregation import MAGIC, Packer, SubRecord, pack, packed_bytes, record_bytes, unpack

KEYS = st.text(max_size=12).map(str.encode)
DATA = st.binary(max_size=300)
KEYED = st.tuples(st.text(min_size=1, max_size=8), st.binary(max_size=2000))
RECORDS = st.lists(st.tuples(KEYS, DATA), min_size=1, max_size=300)


@given(RECORDS, st.sampled_from([None, "0", str(2**128 - 1)]))
def test_what_is_packed_comes_out_in_order(records: list[tuple[bytes, bytes]], place: str | None) -> None:
    packer = Packer(place)
    for key, data in records:
        size_bytes = packer.size_with(key, data)
        packer.add(key, data)
        assert packer.size_bytes == size_bytes
    packed = packer.pack()
    assert len(packed) == packer.size_bytes
    assert len(packer) == len(records)
    assert unpack(packed) == [SubRecord(key, data) for key, data in records]


@given(KEYS, st.lists(DATA, max_size=200))
def test_records_of_one_key(key: bytes, data: list[bytes]) -> None:
    packed = pack(key, data)
    assert len(packed) == packed_bytes(len(key)) + sum(record_bytes(len(each)) for each in data)
    assert unpack(packed) == [SubRecord(key, each) for each in data]


@given(st.binary(max_size=200), st.integers(0, 255), RECORDS)
def test_nothing_breaks_the_unpacker(junk: bytes, flip: int, records: list[tuple[bytes, bytes]]) -> None:
    import hashlib

    assert unpack(junk) is None or junk.startswith(MAGIC)
    packer = Packer()
    for key, data in records:
        packer.add(key, data)
    message = bytearray(packer.pack()[4:-16])
    message[flip % len(message)] ^= 1 + flip % 255
    found = unpack(MAGIC + bytes(message) + hashlib.md5(message).digest())
    assert found is None or all(isinstance(record.data, bytes) for record in found)


@given(st.lists(KEYED, min_size=1, max_size=100), st.booleans())
def test_aggregate_lots_keep_everything_in_order_for_the_right_shards(
    records: list[tuple[str, bytes]], is_ordered: bool
) -> None:
    ranges = even_ranges(3)
    shards = [Shard(f"shardId-{i}", (), True, *bounds) for i, bounds in enumerate(ranges)]
    lots = [AggregateLot(into_stream("s"), HashRanges(shards), is_ordered=is_ordered)]
    for key, data in records:
        if not lots[-1].add(key, data):
            lots.append(AggregateLot(into_stream("s"), HashRanges(shards), is_ordered=is_ordered))
            assert lots[-1].add(key, data)
    came: list[tuple[str, bytes]] = []
    for lot in lots:
        entries = [entry for entry in lot.entries() if isinstance(entry, StreamEntry)]
        places = [entry.ExplicitHashKey for entry in entries]
        assert not is_ordered or len(set(places)) == len(places)
        for entry in entries:
            assert len(entry.Data) <= AGGREGATE_BYTES_MAX
            parts = unpack(entry.Data) or [SubRecord(entry.PartitionKey.encode(), entry.Data)]
            for part in parts:
                low, high = next(bounds for bounds in ranges if str(bounds[0]) == entry.ExplicitHashKey)
                assert low <= hash_key(part.key) <= high
                came.append((part.key.decode(), part.data))
    for key in {key for key, _ in records}:
        assert [data for each, data in came if each == key] == [data for each, data in records if each == key]
    assert len(came) == len(records)


def test_ordered_lots_hold_no_key_twice() -> None:
    lot = PlainLot(into_stream("s"), is_ordered=True)
    assert lot.add("a", b"1")
    assert lot.add("b", b"2")
    assert not lot.add("a", b"3")
    assert len(lot.entries()) == 2


def test_a_request_holds_no_more_than_the_service_takes() -> None:
    lot = PlainLot(into_stream("s"), is_ordered=False)
    assert [lot.add("k", b"") for _ in range(501)] == [True] * 500 + [False]
    lot = PlainLot(into_stream("s"), is_ordered=False)
    assert [lot.add("k", b"x" * (1 << 20)) for _ in range(5)] == [True] * 4 + [False]


@given(st.integers(1, 5), st.integers(0, 5))
def test_reading_on_within_an_aggregated_record(count: int, done: int) -> None:
    packed = pack(b"k", [b"%d" % i for i in range(count)])
    records = deaggregate([Record(packed, "k", "100", 1.5), Record(b"plain", "p", "101", 1.5)])
    assert [(record.sequence_number, record.sub_sequence_number) for record in records] == [
        *(("100", i) for i in range(count)),
        ("101", 0),
    ]
    rest = after(records, Checkpoint("100", done))
    assert [record.data for record in rest] == [*(b"%d" % i for i in range(done + 1, count)), b"plain"]


@given(st.sampled_from(["TRIM_HORIZON", "LATEST", "SHARD_END", "AT_TIMESTAMP:12"]) | st.integers(0, 1 << 200).map(str))
def test_checkpoints_as_text(text: str) -> None:
    assert str(parse_checkpoint(text)) == text
    assert str(parse_checkpoint(f"{7**70}:3")) == f"{7**70}:3"


def test_a_record_is_decoded_as_it_was_put() -> None:
    data = base64.b64encode(b"\x00\xff").decode()
    text = msgspec.json.encode({"Data": data, "PartitionKey": "ü", "SequenceNumber": "1"})
    assert msgspec.json.decode(text, type=Record).data == b"\x00\xff"
