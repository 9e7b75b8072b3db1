"""Applications: create, describe, list, delete. What both APIs share; `first` and `second` have their shapes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from millstream.analytics import tags
from millstream.analytics.checks import check_configuration, check_program, check_resources
from millstream.analytics.model import Application, Status
from millstream.analytics.operations.changes import check_status
from millstream.analytics.parts import input_of, logging_option_of, output_of, reference_of
from millstream.wire.context import CallContext
from millstream.wire.faults import InvalidArgumentException, LimitExceededException, ResourceInUseException

if TYPE_CHECKING:
    from millstream.analytics.service import AnalyticsService

Params = Mapping[str, Any]
Given = Sequence[Params]

APPLICATIONS_MAX = 50
"""Applications an account may have in a region: AWS's default."""

APPLICATIONS_LISTED = 50
"""How many applications a page has if no limit is given."""


async def create(
    service: AnalyticsService,
    context: CallContext,
    params: Params,
    *,
    inputs: Given = (),
    outputs: Given = (),
    references: Given = (),
    code: str = "",
    role_arn: str | None = None,
) -> Application:
    """Make an application, READY, of what either API has for it in its own places."""
    name = params["ApplicationName"]
    _check_room(service, context, name)
    now_ms = service.clock.now_ms()
    logging = params.get("CloudWatchLoggingOptions", [])
    application = Application(
        application_id=uuid.uuid4().hex,
        account=context.account,
        region=context.region,
        name=name,
        description=params.get("ApplicationDescription"),
        created_ms=now_ms,
        updated_ms=now_ms,
        code=code,
        role_arn=role_arn,
        inputs=tuple(input_of(given, part_id) for part_id, given in _numbered(inputs)),
        outputs=tuple(output_of(given, part_id) for part_id, given in _numbered(outputs)),
        references=tuple(reference_of(given, part_id) for part_id, given in _numbered(references)),
        logging=tuple(logging_option_of(given, part_id) for part_id, given in _numbered(logging)),
        tags=tags.merged({}, params.get("Tags", [])),
    )
    check_configuration(application, limits_aws=service.settings.limits_aws)
    check_resources(service.resources, application)
    if code:
        await check_program(application, needed=False)
        _check_room(service, context, name)
    return service.registry.add(application).application


def delete_application(service: AnalyticsService, context: CallContext, params: Params) -> dict[str, Any]:
    """Delete an application, in whatever status: DELETING, then gone with all that it has saved."""
    handle = service.registry.find(context, params["ApplicationName"])
    application = handle.application
    check_status(application, *(status for status in Status if status is not Status.DELETING))
    if params["CreateTimestamp"] // 1000 != application.created_ms // 1000:
        raise InvalidArgumentException(
            f"CreateTimestamp is not that of application {application.name}: DescribeApplication tells it."
        )
    service.lifecycle.delete(handle)
    return {}


def listed(
    service: AnalyticsService, context: CallContext, after_name: str, limit: int
) -> tuple[list[Application], bool]:
    """A page of the account's applications, by name, and whether there are more."""
    found = [one for one in service.registry.in_region(context.account, context.region) if one.name > after_name]
    return found[:limit], len(found) > limit


def _numbered(given: Given) -> list[tuple[str, Params]]:
    """Parts with their ids in a first version."""
    return [(f"1.{number}", part) for number, part in enumerate(given, 1)]


def _check_room(service: AnalyticsService, context: CallContext, name: str) -> None:
    if service.registry.has(context.account, context.region, name):
        raise ResourceInUseException(f"Application {name} under account {context.account} already exists.")
    held = service.registry.in_region(context.account, context.region)
    if service.settings.limits_aws and len(held) >= APPLICATIONS_MAX:
        raise LimitExceededException(
            f"The account has {len(held)} applications in {context.region}; it can have {APPLICATIONS_MAX}."
        )
