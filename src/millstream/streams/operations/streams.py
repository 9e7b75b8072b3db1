"""Streams: create, delete, describe, list."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from millstream.streams import tags
from millstream.streams.checks import check_shard_limit, check_warm_throughput, not_active, require_commitment
from millstream.streams.descriptions import describe_settings, describe_shard, describe_summary
from millstream.streams.model import Shard, Stream, StreamMode, StreamStatus
from millstream.streams.paging import open_place, seal_place
from millstream.streams.positions import shard_index
from millstream.streams.resharding import first_shards
from millstream.streams.scaling import FIRST_SHARDS
from millstream.wire.context import CallContext
from millstream.wire.faults import (
    InvalidArgumentException,
    LimitExceededException,
    ResourceInUseException,
)

if TYPE_CHECKING:
    from millstream.streams.service import StreamsService

Params = Mapping[str, Any]

CHANGING_STREAMS_MAX = 5
ON_DEMAND_STREAMS_MAX = 50
SHARDS_DESCRIBED_MAX = 100
STREAMS_LISTED_MAX = 100

_ID_ALPHABET = string.ascii_lowercase + string.digits


def create_stream(service: StreamsService, context: CallContext, params: Params) -> None:
    """Make a stream: CREATING, then ACTIVE."""
    name = params["StreamName"]
    mode = StreamMode(params.get("StreamModeDetails", {}).get("StreamMode", StreamMode.PROVISIONED))
    _check_capacity(service, context, mode, params)
    what = f"stream {name} under account {context.account}"
    stream_tags = tags.merged({}, params.get("Tags", {}), what)
    if service.registry.has(context.account, context.region, name):
        raise ResourceInUseException(f"Stream {name} under account {context.account} already exists.")
    _check_stream_limits(service, context, mode)
    if mode is StreamMode.PROVISIONED:
        shard_count = params["ShardCount"]
        check_shard_limit(service, context, shard_count)
    else:
        shard_count = max(FIRST_SHARDS, params.get("WarmThroughputMiBps", 0))
    now_ms = service.clock.now_ms()
    stream = Stream(
        account=context.account,
        region=context.region,
        name=name,
        stream_id=_new_stream_id(),
        created_ms=now_ms,
        mode=mode,
        max_record_size_kib=params.get("MaxRecordSizeInKiB", 1024),
        warm_throughput_mibps=params.get("WarmThroughputMiBps"),
        shards=first_shards(shard_count, now_ms),
        next_shard_index=shard_count,
        tags=stream_tags,
    )
    service.lifecycle.resume(service.registry.add(stream))


def delete_stream(service: StreamsService, context: CallContext, params: Params) -> None:
    """Delete a stream with its records: DELETING, then gone."""
    handle = service.registry.find(context, params)
    stream = handle.stream
    if stream.status is StreamStatus.DELETING:
        raise not_active(stream)
    if stream.consumers and not params.get("EnforceConsumerDeletion"):
        raise ResourceInUseException(
            f"Stream {stream.name} under account {stream.account} has enhanced fan-out consumers. Deregister them "
            "or set EnforceConsumerDeletion."
        )
    service.lifecycle.delete(handle)


def describe_stream(service: StreamsService, context: CallContext, params: Params) -> dict[str, Any]:
    """A stream with its shards, page by page. A stream that is CREATING has none yet."""
    stream = service.registry.find(context, params).stream
    shards: list[Shard] = [] if stream.status is StreamStatus.CREATING else stream.shards
    start = params.get("ExclusiveStartShardId")
    if start is not None:
        after = shard_index(start, stream.name, stream.account)
        shards = [shard for shard in shards if shard.index > after]
    limit = min(params.get("Limit", SHARDS_DESCRIBED_MAX), SHARDS_DESCRIBED_MAX)
    description = describe_settings(stream) | {
        "Shards": [describe_shard(shard) for shard in shards[:limit]],
        "HasMoreShards": len(shards) > limit,
    }
    return {"StreamDescription": description}


def describe_stream_summary(service: StreamsService, context: CallContext, params: Params) -> dict[str, Any]:
    """A stream without its shards."""
    return {"StreamDescriptionSummary": describe_summary(service.registry.find(context, params).stream)}


class _StreamPlace(msgspec.Struct):
    after_name: str


def list_streams(service: StreamsService, context: CallContext, params: Params) -> dict[str, Any]:
    """The account's streams by name, page by page."""
    after_name = params.get("ExclusiveStartStreamName", "")
    if "NextToken" in params:
        after_name = open_place(service, context, params["NextToken"], _StreamPlace).after_name
    limit = min(params.get("Limit", STREAMS_LISTED_MAX), STREAMS_LISTED_MAX)
    held = service.registry.in_region(context.account, context.region)
    streams = [handle.stream for handle in held if handle.stream.name > after_name]
    page = streams[:limit]
    has_more = len(streams) > limit
    return {
        "StreamNames": [stream.name for stream in page],
        "HasMoreStreams": has_more,
        "NextToken": seal_place(service, context, _StreamPlace(page[-1].name)) if has_more else None,
        "StreamSummaries": [
            {
                "StreamName": stream.name,
                "StreamARN": stream.arn,
                "StreamStatus": stream.status.value,
                "StreamModeDetails": {"StreamMode": stream.mode.value},
                "StreamCreationTimestamp": stream.created_ms,
            }
            for stream in page
        ],
    }


def _check_capacity(service: StreamsService, context: CallContext, mode: StreamMode, params: Params) -> None:
    if mode is StreamMode.PROVISIONED:
        if "ShardCount" not in params:
            raise InvalidArgumentException("ShardCount must be specified for streams in PROVISIONED mode.")
        if "WarmThroughputMiBps" in params:
            raise InvalidArgumentException("WarmThroughputMiBps can only be specified for streams in ON_DEMAND mode.")
    elif "ShardCount" in params:
        raise InvalidArgumentException("ShardCount can not be specified for streams in ON_DEMAND mode.")
    elif "WarmThroughputMiBps" in params:
        require_commitment(service, context)
        check_warm_throughput(params["WarmThroughputMiBps"])
    if params.get("RecordDistributionStrategy") == "AUTO":
        raise InvalidArgumentException(
            "RecordDistributionStrategy AUTO is not supported yet: records go where their partition keys say."
        )


def _check_stream_limits(service: StreamsService, context: CallContext, mode: StreamMode) -> None:
    if not service.settings.limits_aws:
        return
    streams = [handle.stream for handle in service.registry.in_region(context.account, context.region)]
    changing = sum(stream.status in (StreamStatus.CREATING, StreamStatus.DELETING) for stream in streams)
    if changing >= CHANGING_STREAMS_MAX:
        raise LimitExceededException(
            "This request would exceed the limit on the number of streams that can simultaneously be in CREATING or "
            f"DELETING. Limit: {CHANGING_STREAMS_MAX}"
        )
    on_demand = sum(stream.mode is StreamMode.ON_DEMAND for stream in streams)
    if mode is StreamMode.ON_DEMAND and on_demand >= ON_DEMAND_STREAMS_MAX:
        raise LimitExceededException(
            f"This request would exceed the limit on the number of On-Demand streams for the account "
            f"{context.account} in {context.region}. Current On-Demand streams count: {on_demand}. "
            f"Limit: {ON_DEMAND_STREAMS_MAX}."
        )


def _new_stream_id() -> str:
    letters = "".join(secrets.choice(_ID_ALPHABET) for _ in range(23))
    return f"{letters[:20]}-{letters[20:]}"
