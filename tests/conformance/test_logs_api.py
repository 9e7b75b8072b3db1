"""CloudWatch Logs by boto3: log groups, log streams, retention, tags, and what is refused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from support.clients import client
from support.kinesis import new_name, refusal

if TYPE_CHECKING:
    from support.server import Server

REGION = "us-east-1"


@pytest.fixture
def logs(server: Server, account: str) -> Any:
    """A client in the test's own account."""
    return client("logs", server.url, account, REGION)


@pytest.fixture
def group(logs: Any) -> str:
    """The name of a log group."""
    name = new_name("/app/group")
    logs.create_log_group(logGroupName=name)
    return name


def test_a_log_group_is_described_as_it_was_made(logs: Any, account: str) -> None:
    before_ms = time.time_ns() // 1_000_000
    logs.create_log_group(logGroupName="/a/b.c-d_e#1", tags={"team": "x"}, logGroupClass="INFREQUENT_ACCESS")
    (described,) = logs.describe_log_groups()["logGroups"]
    assert before_ms <= described.pop("creationTime") <= time.time_ns() // 1_000_000
    arn = f"arn:aws:logs:{REGION}:{account}:log-group:/a/b.c-d_e#1"
    assert described == {
        "logGroupName": "/a/b.c-d_e#1",
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "logGroupArn": arn,
        "storedBytes": 0,
        "logGroupClass": "INFREQUENT_ACCESS",
        "deletionProtectionEnabled": False,
    }


def test_log_groups_by_prefix_pattern_identifier_and_page(logs: Any, account: str) -> None:
    names = sorted(f"/{kind}/{n:02}" for kind in ("web", "db") for n in range(30))
    for name in names:
        logs.create_log_group(logGroupName=name)

    def described(**params: Any) -> list[str]:
        pages = logs.get_paginator("describe_log_groups").paginate(**params)
        return [group["logGroupName"] for page in pages for group in page["logGroups"]]

    assert described() == described(limit=7) == names
    assert len(logs.describe_log_groups()["logGroups"]) == 50
    assert described(logGroupNamePrefix="/db") == names[:30]
    assert described(logGroupNamePattern="b/29") == ["/db/29", "/web/29"]
    arn = f"arn:aws:logs:{REGION}:{account}:log-group:/web/03"
    assert described(logGroupIdentifiers=["/db/02", arn]) == ["/db/02", "/web/03"]
    listed = logs.list_log_groups(logGroupNamePattern="^/web|b/07", limit=1000)["logGroups"]
    assert [each["logGroupName"] for each in listed] == ["/db/07", *names[30:]]
    both = refusal(logs.describe_log_groups, logGroupNamePrefix="/db", logGroupNamePattern="db")
    assert both.code == "InvalidParameterException"
    assert refusal(logs.describe_log_groups, nextToken="AAAA").message == "The specified nextToken is invalid."


def test_log_groups_of_other_accounts_and_regions_are_not_seen(logs: Any, server: Server, account: str) -> None:
    logs.create_log_group(logGroupName="mine")
    assert client("logs", server.url, account, "eu-west-1").describe_log_groups()["logGroups"] == []
    other = client("logs", server.url, "999999999999", REGION)
    assert refusal(other.delete_log_group, logGroupName="mine").code == "ResourceNotFoundException"


def test_what_is_there_twice_or_not_at_all(logs: Any, group: str) -> None:
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    assert refusal(logs.create_log_group, logGroupName=group)[:2] == (
        "ResourceAlreadyExistsException",
        "The specified log group already exists",
    )
    assert refusal(logs.create_log_stream, logGroupName=group, logStreamName="s")[:2] == (
        "ResourceAlreadyExistsException",
        "The specified log stream already exists",
    )
    no_group = ("ResourceNotFoundException", "The specified log group does not exist.")
    no_stream = ("ResourceNotFoundException", "The specified log stream does not exist.")
    assert refusal(logs.create_log_stream, logGroupName="no", logStreamName="s")[:2] == no_group
    assert refusal(logs.delete_log_stream, logGroupName=group, logStreamName="no")[:2] == no_stream
    assert refusal(logs.get_log_events, logGroupName="no", logStreamName="s")[:2] == no_group
    assert refusal(logs.get_log_events, logGroupName=group, logStreamName="no")[:2] == no_stream
    assert refusal(logs.filter_log_events, logGroupName=group, logStreamNames=["s", "no"])[:2] == no_stream
    event = [{"timestamp": time.time_ns() // 1_000_000, "message": "m"}]
    assert refusal(logs.put_log_events, logGroupName=group, logStreamName="no", logEvents=event)[:2] == no_stream
    assert refusal(logs.put_retention_policy, logGroupName="no", retentionInDays=1)[:2] == no_group


@pytest.mark.parametrize(
    ("operation", "params", "part"),
    [
        ("create_log_group", {"logGroupName": "a b"}, "Value 'a b' at 'logGroupName' failed to satisfy constraint"),
        ("create_log_group", {"logGroupName": "aws/x"}, "can't start with"),
        ("create_log_group", {"logGroupName": "x", "kmsKeyId": "k"}, "kmsKeyId"),
        ("create_log_group", {"logGroupName": "x", "tags": {"aws:a": "b"}}, "aws:"),
        ("put_retention_policy", {"retentionInDays": 2}, "enum value set: [1, 3, 5, 7, 14,"),
        ("create_log_stream", {"logStreamName": "a:b"}, "logStreamName"),
        ("get_log_events", {"logStreamName": "s", "logGroupIdentifier": "x"}, "not both"),
        ("get_log_events", {"logStreamName": "s", "nextToken": "f/1"}, "nextToken is invalid"),
        ("describe_log_streams", {"orderBy": "LastEventTime", "logStreamNamePrefix": "s"}, "LastEventTime"),
        ("filter_log_events", {"filterPattern": "{ $.a = "}, "Invalid filter pattern"),
        ("filter_log_events", {"limit": 10_001}, "less than or equal to 10000"),
        ("filter_log_events", {"logStreamNames": ["s"], "logStreamNamePrefix": "s"}, "logStreamNamePrefix"),
        ("put_log_events", {"logStreamName": "s", "logEvents": []}, "logEvents"),
        ("put_log_events", {"logStreamName": "s", "logEvents": [{"timestamp": 1, "message": ""}]}, "message"),
    ],
)
def test_bad_parameters(logs: Any, group: str, operation: str, params: dict[str, Any], part: str) -> None:
    refused = refusal(getattr(logs, operation), **{"logGroupName": group, **params})
    assert (refused.code, refused.status) == ("InvalidParameterException", 400)
    assert part in refused.message


def test_log_streams_by_name_time_and_page(logs: Any, group: str) -> None:
    now_ms = time.time_ns() // 1_000_000
    names = [f"s{n:02}" for n in range(60)]
    for n, name in enumerate(names):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
        if n < 10:
            event = {"timestamp": now_ms - (n * 7 % 10) * 1000, "message": "m"}
            logs.put_log_events(logGroupName=group, logStreamName=name, logEvents=[event])

    def described(**params: Any) -> list[str]:
        pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=group, **params)
        return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]

    assert described() == described(limit=9) == names
    assert described(descending=True, limit=11) == names[::-1]
    assert described(logStreamNamePrefix="s1") == names[10:20]
    newest_first = described(orderBy="LastEventTime", descending=True, limit=7)
    assert newest_first[:10] == sorted(names[:10], key=lambda name: int(name[1:]) * 7 % 10)
    assert len(newest_first) == 60
    (stream,) = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="s01")["logStreams"]
    assert stream["firstEventTimestamp"] == stream["lastEventTimestamp"] == now_ms - 7000
    assert stream["lastIngestionTime"] >= now_ms
    assert stream["storedBytes"] == 0
    assert stream["arn"].endswith(f":log-group:{group}:log-stream:s01")
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["storedBytes"] == 10 * 27


def test_tags_by_both_generations_of_operations(logs: Any, group: str, account: str) -> None:
    arn = f"arn:aws:logs:{REGION}:{account}:log-group:{group}"
    logs.tag_log_group(logGroupName=group, tags={"a": "1", "b": "2"})
    logs.tag_resource(resourceArn=arn, tags={"b": "3", "c": "4"})
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "1", "b": "3", "c": "4"}
    logs.untag_resource(resourceArn=arn, tagKeys=["a", "z"])
    logs.untag_log_group(logGroupName=group, tags=["b"])
    assert logs.list_tags_log_group(logGroupName=group)["tags"] == {"c": "4"}
    too_many = refusal(logs.tag_resource, resourceArn=arn, tags={f"k{n}": "" for n in range(50)})
    assert too_many.code == "TooManyTagsException"
    assert refusal(logs.tag_resource, resourceArn=f"{arn}x", tags={"a": "b"}).code == "ResourceNotFoundException"


def test_retention_hides_at_once_what_is_older(logs: Any, group: str) -> None:
    now_ms = time.time_ns() // 1_000_000
    logs.create_log_stream(logGroupName=group, logStreamName="s")

    def put(age_days: float) -> dict[str, Any]:
        event = {"timestamp": now_ms - int(age_days * 86_400_000), "message": f"{age_days} days"}
        reply: dict[str, Any] = logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[event])
        rejected: dict[str, Any] = reply.get("rejectedLogEventsInfo", {})
        return rejected

    def read() -> list[str]:
        events = logs.get_log_events(logGroupName=group, logStreamName="s", startFromHead=True)["events"]
        filtered = logs.filter_log_events(logGroupName=group)["events"]
        assert [event["message"] for event in events] == [event["message"] for event in filtered]
        return [event["message"] for event in events]

    assert [put(5), put(2), put(0.5), put(13.9)] == [{}] * 4
    assert read() == ["13.9 days", "5 days", "2 days", "0.5 days"]
    assert put(14.1) == {"tooOldLogEventEndIndex": 1}
    logs.put_retention_policy(logGroupName=group, retentionInDays=3)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 3
    assert read() == ["2 days", "0.5 days"]
    assert put(4) == {"expiredLogEventEndIndex": 1}
    logs.delete_retention_policy(logGroupName=group)
    assert "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]


def test_a_protected_log_group_is_not_deleted(logs: Any, group: str) -> None:
    logs.put_log_group_deletion_protection(logGroupIdentifier=group, deletionProtectionEnabled=True)
    assert refusal(logs.delete_log_group, logGroupName=group).code == "ValidationException"
    logs.put_log_group_deletion_protection(logGroupIdentifier=group, deletionProtectionEnabled=False)
    logs.delete_log_group(logGroupName=group)
    assert logs.describe_log_groups()["logGroups"] == []


def test_what_is_deleted_begins_anew(logs: Any, group: str) -> None:
    def put(message: str) -> None:
        event = {"timestamp": time.time_ns() // 1_000_000, "message": message}
        logs.create_log_stream(logGroupName=group, logStreamName="s")
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[event])

    put("first")
    logs.delete_log_stream(logGroupName=group, logStreamName="s")
    put("second")
    assert [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]] == ["second"]
    logs.delete_log_group(logGroupName=group)
    logs.create_log_group(logGroupName=group)
    put("third")
    assert [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]] == ["third"]
