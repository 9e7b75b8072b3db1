"""What a stream is made for: capacity mode, warm throughput, record size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.streams.checks import (
    check_shard_limit,
    check_warm_throughput,
    counted,
    require_active,
    require_commitment,
    require_mode,
)
from millstream.streams.descriptions import describe_warm_throughput
from millstream.streams.model import Change, Resharding, Settling, Stream, StreamMode
from millstream.streams.resharding import even_starts
from millstream.streams.scaling import FIRST_SHARDS
from millstream.wire.context import CallContext
from millstream.wire.faults import InvalidArgumentException

if TYPE_CHECKING:
    from millstream.streams.service import StreamsService

Params = Mapping[str, Any]

MODE_CHANGES_A_DAY_MAX = 2


def update_stream_mode(service: StreamsService, context: CallContext, params: Params) -> None:
    """Change between provisioned and on-demand capacity; the shards stay as they are."""
    handle = service.registry.find(context, params)
    stream = handle.stream
    mode = StreamMode(params["StreamModeDetails"]["StreamMode"])
    warm_mibps = params.get("WarmThroughputMiBps")
    if warm_mibps is not None:
        if mode is not StreamMode.ON_DEMAND:
            raise InvalidArgumentException("WarmThroughputMiBps can only be specified for streams in ON_DEMAND mode.")
        require_commitment(service, context)
        check_warm_throughput(warm_mibps)
    require_active(stream)
    if mode is stream.mode and warm_mibps is None:
        return
    mode_changes_ms = counted(
        service,
        stream.mode_changes_ms,
        MODE_CHANGES_A_DAY_MAX,
        "You cannot update the capacity mode of your data stream more than twice within 24 hours.",
    )
    if mode is StreamMode.PROVISIONED:
        check_shard_limit(service, context, len(stream.open_shards))
    service.lifecycle.update(
        handle,
        _warming(stream, max(warm_mibps or 0, len(stream.open_shards))),
        mode=mode,
        mode_changes_ms=mode_changes_ms,
        warm_throughput_mibps=warm_mibps,
    )


def update_stream_warm_throughput(service: StreamsService, context: CallContext, params: Params) -> dict[str, Any]:
    """Have capacity ready for so many MiB a second, or release it."""
    handle = service.registry.find(context, params)
    warm_mibps = params["WarmThroughputMiBps"]
    require_mode(handle.stream, StreamMode.ON_DEMAND, "UpdateStreamWarmThroughput")
    require_commitment(service, context)
    check_warm_throughput(warm_mibps)
    require_active(handle.stream)
    change = _warming(handle.stream, max(warm_mibps, FIRST_SHARDS))
    service.lifecycle.update(handle, change, warm_throughput_mibps=warm_mibps)
    stream = handle.stream
    return {
        "StreamARN": stream.arn,
        "StreamName": stream.name,
        "WarmThroughput": describe_warm_throughput(stream),
    }


def update_max_record_size(service: StreamsService, context: CallContext, params: Params) -> None:
    """Change how large a record may be."""
    handle = service.registry.find(context, params)
    require_active(handle.stream)
    service.lifecycle.update(handle, Settling(), max_record_size_kib=params["MaxRecordSizeInKiB"])


def _warming(stream: Stream, shard_count: int) -> Change:
    """The change to `shard_count` shards: a shard takes one MiB a second."""
    if shard_count == len(stream.open_shards):
        return Settling()
    return Resharding(starts=even_starts(stream.open_shards, shard_count))
