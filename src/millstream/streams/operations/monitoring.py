"""Enhanced monitoring: which shard-level metrics a stream reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.streams.checks import require_active
from millstream.streams.model import Settling
from millstream.streams.registry import StreamHandle
from millstream.wire.context import CallContext

if TYPE_CHECKING:
    from millstream.streams.service import StreamsService

Params = Mapping[str, Any]

METRICS = (
    "IncomingBytes",
    "IncomingRecords",
    "OutgoingBytes",
    "OutgoingRecords",
    "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded",
    "IteratorAgeMilliseconds",
)


def enable_enhanced_monitoring(service: StreamsService, context: CallContext, params: Params) -> dict[str, Any]:
    """Report more metrics; ALL stands for every one."""
    handle = service.registry.find(context, params)
    return _change(service, handle, {*handle.stream.enhanced_metrics, *_expanded(params)})


def disable_enhanced_monitoring(service: StreamsService, context: CallContext, params: Params) -> dict[str, Any]:
    """Report fewer metrics; ALL stands for every one."""
    handle = service.registry.find(context, params)
    return _change(service, handle, {*handle.stream.enhanced_metrics} - _expanded(params))


def _expanded(params: Params) -> set[str]:
    metrics = set(params["ShardLevelMetrics"])
    return set(METRICS) if "ALL" in metrics else metrics


def _change(service: StreamsService, handle: StreamHandle, desired: set[str]) -> dict[str, Any]:
    require_active(handle.stream)
    before = handle.stream.enhanced_metrics
    after = [metric for metric in METRICS if metric in desired]
    service.lifecycle.update(handle, Settling(), enhanced_metrics=after)
    return {
        "StreamName": handle.stream.name,
        "CurrentShardLevelMetrics": before,
        "DesiredShardLevelMetrics": after,
        "StreamARN": handle.stream.arn,
    }
