"""How long records are kept: increase and decrease the retention period."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.streams.checks import require_active
from millstream.streams.model import Settling
from millstream.streams.registry import StreamHandle
from millstream.wire.context import CallContext
from millstream.wire.faults import InvalidArgumentException

if TYPE_CHECKING:
    from millstream.streams.service import StreamsService

Params = Mapping[str, Any]

HOURS_MIN = 24
HOURS_MAX = 8760


def increase_stream_retention_period(service: StreamsService, context: CallContext, params: Params) -> None:
    """Keep records longer; what has expired already does not come back."""
    handle, hours = _requested(service, context, params)
    present = handle.stream.retention_hours
    if hours < present:
        raise InvalidArgumentException(
            f"Requested retention period ({hours} hours) for stream {handle.stream.name} can not be shorter than "
            f"existing retention period ({present} hours). Use DecreaseRetentionPeriod API."
        )
    _change(service, handle, hours)


def decrease_stream_retention_period(service: StreamsService, context: CallContext, params: Params) -> None:
    """Keep records for a shorter time; older ones are gone at once."""
    handle, hours = _requested(service, context, params)
    present = handle.stream.retention_hours
    if hours > present:
        raise InvalidArgumentException(
            f"Requested retention period ({hours} hours) for stream {handle.stream.name} can not be longer than "
            f"existing retention period ({present} hours). Use IncreaseRetentionPeriod API."
        )
    _change(service, handle, hours)


def _requested(service: StreamsService, context: CallContext, params: Params) -> tuple[StreamHandle, int]:
    handle = service.registry.find(context, params)
    hours: int = params["RetentionPeriodHours"]
    if hours < HOURS_MIN:
        raise InvalidArgumentException(
            f"Minimum allowed retention period is {HOURS_MIN} hours. Requested retention period ({hours} hours) is "
            "too short."
        )
    if hours > HOURS_MAX:
        raise InvalidArgumentException(
            f"Maximum allowed retention period is {HOURS_MAX} hours. Requested retention period ({hours} hours) is "
            "too long."
        )
    require_active(handle.stream)
    return handle, hours


def _change(service: StreamsService, handle: StreamHandle, hours: int) -> None:
    horizon_ms = handle.stream.trim_horizon_ms(service.clock.now_ms())
    service.lifecycle.update(handle, Settling(), retention_hours=hours, horizon_ms=horizon_ms)
