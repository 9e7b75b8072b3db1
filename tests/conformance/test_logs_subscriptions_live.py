"""Subscription filters and TestMetricFilter on a live server, by boto3."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from support.configurations import processing, processor
from support.kinesis import new_account, refusal, wait_active
from support.livedelivery import LiveDelivery
from support.logsubscriptions import SubscribedGroup
from support.waiting import wait_for

if TYPE_CHECKING:
    from support.server import Server

TOGETHER = 30


@pytest.fixture
def group(server: Server) -> SubscribedGroup:
    return SubscribedGroup(server)


def test_a_group_has_two_filters_unless_limits_are_off(limited_server: Server, unlimited_server: Server) -> None:
    limited, unlimited = SubscribedGroup(limited_server), SubscribedGroup(unlimited_server)
    for group in (limited, unlimited):
        arn = group.arn(group.stream())
        for name in ("first", "second"):
            group.subscribe(arn, filterName=name)
        if group is unlimited:
            group.subscribe(arn, filterName="third")
        else:
            refused = refusal(group.subscribe, arn=arn, filterName="third")
            assert (refused.code, refused.message) == ("LimitExceededException", "Resource limit exceeded.")
            group.subscribe(arn, "changed", filterName="second")
    assert len(unlimited.filters()) == 3


def test_events_reach_a_stream_after_a_control_message(group: SubscribedGroup) -> None:
    stream = group.stream()
    group.log_streams("one")
    group.put("one", "before there was a filter")
    group.subscribe(group.arn(stream), "ERROR")
    (control,) = group.records(stream)
    assert control["messageType"] == "CONTROL_MESSAGE"
    assert control["logEvents"][0]["message"] == "CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."

    began_s = time.monotonic()
    group.put("one", "ERROR a", "INFO b", "ERROR c")
    assert group.await_messages(stream, 2) == ["ERROR a", "ERROR c"]
    assert time.monotonic() - began_s < 3  # a second, and what a busy machine adds
    _, data = group.records(stream)
    events = data.pop("logEvents")
    assert data == {
        "messageType": "DATA_MESSAGE",
        "owner": group.account,
        "logGroup": group.name,
        "logStream": "one",
        "subscriptionFilters": ["all"],
    }
    found = group.logs.filter_log_events(logGroupName=group.name, filterPattern="ERROR")["events"]
    assert [event["id"] for event in events] == [event["eventId"] for event in found]
    assert [event["timestamp"] for event in events] == [event["timestamp"] for event in found]


def test_columns_are_extracted(group: SubscribedGroup) -> None:
    stream = group.stream()
    group.log_streams("one")
    group.subscribe(group.arn(stream), "[host, ident, user, time, request = *html*, status = 4*, bytes > 1000]")
    line = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
    group.put("one", line.replace("404", "200"), line, line.replace("1534", "12"))
    (message,) = group.await_messages(stream, 1)
    assert message == line
    assert group.events(stream)[0]["extractedFields"] == {
        "host": "127.0.0.1",
        "ident": "-",
        "user": "frank",
        "time": "10/Oct/2000:13:25:15 -0700",
        "request": "GET /index.html HTTP/1.0",
        "status": "404",
        "bytes": "1534",
    }


def test_two_filters_see_the_same_events_through_their_own_patterns(group: SubscribedGroup) -> None:
    everything, large = group.stream(), group.stream()
    group.log_streams("one")
    group.subscribe(group.arn(everything))
    group.subscribe(group.arn(large), "{ $.size >= 1e3 }", filterName="large", distribution="Random")
    group.put("one", '{"size": 999}', '{"size": 1000}', "no JSON")
    assert group.await_messages(everything, 3) == ['{"size": 999}', '{"size": 1000}', "no JSON"]
    assert group.await_messages(large, 1) == ['{"size": 1000}']


def test_order_holds_within_each_of_many_log_streams(group: SubscribedGroup) -> None:
    stream = group.stream(shards=4)
    group.subscribe(group.arn(stream))
    names = [f"stream-{number}" for number in range(6)]
    group.log_streams(*names)
    for turn in range(TOGETHER):
        for name in names:
            group.put(name, f"{name} {turn}")
    group.await_messages(stream, TOGETHER * len(names))
    for name in names:
        events = [event for event in group.events(stream) if event["logStream"] == name]
        assert [event["message"] for event in events] == [f"{name} {turn}" for turn in range(TOGETHER)]


def test_a_large_put_is_spread_over_records_below_every_limit(group: SubscribedGroup) -> None:
    stream = group.stream()
    group.log_streams("one")
    group.subscribe(group.arn(stream))
    messages = [f"{number} " + "abcdefghij" * 25_000 for number in range(4)]
    group.put("one", *messages)
    assert group.await_messages(stream, 4) == messages
    assert len(group.records(stream)) > 2


def test_a_destination_that_is_deleted_and_made_again_gets_what_came_meanwhile(group: SubscribedGroup) -> None:
    stream = group.stream()
    group.log_streams("one")
    group.subscribe(group.arn(stream))
    group.kinesis.delete_stream(StreamName=stream)

    def is_gone() -> bool:
        names: list[str] = group.kinesis.list_streams()["StreamNames"]
        return stream not in names

    wait_for(is_gone, f"{stream} to be gone")
    group.put("one", "while it was away")
    group.kinesis.create_stream(StreamName=stream, ShardCount=1)
    wait_active(group.kinesis, stream)
    assert group.await_messages(stream, 1) == ["while it was away"]


def test_the_lines_of_a_group_reach_a_bucket_through_a_delivery_stream(
    delivery_server: Server, delivery: LiveDelivery
) -> None:
    processors = processing(
        processor("Decompression", CompressionFormat="GZIP"),
        processor("CloudWatchLogProcessing", DataMessageExtraction="true"),
    )
    delivery.create(ExtendedS3DestinationConfiguration=delivery.s3(ProcessingConfiguration=processors))
    group = SubscribedGroup(delivery_server, "000000000000")
    group.log_streams("one")
    group.subscribe(f"arn:aws:firehose:us-east-1:{group.account}:deliverystream/{delivery.name}", "-DEBUG")
    group.put("one", "INFO first", "DEBUG second", "INFO third")
    delivery.flush_until(lambda: b"".join(delivery.objects().values()), "an object")
    assert b"".join(delivery.objects().values()) == b"INFO first\nINFO third\n"


# Filters


def test_filters_are_described_changed_and_deleted(group: SubscribedGroup) -> None:
    first, second = group.arn(group.stream()), group.arn(group.stream())
    group.subscribe(first, "ERROR", filterName="b-errors")
    group.subscribe(first, filterName="a-all", distribution="Random")
    described = group.filters()
    assert [each["filterName"] for each in described] == ["a-all", "b-errors"]
    created_ms = described[1].pop("creationTime")
    assert described[1] == {
        "filterName": "b-errors",
        "logGroupName": group.name,
        "filterPattern": "ERROR",
        "destinationArn": first,
        "roleArn": "arn:aws:iam::123456789012:role/firehose",
        "distribution": "ByLogStream",
    }
    assert described[0]["distribution"] == "Random"
    assert [each["filterName"] for each in group.filters(filterNamePrefix="b")] == ["b-errors"]
    reply = group.logs.describe_subscription_filters(logGroupName=group.name, limit=1)
    (following,) = group.filters(limit=1, nextToken=reply["nextToken"])
    assert following["filterName"] == "b-errors"

    group.subscribe(second, "?ERROR ?WARN", filterName="b-errors")
    changed = group.filters()[1]
    assert (changed["destinationArn"], changed["filterPattern"]) == (second, "?ERROR ?WARN")
    assert changed["creationTime"] == created_ms

    group.logs.delete_subscription_filter(logGroupName=group.name, filterName="b-errors")
    assert [each["filterName"] for each in group.filters()] == ["a-all"]
    gone = refusal(group.logs.delete_subscription_filter, logGroupName=group.name, filterName="b-errors")
    assert gone.code == "ResourceNotFoundException"
    assert gone.message == "The specified subscription filter does not exist."


def test_filters_go_with_their_group(group: SubscribedGroup) -> None:
    stream = group.stream()
    group.subscribe(group.arn(stream))
    group.logs.delete_log_group(logGroupName=group.name)
    assert refusal(group.filters).message == "The specified log group does not exist."
    group.logs.create_log_group(logGroupName=group.name)
    assert group.filters() == []


@pytest.mark.parametrize(
    ("arn", "members", "words"),
    [
        ("arn:aws:kinesis:us-east-1:{account}:stream/none", {}, "Could not deliver test message to specified Kinesis"),
        ("arn:aws:firehose:us-east-1:{account}:deliverystream/none", {}, "to specified Firehose stream. Check if"),
        ("arn:aws:kinesis:us-east-1:{other}:stream/none", {}, "account and region"),
        ("arn:aws:kinesis:eu-west-1:{account}:stream/none", {}, "account and region"),
        ("arn:aws:kinesis:us-east-1:{account}:something/none", {}, "does not name one"),
        ("arn:aws:lambda:us-east-1:{account}:function:f", {}, "Could not execute the lambda function."),
        ("arn:aws:s3:::bucket", {}, "cannot work with destinationArn for vendor s3"),
        ("stream", {}, "Invalid destinationArn"),
        ("arn:aws:kinesis:us-east-1:{account}:stream/none", {"roleArn": None}, "cannot be used without roleArn"),
        ("arn:aws:kinesis:us-east-1:{account}:stream/none", {"pattern": "a:b"}, "Invalid character(s) in term ':'"),
        ("arn:aws:kinesis:us-east-1:{account}:stream/none", {"emitSystemFields": ["@aws.region"]}, "not supported"),
        ("arn:aws:kinesis:us-east-1:{account}:stream/none", {"filterName": "a:b"}, "filterName"),
    ],
)
def test_what_cannot_work_is_refused(group: SubscribedGroup, arn: str, members: dict[str, Any], words: str) -> None:
    refused = refusal(group.subscribe, arn=arn.format(account=group.account, other=new_account()), **members)
    assert refused.code == "InvalidParameterException"
    assert words in refused.message
    assert group.filters() == []


def test_groups_that_are_not_there(group: SubscribedGroup) -> None:
    stream = group.arn(group.stream())
    group.logs.delete_log_group(logGroupName=group.name)
    for call in (
        lambda: group.subscribe(stream),
        group.filters,
        lambda: group.logs.delete_subscription_filter(logGroupName=group.name, filterName="all"),
    ):
        assert refusal(call).code == "ResourceNotFoundException"


# Metric filters


def test_a_pattern_can_be_tried(group: SubscribedGroup) -> None:
    lines = ["10.0.0.1 GET 200", "10.0.0.2 GET 404", "nothing"]
    reply = group.logs.test_metric_filter(filterPattern="[ip, ..., status = 4*]", logEventMessages=lines)
    assert reply["matches"] == [
        {
            "eventNumber": 2,
            "eventMessage": lines[1],
            "extractedValues": {"$ip": "10.0.0.2", "$2": "GET", "$status": "404"},
        }
    ]
    reply = group.logs.test_metric_filter(filterPattern="{ $.n > 1 }", logEventMessages=['{"n": 1}', '{"n": 2}'])
    assert [match["extractedValues"] for match in reply["matches"]] == [{"$.n": "2"}]
    refused = refusal(group.logs.test_metric_filter, filterPattern="{ $.n > }", logEventMessages=["x"])
    assert refused.code == "InvalidParameterException"
    assert refused.message == "Invalid filter pattern: at column 9: a value must follow"
