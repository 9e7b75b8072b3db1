"""Blocks: whatever is written reads back; whatever is not a block is never taken for one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from millstream.log.frame import (
    HEADER_BYTES,
    BlockHeader,
    Columns,
    PayloadView,
    decode_header,
    encode_header,
    encode_payload,
)

U16, U32, U64 = (st.integers(0, (1 << bits) - 1) for bits in (16, 32, 64))
RECORDS = st.lists(
    st.tuples(st.binary(min_size=1, max_size=20), st.binary(max_size=60), st.sampled_from([b"", b"h" * 16])),
    min_size=1,
    max_size=30,
)
HEADERS = st.builds(BlockHeader, st.integers(0, 7), U16, U32, U32, U32, U32, U64, U64, U64, U64)


@given(HEADERS, st.binary(max_size=9), st.binary(max_size=9))
def test_a_header_reads_back_wherever_it_stands(header: BlockHeader, before: bytes, after: bytes) -> None:
    assert decode_header(before + encode_header(header) + after, len(before)) == header


@given(HEADERS, st.integers(0, HEADER_BYTES * 8 - 1))
def test_a_flipped_bit_is_noticed(header: BlockHeader, bit: int) -> None:
    encoded = bytearray(encode_header(header))
    encoded[bit // 8] ^= 1 << bit % 8
    assert decode_header(bytes(encoded), 0) is None


@given(st.binary(max_size=200), st.integers(0, 200))
def test_other_bytes_are_not_a_header(content: bytes, at: int) -> None:
    assert decode_header(content, at) is None


@given(RECORDS, st.booleans(), st.integers(0, 29), st.integers(1, 40), st.integers(1, 900))
def test_records_read_back_from_anywhere_within_limits(
    records: list[tuple[bytes, bytes, bytes]], with_hash_keys: bool, skip: int, records_max: int, bytes_max: int
) -> None:
    keys, data, hash_keys = (list(column) for column in zip(*records, strict=True))
    skip = min(skip, len(records) - 1)
    plain = encode_payload(Columns(keys, data, hash_keys if with_hash_keys else None))
    header = BlockHeader(1 if with_hash_keys else 0, 0, 0, len(records), len(plain), 0, 1, 0, 1000, 5)
    run, size_bytes = PayloadView(header, plain).run(skip, records_max, bytes_max)
    stop = skip + len(run.keys)
    assert 1 <= len(run.keys) <= records_max
    assert (run.first_offset, run.arrival_ms) == (1000 + skip, 5)
    assert (run.keys, run.data) == (keys[skip:stop], data[skip:stop])
    assert size_bytes == sum(map(len, run.keys)) + sum(map(len, run.data))
    assert size_bytes <= bytes_max or len(run.keys) == 1
