"""The parts of applications added, changed and deleted, and the versions that come of it."""

from __future__ import annotations

from typing import Any

import pytest

from millstream.analytics.model import ResourceKind, Status
from support.analytics_plane import (
    CODE,
    DELIVERY,
    FUNCTION,
    JOIN_CODE,
    LOG_STREAM,
    OTHER_STREAM,
    ROLE,
    SCHEMA,
    AnalyticsPlane,
    a_reference,
    an_input,
    an_output,
    refusal,
    without_roles,
)

PROCESSOR = {"InputLambdaProcessor": {"ResourceARN": FUNCTION, "RoleARN": ROLE}}


@pytest.fixture
def plane() -> AnalyticsPlane:
    return AnalyticsPlane()


def call(plane: AnalyticsPlane, operation: str, version: int, **members: Any) -> Any:
    """A call of the first API that changes the application."""
    return plane.first(operation, ApplicationName="app", CurrentApplicationVersionId=version, **members)


def update(plane: AnalyticsPlane, **updates: Any) -> Any:
    """UpdateApplication of the present version."""
    return call(plane, "UpdateApplication", plane.application().version, ApplicationUpdate=updates)


async def test_parts_are_added_and_deleted_each_in_a_version(plane: AnalyticsPlane) -> None:
    await plane.first("CreateApplication", ApplicationName="app")
    assert await call(plane, "AddApplicationInput", 1, Input=an_input()) == {}
    processing = {"InputId": "2.1", "InputProcessingConfiguration": PROCESSOR}
    await call(plane, "AddApplicationInputProcessingConfiguration", 2, **processing)
    await call(plane, "AddApplicationOutput", 3, Output=an_output())
    await call(plane, "AddApplicationReferenceDataSource", 4, ReferenceDataSource=a_reference())
    option = {"LogStreamARN": LOG_STREAM, "RoleARN": ROLE}
    await call(plane, "AddApplicationCloudWatchLoggingOption", 5, CloudWatchLoggingOption=option)
    detail = await plane.detail()
    assert detail["ApplicationVersionId"] == 6
    assert detail["InputDescriptions"][0]["InputId"] == "2.1"
    assert detail["InputDescriptions"][0]["InputProcessingConfigurationDescription"] == {
        "InputLambdaProcessorDescription": {"ResourceARN": FUNCTION, "RoleARN": ROLE}
    }
    assert detail["OutputDescriptions"][0]["OutputId"] == "4.1"
    assert detail["ReferenceDataSourceDescriptions"][0]["ReferenceId"] == "5.1"
    assert detail["CloudWatchLoggingOptionDescriptions"][0]["CloudWatchLoggingOptionId"] == "6.1"
    await call(plane, "DeleteApplicationInputProcessingConfiguration", 6, InputId="2.1")
    await call(plane, "DeleteApplicationOutput", 7, OutputId="4.1")
    await call(plane, "DeleteApplicationReferenceDataSource", 8, ReferenceId="5.1")
    await call(plane, "DeleteApplicationCloudWatchLoggingOption", 9, CloudWatchLoggingOptionId="6.1")
    detail = await plane.detail()
    assert detail["ApplicationVersionId"] == 10
    assert "InputProcessingConfigurationDescription" not in detail["InputDescriptions"][0]
    for name in ("OutputDescriptions", "ReferenceDataSourceDescriptions", "CloudWatchLoggingOptionDescriptions"):
        assert detail[name] == []


async def test_the_second_api_answers_with_the_new_version(plane: AnalyticsPlane) -> None:
    await plane.create(Inputs=[])
    at = {"ApplicationName": "app"}
    given = without_roles(an_input())
    added = await plane.second("AddApplicationInput", **at, CurrentApplicationVersionId=1, Input=given)
    assert (added["ApplicationVersionId"], added["InputDescriptions"][0]["InputId"]) == (2, "2.1")
    added = await plane.second(
        "AddApplicationInputProcessingConfiguration",
        **at,
        CurrentApplicationVersionId=2,
        InputId="2.1",
        InputProcessingConfiguration=without_roles(PROCESSOR),
    )
    assert added["InputId"] == "2.1"
    assert added["InputProcessingConfigurationDescription"] == {
        "InputLambdaProcessorDescription": {"ResourceARN": FUNCTION}
    }
    given = without_roles(an_output(KinesisFirehoseOutput={"ResourceARN": DELIVERY}))
    added = await plane.second("AddApplicationOutput", **at, CurrentApplicationVersionId=3, Output=given)
    assert added["OutputDescriptions"][0]["KinesisFirehoseOutputDescription"] == {"ResourceARN": DELIVERY}
    given = without_roles(a_reference())
    added = await plane.second(
        "AddApplicationReferenceDataSource", **at, CurrentApplicationVersionId=4, ReferenceDataSource=given
    )
    assert added["ReferenceDataSourceDescriptions"][0]["TableName"] == "COMPANIES"
    token = (await plane.detail_v2())["ConditionalToken"]
    option = {"LogStreamARN": LOG_STREAM}
    added = await plane.second(
        "AddApplicationCloudWatchLoggingOption", **at, ConditionalToken=token, CloudWatchLoggingOption=option
    )
    assert added["CloudWatchLoggingOptionDescriptions"] == [{"CloudWatchLoggingOptionId": "6.1", **option}]
    gone = await plane.second("DeleteApplicationOutput", **at, CurrentApplicationVersionId=6, OutputId="4.1")
    assert gone["ApplicationVersionId"] == 7


async def test_a_call_must_know_the_present_version(plane: AnalyticsPlane) -> None:
    await plane.create()
    token = (await plane.detail_v2())["ConditionalToken"]
    refused = await refusal(call(plane, "AddApplicationOutput", 2, Output=an_output()))
    assert refused.code == "ConcurrentModificationException"
    assert "has version 1, not 2" in refused.message
    await update(plane, ApplicationCodeUpdate=CODE + "-- once more")
    refused = await refusal(plane.second("UpdateApplication", ApplicationName="app", ConditionalToken=token))
    assert refused.code == "ConcurrentModificationException"
    refused = await refusal(plane.second("UpdateApplication", ApplicationName="app"))
    assert refused[:2] == (
        "InvalidArgumentException",
        "Either CurrentApplicationVersionId or ConditionalToken is required.",
    )


@pytest.mark.parametrize(
    ("operation", "members", "said"),
    [
        ("AddApplicationInput", {"Input": an_input(NamePrefix="OTHER")}, "can have 1 input;"),
        ("DeleteApplicationOutput", {"OutputId": "7.7"}, "no OutputId 7.7. It has none at all."),
        ("DeleteApplicationReferenceDataSource", {"ReferenceId": "7.7"}, "no ReferenceId 7.7"),
        ("DeleteApplicationCloudWatchLoggingOption", {"CloudWatchLoggingOptionId": "7.7"}, "7.7"),
        ("DeleteApplicationInputProcessingConfiguration", {"InputId": "1.1"}, "has no processing configuration"),
        ("DeleteApplicationInputProcessingConfiguration", {"InputId": "1.2"}, "no InputId 1.2. It has 1.1."),
        ("AddApplicationReferenceDataSource", {"ReferenceDataSource": a_reference(TableName="error_stream")}, "names"),
        (
            "AddApplicationReferenceDataSource",
            {"ReferenceDataSource": {**a_reference(), "S3ReferenceDataSource": None}},
            "needs S3ReferenceDataSource with BucketARN and FileKey",
        ),
        ("UpdateApplication", {"ApplicationUpdate": {"OutputUpdates": [{"OutputId": "7.7"}]}}, "no OutputId 7.7"),
        (
            "UpdateApplication",
            {"ApplicationUpdate": {"InputUpdates": [{"InputId": "1.1", "KinesisFirehoseInputUpdate": {}}]}},
            "KinesisFirehoseInputUpdate needs ResourceARNUpdate",
        ),
    ],
)
async def test_what_cannot_be_changes_nothing(
    plane: AnalyticsPlane, operation: str, members: dict[str, Any], said: str
) -> None:
    before = await plane.create()
    given = {
        name: {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
        for name, value in members.items()
    }
    refused = await refusal(call(plane, operation, 1, **given))
    assert refused.code == "InvalidArgumentException"
    assert said in refused.message
    assert plane.application() is before


async def test_an_update_keeps_what_it_does_not_name(plane: AnalyticsPlane) -> None:
    await plane.create(Inputs=[an_input(InputProcessingConfiguration=PROCESSOR)], Outputs=[an_output()])
    columns = [*SCHEMA["RecordColumns"], {"Name": "SECTOR", "Mapping": "$.sector", "SqlType": "VARCHAR(16)"}]
    await update(
        plane,
        ApplicationCodeUpdate=CODE.replace("10", "20"),
        InputUpdates=[
            {
                "InputId": "1.1",
                "InputSchemaUpdate": {"RecordColumnUpdates": columns},
                "InputParallelismUpdate": {"CountUpdate": 2},
            }
        ],
        OutputUpdates=[{"OutputId": "1.1", "LambdaOutputUpdate": {"ResourceARNUpdate": FUNCTION}}],
    )
    application = plane.application()
    (one,), (output,) = application.inputs, application.outputs
    assert application.version == 2
    assert "price > 20" in application.code
    assert [column.name for column in one.schema.columns] == ["TICKER", "PRICE", "SECTOR"]
    assert (one.parallelism, one.name_prefix, one.processor_arn) == (2, "SOURCE_SQL_STREAM", FUNCTION)
    assert (output.kind, output.arn, output.name) == (ResourceKind.FUNCTION, FUNCTION, "OUT")
    assert "Input" not in str((await plane.detail())["OutputDescriptions"])


async def test_the_second_api_updates_code_parts_and_role(plane: AnalyticsPlane) -> None:
    await plane.create(Outputs=[an_output()], CloudWatchLoggingOptions=[{"LogStreamARN": LOG_STREAM, "RoleARN": ROLE}])
    updated = await plane.second(
        "UpdateApplication",
        ApplicationName="app",
        CurrentApplicationVersionId=1,
        ServiceExecutionRoleUpdate=f"{ROLE}-two",
        ApplicationConfigurationUpdate={
            "ApplicationCodeConfigurationUpdate": {"CodeContentUpdate": {"TextContentUpdate": CODE.replace("10", "7")}},
            "SqlApplicationConfigurationUpdate": {"OutputUpdates": [{"OutputId": "1.1", "NameUpdate": "error_stream"}]},
        },
        CloudWatchLoggingOptionUpdates=[
            {"CloudWatchLoggingOptionId": "1.1", "LogStreamARNUpdate": f"{LOG_STREAM}-two"}
        ],
    )
    detail = updated["ApplicationDetail"]
    assert (detail["ApplicationVersionId"], detail["ApplicationVersionUpdatedFrom"]) == (2, 1)
    assert detail["ServiceExecutionRole"] == f"{ROLE}-two"
    assert detail["CloudWatchLoggingOptionDescriptions"][0]["LogStreamARN"] == f"{LOG_STREAM}-two"
    assert plane.application().outputs[0].name == "error_stream"
    assert "price > 7" in plane.application().code


async def test_code_is_checked_when_it_or_what_it_reads_is_updated(plane: AnalyticsPlane) -> None:
    await plane.create()
    refused = await refusal(update(plane, ApplicationCodeUpdate="CREATE STREAM"))
    assert refused.code == "CodeValidationException"
    without_price = {"InputId": "1.1", "InputSchemaUpdate": {"RecordColumnUpdates": SCHEMA["RecordColumns"][:1]}}
    refused = await refusal(update(plane, InputUpdates=[without_price]))
    assert refused.code == "CodeValidationException"
    assert plane.application().version == 1
    await plane.create("later", Inputs=[], ApplicationCode=CODE.replace("price >", "prise >"))
    refused = await refusal(
        plane.first("AddApplicationInput", ApplicationName="later", CurrentApplicationVersionId=1, Input=an_input())
    )
    assert refused.code == "CodeValidationException"


async def test_a_running_application_is_updating_until_its_process_says_so(plane: AnalyticsPlane) -> None:
    application = await plane.create()
    await plane.run()
    reconciled = plane.runner.reconciled
    await call(plane, "AddApplicationOutput", 1, Output=an_output())
    assert plane.application().status is Status.UPDATING
    assert plane.runner.reconciled == reconciled + 1
    refused = await refusal(call(plane, "DeleteApplicationOutput", 2, OutputId="2.1"))
    assert refused.code == "ResourceInUseException"
    plane.service.running(application.application_id, 1)
    assert plane.application().status is Status.RUNNING
    await call(plane, "DeleteApplicationOutput", 2, OutputId="2.1")


async def test_what_runs_is_not_broken_by_a_change(plane: AnalyticsPlane) -> None:
    await plane.create(Outputs=[an_output()])
    await plane.run()
    refused = await refusal(update(plane, ApplicationCodeUpdate=JOIN_CODE))
    assert refused.code == "CodeValidationException"
    refused = await refusal(call(plane, "AddApplicationOutput", 1, Output=an_output("NOWHERE")))
    assert refused.code == "InvalidArgumentException"
    assert "in-application stream NOWHERE" in refused.message
    refused = await refusal(update(plane, ApplicationCodeUpdate=CODE.replace('"OUT"', '"ELSE"')))
    assert "in-application stream OUT" in refused.message
    assert plane.application().status is Status.RUNNING


async def test_a_reference_table_that_is_needed_cannot_be_deleted_under_a_running_application(
    plane: AnalyticsPlane,
) -> None:
    await plane.create(Inputs=[])
    await call(plane, "AddApplicationReferenceDataSource", 1, ReferenceDataSource=a_reference())
    await call(plane, "AddApplicationInput", 2, Input=an_input())
    await update(plane, ApplicationCodeUpdate=JOIN_CODE)
    application = await plane.run()
    refused = await refusal(call(plane, "DeleteApplicationReferenceDataSource", 4, ReferenceId="2.1"))
    assert refused.code == "CodeValidationException"
    await update(plane, ReferenceDataSourceUpdates=[{"ReferenceId": "2.1"}])
    assert plane.application().references[0].revision == 2
    plane.service.running(application.application_id, 1)
    changed = {"FileKeyUpdate": "other.csv"}
    await update(plane, ReferenceDataSourceUpdates=[{"ReferenceId": "2.1", "S3ReferenceDataSourceUpdate": changed}])
    (reference,) = plane.application().references
    assert (reference.revision, reference.file_key, reference.table_name) == (3, "other.csv", "COMPANIES")


async def test_another_source_is_read_from_now_on(plane: AnalyticsPlane) -> None:
    application = await plane.create()
    await plane.run()
    await update(
        plane, InputUpdates=[{"InputId": "1.1", "KinesisStreamsInputUpdate": {"ResourceARNUpdate": OTHER_STREAM}}]
    )
    (one,) = plane.application().inputs
    assert (one.source_id, one.position) == ("id-of-alerts", 70)
    plane.service.running(application.application_id, 1)
    await plane.first("StopApplication", ApplicationName="app")
    plane.runner.end(application.application_id)
    await update(
        plane, InputUpdates=[{"InputId": "1.1", "KinesisFirehoseInputUpdate": {"ResourceARNUpdate": DELIVERY}}]
    )
    (one,) = plane.application().inputs
    assert (one.kind, one.source_id) == (ResourceKind.DELIVERY_STREAM, "")
    (one,) = (await plane.run(position="LAST_STOPPED_POINT")).inputs
    assert (one.source_id, one.position) == ("id-of-lake", 9)


async def test_the_last_versions_are_kept(plane: AnalyticsPlane) -> None:
    await plane.create()
    for number in range(14):
        await update(plane, ApplicationCodeUpdate=CODE.replace("10", str(number + 20)))
    at = {"ApplicationName": "app"}
    page = await plane.second("ListApplicationVersions", **at, Limit=3)
    assert [one["ApplicationVersionId"] for one in page["ApplicationVersionSummaries"]] == [15, 14, 13]
    page = await plane.second("ListApplicationVersions", **at, NextToken=page["NextToken"])
    assert [one["ApplicationVersionId"] for one in page["ApplicationVersionSummaries"]] == list(range(12, 4, -1))
    assert "NextToken" not in page
    await plane.crash()
    found = await plane.second("DescribeApplicationVersion", **at, ApplicationVersionId=5)
    described = found["ApplicationVersionDetail"]["ApplicationConfigurationDescription"]
    code = described["ApplicationCodeConfigurationDescription"]["CodeContentDescription"]["TextContent"]
    assert "price > 23" in code
    refused = await refusal(plane.second("DescribeApplicationVersion", **at, ApplicationVersionId=4))
    assert refused.code == "ResourceNotFoundException"
    assert "versions 5 to 15 are" in refused.message
    for token in ("x", "-1", "9" * 30):
        refused = await refusal(plane.second("ListApplicationVersions", **at, NextToken=token))
        assert refused.code == "InvalidArgumentException"


async def test_two_changes_at_once_do_not_both_happen(plane: AnalyticsPlane) -> None:
    import asyncio

    await plane.create()
    calls = [update(plane, ApplicationCodeUpdate=CODE.replace("10", str(number))) for number in (1, 2)]
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert sorted(str(getattr(end, "code", "done")) for end in ends) == ["ConcurrentModificationException", "done"]
    assert plane.application().version == 2
