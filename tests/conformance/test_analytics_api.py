"""SQL applications as boto3 and the AWS CLI see them, through both APIs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.clients import client
from support.kinesis import Kinesis, create_stream, new_name, refusal
from support.server import Server
from support.waiting import wait_for

ROLE = "arn:aws:iam::123456789012:role/analytics"
CODE = """\
CREATE OR REPLACE STREAM "OUT" (ticker VARCHAR(4), price REAL);
CREATE OR REPLACE PUMP "FILL" AS INSERT INTO "OUT"
SELECT STREAM ticker, price FROM "SOURCE_SQL_STREAM_001" WHERE price > 10;
"""
SCHEMA: dict[str, Any] = {
    "RecordFormat": {
        "RecordFormatType": "JSON",
        "MappingParameters": {"JSONMappingParameters": {"RecordRowPath": "$"}},
    },
    "RecordEncoding": "UTF-8",
    "RecordColumns": [
        {"Name": "TICKER", "Mapping": "$.ticker", "SqlType": "VARCHAR(4)"},
        {"Name": "PRICE", "Mapping": "$.price", "SqlType": "REAL"},
    ],
}


@pytest.fixture
def first(server: Server, account: str) -> Any:
    return client("kinesisanalytics", server.url, account, "us-east-1", parameter_validation=True)


@pytest.fixture
def second(server: Server, account: str) -> Any:
    return client("kinesisanalyticsv2", server.url, account, "us-east-1", parameter_validation=True)


@pytest.fixture
def source(kinesis: Kinesis) -> str:
    """The ARN of a stream of the test's own."""
    return stream_arn(kinesis)


def stream_arn(kinesis: Kinesis) -> str:
    name = create_stream(kinesis)
    arn: str = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    return arn


def an_input(arn: str, **role: str) -> dict[str, Any]:
    source = {"ResourceARN": arn, **role}
    return {"NamePrefix": "SOURCE_SQL_STREAM", "KinesisStreamsInput": source, "InputSchema": SCHEMA}


def create(first: Any, source: str, **members: Any) -> str:
    name = new_name("application")
    given = {"Inputs": [an_input(source, RoleARN=ROLE)], "ApplicationCode": CODE, **members}
    first.create_application(ApplicationName=name, **given)
    return name


def detail(first: Any, name: str) -> dict[str, Any]:
    described: dict[str, Any] = first.describe_application(ApplicationName=name)["ApplicationDetail"]
    return described


def until(first: Any, name: str, status: str) -> dict[str, Any]:
    def there() -> dict[str, Any] | None:
        described = detail(first, name)
        assert status != "RUNNING" or described["ApplicationStatus"] != "READY", f"{name} stopped by itself"
        return described if described["ApplicationStatus"] == status else None

    return wait_for(there, f"{name} to be {status}", timeout_s=60)


def start(first: Any, name: str) -> None:
    configuration = {"Id": "1.1", "InputStartingPositionConfiguration": {"InputStartingPosition": "NOW"}}
    first.start_application(ApplicationName=name, InputConfigurations=[configuration])


def delete(first: Any, name: str) -> None:
    first.delete_application(ApplicationName=name, CreateTimestamp=detail(first, name)["CreateTimestamp"])
    wait_for(lambda: is_gone(first, name), f"{name} to be gone", timeout_s=60)


def is_gone(first: Any, name: str) -> bool:
    names = [one["ApplicationName"] for one in first.list_applications()["ApplicationSummaries"]]
    return name not in names


def test_an_application_lives(first: Any, source: str, account: str, kinesis: Kinesis) -> None:
    name = create(first, source)
    described = detail(first, name)
    assert described["ApplicationARN"] == f"arn:aws:kinesisanalytics:us-east-1:{account}:application/{name}"
    assert described["CreateTimestamp"].microsecond == 0
    start(first, name)
    until(first, name, "RUNNING")
    output = {
        "Name": "OUT",
        "KinesisStreamsOutput": {"ResourceARN": stream_arn(kinesis), "RoleARN": ROLE},
        "DestinationSchema": {"RecordFormatType": "JSON"},
    }
    first.add_application_output(ApplicationName=name, CurrentApplicationVersionId=1, Output=output)
    assert until(first, name, "RUNNING")["ApplicationVersionId"] == 2
    first.stop_application(ApplicationName=name)
    until(first, name, "READY")
    delete(first, name)
    assert refusal(first.describe_application, ApplicationName=name).code == "ResourceNotFoundException"


def test_a_running_application_can_be_deleted(first: Any, source: str) -> None:
    name = create(first, source)
    start(first, name)
    until(first, name, "RUNNING")
    delete(first, name)


def test_the_second_api(first: Any, second: Any, source: str) -> None:
    name = new_name("application")
    made = second.create_application(
        ApplicationName=name,
        RuntimeEnvironment="SQL-1_0",
        ServiceExecutionRole=ROLE,
        ApplicationConfiguration={
            "SqlApplicationConfiguration": {"Inputs": [an_input(source)]},
            "ApplicationCodeConfiguration": {"CodeContent": {"TextContent": CODE}, "CodeContentType": "PLAINTEXT"},
        },
    )["ApplicationDetail"]
    assert detail(first, name)["InputDescriptions"][0]["KinesisStreamsInputDescription"]["RoleARN"] == ROLE
    code = {"CodeContentUpdate": {"TextContentUpdate": CODE.replace("10", "20")}}
    updated = second.update_application(
        ApplicationName=name,
        ConditionalToken=made["ConditionalToken"],
        ApplicationConfigurationUpdate={"ApplicationCodeConfigurationUpdate": code},
    )["ApplicationDetail"]
    assert (updated["ApplicationVersionId"], updated["ApplicationVersionUpdatedFrom"]) == (2, 1)
    before = second.describe_application_version(ApplicationName=name, ApplicationVersionId=1)
    assert "price > 10" in str(before["ApplicationVersionDetail"])
    versions = second.list_application_versions(ApplicationName=name)["ApplicationVersionSummaries"]
    assert [one["ApplicationVersionId"] for one in versions] == [2, 1]
    stale = refusal(
        second.update_application,
        ApplicationName=name,
        CurrentApplicationVersionId=1,
        ServiceExecutionRoleUpdate=ROLE,
    )
    assert stale.code == "ConcurrentModificationException"
    assert refusal(second.list_application_snapshots, ApplicationName=name).code == "UnsupportedOperationException"
    second.delete_application(ApplicationName=name, CreateTimestamp=made["CreateTimestamp"])


def test_wrong_code_is_told_with_its_place(first: Any, source: str) -> None:
    wrong = refusal(
        first.create_application,
        ApplicationName=new_name("application"),
        Inputs=[an_input(source, RoleARN=ROLE)],
        ApplicationCode=CODE.replace("price FROM", "prise FROM"),
    )
    assert wrong.code == "CodeValidationException"
    assert wrong.message.startswith("3:")


def test_names_that_cannot_be_are_refused_in_awss_words(first: Any) -> None:
    refused = refusal(first.create_application, ApplicationName="no/name")
    assert refused.code == "ValidationException"
    assert refused.message == (
        "1 validation error detected: Value 'no/name' at 'applicationName' failed to satisfy constraint: Member must "
        "satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
    )


def test_a_schema_is_discovered(first: Any, kinesis: Kinesis, source: str) -> None:
    name = source.rpartition("/")[2]
    for number in range(5):
        tick = json.dumps({"ticker": "AMZN", "price": 10.5 + number, "volume": number})
        kinesis.put_record(StreamName=name, PartitionKey="k", Data=tick.encode())
    found = first.discover_input_schema(
        ResourceARN=source,
        RoleARN=ROLE,
        InputStartingPositionConfiguration={"InputStartingPosition": "TRIM_HORIZON"},
    )
    columns = {column["Name"]: column["Mapping"] for column in found["InputSchema"]["RecordColumns"]}
    assert columns == {"ticker": "$.ticker", "price": "$.price", "volume": "$.volume"}
    assert len(found["ParsedInputRecords"]) == 5
    assert json.loads(found["RawInputRecords"][0])["ticker"] == "AMZN"
    given = {**an_input(source, RoleARN=ROLE), "InputSchema": found["InputSchema"]}
    created = create(first, source, Inputs=[given], ApplicationCode="")
    assert detail(first, created)["InputDescriptions"][0]["InputSchema"] == found["InputSchema"]


def test_records_without_a_form_are_given_back(first: Any, kinesis: Kinesis, source: str) -> None:
    kinesis.put_record(StreamName=source.rpartition("/")[2], PartitionKey="k", Data=b"\x00\xff\x00")
    with pytest.raises(first.exceptions.UnableToDetectSchemaException) as caught:
        first.discover_input_schema(
            ResourceARN=source,
            RoleARN=ROLE,
            InputStartingPositionConfiguration={"InputStartingPosition": "TRIM_HORIZON"},
        )
    assert len(caught.value.response["RawInputRecords"]) == 1


def test_the_command_line(server: Server, source: str, account: str) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    def aws(*arguments: str) -> Any:
        command = [str(Path(sys.executable).with_name("aws")), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    name = new_name("application")
    given = {"ApplicationName": name, "Inputs": [an_input(source, RoleARN=ROLE)], "ApplicationCode": CODE}
    aws("kinesisanalytics", "create-application", "--cli-input-json", json.dumps(given))
    described = aws("kinesisanalyticsv2", "describe-application", "--application-name", name)["ApplicationDetail"]
    assert described["ApplicationStatus"] == "READY"
    created = described["CreateTimestamp"]
    aws("kinesisanalytics", "delete-application", "--application-name", name, "--create-timestamp", str(created))
