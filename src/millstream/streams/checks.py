"""Checks that many operations make, in AWS's words: statuses, capacity modes, quotas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millstream.base.units import HOUR_MS
from millstream.streams.accounts import load_commitment
from millstream.streams.model import Consumer, Stream, StreamMode, StreamStatus
from millstream.streams.registry import StreamHandle
from millstream.wire.context import CallContext
from millstream.wire.faults import (
    InvalidArgumentException,
    LimitExceededException,
    ResourceInUseException,
    ValidationException,
)

if TYPE_CHECKING:
    from millstream.streams.service import StreamsService

DAY_MS = 24 * HOUR_MS
SHARDS_OF_STREAM_MAX = 10_000
WARM_MIBPS_MAX = 10_240


def require_active(stream: Stream) -> None:
    """Raises ResourceInUseException unless the stream is ACTIVE."""
    if stream.status is not StreamStatus.ACTIVE:
        raise not_active(stream)


def require_serving(handle: StreamHandle) -> None:
    """Raises ResourceInUseException unless the stream is ACTIVE or UPDATING."""
    if not handle.is_serving:
        raise not_active(handle.stream)


def not_active(stream: Stream) -> ResourceInUseException:
    """The fault for a stream in a status that does not allow the operation."""
    return ResourceInUseException(
        f"Stream {stream.name} under account {stream.account} not ACTIVE, instead in state {stream.status}"
    )


def consumer_not_active(stream: Stream, consumer: Consumer) -> ResourceInUseException:
    """The fault for a consumer in a status that does not allow the operation."""
    return ResourceInUseException(
        f"Consumer {consumer.name} with creation timestamp {consumer.created_ms // 1000} under stream "
        f"{stream.name} and account {stream.account} is not in ACTIVE status."
    )


def require_mode(stream: Stream, mode: StreamMode, operation: str) -> None:
    """Raises ValidationException if the operation is not for streams of this capacity mode."""
    if stream.mode is not mode:
        raise ValidationException(
            f"{operation} is only supported for streams in {mode} mode. Stream {stream.name} under account "
            f"{stream.account} is in {stream.mode} mode."
        )


def check_shard_limit(service: StreamsService, context: CallContext, additional: int) -> None:
    """Raises LimitExceededException if `additional` open shards would be too many for the account.

    This holds without AWS's limits, too: shards cost memory, and one call could ask for all there is.
    """
    limit = service.settings.shard_limit
    current = count_open_shards(service, context)
    if current + additional > limit:
        raise LimitExceededException(
            f"This request would exceed the shard limit for the account {context.account} in {context.region}. "
            f"Current shard count for the account: {current}. Limit: {limit}. Number of additional shards that "
            f"would have resulted from this request: {additional}. Refer to the AWS Service Limits page "
            "(http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits and how to "
            "request higher limits."
        )


def count_open_shards(service: StreamsService, context: CallContext) -> int:
    """Open shards of the account's provisioned streams: those that count towards its shard limit."""
    return sum(
        len(handle.shard_map.shards)
        for handle in service.registry.in_region(context.account, context.region)
        if handle.stream.mode is StreamMode.PROVISIONED
    )


def check_warm_throughput(warm_mibps: int) -> None:
    """Raises LimitExceededException for more than a stream may have ready; for the same reason, always."""
    if warm_mibps > WARM_MIBPS_MAX:
        raise LimitExceededException(
            f"Warm throughput cannot be more than {WARM_MIBPS_MAX} MiBps. Requested: {warm_mibps}"
        )


def counted(service: StreamsService, times_ms: list[int], limit: int, refusal: str) -> list[int]:
    """The times of changes within the last 24 hours, and now; raises LimitExceededException beyond `limit`."""
    now_ms = service.clock.now_ms()
    recent = [time_ms for time_ms in times_ms if time_ms > now_ms - DAY_MS]
    if service.settings.limits_aws and len(recent) >= limit:
        raise LimitExceededException(refusal)
    return [*recent, now_ms]


def require_commitment(service: StreamsService, context: CallContext) -> None:
    """Raises InvalidArgumentException unless the account has what warm throughput needs."""
    commitment = load_commitment(service.catalog, context.account, context.region)
    if not commitment.is_enabled(service.clock.now_ms()):
        raise InvalidArgumentException(
            "Warm throughput can only be specified for accounts that have MinimumThroughputBillingCommitment enabled."
        )
