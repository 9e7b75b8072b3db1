"""From batches to the blocks of one commit: records numbered, grouped by shard, cut, encoded, sealed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from millstream.log.frame import (
    CHECKPOINT_SHARD,
    FLAG_CHECKPOINT,
    FLAG_COMMIT_END,
    FLAG_HASH_KEYS,
    HEADER_BYTES,
    BlockHeader,
    Columns,
    encode_checkpoint,
    encode_header,
    encode_payload,
    merge,
    payload_crc,
    seal_payload,
)
from millstream.log.port import Batch, BlockCipher, Placement


class Block(NamedTuple):
    """A block of a commit in the making: its header but for commit and position, and its stored payload."""

    header: BlockHeader
    payload: bytes


def lay_out(
    batches: Sequence[Batch],
    next_offset: Callable[[int], int],
    arrival_ms: int,
    cipher: BlockCipher,
    block_bytes: int,
) -> tuple[list[Placement], list[Block]]:
    """A placement for each batch, and the blocks, a shard after the other; `next_offset` tells where a shard stands."""
    by_shard: dict[int, list[Batch]] = {}
    offsets: dict[int, int] = {}
    placements = []
    for batch in batches:
        shard = batch.shard
        if shard not in by_shard:
            by_shard[shard] = []
            offsets[shard] = next_offset(shard)
        by_shard[shard].append(batch)
        placements.append(Placement(offsets[shard], arrival_ms))
        offsets[shard] += len(batch.keys)
    key_number = cipher.current()
    blocks: list[Block] = []
    for shard, parts in by_shard.items():
        offset = next_offset(shard)
        for columns in _cut(merge(parts), block_bytes):
            blocks.append(_block(columns, shard, offset, arrival_ms, key_number, cipher))
            offset += len(columns.keys)
    return placements, blocks


def _cut(columns: Columns, block_bytes: int) -> Iterator[Columns]:
    """Pieces of at most about `block_bytes` each, never less than a record."""
    keys, data, hash_keys = columns
    if sum(map(len, data)) <= block_bytes:
        yield columns
        return
    start = size_bytes = 0
    for i, record in enumerate(data):
        if size_bytes and size_bytes + len(record) > block_bytes:
            yield Columns(keys[start:i], data[start:i], hash_keys and hash_keys[start:i])
            start, size_bytes = i, 0
        size_bytes += len(record)
    yield Columns(keys[start:], data[start:], hash_keys and hash_keys[start:])


def _block(
    columns: Columns, shard: int, first_offset: int, arrival_ms: int, key_number: int, cipher: BlockCipher
) -> Block:
    count = len(columns.keys)
    facts = (shard, count, first_offset, arrival_ms)
    payload = seal_payload(encode_payload(columns), facts, key_number, cipher)
    flags = FLAG_HASH_KEYS if columns.hash_keys is not None else 0
    crc = payload_crc(payload)
    header = BlockHeader(flags, key_number, shard, count, len(payload), crc, 0, 0, first_offset, arrival_ms)
    return Block(header, payload)


def checkpoint(next_offsets: dict[int, int], arrival_ms: int) -> Block:
    """The block that opens a segment."""
    payload = encode_checkpoint(next_offsets)
    crc = payload_crc(payload)
    header = BlockHeader(FLAG_CHECKPOINT, 0, CHECKPOINT_SHARD, 0, len(payload), crc, 0, 0, 0, arrival_ms)
    return Block(header, payload)


def size_of(blocks: Sequence[Block]) -> int:
    """Bytes that the blocks take in a segment."""
    return sum(HEADER_BYTES + len(block.payload) for block in blocks)


def stamp(blocks: Sequence[Block], commit: int, position: int) -> tuple[list[BlockHeader], list[bytes]]:
    """Headers with commit number and position, and the buffers to write at `position`."""
    headers = []
    buffers: list[bytes] = []
    for i, (draft, payload) in enumerate(blocks):
        flags = draft.flags | (FLAG_COMMIT_END if i == len(blocks) - 1 else 0)
        header = draft._replace(flags=flags, commit=commit, position=position)
        headers.append(header)
        buffers += (encode_header(header), payload)
        position = header.end
    return headers, buffers
