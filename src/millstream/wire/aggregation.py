"""Records packed into one, and taken apart again, as the Kinesis Producer Library does it.

    F3 89 9A C2 | AggregatedRecord, protocol buffers | MD5 of the message
    AggregatedRecord  1 partition key table, strings   2 explicit hash key table, strings   3 records
    Record            1 partition key index            2 explicit hash key index            3 data    4 tags

A record's place among the records is its sub-sequence number. Source: the KPL's "Aggregation format". Whatever does not
fit, checksum included, is a record like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

MAGIC = b"\xf3\x89\x9a\xc2"
_DIGEST_BYTES = 16
_VARINT_BYTES_MAX = 10

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_TABLE_ENTRY, _HASH_KEY, _RECORD = b"\x0a", b"\x12", b"\x1a"  # fields 1, 2, 3 of the AggregatedRecord, all bytes
_FRAME_BYTES = len(MAGIC) + _DIGEST_BYTES


class SubRecord(NamedTuple):
    """A record that was in another."""

    key: bytes
    data: bytes


def unpack(record: bytes) -> list[SubRecord] | None:
    """The records in an aggregated one; None if it is not one."""
    if not record.startswith(MAGIC) or len(record) < len(MAGIC) + _DIGEST_BYTES:
        return None
    message = record[len(MAGIC) : -_DIGEST_BYTES]
    if hashlib.md5(message, usedforsecurity=False).digest() != record[-_DIGEST_BYTES:]:
        return None
    try:
        return _records(message)
    except (IndexError, ValueError):
        return None


class Packer:
    """Packs records into one, in the order in which they were added.

    With `hash_key` (decimal) every record says that it belongs there, as the packed one does when it is put with this
    ExplicitHashKey: readers of the KCL's kind drop records whose own key would not have led to the shard.
    """

    def __init__(self, hash_key: str | None = None) -> None:
        table = b"" if hash_key is None else hash_key.encode()
        self._hash_table = _HASH_KEY + _uvarint(len(table)) + table if table else b""
        self._has_hash_key = bool(table)
        self._keys: dict[bytes, int] = {}
        self._parts: list[bytes] = []
        self._size_bytes = _FRAME_BYTES + len(self._hash_table)

    def __len__(self) -> int:
        """How many records are in it."""
        return len(self._parts) // 2

    @property
    def size_bytes(self) -> int:
        """How long `pack` would be now."""
        return self._size_bytes

    def size_with(self, key: bytes, data: bytes) -> int:
        """How long `pack` would be with this record."""
        size_bytes = self._size_bytes + len(data)
        index = self._keys.get(key)
        if index is None:
            index = len(self._keys)
            size_bytes += len(_table_head(len(key))) + len(key)
        return size_bytes + len(_record_head(index, len(data), self._has_hash_key))

    def add(self, key: bytes, data: bytes) -> None:
        """Add a record; `key` is its partition key."""
        index = self._keys.get(key)
        if index is None:
            index = self._keys[key] = len(self._keys)
            self._size_bytes += len(_table_head(len(key))) + len(key)
        head = _record_head(index, len(data), self._has_hash_key)
        self._parts.append(head)
        self._parts.append(data)
        self._size_bytes += len(head) + len(data)

    def pack(self) -> bytes:
        """The packed record."""
        table = [part for key in self._keys for part in (_table_head(len(key)), key)]
        return _framed([*table, self._hash_table, *self._parts])


def pack(key: bytes, data: Sequence[bytes]) -> bytes:
    """Records with the partition key that the packed one is put with: the quickest way, and right for any shard."""
    parts = [_table_head(len(key)), key]
    for datum in data:
        parts += (_record_head(0, len(datum), False), datum)
    return _framed(parts)


def packed_bytes(key_bytes: int) -> int:
    """How long `pack` makes nothing at all, for a key of that length; each record adds `record_bytes` to it."""
    return _FRAME_BYTES + len(_table_head(key_bytes)) + key_bytes


def record_bytes(data_bytes: int) -> int:
    """By how much a record with that much data makes `pack` longer."""
    return len(_record_head(0, data_bytes, False)) + data_bytes


def _framed(parts: list[bytes]) -> bytes:
    message = b"".join(parts)
    return b"".join((MAGIC, message, hashlib.md5(message, usedforsecurity=False).digest()))


@lru_cache(maxsize=1024)
def _table_head(key_bytes: int) -> bytes:
    return _TABLE_ENTRY + _uvarint(key_bytes)


@lru_cache(maxsize=16384)
def _record_head(key_index: int, data_bytes: int, has_hash_key: bool) -> bytes:
    """All of a record but its data, which stands last."""
    fields = b"\x08" + _uvarint(key_index) + (b"\x10\x00" if has_hash_key else b"") + b"\x1a" + _uvarint(data_bytes)
    return _RECORD + _uvarint(len(fields) + data_bytes) + fields


def _uvarint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _records(message: bytes) -> list[SubRecord]:
    keys: list[bytes] = []
    packed: list[bytes] = []
    for number, value in _fields(message):
        if number == 3 and isinstance(value, bytes):
            packed.append(value)
        elif number == 1 and isinstance(value, bytes):
            keys.append(value)
    return [_plain_record(content, keys) or _record(content, keys) for content in packed]


def _plain_record(content: bytes, keys: list[bytes]) -> SubRecord | None:
    """A record that is laid out as everybody does it, quickly: indices, then the data and nothing else."""
    if content[:1] != b"\x08":
        return None
    index, at = _varint(content, 1)
    if content[at] == 0x10:
        _, at = _varint(content, at + 1)
    if content[at] != 0x1A:
        return None
    size, at = _varint(content, at + 1)
    return SubRecord(keys[index], content[at:]) if at + size == len(content) else None


def _record(content: bytes, keys: list[bytes]) -> SubRecord:
    fields = dict(_fields(content))
    index, data = fields.get(1), fields.get(3)
    if not isinstance(index, int) or not isinstance(data, bytes):
        raise ValueError("a record needs a key index and data")
    return SubRecord(keys[index], data)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of all fields. Raises IndexError, ValueError for what is no message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire_type == _BYTES:
            size, at = _varint(message, at)
        elif wire_type in (_FIXED32, _FIXED64):
            size = 4 if wire_type == _FIXED32 else 8
        else:
            raise ValueError(f"unknown wire type {wire_type}")
        if at + size > len(message):
            raise ValueError("a field is cut short")
        yield number, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = message[at]
    if value < 0x80:
        return value, at + 1
    value = 0
    for i in range(_VARINT_BYTES_MAX):
        byte = message[at + i]
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return value, at + i + 1
    raise ValueError("a number is too long")
