"""Where reading starts: shards by id, and the five kinds of starting position, for iterators and subscriptions alike.

Wording and order of checks as AWS's, learned from its replies (recorded by kinesalite's tests).
"""

from __future__ import annotations

import asyncio
import re

from millstream.streams.model import Shard
from millstream.streams.registry import StreamHandle
from millstream.streams.sequence import SequenceNumber, decode
from millstream.wire.faults import InvalidArgumentException, ResourceNotFoundException

_SHARD_INDEX_MAX = 2**31 - 1
_DIGITS = re.compile(r"[0-9]+")


def shard_index(text: str, stream_name: str, account: str) -> int:
    """The index in a ShardId; short forms such as `shardId-1` and `1` are accepted.

    Raises ResourceNotFoundException for what can be no shard's id.
    """
    _, _, tail = text.partition("-")
    digits = tail.partition("-")[0] or text
    if _DIGITS.fullmatch(digits) and len(digits) <= 128 and int(digits) <= _SHARD_INDEX_MAX:
        return int(digits)
    raise ResourceNotFoundException(f"Could not find shard {text} in stream {stream_name} under account {account}.")


def no_shard(index: int, stream_name: str, account: str) -> ResourceNotFoundException:
    """The fault for a shard that is not there, or whose stream is not."""
    return ResourceNotFoundException(
        f"Shard shardId-{index:012d} in stream {stream_name} under account {account} does not exist"
    )


def readable_shard(handle: StreamHandle, index: int) -> Shard:
    """The shard, if its stream exists as far as readers are concerned. Raises ResourceNotFoundException."""
    stream = handle.stream
    shard = handle.shards.get(index)
    if shard is None or not handle.is_serving:
        raise no_shard(index, stream.name, stream.account)
    return shard


async def starting_offset(
    handle: StreamHandle,
    shard: Shard,
    kind: str,
    sequence_number: str | None,
    timestamp_ms: int | None,
    now_ms: int,
) -> int:
    """The log offset that a ShardIteratorType, or a StartingPosition's Type, stands for.

    Raises InvalidArgumentException. Reads files for AT_TIMESTAMP only.
    """
    wants_number = kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")
    if wants_number != (sequence_number is not None):
        given = "no StartingSequenceNumber" if wants_number else "also a StartingSequenceNumber"
        raise InvalidArgumentException(
            "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
            "(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. "
            f"Request specified {kind} and {given}."
        )
    first, end = handle.log.shard_range(shard.index)
    if sequence_number is not None:
        number = _number_of_shard(handle, shard, sequence_number)
        return min(number.offset_at if kind == "AT_SEQUENCE_NUMBER" else number.offset_after, end)
    if kind == "TRIM_HORIZON":
        return first
    if kind == "LATEST":
        return end
    return await _offset_at_time(handle, shard, timestamp_ms, now_ms)


def _number_of_shard(handle: StreamHandle, shard: Shard, text: str) -> SequenceNumber:
    stream = handle.stream
    invalid = (
        f"StartingSequenceNumber {text} used in GetShardIterator on shard {shard.shard_id} in stream "
        f"{stream.name} under account {stream.account} is invalid"
    )
    try:
        number = decode(text)
    except ValueError:
        raise InvalidArgumentException(f"{invalid}.") from None
    if number.shard != shard.index:
        raise InvalidArgumentException(
            f"Invalid StartingSequenceNumber. It encodes shardId-{number.shard:012d}, "
            f"while it was used in a call to a shard with {shard.shard_id}"
        )
    if number.version != 2 or number.created_s != shard.created_s:
        raise InvalidArgumentException(f"{invalid} because it did not come from this stream.")
    return number


async def _offset_at_time(handle: StreamHandle, shard: Shard, timestamp_ms: int | None, now_ms: int) -> int:
    if timestamp_ms is None:
        raise InvalidArgumentException(
            "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. "
            "Current request has no timestamp parameter."
        )
    if timestamp_ms > now_ms:
        raise InvalidArgumentException(
            "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
            f"timestampInMillis: {timestamp_ms}, currentTimestampInMillis: {now_ms}"
        )
    newest_ms = handle.log.last_arrival_ms(shard.index)
    if newest_ms is None or newest_ms < timestamp_ms:
        return handle.log.shard_range(shard.index)[1]
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, handle.log.find_time, shard.index, timestamp_ms)
