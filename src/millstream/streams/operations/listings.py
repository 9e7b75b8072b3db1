"""ListShards: the shards of a stream, all or as they were at some time, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from millstream.streams.checks import require_serving
from millstream.streams.descriptions import describe_shard
from millstream.streams.model import Shard, Stream
from millstream.streams.paging import open_place, seal_place
from millstream.streams.positions import shard_index
from millstream.wire.context import CallContext
from millstream.wire.faults import InvalidArgumentException, ResourceNotFoundException

if TYPE_CHECKING:
    from millstream.streams.service import StreamsService

Params = Mapping[str, Any]

SHARDS_LISTED_MAX = 1000

_ALONE = ("StreamName", "StreamARN", "StreamId", "StreamCreationTimestamp", "ExclusiveStartShardId")


class _ShardPlace(msgspec.Struct):
    stream_id: str
    after: int
    filter: dict[str, Any] | None


def list_shards(service: StreamsService, context: CallContext, params: Params) -> dict[str, Any]:
    """A page of shards in order of their ids; a NextToken carries the stream and the filter along."""
    if "NextToken" in params:
        for member in _ALONE:
            if member in params:
                raise InvalidArgumentException(f"NextToken and {member} cannot be provided together.")
        place = open_place(service, context, params["NextToken"], _ShardPlace)
        handle = service.registry.find_by(context.account, context.region, stream_id=place.stream_id)
    else:
        if not any(member in params for member in ("StreamName", "StreamARN", "StreamId")):
            raise InvalidArgumentException("Either NextToken or StreamName should be provided.")
        handle = service.registry.find(context, params)
        check_creation(handle.stream, params)
        place = _first_place(handle.stream, params)
    require_serving(handle)
    stream = handle.stream
    matching = filter_shards(stream, place.filter or {}, service.clock.now_ms())
    shards = [shard for shard in matching if shard.index > place.after]
    limit = min(params.get("MaxResults", SHARDS_LISTED_MAX), SHARDS_LISTED_MAX)
    page = shards[:limit]
    next_token = None
    if len(shards) > limit:
        next_token = seal_place(service, context, _ShardPlace(stream.stream_id, page[-1].index, place.filter))
    return {"Shards": [describe_shard(shard) for shard in page], "NextToken": next_token}


def check_creation(stream: Stream, params: Params) -> None:
    """Raises ResourceNotFoundException if the caller means an older stream of the same name."""
    created_ms = params.get("StreamCreationTimestamp")
    if created_ms is not None and created_ms // 1000 != stream.created_ms // 1000:
        raise ResourceNotFoundException(
            f"Stream {stream.name} under account {stream.account} with creation timestamp {created_ms // 1000} "
            "not found."
        )


def _first_place(stream: Stream, params: Params) -> _ShardPlace:
    after = -1
    shard_filter = params.get("ShardFilter")
    if "ExclusiveStartShardId" in params:
        after = shard_index(params["ExclusiveStartShardId"], stream.name, stream.account)
    if shard_filter is not None:
        _check_filter(shard_filter)
        if shard_filter["Type"] == "AFTER_SHARD_ID":
            after = max(after, shard_index(shard_filter["ShardId"], stream.name, stream.account))
    return _ShardPlace(stream.stream_id, after, shard_filter)


_NEEDS = {"AFTER_SHARD_ID": "ShardId", "AT_TIMESTAMP": "Timestamp", "FROM_TIMESTAMP": "Timestamp"}


def _check_filter(shard_filter: Mapping[str, Any]) -> None:
    kind = shard_filter["Type"]
    needed = _NEEDS.get(kind)
    for member in ("ShardId", "Timestamp"):
        if member == needed and member not in shard_filter:
            raise InvalidArgumentException(f"{member} must be provided for ShardFilter type {kind}.")
        if member != needed and member in shard_filter:
            raise InvalidArgumentException(f"{member} cannot be provided for ShardFilter type {kind}.")


def filter_shards(stream: Stream, shard_filter: Mapping[str, Any], now_ms: int) -> list[Shard]:
    """The shards that a ShardFilter lets through, by index.

    Times before the trim horizon, or before the stream, are corrected to it, so that the shards at a time cover every
    hash key.
    """
    kind = shard_filter.get("Type", "FROM_TRIM_HORIZON")
    shards = stream.shards
    if kind in ("FROM_TRIM_HORIZON", "AFTER_SHARD_ID"):
        return shards
    if kind == "AT_LATEST":
        return [shard for shard in shards if shard.is_open]
    horizon_ms = max(stream.trim_horizon_ms(now_ms), stream.created_ms)
    if kind == "AT_TRIM_HORIZON":
        return [
            shard
            for shard in shards
            if shard.opened_ms <= horizon_ms and (shard.closed_ms is None or shard.closed_ms > horizon_ms)
        ]
    time_ms = max(shard_filter["Timestamp"], horizon_ms)
    lasting = [shard for shard in shards if shard.closed_ms is None or shard.closed_ms >= time_ms]
    if kind == "FROM_TIMESTAMP":
        return lasting
    return [shard for shard in lasting if shard.opened_ms <= time_ms]
