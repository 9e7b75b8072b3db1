"""Starting and stopping applications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from millstream.analytics.checks import check_resources, check_startable
from millstream.analytics.model import Application, Input, Start, Status
from millstream.analytics.operations.changes import check_status, check_unchanged
from millstream.analytics.ports import source_position
from millstream.analytics.updates import unknown_id
from millstream.wire.context import CallContext

if TYPE_CHECKING:
    from millstream.analytics.service import AnalyticsService

Params = Mapping[str, Any]

_FORCED = (Status.STARTING, Status.RUNNING, Status.UPDATING)


async def start(service: AnalyticsService, context: CallContext, name: str, starts: Mapping[str, Start]) -> None:
    """Start an application: STARTING, then RUNNING. `starts` are by the inputs' ids; others start NOW."""
    handle = service.registry.find(context, name)
    application = handle.application
    check_status(application, Status.READY)
    for input_id in starts:
        if all(one.input_id != input_id for one in application.inputs):
            raise unknown_id("InputId", input_id, (one.input_id for one in application.inputs))
    check_resources(service.resources, application)
    await check_startable(application)
    check_unchanged(handle, application)
    inputs = tuple(_begun(service, application, one, starts.get(one.input_id, Start.NOW)) for one in application.inputs)
    service.lifecycle.start(handle, inputs)


def stop_application(service: AnalyticsService, context: CallContext, params: Params) -> dict[str, Any]:
    """Stop a RUNNING application, or with Force one that is to become that: STOPPING, then READY."""
    handle = service.registry.find(context, params["ApplicationName"])
    check_status(handle.application, *(_FORCED if params.get("Force") else (Status.RUNNING,)))
    service.lifecycle.stop(handle)
    return {}


def start_of(configuration: Params) -> Start:
    """The start that an InputConfiguration or SqlRunConfiguration says."""
    return Start(configuration["InputStartingPositionConfiguration"].get("InputStartingPosition", Start.NOW))


def _begun(service: AnalyticsService, application: Application, one: Input, start: Start) -> Input:
    """The input with where to begin. Of a source that was never read there is no last stopped point: it is now."""
    found = service.resources.find_source(application.account, application.region, one.kind, one.arn)
    position = source_position(found, start)
    if position is None and one.source_id != found.source_id:
        position = found.end_position
    return replace(one, source_id=found.source_id, start=start, position=position)
