"""Shards: list, split, merge, and change their number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.streams.checks import (
    SHARDS_OF_STREAM_MAX,
    check_shard_limit,
    counted,
    require_active,
    require_mode,
)
from millstream.streams.model import Resharding, Shard, Stream, StreamMode
from millstream.streams.positions import shard_index
from millstream.streams.registry import StreamHandle
from millstream.streams.resharding import even_starts
from millstream.wire.context import CallContext
from millstream.wire.faults import (
    InvalidArgumentException,
    LimitExceededException,
    ResourceNotFoundException,
)

if TYPE_CHECKING:
    from millstream.streams.service import StreamsService

Params = Mapping[str, Any]

RESCALES_A_DAY_MAX = 10


def split_shard(service: StreamsService, context: CallContext, params: Params) -> None:
    """Make two shards of one."""
    handle = _reshardable(service, context, params, "SplitShard")
    shard = _shard(handle, params["ShardToSplit"])
    check_shard_limit(service, context, 1)
    _require_open(handle.stream, shard)
    start = int(params["NewStartingHashKey"])
    if not shard.start_hash + 1 < start < shard.end_hash:
        raise InvalidArgumentException(
            f"NewStartingHashKey {start} used in SplitShard() on shard {shard.shard_id} in "
            f"{_named(handle.stream)} is not both greater than one plus the shard's StartingHashKey "
            f"{shard.start_hash} and less than the shard's EndingHashKey {shard.end_hash}."
        )
    starts = [opened.start_hash for opened in handle.stream.open_shards]
    service.lifecycle.update(handle, Resharding(starts=sorted([*starts, start])))


def merge_shards(service: StreamsService, context: CallContext, params: Params) -> None:
    """Make one shard of two adjacent ones."""
    handle = _reshardable(service, context, params, "MergeShards")
    low = _shard(handle, params["ShardToMerge"])
    high = _shard(handle, params["AdjacentShardToMerge"])
    if low.end_hash + 1 != high.start_hash:
        low, high = high, low
    if low.end_hash + 1 != high.start_hash:
        first, second = _shard(handle, params["ShardToMerge"]), _shard(handle, params["AdjacentShardToMerge"])
        raise InvalidArgumentException(
            f"Shards {first.shard_id} and {second.shard_id} in {_named(handle.stream)} are not an adjacent pair of "
            "shards eligible for merging"
        )
    for shard in (low, high):
        _require_open(handle.stream, shard)
    starts = [shard.start_hash for shard in handle.stream.open_shards if shard is not high]
    service.lifecycle.update(handle, Resharding(starts=starts))


def update_shard_count(service: StreamsService, context: CallContext, params: Params) -> dict[str, Any]:
    """Split and merge until the hash key space is divided evenly among a number of shards."""
    handle = service.registry.find(context, params)
    stream = handle.stream
    require_mode(stream, StreamMode.PROVISIONED, "UpdateShardCount")
    require_active(stream)
    current, target = len(stream.open_shards), params["TargetShardCount"]
    if service.settings.limits_aws:
        _check_target(current, target)
    check_shard_limit(service, context, target - current)
    rescales_ms = counted(
        service,
        stream.rescales_ms,
        RESCALES_A_DAY_MAX,
        f"{_named(stream).capitalize()} has been scaled {RESCALES_A_DAY_MAX} times within the last 24 hours.",
    )
    change = Resharding(starts=even_starts(stream.open_shards, target))
    service.lifecycle.update(handle, change, rescales_ms=rescales_ms)
    return {
        "StreamName": stream.name,
        "CurrentShardCount": current,
        "TargetShardCount": target,
        "StreamARN": stream.arn,
    }


def _check_target(current: int, target: int) -> None:
    counts = f"Current open shard count: {current} Target shard count: {target}"
    if target > 2 * current:
        raise LimitExceededException(
            f"UpdateShardCount cannot scale up over double your current open shard count. {counts}"
        )
    if 2 * target < current:
        raise LimitExceededException(
            f"UpdateShardCount cannot scale down below half your current open shard count. {counts}"
        )
    if target > SHARDS_OF_STREAM_MAX:
        raise LimitExceededException(
            f"UpdateShardCount cannot scale a stream to more than {SHARDS_OF_STREAM_MAX} shards. {counts}"
        )


def _reshardable(service: StreamsService, context: CallContext, params: Params, operation: str) -> StreamHandle:
    handle = service.registry.find(context, params)
    require_mode(handle.stream, StreamMode.PROVISIONED, operation)
    require_active(handle.stream)
    return handle


def _shard(handle: StreamHandle, shard_id: str) -> Shard:
    stream = handle.stream
    index = shard_index(shard_id, stream.name, stream.account)
    shard = handle.shards.get(index)
    if shard is None:
        raise ResourceNotFoundException(f"Could not find shard shardId-{index:012d} in {_named(stream)}.")
    return shard


def _require_open(stream: Stream, shard: Shard) -> None:
    if not shard.is_open:
        raise InvalidArgumentException(
            f"Shard {shard.shard_id} in {_named(stream)} has already been merged or split, and thus is not eligible "
            "for merging or splitting."
        )


def _named(stream: Stream) -> str:
    return f"stream {stream.name} under account {stream.account}"
