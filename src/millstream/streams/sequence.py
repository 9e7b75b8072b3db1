"""Sequence numbers: decimal strings of 186-bit numbers that grow within a shard and along its lineage.

As hexadecimal digits, most significant first (observed on AWS; clients may rely on order, never on the fields)::

    2  ccccccccc  d  iiiiiiiiiiiiiiii  mm  sssssssss  xxxxxxxx  2
    |      |      |         |           |      |          |     layout version
    |      |      |         |           |      |          shard index
    |      |      |         |           |      arrival time, s
    |      |      |         |           mark: 00 a record, 01 a position after that record
    |      |      |         sequence index: log offset + 1; 0 opens a shard, 7fffffffffffffff ends it
    |      |      last digit of the shard index
    |      creation time of the shard, s
    always 2, so that every number has 56 decimal digits

A child shard is created after its parents, so its first number is above their last. Positions that are no record's
(where an idle subscription continues) carry the mark, so that reading *at* and *after* them means the same and a
resumed reader sees neither gap nor duplicate.
"""

from __future__ import annotations

from typing import NamedTuple

from millstream.streams.model import Shard

_VERSION = 2
_SHARD_SHIFT = 4
_SECOND_SHIFT = 36
_MARK_SHIFT = 72
_INDEX_SHIFT = 80
_DIGIT_SHIFT = 144
_CREATED_SHIFT = 148
_LEAD = 2 << 184
_STEP = 1 << _INDEX_SHIFT

_MASK_32 = (1 << 32) - 1
_MASK_36 = (1 << 36) - 1
_INDEX_MAX = 0x7FFFFFFFFFFFFFFF
_CREATED_S_MAX = 16_025_175_000  # what AWS takes for a date; later ones are refused
_LEGACY_BASE = 1 << 124  # layout version 0 is the older, shorter one
_LEGACY_END = 1 << 129


class SequenceNumber(NamedTuple):
    """What a sequence number says. `shard` is signed, as AWS reads it; only version 2 is ever issued here."""

    version: int
    created_s: int
    shard: int
    sequence_index: int
    second: int
    is_position: bool

    @property
    def offset_at(self) -> int:
        """The log offset where reading AT_SEQUENCE_NUMBER starts."""
        return self.sequence_index if self.is_position else max(self.sequence_index - 1, 0)

    @property
    def offset_after(self) -> int:
        """The log offset where reading AFTER_SEQUENCE_NUMBER starts."""
        return self.sequence_index


def number_base(created_s: int, shard: int) -> int:
    """The part that all numbers of a shard share: compute it once a shard, not once a record."""
    return _LEAD | created_s << _CREATED_SHIFT | (shard & 0xF) << _DIGIT_SHIFT | shard << _SHARD_SHIFT | _VERSION


def record_numbers(base: int, first_offset: int, arrival_ms: int, count: int) -> range:
    """The numbers of `count` consecutive records with one arrival time, as integers."""
    first = base + (first_offset + 1) * _STEP + (arrival_ms // 1000 << _SECOND_SHIFT)
    return range(first, first + count * _STEP, _STEP)


def position_number(shard: Shard, next_offset: int, now_ms: int) -> str:
    """A number above every record below `next_offset` and below all others: where a reader of nothing continues."""
    base = number_base(shard.created_s, shard.index)
    mark = 1 if next_offset else 0
    second = now_ms // 1000 if next_offset else shard.created_s
    return str(base + next_offset * _STEP + (mark << _MARK_SHIFT) + (second << _SECOND_SHIFT))


def starting_sequence_number(shard: Shard) -> str:
    """SequenceNumberRange.StartingSequenceNumber: below every record of the shard."""
    return position_number(shard, 0, shard.created_s * 1000)


def ending_sequence_number(shard: Shard) -> str | None:
    """SequenceNumberRange.EndingSequenceNumber: above every record of a closed shard; None while it is open."""
    if shard.closed_ms is None:
        return None
    base = number_base(shard.created_s, shard.index)
    return str(base + _INDEX_MAX * _STEP + (shard.closed_ms // 1000 << _SECOND_SHIFT))


def decode(text: str) -> SequenceNumber:
    """Read a sequence number, also of the layouts that AWS issued before (versions 0 and 1).

    Raises ValueError for what AWS could not have issued.
    """
    number = int(text)
    if number < _LEGACY_BASE:
        number += _LEGACY_BASE
    if number < _LEGACY_END:
        return _decode_legacy(number)
    version = number & 0xF
    if number >> 184 != _LEAD >> 184 or version not in (1, 2):
        raise ValueError(f"unknown sequence number layout: {text}")
    created_s = number >> _CREATED_SHIFT & _MASK_36
    if created_s >= _CREATED_S_MAX:
        raise ValueError(f"sequence number from too far in the future: {text}")
    shard = number >> _SHARD_SHIFT & _MASK_32
    signed = shard - (1 << 32) if shard >> 31 else shard
    if version == 1:
        return SequenceNumber(1, created_s, signed, 0, number >> 100 & _MASK_36, False)
    index = number >> _INDEX_SHIFT & 0xFFFF_FFFF_FFFF_FFFF
    if index > _INDEX_MAX:
        raise ValueError(f"sequence index too high: {text}")
    second = number >> _SECOND_SHIFT & _MASK_36
    return SequenceNumber(2, created_s, signed, index, second, bool(number >> _MARK_SHIFT & 0xFF))


def _decode_legacy(number: int) -> SequenceNumber:
    digits = f"{number:x}"
    created_s = int(digits[1:10], 16)
    if created_s >= _CREATED_S_MAX:
        raise ValueError(f"sequence number from too far in the future: {number}")
    return SequenceNumber(0, created_s, int(digits[28:32], 16), 0, 0, False)
