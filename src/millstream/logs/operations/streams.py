"""Log streams: create, delete, describe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.logs.faults import InvalidParameterException
from millstream.logs.group import StreamState
from millstream.logs.model import LogGroup
from millstream.logs.operations.groups import find_group
from millstream.logs.paging import Key, page_of
from millstream.wire.context import CallContext

if TYPE_CHECKING:
    from millstream.logs.service import LogsService

Params = Mapping[str, Any]


async def create_log_stream(service: LogsService, context: CallContext, params: Params) -> None:
    """Make a log stream."""
    handle = service.store.find(context, params["logGroupName"])
    await service.store.create_stream(handle, params["logStreamName"])


async def delete_log_stream(service: LogsService, context: CallContext, params: Params) -> None:
    """Delete a log stream with its events."""
    handle = service.store.find(context, params["logGroupName"])
    await service.store.delete_stream(handle, params["logStreamName"])


async def describe_log_streams(service: LogsService, context: CallContext, params: Params) -> dict[str, Any]:
    """Log streams in order of their names, or of the times of their last events, page by page."""
    prefix = params.get("logStreamNamePrefix", "")
    by_time = params.get("orderBy") == "LastEventTime"
    if by_time and prefix:
        raise InvalidParameterException("Cannot order by LastEventTime with a logStreamNamePrefix.")
    handle = find_group(service, context, params)
    async with service.store.using(handle) as opened:
        states = [state for name, state in opened.streams.items() if name.startswith(prefix)]
        key = _by_time if by_time else _by_name
        page, token = page_of(states, params, key, descending=params.get("descending", False))
        return {"logStreams": [_describe(handle.group, state) for state in page], "nextToken": token}


def _by_name(state: StreamState) -> Key:
    return 0, state.stream.name


def _by_time(state: StreamState) -> Key:
    return state.index.last_ms or 0, state.stream.name


def _describe(group: LogGroup, state: StreamState) -> dict[str, Any]:
    stream, index = state.stream, state.index
    return {
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "firstEventTimestamp": index.first_ms,
        "lastEventTimestamp": index.last_ms,
        "lastIngestionTime": index.last_arrival_ms,
        "uploadSequenceToken": f"49{group.number:08}{stream.shard:08}{index.next_offset:038}",
        "arn": f"{group.arn}:log-stream:{stream.name}",
        "storedBytes": 0,  # as on AWS, since 2019
    }
