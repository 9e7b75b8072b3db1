"""SubscribeToShard: enhanced fan-out over an event stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from millstream.base.clock import monotonic_ms
from millstream.streams.model import ConsumerStatus
from millstream.streams.operations.records import DRY_RUN
from millstream.streams.positions import readable_shard, shard_index, starting_offset
from millstream.streams.registry import StreamHandle
from millstream.streams.subscription import TAKE_OVER_MS, Subscription, Timing
from millstream.wire.faults import DryRunOperationException, ResourceInUseException
from millstream.wire.operation import EventStream

if TYPE_CHECKING:
    from millstream.streams.service import StreamsService
    from millstream.wire.context import CallContext


async def subscribe_to_shard(service: StreamsService, context: CallContext, params: dict[str, Any]) -> EventStream:
    """SubscribeToShard: pushes records within milliseconds of their commit, for five minutes or to the shard's end."""
    consumer_arn = params["ConsumerARN"]
    handle, consumer = service.registry.find_consumer(context, consumer_arn)
    stream = handle.stream
    shard = readable_shard(handle, shard_index(params["ShardId"], stream.name, stream.account))
    if consumer.status is not ConsumerStatus.ACTIVE:
        raise ResourceInUseException(
            f"Consumer {consumer.name} with creation timestamp {consumer.created_ms // 1000} under stream "
            f"{stream.name} and account {stream.account} is not in ACTIVE status."
        )
    start = params["StartingPosition"]
    now_ms = service.clock.now_ms()
    number, time_ms = start.get("SequenceNumber"), start.get("Timestamp")
    offset = await starting_offset(handle, shard, start["Type"], number, time_ms, now_ms)
    if params.get("DryRun"):
        raise DryRunOperationException(DRY_RUN)
    in_use = ResourceInUseException(
        "Another active subscription exists for this consumer: "
        f"{stream.account}:{stream.name}:{shard.shard_id}:{consumer.name}"
    )
    _take_over(handle, (consumer_arn, shard.index), monotonic_ms(service.clock), in_use)
    subscription = Subscription(
        handle,
        consumer_arn,
        shard,
        offset,
        clock=service.clock,
        scheduler=service.scheduler,
        timing=Timing(service.settings.subscription_ms, service.settings.keep_alive_ms),
    )
    return EventStream(subscription.messages())


def _take_over(handle: StreamHandle, key: tuple[str, int], now_ms: int, in_use: ResourceInUseException) -> None:
    """End an older subscription with `in_use`; one that is too young stays, and `in_use` is raised instead."""
    older = handle.subscriptions.get(key)
    if older is None:
        return
    if handle.limits.enabled and now_ms - older.opened_ms < TAKE_OVER_MS:
        raise in_use
    older.end(in_use)
