"""How a call changes an application: found, in the right status and version, checked as it would be, saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from millstream.analytics.checks import check_configuration, check_program, check_resources
from millstream.analytics.descriptions import conditional_token
from millstream.analytics.model import Application, Input, Status
from millstream.analytics.registry import Handle
from millstream.wire.context import CallContext
from millstream.wire.faults import (
    ConcurrentModificationException,
    InvalidArgumentException,
    ResourceInUseException,
)

if TYPE_CHECKING:
    from millstream.analytics.service import AnalyticsService

Params = Mapping[str, Any]
Changes = dict[str, Any]
Change = Callable[[Application, Params], Changes]

_PROGRAM = frozenset({"code", "inputs", "references"})
_OUTPUTS = frozenset({"outputs"})


async def change(
    service: AnalyticsService, context: CallContext, params: Params, changes_of: Change, *, checks_code: bool = False
) -> Application:
    """Make the application's next version with the members that `changes_of` gives of the present one; the new one.

    `checks_code`: the call is one that answers for the code. Of a RUNNING application no call may break it.
    """
    handle = service.registry.find(context, params["ApplicationName"])
    before = handle.application
    check_status(before, Status.READY, Status.RUNNING)
    _check_version(before, params)
    changes = changes_of(before, params)
    after = replace(before, **changes)
    check_configuration(after, limits_aws=service.settings.limits_aws)
    check_resources(service.resources, after, before)
    is_running = before.status is Status.RUNNING
    checked = _PROGRAM | _OUTPUTS if is_running else _PROGRAM if checks_code else frozenset()
    if checked & changes.keys():
        await check_program(after, needed=is_running)
        check_unchanged(handle, before)
    if is_running and "inputs" in changes:
        changes["inputs"] = tuple(positioned(service, after, one) for one in after.inputs)
    return service.lifecycle.revise(handle, changes)


def positioned(service: AnalyticsService, application: Application, one: Input) -> Input:
    """The input with where to begin, if it is of a source that the application has not read yet: at its end."""
    if one.source_id:
        return one
    found = service.resources.find_source(application.account, application.region, one.kind, one.arn)
    return replace(one, source_id=found.source_id, position=found.end_position)


def check_status(application: Application, *allowed: Status) -> None:
    """Raises ResourceInUseException in another status than one of those."""
    if application.status not in allowed:
        raise ResourceInUseException(
            f"Application {application.name} is {application.status}; this needs it to be {' or '.join(allowed)}."
        )


def check_unchanged(handle: Handle, before: Application) -> None:
    """Raises ConcurrentModificationException if the application is not what it was before an await."""
    if handle.application is not before:
        raise ConcurrentModificationException(f"Application {before.name} was changed meanwhile. Try again.")


def _check_version(application: Application, params: Params) -> None:
    """The caller must know the application as it is. Raises ConcurrentModificationException."""
    version, token = params.get("CurrentApplicationVersionId"), params.get("ConditionalToken")
    if version is None and token is None:
        raise InvalidArgumentException("Either CurrentApplicationVersionId or ConditionalToken is required.")
    if version is not None and version != application.version:
        raise ConcurrentModificationException(
            f"Application {application.name} has version {application.version}, not {version}. "
            "Call DescribeApplication for its present version."
        )
    if token is not None and token != conditional_token(application):
        raise ConcurrentModificationException(
            f"Application {application.name} has changed since that ConditionalToken was given. "
            "Call DescribeApplication for the present one."
        )
