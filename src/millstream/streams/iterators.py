"""Shard iterators: sealed tokens that say where in which shard to read on, good for five minutes.

A token names the stream by its id, so it can neither be made into another stream's nor survive a stream that was
deleted and made again under its name.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import NamedTuple

from millstream.base.errors import MillstreamError
from millstream.security import TokenSealer
from millstream.wire.faults import ExpiredIteratorException, InvalidArgumentException

LIFE_MS = 300_000
_PURPOSE = b"shard-iterator"
_FIXED = struct.Struct(">qIq")  # issued ms, shard index, log offset; then stream id, NUL, stream name


class ShardIterator(NamedTuple):
    """A position in a shard. `offset` is the log offset of the next record to read."""

    issued_ms: int
    shard: int
    offset: int
    stream_id: str
    stream_name: str


def seal_iterator(sealer: TokenSealer, iterator: ShardIterator) -> str:
    """The ShardIterator of the API: opaque, unforgeable, different every time."""
    issued_ms, shard, offset, stream_id, stream_name = iterator
    names = f"{stream_id}\0{stream_name}".encode()
    return sealer.seal(_FIXED.pack(issued_ms, shard, offset) + names, _PURPOSE)


def open_iterator(sealer: TokenSealer, text: str, now_ms: int) -> ShardIterator:
    """What a caller's iterator says. Raises InvalidArgumentException or ExpiredIteratorException."""
    try:
        payload = sealer.open(text, _PURPOSE)
    except MillstreamError:
        raise InvalidArgumentException("Invalid ShardIterator.") from None
    issued_ms, shard, offset = _FIXED.unpack_from(payload)
    if now_ms - issued_ms > LIFE_MS:
        raise ExpiredIteratorException(
            f"Iterator expired. The iterator was created at time {_utc(issued_ms)} while right now it is "
            f"{_utc(now_ms)} which is further in the future than the tolerated delay of {LIFE_MS} milliseconds."
        )
    stream_id, stream_name = payload[_FIXED.size :].decode().split("\0")
    return ShardIterator(issued_ms, shard, offset, stream_id, stream_name)


def _utc(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{_DAYS[moment.weekday()]} {_MONTHS[moment.month - 1]} {moment:%d %H:%M:%S} UTC {moment.year}"


# not strftime's %a and %b: those follow the locale
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
