"""The second API, `kinesisanalyticsv2`, in its own shapes, as far as it concerns SQL applications."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from millstream.analytics.descriptions import RUNTIME, Parts, describe_v2, summary_v2
from millstream.analytics.model import Application
from millstream.analytics.operations import applications, configuring, flink, running, tagging, versions
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
    flink.check_runtime(params["RuntimeEnvironment"], params.get("ApplicationMode"))
    configuration = params.get("ApplicationConfiguration", {})
    flink.check_only_sql(configuration, "SqlApplicationConfiguration", "ApplicationCodeConfiguration")
    sql = configuration.get("SqlApplicationConfiguration", {})
    made = await applications.create(
        service,
        context,
        params,
        inputs=sql.get("Inputs", ()),
        outputs=sql.get("Outputs", ()),
        references=sql.get("ReferenceDataSources", ()),
        code=_code(configuration),
        role_arn=params["ServiceExecutionRole"],
    )
    return {"ApplicationDetail": describe_v2(made)}


def describe_application(service: AnalyticsService, context: CallContext, params: Params) -> Answer:
    """An application with all its parts; there are no additional details of SQL applications."""
    return {"ApplicationDetail": describe_v2(service.registry.find(context, params["ApplicationName"]).application)}


def list_applications(service: AnalyticsService, context: CallContext, params: Params) -> Answer:
    """The account's applications by name, page by page; the token is the last name."""
    limit = params.get("Limit", applications.APPLICATIONS_LISTED)
    page, more = applications.listed(service, context, params.get("NextToken", ""), limit)
    return {"ApplicationSummaries": [summary_v2(one) for one in page], "NextToken": page[-1].name if more else None}


async def start_application(service: AnalyticsService, context: CallContext, params: Params) -> Answer:
    """Start an application."""
    configuration = params.get("RunConfiguration", {})
    flink.check_only_sql(configuration, "SqlRunConfigurations")
    starts = {one["InputId"]: running.start_of(one) for one in configuration.get("SqlRunConfigurations", ())}
    await running.start(service, context, params["ApplicationName"], starts)
    return {}


def _update(application: Application, params: Params) -> dict[str, Any]:
    """UpdateApplication."""
    updates = params.get("ApplicationConfigurationUpdate", {})
    flink.check_runtime(params.get("RuntimeEnvironmentUpdate", RUNTIME))
    flink.check_only_sql(params.get("RunConfigurationUpdate", {}))
    flink.check_only_sql(updates, "SqlApplicationConfigurationUpdate", "ApplicationCodeConfigurationUpdate")
    parts = dict(updates.get("SqlApplicationConfigurationUpdate", {}))
    if "CloudWatchLoggingOptionUpdates" in params:
        parts["CloudWatchLoggingOptionUpdates"] = params["CloudWatchLoggingOptionUpdates"]
    changes = configuring.update_parts(application, parts)
    code = updates.get("ApplicationCodeConfigurationUpdate", {})
    flink.check_plain_text(code.get("CodeContentTypeUpdate"), code.get("CodeContentUpdate", {}))
    if "TextContentUpdate" in code.get("CodeContentUpdate", {}):
        changes["code"] = code["CodeContentUpdate"]["TextContentUpdate"]
    if "ServiceExecutionRoleUpdate" in params:
        changes["role_arn"] = params["ServiceExecutionRoleUpdate"]
    return changes


async def update_application(service: AnalyticsService, context: CallContext, params: Params) -> Answer:
    """Change an application's code, parts and role."""
    return {"ApplicationDetail": describe_v2(await change(service, context, params, _update, checks_code=True))}


def _code(configuration: Params) -> str:
    code = configuration.get("ApplicationCodeConfiguration", {})
    content = code.get("CodeContent", {})
    flink.check_plain_text(code.get("CodeContentType"), content)
    text: str = content.get("TextContent", "")
    return text


def _changing(
    changes_of: Change, members_of: Callable[[Application, Params], Answer], *, checks_code: bool = False
) -> Function:
    """The operation that makes those changes, and answers the application's new version with those members."""

    async def operation(service: AnalyticsService, context: CallContext, params: Params) -> Answer:
        after = await change(service, context, params, changes_of, checks_code=checks_code)
        return {"ApplicationARN": after.arn, "ApplicationVersionId": after.version, **members_of(after, params)}

    return operation


def _nothing(_application: Application, _params: Params) -> Answer:
    return {}


def _inputs(application: Application, _params: Params) -> Answer:
    return {"InputDescriptions": Parts(application, first_api=False).inputs()}


def _outputs(application: Application, _params: Params) -> Answer:
    return {"OutputDescriptions": Parts(application, first_api=False).outputs()}


def _references(application: Application, _params: Params) -> Answer:
    return {"ReferenceDataSourceDescriptions": Parts(application, first_api=False).references()}


def _logging(application: Application, _params: Params) -> Answer:
    return {"CloudWatchLoggingOptionDescriptions": Parts(application, first_api=False).logging()}


def _processing(application: Application, params: Params) -> Answer:
    one = configuring.input_named(application, params)
    described = Parts(application, first_api=False).processing(one)
    return {"InputId": one.input_id, "InputProcessingConfigurationDescription": described}


OPERATIONS: dict[str, Function] = {
    # applications
    "CreateApplication": create_application,
    "DeleteApplication": applications.delete_application,
    "DescribeApplication": describe_application,
    "ListApplications": list_applications,
    "StartApplication": start_application,
    "StopApplication": running.stop_application,
    "UpdateApplication": update_application,
    # their versions
    "DescribeApplicationVersion": versions.describe_application_version,
    "ListApplicationVersions": versions.list_application_versions,
    # their parts
    "AddApplicationInput": _changing(configuring.add_input, _inputs, checks_code=True),
    "AddApplicationInputProcessingConfiguration": _changing(configuring.add_processing, _processing),
    "DeleteApplicationInputProcessingConfiguration": _changing(configuring.delete_processing, _nothing),
    "AddApplicationOutput": _changing(configuring.add_output, _outputs),
    "DeleteApplicationOutput": _changing(configuring.delete_output, _nothing),
    "AddApplicationReferenceDataSource": _changing(configuring.add_reference, _references),
    "DeleteApplicationReferenceDataSource": _changing(configuring.delete_reference, _nothing),
    "AddApplicationCloudWatchLoggingOption": _changing(configuring.add_logging_option, _logging),
    "DeleteApplicationCloudWatchLoggingOption": _changing(configuring.delete_logging_option, _logging),
    # schemas
    "DiscoverInputSchema": discover_input_schema,
    # tags
    "TagResource": tagging.tag_resource,
    "UntagResource": tagging.untag_resource,
    "ListTagsForResource": tagging.list_tags_for_resource,
    # what only Flink applications have
    **flink.OPERATIONS,
}
