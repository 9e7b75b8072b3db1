"""The block: the unit that is written, checksummed, encrypted and indexed.

One commit writes one or more blocks, each with records of one shard and one arrival time:

    byte  0   magic "MSB1"
          4   version (1)                u8
          5   flags                      u8    1 hash keys, 2 last block of its commit, 4 checkpoint
          6   data key number            u16   0: not encrypted
          8   shard                      u32
         12   record count               u32
         16   payload size, bytes        u32   as stored
         20   payload crc32c             u32   as stored
         24   commit number              u64   grows by one a commit, over all segments
         32   position                   u64   log position of this header
         40   first offset               u64
         48   arrival, epoch ms          u64   never goes back
         56   reserved (0)               u32
         60   crc32c of bytes 0 … 59     u32
         64   payload

    payload (little-endian columns, sealed as a whole when encrypted; the first 20 bytes of the header and its
    offset and arrival are authenticated with it):
         key sizes u16[n] | data sizes u32[n] | hash-key sizes u8[n] if flag 1 | keys | hash keys | data

A segment opens with a checkpoint: a block without records whose payload (MessagePack, never encrypted) maps every
shard to its next offset, so that a shard whose records have all been dropped still knows where it stands.

Recovery: position, commit number and both checksums make a block self-identifying, so left-over bytes never pass for
a block, and a torn commit (its last block lacks flag 2, or any of its blocks fails) is told from corruption (a block
of a later commit follows).
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import google_crc32c
import msgspec

from millstream.log.packed import Packed
from millstream.log.port import Batch, BlockCipher, RecordRun

MAGIC = b"MSB1"
VERSION = 1
HEADER_BYTES = 64
PAYLOAD_BYTES_MAX = (1 << 32) - 1
CHECKPOINT_SHARD = (1 << 32) - 1

FLAG_HASH_KEYS = 1
FLAG_COMMIT_END = 2
FLAG_CHECKPOINT = 4

_HEADER = struct.Struct("<4sBBHIIIIQQQQI")
_CRC = struct.Struct("<I")
_AAD = struct.Struct("<IIQQ")
_RECORD_COLUMN_BYTES = 6  # key size and data size

if sys.byteorder != "little":  # columns are written as the machine holds them
    raise ImportError("Millstream's log needs a little-endian machine")


class BlockHeader(NamedTuple):
    """A block's header, decoded and verified."""

    flags: int
    key_number: int
    shard: int
    record_count: int
    payload_bytes: int
    payload_crc: int
    commit: int
    position: int
    first_offset: int
    arrival_ms: int

    @property
    def end(self) -> int:
        """Log position after this block."""
        return self.position + HEADER_BYTES + self.payload_bytes


def encode_header(header: BlockHeader) -> bytes:
    """The 64 bytes of a header."""
    flags, key_number, shard, count, size, crc, commit, position, offset, arrival = header
    front = _HEADER.pack(
        MAGIC, VERSION, flags, key_number, shard, count, size, crc, commit, position, offset, arrival, 0
    )
    return front + _CRC.pack(google_crc32c.value(front))


def decode_header(buffer: bytes, at: int) -> BlockHeader | None:
    """The header at `buffer[at:]`, or None if no intact header is there."""
    front = buffer[at : at + HEADER_BYTES - 4]
    if len(buffer) - at < HEADER_BYTES or not front.startswith(MAGIC):
        return None
    if google_crc32c.value(front) != _CRC.unpack_from(buffer, at + HEADER_BYTES - 4)[0]:
        return None
    _, version, *fields, _reserved = _HEADER.unpack(front)
    return BlockHeader(*fields) if version == VERSION else None


def payload_crc(payload: bytes) -> int:
    """The checksum that a header holds of its payload."""
    return int(google_crc32c.value(payload))


def _aad(shard: int, count: int, first_offset: int, arrival_ms: int) -> bytes:
    return _AAD.pack(shard, count, first_offset, arrival_ms)


class Columns(NamedTuple):
    """Records of one shard on their way into blocks."""

    keys: Sequence[bytes]
    data: Sequence[bytes]
    hash_keys: Sequence[bytes] | None


def encode_payload(columns: Columns) -> bytes:
    """The plain payload of a block."""
    keys, data, hash_keys = columns
    parts = [array("H", map(len, keys)).tobytes(), array("I", map(len, data)).tobytes()]
    if hash_keys is not None:
        parts.append(bytes(map(len, hash_keys)))
    parts += keys
    if hash_keys is not None:
        parts += hash_keys
    parts += data
    return b"".join(parts)


def merge(batches: Sequence[Batch]) -> Columns:
    """The batches of one shard as one set of columns, in order."""
    if len(batches) == 1:
        return Columns(batches[0].keys, batches[0].data, batches[0].hash_keys)
    keys: list[bytes] = []
    data: list[bytes] = []
    hash_keys: list[bytes] = []
    for batch in batches:
        keys += batch.keys
        data += batch.data
        hash_keys += batch.hash_keys or [b""] * len(batch.keys)
    return Columns(keys, data, hash_keys if any(batch.hash_keys for batch in batches) else None)


def seal_payload(plain: bytes, header_facts: tuple[int, int, int, int], number: int, cipher: BlockCipher) -> bytes:
    """`plain` as it is stored; `header_facts` are shard, record count, first offset, arrival."""
    return cipher.seal(number, plain, _aad(*header_facts)) if number else plain


def open_payload(header: BlockHeader, stored: bytes, cipher: BlockCipher) -> bytes:
    """The plain payload of a stored one."""
    if not header.key_number:
        return stored
    aad = _aad(header.shard, header.record_count, header.first_offset, header.arrival_ms)
    return cipher.open(header.key_number, stored, aad)


class PayloadView:
    """The records of one plain payload, cut out only as far as they are asked for."""

    def __init__(self, header: BlockHeader, plain: bytes) -> None:
        n = header.record_count
        self._header = header
        self._plain = plain
        self._key_sizes = array("H", plain[: 2 * n])
        self._data_sizes = array("I", plain[2 * n : _RECORD_COLUMN_BYTES * n])
        self._keys_at = _RECORD_COLUMN_BYTES * n
        self._data_at = len(plain) - sum(self._data_sizes)
        if header.flags & FLAG_HASH_KEYS:
            self._keys_at += n

    @property
    def keys(self) -> Packed:
        """The partition keys of all records."""
        return Packed(self._plain, self._keys_at, self._key_sizes)

    @property
    def data(self) -> Packed:
        """The data of all records."""
        return Packed(self._plain, self._data_at, self._data_sizes)

    def run(self, skip: int, records_max: int, bytes_max: int) -> tuple[RecordRun, int]:
        """Records from index `skip` on within both limits (but at least one), and their size in bytes."""
        key_ends = list(accumulate(self._key_sizes, initial=self._keys_at))
        data_ends = list(accumulate(self._data_sizes, initial=self._data_at))
        stop = min(self._header.record_count, skip + records_max)
        size = key_ends[stop] - key_ends[skip] + data_ends[stop] - data_ends[skip]
        while size > bytes_max and stop > skip + 1:
            # Step back by as many records as the excess suggests, then by single ones.
            stop = max(skip + 1, stop - max(1, (size - bytes_max) * (stop - skip) // (2 * size)))
            size = key_ends[stop] - key_ends[skip] + data_ends[stop] - data_ends[skip]
        plain = self._plain
        keys = [plain[a:b] for a, b in pairwise(key_ends[skip : stop + 1])]
        data = [plain[a:b] for a, b in pairwise(data_ends[skip : stop + 1])]
        header = self._header
        encrypted = header.key_number != 0
        return RecordRun(header.first_offset + skip, header.arrival_ms, keys, data, encrypted), size


_CHECKPOINT = msgspec.msgpack.Decoder(dict[int, int])


def encode_checkpoint(next_offsets: dict[int, int]) -> bytes:
    """The payload of a checkpoint block."""
    return msgspec.msgpack.encode(next_offsets)


def decode_checkpoint(payload: bytes) -> dict[int, int]:
    """Next offset by shard. Raises msgspec.DecodeError on anything else."""
    return _CHECKPOINT.decode(payload)
