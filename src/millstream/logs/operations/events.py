"""PutLogEvents, GetLogEvents, FilterLogEvents: the data plane's calls. Source: the API reference."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from millstream.base.units import HOUR_MS, MIB
from millstream.logs.events import EVENT_OVERHEAD_BYTES, Place, event_id
from millstream.logs.faults import InvalidParameterException
from millstream.logs.group import AHEAD_MS, OpenGroup, StreamState
from millstream.logs.model import DAY_MS, LogGroup
from millstream.logs.operations.groups import find_group
from millstream.logs.paging import EventToken, event_token
from millstream.logs.patterns import PatternError, compile_pattern
from millstream.logs.reading import TIME_MS_END, cut_at, read_page
from millstream.logs.requests import FilteredLogEvent, OutputLogEvent, PutLogEventsInput, encoded
from millstream.logs.sweep import PAGE_EVENTS_MAX, Limits, Page, Predicate, Range
from millstream.wire.context import CallContext
from millstream.wire.operation import Result

if TYPE_CHECKING:
    from millstream.logs.service import LogsService

Params = Mapping[str, Any]

BATCH_BYTES_MAX = MIB
BATCH_SPAN_MS_MAX = 24 * HOUR_MS
OLD_MS_MAX = 14 * DAY_MS


class Admitted(NamedTuple):
    """Which events of a batch are stored, those at `start` up to `end`, and why the others are not."""

    start: int
    end: int
    rejected: dict[str, int]


async def put_log_events(service: LogsService, context: CallContext, request: PutLogEventsInput) -> Result:
    """PutLogEvents: once this returns, all events but the rejected ones are durable. Sequence tokens are ignored."""
    handle = service.store.find(context, request.logGroupName)
    times_ms = [event.timestamp for event in request.logEvents]
    messages = [event.message.encode("utf-8", "replace") for event in request.logEvents]
    _check_sizes(messages)
    admitted = _admit(times_ms, service.clock.now_ms(), handle.group)
    start, end, rejected = admitted
    token = "0" * 56
    if start < end:
        placement = await service.store.put(handle, request.logStreamName, times_ms[start:end], messages[start:end])
        last = Place(times_ms[end - 1], placement.arrival_ms, 0, placement.first_offset + end - start - 1)
        token = event_id(handle.group.number, last)
    else:
        async with service.store.using(handle) as opened:
            opened.stream(request.logStreamName)
    reply = {"nextSequenceToken": f"49{token[2:]}", "rejectedLogEventsInfo": rejected or None}
    return encoded(context.codec, reply)


def _check_sizes(messages: list[bytes]) -> None:
    sizes_bytes = list(map(len, messages))
    largest_bytes = max(sizes_bytes)
    if largest_bytes > BATCH_BYTES_MAX:
        raise InvalidParameterException(
            f"Log event too large: {largest_bytes} bytes exceeds limit of {BATCH_BYTES_MAX}"
        )
    total_bytes = sum(sizes_bytes) + EVENT_OVERHEAD_BYTES * len(messages)
    if total_bytes > BATCH_BYTES_MAX:
        raise InvalidParameterException(f"Upload too large: {total_bytes} bytes exceeds limit of {BATCH_BYTES_MAX}")


def _admit(times_ms: list[int], now_ms: int, group: LogGroup) -> Admitted:
    """Which events may be stored now. Raises InvalidParameterException for a batch that is out of order or too wide."""
    if any(map(int.__gt__, times_ms, times_ms[1:])):
        raise InvalidParameterException("Log events in a single PutLogEvents request must be in chronological order.")
    too_new = bisect_right(times_ms, now_ms + AHEAD_MS)
    too_old = bisect_left(times_ms, now_ms - OLD_MS_MAX)
    expired = bisect_left(times_ms, group.oldest_ms(now_ms))
    rejected = {}
    if too_new < len(times_ms):
        rejected["tooNewLogEventStartIndex"] = too_new
    if too_old:
        rejected["tooOldLogEventEndIndex"] = too_old
    if expired:
        rejected["expiredLogEventEndIndex"] = expired
    start = max(too_old, expired)
    if start < too_new and times_ms[too_new - 1] - times_ms[start] > BATCH_SPAN_MS_MAX:
        raise InvalidParameterException(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
        )
    return Admitted(start, too_new, rejected)


async def get_log_events(service: LogsService, context: CallContext, params: Params) -> Result:
    """GetLogEvents: a page of one log stream, the newest one unless startFromHead; tokens lead to both of its sides.

    At either end the token of that side is the one that was passed in.
    """
    handle = find_group(service, context, params)
    group = handle.group
    token = event_token(params["nextToken"], group.number) if "nextToken" in params else None
    whole = _whole_range(service, group, params, params.get("endTime", TIME_MS_END))
    forward = params.get("startFromHead", False) if token is None else token.forward
    async with service.store.using(handle) as opened:
        state = opened.stream(params["logStreamName"])
        limits = Limits(params.get("limit", PAGE_EVENTS_MAX))
        page = await read_page(opened, [state], _range_from(whole, token), forward=forward, limits=limits)
    before, after = _sides(page, whole.start if token is None else token.cut, forward=forward)
    ordered = page.events if forward else page.events[::-1]
    events = [OutputLogEvent(place.time_ms, message, place.arrival_ms) for place, message, _ in ordered]
    reply = {
        "events": events,
        "nextForwardToken": EventToken(after, True).text(group.number),
        "nextBackwardToken": EventToken(before, False).text(group.number),
    }
    return encoded(context.codec, reply)


def _sides(page: Page, nowhere: Place, *, forward: bool) -> tuple[Place, Place]:
    """The cuts before and after a page; `nowhere` for one that has nothing and is the last."""
    if page.events:
        first, last = (page.events[0], page.events[-1]) if forward else (page.events[-1], page.events[0])
        before, after = first.place, last.place.after()
    else:
        before = after = nowhere
    if page.left is not None:  # with nothing on the page it may still have come farther
        return (before, page.left.start) if forward else (page.left.end, after)
    return before, after


async def filter_log_events(service: LogsService, context: CallContext, params: Params) -> Result:
    """FilterLogEvents: a page of matching events of some log streams or all, in the order of their times."""
    handle = find_group(service, context, params)
    group = handle.group
    matches = _predicate(params.get("filterPattern", ""))
    token = event_token(params["nextToken"], group.number) if "nextToken" in params else None
    end_ms = min(params.get("endTime", TIME_MS_END), TIME_MS_END) + 1  # here, unlike in GetLogEvents, it is inclusive
    whole = _whole_range(service, group, params, end_ms)
    forward = params.get("startFromHead", True) if token is None else token.forward
    async with service.store.using(handle) as opened:
        states = _streams(opened, params)
        limits = Limits(params.get("limit", PAGE_EVENTS_MAX))
        wanted = _range_from(whole, token)
        page = await read_page(opened, states, wanted, forward=forward, matches=matches, limits=limits)
    names = {state.stream.shard: state.stream.name for state in states}
    events = [
        FilteredLogEvent(names[place.shard], place.time_ms, message, place.arrival_ms, event_id(group.number, place))
        for place, message, _ in page.events
    ]
    next_token = None
    if page.left is not None:
        next_token = EventToken(page.left.start if forward else page.left.end, forward).text(group.number)
    return encoded(context.codec, {"events": events, "searchedLogStreams": [], "nextToken": next_token})


def _whole_range(service: LogsService, group: LogGroup, params: Params, end_ms: int) -> Range:
    """What a caller may read: from startTime on, or what retention has left, and before `end_ms`."""
    start_ms = max(params.get("startTime", 0), group.oldest_ms(service.clock.now_ms()))
    return Range(cut_at(start_ms), cut_at(end_ms))


def _range_from(whole: Range, token: EventToken | None) -> Range:
    if token is None:
        return whole
    if token.forward:
        return Range(max(whole.start, token.cut), whole.end)
    return Range(whole.start, min(whole.end, token.cut))


def _predicate(pattern: str) -> Predicate | None:
    if not pattern.strip():
        return None
    try:
        return compile_pattern(pattern).match
    except PatternError as error:
        raise InvalidParameterException(f"Invalid filter pattern: {error}") from None


def _streams(opened: OpenGroup, params: Params) -> list[StreamState]:
    """The log streams that are to be searched. Raises ResourceNotFoundException, InvalidParameterException."""
    if "logStreamNames" in params:
        if "logStreamNamePrefix" in params:
            raise InvalidParameterException("logStreamNames and logStreamNamePrefix cannot be given together.")
        return [opened.stream(name) for name in dict.fromkeys(params["logStreamNames"])]
    prefix = params.get("logStreamNamePrefix", "")
    return [state for name, state in opened.streams.items() if name.startswith(prefix)]
