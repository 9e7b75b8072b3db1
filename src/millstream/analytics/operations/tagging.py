"""Tags of applications, alike in both APIs. They are no part of an application's version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from millstream.analytics import tags
from millstream.analytics.model import Status
from millstream.analytics.operations.changes import check_status
from millstream.analytics.registry import Handle
from millstream.wire.context import CallContext
from millstream.wire.faults import ResourceNotFoundException

if TYPE_CHECKING:
    from millstream.analytics.service import AnalyticsService

Params = Mapping[str, Any]


def tag_resource(service: AnalyticsService, context: CallContext, params: Params) -> dict[str, Any]:
    """Set tags of an application."""
    handle = _changeable(service, context, params)
    _save(service, handle, tags.merged(handle.application.tags, params["Tags"]))
    return {}


def untag_resource(service: AnalyticsService, context: CallContext, params: Params) -> dict[str, Any]:
    """Remove tags of an application; keys that it does not have are ignored."""
    handle = _changeable(service, context, params)
    _save(service, handle, {k: value for k, value in handle.application.tags.items() if k not in params["TagKeys"]})
    return {}


def list_tags_for_resource(service: AnalyticsService, context: CallContext, params: Params) -> dict[str, Any]:
    """An application's tags."""
    return {"Tags": tags.described(_found(service, context, params).application.tags)}


def _save(service: AnalyticsService, handle: Handle, changed: dict[str, str]) -> None:
    service.registry.save(handle, replace(handle.application, tags=changed))


def _changeable(service: AnalyticsService, context: CallContext, params: Params) -> Handle:
    handle = _found(service, context, params)
    check_status(handle.application, *(status for status in Status if status is not Status.DELETING))
    return handle


def _found(service: AnalyticsService, context: CallContext, params: Params) -> Handle:
    arn = params["ResourceARN"]
    handle = next((one for one in service.registry if one.application.arn == arn), None)
    if handle is None or (handle.application.account, handle.application.region) != (context.account, context.region):
        raise ResourceNotFoundException(f"There is no application {arn} under account {context.account}.")
    return handle
