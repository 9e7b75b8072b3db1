"""Applications made, described, listed and deleted through both APIs."""

from __future__ import annotations

from typing import Any

import pytest

from support.analytics_plane import (
    ACCOUNT,
    CODE,
    DELIVERY,
    FUNCTION,
    JOIN_CODE,
    LOG_STREAM,
    OTHER_STREAM,
    REGION,
    ROLE,
    SCHEMA,
    STREAM,
    TABLE_SCHEMA,
    AnalyticsPlane,
    a_reference,
    an_input,
    an_output,
    refusal,
    without_roles,
)

ARN = f"arn:aws:kinesisanalytics:{REGION}:{ACCOUNT}:application/app"


@pytest.fixture
def plane() -> AnalyticsPlane:
    return AnalyticsPlane()


def sql(**members: Any) -> dict[str, Any]:
    """What CreateApplication of the second API takes."""
    code = members.pop("code", CODE)
    return {
        "ApplicationName": "app",
        "RuntimeEnvironment": "SQL-1_0",
        "ServiceExecutionRole": ROLE,
        "ApplicationConfiguration": {
            "SqlApplicationConfiguration": without_roles({"Inputs": [an_input()], **members}),
            "ApplicationCodeConfiguration": {"CodeContent": {"TextContent": code}, "CodeContentType": "PLAINTEXT"},
        },
    }


async def test_the_first_api_describes_what_it_was_given(plane: AnalyticsPlane) -> None:
    processor = {"InputLambdaProcessor": {"ResourceARN": FUNCTION, "RoleARN": ROLE}}
    made = await plane.first(
        "CreateApplication",
        ApplicationName="app",
        ApplicationDescription="ticks above ten",
        ApplicationCode=CODE,
        Inputs=[an_input(InputProcessingConfiguration=processor, InputParallelism={"Count": 2})],
        Outputs=[an_output(), an_output("error_stream", LambdaOutput={"ResourceARN": FUNCTION, "RoleARN": ROLE})],
        CloudWatchLoggingOptions=[{"LogStreamARN": LOG_STREAM, "RoleARN": ROLE}],
    )
    assert made == {
        "ApplicationSummary": {"ApplicationName": "app", "ApplicationARN": ARN, "ApplicationStatus": "READY"}
    }
    detail = await plane.detail()
    assert detail.pop("CreateTimestamp") == detail.pop("LastUpdateTimestamp")
    resource = {"ResourceARN": FUNCTION, "RoleARN": ROLE}
    assert detail == {
        "ApplicationName": "app",
        "ApplicationDescription": "ticks above ten",
        "ApplicationARN": ARN,
        "ApplicationStatus": "READY",
        "ApplicationVersionId": 1,
        "ApplicationCode": CODE,
        "InputDescriptions": [
            {
                "InputId": "1.1",
                "NamePrefix": "SOURCE_SQL_STREAM",
                "InAppStreamNames": ["SOURCE_SQL_STREAM_001", "SOURCE_SQL_STREAM_002"],
                "InputProcessingConfigurationDescription": {"InputLambdaProcessorDescription": resource},
                "KinesisStreamsInputDescription": {"ResourceARN": STREAM, "RoleARN": ROLE},
                "InputSchema": SCHEMA,
                "InputParallelism": {"Count": 2},
            }
        ],
        "OutputDescriptions": [
            {
                "OutputId": "1.1",
                "Name": "OUT",
                "KinesisStreamsOutputDescription": {"ResourceARN": OTHER_STREAM, "RoleARN": ROLE},
                "DestinationSchema": {"RecordFormatType": "JSON"},
            },
            {
                "OutputId": "1.2",
                "Name": "error_stream",
                "LambdaOutputDescription": resource,
                "DestinationSchema": {"RecordFormatType": "JSON"},
            },
        ],
        "ReferenceDataSourceDescriptions": [],
        "CloudWatchLoggingOptionDescriptions": [
            {"CloudWatchLoggingOptionId": "1.1", "LogStreamARN": LOG_STREAM, "RoleARN": ROLE}
        ],
    }


async def test_the_second_api_describes_what_it_was_given(plane: AnalyticsPlane) -> None:
    given = sql(Outputs=[an_output()], ReferenceDataSources=[a_reference()], code=JOIN_CODE)
    made = await plane.second("CreateApplication", **given)
    detail = made["ApplicationDetail"]
    assert detail == await plane.detail_v2()
    assert detail["ApplicationARN"] == ARN
    assert (detail["RuntimeEnvironment"], detail["ServiceExecutionRole"]) == ("SQL-1_0", ROLE)
    assert "ApplicationVersionUpdatedFrom" not in detail
    described = detail["ApplicationConfigurationDescription"]
    assert described["ApplicationCodeConfigurationDescription"] == {
        "CodeContentType": "PLAINTEXT",
        "CodeContentDescription": {"TextContent": JOIN_CODE},
    }
    parts = described["SqlApplicationConfigurationDescription"]
    assert parts["InputDescriptions"][0]["KinesisStreamsInputDescription"] == {"ResourceARN": STREAM}
    assert parts["OutputDescriptions"][0]["OutputId"] == "1.1"
    assert parts["ReferenceDataSourceDescriptions"] == [
        {
            "ReferenceId": "1.1",
            "TableName": "COMPANIES",
            "S3ReferenceDataSourceDescription": {"BucketARN": "arn:aws:s3:::tables", "FileKey": "companies.csv"},
            "ReferenceSchema": {**TABLE_SCHEMA, "RecordEncoding": "UTF-8"},
        }
    ]


async def test_either_api_describes_what_the_other_made(plane: AnalyticsPlane) -> None:
    await plane.second("CreateApplication", **sql(Outputs=[an_output()]))
    (one,) = (await plane.detail())["InputDescriptions"]
    assert one["KinesisStreamsInputDescription"] == {"ResourceARN": STREAM, "RoleARN": ROLE}
    await plane.create("made-by-the-first")
    detail = await plane.detail_v2("made-by-the-first")
    assert "ServiceExecutionRole" not in detail
    (one,) = detail["ApplicationConfigurationDescription"]["SqlApplicationConfigurationDescription"][
        "InputDescriptions"
    ]
    assert one["KinesisStreamsInputDescription"] == {"ResourceARN": STREAM, "RoleARN": ROLE}


async def test_a_name_is_taken_in_its_region_only(plane: AnalyticsPlane) -> None:
    await plane.create()
    assert await refusal(plane.create()) == (
        "ResourceInUseException",
        f"Application app under account {ACCOUNT} already exists.",
        400,
    )
    await plane.first("CreateApplication", region="eu-west-1", ApplicationName="app")


async def test_an_account_has_fifty_applications_in_a_region(plane: AnalyticsPlane) -> None:
    for number in range(50):
        await plane.first("CreateApplication", ApplicationName=f"app-{number}")
    refused = await refusal(plane.first("CreateApplication", ApplicationName="one-more"))
    assert refused.code == "LimitExceededException"
    await plane.first("CreateApplication", region="eu-west-1", ApplicationName="one-more")


async def test_without_limits_there_are_more_applications_and_outputs() -> None:
    plane = AnalyticsPlane(limits_aws=False)
    for number in range(51):
        await plane.first("CreateApplication", ApplicationName=f"app-{number}")
    await plane.first("CreateApplication", ApplicationName="wide", Outputs=[an_output()] * 4)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"Inputs": [an_input(), an_input(NamePrefix="OTHER")]}, "can have 1 input;"),
        ({"Outputs": [an_output()] * 4}, "can have 3 outputs;"),
        ({"Inputs": [{"NamePrefix": "S", "InputSchema": SCHEMA}]}, "exactly one of KinesisStreamsInput"),
        (
            {"Inputs": [{**an_input(), "KinesisFirehoseInput": {"ResourceARN": DELIVERY, "RoleARN": ROLE}}]},
            "this one has KinesisStreamsInput and KinesisFirehoseInput",
        ),
        (
            {"Inputs": [an_input(KinesisStreamsInput={"ResourceARN": STREAM + "s", "RoleARN": ROLE})]},
            f"{STREAM}s not found",
        ),
        ({"Outputs": [an_output(LambdaOutput={"ResourceARN": FUNCTION + "x", "RoleARN": ROLE})]}, "not found"),
        (
            {"Outputs": [an_output(LambdaOutput={"ResourceARN": STREAM, "RoleARN": ROLE})]},
            f"ResourceARN {STREAM} is not the ARN of a function.",
        ),
        ({"Tags": [{"Key": "a"}, {"Key": "a"}]}, "given more than once"),
    ],
)
async def test_what_cannot_be_is_refused(plane: AnalyticsPlane, members: dict[str, Any], said: str) -> None:
    refused = await refusal(plane.first("CreateApplication", ApplicationName="app", **members))
    assert refused.code == "InvalidArgumentException"
    assert said in refused.message
    assert not list(plane.service.applications())


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"RecordColumns": [{"Name": "A", "Mapping": "$.a", "SqlType": "STRING"}]}, "There is no type STRING"),
        ({"RecordColumns": [{"Name": "A", "SqlType": "INTEGER"}]}, "needs a Mapping, such as $.A"),
        ({"RecordColumns": [{"Name": "A", "Mapping": "$.a[", "SqlType": "INTEGER"}]}, "is not a path"),
        ({"RecordColumns": [{"Name": "A", "Mapping": "$.a", "SqlType": "INTEGER"}] * 2}, "two columns with the name A"),
        (
            {
                "RecordFormat": {
                    "RecordFormatType": "CSV",
                    "MappingParameters": {"JSONMappingParameters": {"RecordRowPath": "$"}},
                }
            },
            "RecordFormatType is CSV",
        ),
    ],
)
async def test_a_schema_that_cannot_be_is_refused(plane: AnalyticsPlane, schema: dict[str, Any], said: str) -> None:
    given = an_input(InputSchema={**SCHEMA, **schema})
    refused = await refusal(plane.first("CreateApplication", ApplicationName="app", Inputs=[given]))
    assert refused.code == "InvalidArgumentException"
    assert said in refused.message


async def test_formats_without_parameters_have_the_usual_ones(plane: AnalyticsPlane) -> None:
    given = an_input(InputSchema={**SCHEMA, "RecordFormat": {"RecordFormatType": "CSV"}})
    await plane.create(Inputs=[given])
    (one,) = (await plane.detail())["InputDescriptions"]
    assert one["InputSchema"]["RecordFormat"]["MappingParameters"] == {
        "CSVMappingParameters": {"RecordRowDelimiter": "\n", "RecordColumnDelimiter": ","}
    }


async def test_code_that_does_not_parse_is_refused_with_the_place(plane: AnalyticsPlane) -> None:
    refused = await refusal(plane.create(Inputs=[], ApplicationCode="CREATE STREAM s (a INTEGER);\nSELECT FROM;"))
    assert refused.code == "CodeValidationException"
    assert refused.message.startswith("2:")
    assert "SELECT FROM" in refused.message


async def test_code_is_planned_if_there_is_an_input(plane: AnalyticsPlane) -> None:
    wrong = CODE.replace("SELECT STREAM ticker, price", "SELECT STREAM ticker, prise")
    refused = await refusal(plane.create(ApplicationCode=wrong))
    assert refused.code == "CodeValidationException"
    assert refused.message.startswith("3:")
    assert "SELECT STREAM ticker, prise FROM" in refused.message
    await plane.create(ApplicationCode=wrong, Inputs=[])


async def test_code_may_name_a_reference_table_that_is_added_later(plane: AnalyticsPlane) -> None:
    await plane.create(ApplicationCode=JOIN_CODE)
    refused = await refusal(plane.start())
    assert refused.code == "InvalidApplicationConfigurationException"
    assert "COMPANIES" in refused.message
    await plane.first(
        "AddApplicationReferenceDataSource",
        ApplicationName="app",
        CurrentApplicationVersionId=1,
        ReferenceDataSource=a_reference(),
    )
    await plane.start()


async def test_the_whole_code_of_both_apis_counts_in_bytes(plane: AnalyticsPlane) -> None:
    code = "-- " + "é" * 60_000
    refused = await refusal(plane.create(ApplicationCode=code))
    assert refused.message == "ApplicationCode has 120003 bytes; an application can have 102400."


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"RuntimeEnvironment": "FLINK-1_20"}, "UnsupportedOperationException", "FLINK-1_20 is not supported"),
        ({"ApplicationMode": "INTERACTIVE"}, "UnsupportedOperationException", "INTERACTIVE"),
        (
            {"ApplicationConfiguration": {"ApplicationSnapshotConfiguration": {"SnapshotsEnabled": True}}},
            "InvalidArgumentException",
            "ApplicationSnapshotConfiguration cannot be given",
        ),
        (
            {
                "ApplicationConfiguration": {
                    "ApplicationCodeConfiguration": {
                        "CodeContentType": "ZIPFILE",
                        "CodeContent": {"S3ContentLocation": {"BucketARN": "arn:aws:s3:::b", "FileKey": "k"}},
                    }
                }
            },
            "InvalidArgumentException",
            "not as S3ContentLocation",
        ),
    ],
)
async def test_what_is_flinks_is_refused(plane: AnalyticsPlane, changes: dict[str, Any], code: str, said: str) -> None:
    refused = await refusal(plane.second("CreateApplication", **{**sql(), **changes}))
    assert refused.code == code
    assert said in refused.message


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("ListApplicationSnapshots", {}),
        ("CreateApplicationSnapshot", {"SnapshotName": "one"}),
        ("RollbackApplication", {"CurrentApplicationVersionId": 1}),
        ("ListApplicationOperations", {}),
        (
            "UpdateApplicationMaintenanceConfiguration",
            {"ApplicationMaintenanceConfigurationUpdate": {"ApplicationMaintenanceWindowStartTimeUpdate": "06:00"}},
        ),
        (
            "AddApplicationVpcConfiguration",
            {"VpcConfiguration": {"SubnetIds": ["s"], "SecurityGroupIds": ["g"]}, "CurrentApplicationVersionId": 1},
        ),
        ("CreateApplicationPresignedUrl", {"UrlType": "FLINK_DASHBOARD_URL"}),
    ],
)
async def test_operations_of_flink_say_what_to_do(
    plane: AnalyticsPlane, operation: str, params: dict[str, Any]
) -> None:
    refused = await refusal(plane.second(operation, ApplicationName="app", **params))
    assert refused.code == "UnsupportedOperationException"
    assert refused.message.startswith(f"{operation} is not supported. ")


async def test_applications_are_listed_page_by_page(plane: AnalyticsPlane) -> None:
    for name in ("b", "c", "a"):
        await plane.first("CreateApplication", ApplicationName=name)
    await plane.first("CreateApplication", region="eu-west-1", ApplicationName="elsewhere")
    page = await plane.first("ListApplications", Limit=2)
    assert [one["ApplicationName"] for one in page["ApplicationSummaries"]] == ["a", "b"]
    assert page["HasMoreApplications"]
    page = await plane.first("ListApplications", Limit=2, ExclusiveStartApplicationName="b")
    assert [one["ApplicationName"] for one in page["ApplicationSummaries"]] == ["c"]
    assert not page["HasMoreApplications"]
    page = await plane.second("ListApplications", Limit=2)
    assert page["NextToken"] == "b"
    assert page["ApplicationSummaries"][0]["RuntimeEnvironment"] == "SQL-1_0"
    page = await plane.second("ListApplications", Limit=2, NextToken=page["NextToken"])
    assert [one["ApplicationName"] for one in page["ApplicationSummaries"]] == ["c"]
    assert "NextToken" not in page


async def test_an_application_of_another_name_is_not_found(plane: AnalyticsPlane) -> None:
    refused = await refusal(plane.detail("none"))
    assert refused == (
        "ResourceNotFoundException",
        f"Application none under account {ACCOUNT} in {REGION} not found.",
        400,
    )


async def test_tags_are_set_and_removed_through_both_apis(plane: AnalyticsPlane) -> None:
    await plane.create(Tags=[{"Key": "team", "Value": "red"}])
    await plane.second("TagResource", ResourceARN=ARN, Tags=[{"Key": "stage"}, {"Key": "team", "Value": "blue"}])
    tags = await plane.first("ListTagsForResource", ResourceARN=ARN)
    assert tags == {"Tags": [{"Key": "stage", "Value": ""}, {"Key": "team", "Value": "blue"}]}
    await plane.first("UntagResource", ResourceARN=ARN, TagKeys=["stage", "none"])
    assert await plane.second("ListTagsForResource", ResourceARN=ARN) == {"Tags": [{"Key": "team", "Value": "blue"}]}
    assert (await plane.detail())["ApplicationVersionId"] == 1


async def test_too_many_tags_are_refused(plane: AnalyticsPlane) -> None:
    await plane.create(Tags=[{"Key": f"k{number}"} for number in range(50)])
    refused = await refusal(plane.first("TagResource", ResourceARN=ARN, Tags=[{"Key": "more"}]))
    assert refused.code == "TooManyTagsException"
    refused = await refusal(plane.first("TagResource", ResourceARN=f"{ARN}x", Tags=[{"Key": "more"}]))
    assert refused.code == "ResourceNotFoundException"
