"""Records that the Kinesis Producer Library has packed into one.

    F3 89 9A C2 | AggregatedRecord, protocol buffers | MD5 of the message
    AggregatedRecord  1 partition key table, strings   2 explicit hash key table, strings   3 records
    Record            1 partition key index            2 explicit hash key index            3 data    4 tags

Source: the KPL's "Aggregation format". Whatever does not fit, checksum included, is a record like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

MAGIC = b"\xf3\x89\x9a\xc2"
_DIGEST_BYTES = 16
_VARINT_BYTES_MAX = 10

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


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


def _records(message: bytes) -> list[SubRecord]:
    keys: list[bytes] = []
    packed: list[bytes] = []
    for number, value in _fields(message):
        if number == 1 and isinstance(value, bytes):
            keys.append(value)
        elif number == 3 and isinstance(value, bytes):
            packed.append(value)
    return [_record(content, keys) for content in packed]


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
    value = 0
    for i in range(_VARINT_BYTES_MAX):
        byte = message[at + i]
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return value, at + i + 1
    raise ValueError("a number is too long")
