"""The account: its limits and its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.streams.accounts import load_commitment, save_commitment
from millstream.streams.checks import count_open_shards
from millstream.streams.model import StreamMode
from millstream.streams.operations.streams import ON_DEMAND_STREAMS_MAX
from millstream.wire.context import CallContext

if TYPE_CHECKING:
    from millstream.streams.service import StreamsService

Params = Mapping[str, Any]


def describe_limits(service: StreamsService, context: CallContext, params: Params) -> dict[str, Any]:  # noqa: ARG001
    """What the account may have, and has."""
    streams = [handle.stream for handle in service.registry.in_region(context.account, context.region)]
    return {
        "ShardLimit": service.settings.shard_limit,
        "OpenShardCount": count_open_shards(service, context),
        "OnDemandStreamCount": sum(stream.mode is StreamMode.ON_DEMAND for stream in streams),
        "OnDemandStreamCountLimit": ON_DEMAND_STREAMS_MAX,
        "ChannelCount": 0,
        "ChannelCountLimit": 0,
    }


def describe_account_settings(
    service: StreamsService,
    context: CallContext,
    params: Params,  # noqa: ARG001
) -> dict[str, Any]:
    """The account's billing commitment."""
    commitment = load_commitment(service.catalog, context.account, context.region)
    return {"MinimumThroughputBillingCommitment": commitment.output(service.clock.now_ms())}


def update_account_settings(service: StreamsService, context: CallContext, params: Params) -> dict[str, Any]:
    """Enable or disable the account's billing commitment."""
    now_ms = service.clock.now_ms()
    commitment = load_commitment(service.catalog, context.account, context.region)
    wanted = params["MinimumThroughputBillingCommitment"]["Status"]
    commitment = commitment.enable(now_ms) if wanted == "ENABLED" else commitment.disable(now_ms)
    save_commitment(service.catalog, context.account, context.region, commitment)
    return {"MinimumThroughputBillingCommitment": commitment.output(now_ms)}
