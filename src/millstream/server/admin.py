"""Operations of Millstream's own, on the endpoint of everything else: how deliveries go, flushing, delivery errors.

Their model is `wire/models/millstream`; they are called as those of AWS's services, under the target prefix
`Millstream_20261101`. What the worker has done is read from its checkpoints; nothing here writes anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

from millstream.base.clock import Clock
from millstream.base.units import SECOND_MS
from millstream.firehose.backlog import delivered_position
from millstream.firehose.errorlog import event_mark, logging_options
from millstream.firehose.model import DeliveryStream, StreamStatus
from millstream.firehose.progress import FUNCTION_STAGE, MAIN_DELIVERY, Counters, Progress
from millstream.firehose.registry import not_active
from millstream.firehose.targets import describe_target
from millstream.server.progressreader import AllProgress
from millstream.wire import CallContext, Operation
from millstream.wire.operation import Result

FLUSH_MS = 30 * SECOND_MS
ERRORS_MAX = 100
_POLL_S = 0.05
_TELL_S = 1.0

Params = dict[str, Any]


class Handle(Protocol):
    """A delivery stream as the registry has it."""

    stream: DeliveryStream


class DeliveryStreams(Protocol):
    """Finds delivery streams."""

    def find(self, context: CallContext, name: str) -> Handle:
        """The delivery stream of that name in the caller's account and region. Raises ResourceNotFoundException."""
        ...

    def in_region(self, account: str, region: str) -> Iterable[Handle]:
        """The delivery streams of one account and region, by name."""
        ...


class WorkersProgress(Protocol):
    """What the worker has done; see ProgressReader."""

    def read(self) -> AllProgress:
        """Blocking. All checkpoints."""
        ...

    def journal_end(self, stream_id: str) -> int:
        """Where the journal of a delivery stream's function ends now."""
        ...


class ErrorEvents(Protocol):
    """The log groups that delivery errors are in; see OwnLogs."""

    async def newest(
        self, account: str, region: str, group: str, *, stream: str | None, start_ms: int, text: str, events_max: int
    ) -> list[tuple[int, str]]:
        """The newest events (time in ms, message) that have `text`, newest first."""
        ...


class Ports(NamedTuple):
    """What these operations work with.

    `log_end` is where the log that a delivery stream reads ends now; None if it is gone. `flush` tells the worker to
    deliver what a delivery stream (by its id) has buffered.
    """

    delivery_streams: DeliveryStreams
    log_end: Callable[[DeliveryStream], int | None]
    progress: WorkersProgress
    logs: ErrorEvents
    flush: Callable[[str], None]
    clock: Clock


def operations_of(ports: Ports) -> dict[str, Operation]:
    """The API, for `Service("millstream", …)`."""
    functions: dict[str, Callable[..., Result | Awaitable[Result]]] = {
        "DescribeDeliveries": describe_deliveries,
        "FlushDeliveryStream": flush_delivery_stream,
        "GetDeliveryErrors": get_delivery_errors,
    }
    return {name: Operation(name, partial(function, ports)) for name, function in functions.items()}


async def describe_deliveries(ports: Ports, context: CallContext, params: Params) -> dict[str, Any]:
    """How far the delivery of all delivery streams has come, or of one."""
    if (name := params.get("DeliveryStreamName")) is not None:
        handles: Iterable[Handle] = [ports.delivery_streams.find(context, name)]
    else:
        handles = ports.delivery_streams.in_region(context.account, context.region)
    progress = await asyncio.to_thread(ports.progress.read)
    streams = [handle.stream for handle in handles]
    return {"Deliveries": [_describe(ports, stream, progress.get(stream.stream_id, {})) for stream in streams]}


async def flush_delivery_stream(ports: Ports, context: CallContext, params: Params) -> dict[str, Any]:
    """Deliver what is buffered, and wait until all that was put before the call is delivered."""
    stream = ports.delivery_streams.find(context, params["DeliveryStreamName"]).stream
    if stream.status not in (StreamStatus.CREATING, StreamStatus.ACTIVE):
        raise not_active(stream)
    end, journal_end = ports.log_end(stream), None
    now_s = ports.clock.monotonic()
    deadline, tell_s = now_s + params.get("TimeoutMs", FLUSH_MS) / SECOND_MS, now_s
    while True:
        if (now_s := ports.clock.monotonic()) >= tell_s:
            ports.flush(stream.stream_id)  # again and again: a worker that has just begun may not know the stream yet
            tell_s = now_s + _TELL_S
        progress = (await asyncio.to_thread(ports.progress.read)).get(stream.stream_id, {})
        waiting = _waiting_in_log(stream, progress, end)
        if waiting == 0 and FUNCTION_STAGE in progress:
            journal_end = ports.progress.journal_end(stream.stream_id) if journal_end is None else journal_end
            waiting = _waiting_in_journal(progress, journal_end)
        if not waiting or now_s >= deadline:
            return {"Delivered": waiting == 0, "WaitingBytes": waiting}
        await asyncio.sleep(_POLL_S)


async def get_delivery_errors(ports: Ports, context: CallContext, params: Params) -> dict[str, Any]:
    """The newest events of a delivery stream's error log, newest first.

    A log stream may be shared, with others or with one that had the same name before: theirs are left out.
    """
    stream = ports.delivery_streams.find(context, params["DeliveryStreamName"]).stream
    options = logging_options(stream)
    if not options.enabled or options.group is None:
        return {"LoggingEnabled": False, "Errors": []}
    events = await ports.logs.newest(
        *(stream.account, stream.region, options.group),
        stream=options.stream,
        start_ms=stream.created_ms,
        text=event_mark(stream),
        events_max=params.get("Limit", ERRORS_MAX),
    )
    errors = [{"Timestamp": time_ms, "Message": message} for time_ms, message in events]
    return {"LoggingEnabled": True, "Errors": errors}


def _describe(ports: Ports, stream: DeliveryStream, progress: Mapping[str, Progress]) -> dict[str, Any]:
    counters = progress[MAIN_DELIVERY].counters if MAIN_DELIVERY in progress else Counters()
    waiting = _waiting_in_log(stream, progress, ports.log_end(stream))
    if waiting is not None and FUNCTION_STAGE in progress:
        waiting += _waiting_in_journal(progress, ports.progress.journal_end(stream.stream_id))
    oldest_ms = counters.oldest_waiting_ms if waiting else None
    failures = [each.counters for each in progress.values() if each.counters.last_error_ms is not None]
    failure = max(failures, key=lambda each: each.last_error_ms or 0, default=counters)
    return {
        "DeliveryStreamName": stream.name,
        "DeliveryStreamARN": stream.arn,
        "DeliveryStreamStatus": stream.status.value,
        "DeliveryStreamType": stream.type.value,
        "FailureDescription": stream.failure,
        "KinesisStreamARN": stream.source.stream_arn if stream.source else None,
        "DestinationType": stream.destination.kind,
        "Target": describe_target(stream.destination),
        "WaitingBytes": waiting,
        "OldestWaitingAgeMs": None if oldest_ms is None else max(0, ports.clock.now_ms() - oldest_ms),
        "DeliveredRecords": counters.delivered_records,
        "DeliveredBytes": counters.delivered_bytes,
        "Deliveries": counters.parcels,
        "FailedRecords": counters.failed_records,
        "LastDeliveredTimestamp": counters.last_delivered_ms,
        "LastErrorMessage": failure.last_error,
        "LastErrorTimestamp": failure.last_error_ms,
    }


def _waiting_in_log(stream: DeliveryStream, progress: Mapping[str, Progress], end: int | None) -> int | None:
    """What of the log before `end` is not done with, by the delivery that is farthest behind; None: nobody knows."""
    if end is None:
        return None
    position = delivered_position(stream, {delivery: each.position for delivery, each in progress.items()})
    start = stream.source.start_position if stream.source else 0
    return max(0, end - max(position, start))


def _waiting_in_journal(progress: Mapping[str, Progress], end: int) -> int:
    """What a function has made of records and is not delivered."""
    return max(0, end - progress[MAIN_DELIVERY].position) if MAIN_DELIVERY in progress else end
