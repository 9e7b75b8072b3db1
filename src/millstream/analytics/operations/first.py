"""The first API, `kinesisanalytics`, in its own shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.analytics.descriptions import describe, summary
from millstream.analytics.operations import applications, configuring, running, tagging
from millstream.analytics.operations.changes import Change, change
from millstream.analytics.operations.discovery import discover_input_schema
from millstream.wire.context import CallContext

if TYPE_CHECKING:
    from millstream.analytics.operations.table import Function
    from millstream.analytics.service import AnalyticsService

Params = Mapping[str, Any]
Answer = dict[str, Any]


async def create_application(service: AnalyticsService, context: CallContext, params: Params) -> Answer:
    """Make an application."""
    made = await applications.create(
        service,
        context,
        params,
        inputs=params.get("Inputs", ()),
        outputs=params.get("Outputs", ()),
        code=params.get("ApplicationCode", ""),
    )
    return {"ApplicationSummary": summary(made)}


def describe_application(service: AnalyticsService, context: CallContext, params: Params) -> Answer:
    """An application with all its parts."""
    return {"ApplicationDetail": describe(service.registry.find(context, params["ApplicationName"]).application)}


def list_applications(service: AnalyticsService, context: CallContext, params: Params) -> Answer:
    """The account's applications by name, page by page."""
    after_name = params.get("ExclusiveStartApplicationName", "")
    limit = params.get("Limit", applications.APPLICATIONS_LISTED)
    page, more = applications.listed(service, context, after_name, limit)
    return {"ApplicationSummaries": [summary(one) for one in page], "HasMoreApplications": more}


async def start_application(service: AnalyticsService, context: CallContext, params: Params) -> Answer:
    """Start an application."""
    starts = {one["Id"]: running.start_of(one) for one in params["InputConfigurations"]}
    await running.start(service, context, params["ApplicationName"], starts)
    return {}


def _changing(changes_of: Change, *, checks_code: bool = False) -> Function:
    """The operation that makes those changes, and answers nothing."""

    async def operation(service: AnalyticsService, context: CallContext, params: Params) -> Answer:
        await change(service, context, params, changes_of, checks_code=checks_code)
        return {}

    return operation


OPERATIONS: dict[str, Function] = {
    # applications
    "CreateApplication": create_application,
    "DeleteApplication": applications.delete_application,
    "DescribeApplication": describe_application,
    "ListApplications": list_applications,
    "StartApplication": start_application,
    "StopApplication": running.stop_application,
    "UpdateApplication": _changing(configuring.update, checks_code=True),
    # their parts
    "AddApplicationInput": _changing(configuring.add_input, checks_code=True),
    "AddApplicationInputProcessingConfiguration": _changing(configuring.add_processing),
    "DeleteApplicationInputProcessingConfiguration": _changing(configuring.delete_processing),
    "AddApplicationOutput": _changing(configuring.add_output),
    "DeleteApplicationOutput": _changing(configuring.delete_output),
    "AddApplicationReferenceDataSource": _changing(configuring.add_reference),
    "DeleteApplicationReferenceDataSource": _changing(configuring.delete_reference),
    "AddApplicationCloudWatchLoggingOption": _changing(configuring.add_logging_option),
    "DeleteApplicationCloudWatchLoggingOption": _changing(configuring.delete_logging_option),
    # schemas
    "DiscoverInputSchema": discover_input_schema,
    # tags
    "TagResource": tagging.tag_resource,
    "UntagResource": tagging.untag_resource,
    "ListTagsForResource": tagging.list_tags_for_resource,
}
