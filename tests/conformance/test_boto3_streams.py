"""Streams: CreateStream, DeleteStream, DescribeStream, DescribeStreamSummary, ListStreams, UpdateStreamMode."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from support.kinesis import (
    Kinesis,
    call_raw,
    connect,
    create_stream,
    new_account,
    new_name,
    refusal,
    shard_id,
    stream_summary,
    wait_active,
)
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.server import Server

LAST_HASH_KEY = str(2**128 - 1)


def test_a_new_stream_is_described_as_aws_does(kinesis: Kinesis, account: str) -> None:
    name = new_name()
    before = datetime.now(UTC)
    kinesis.create_stream(StreamName=name, ShardCount=3)
    assert stream_summary(kinesis, name)["StreamStatus"] in {"CREATING", "ACTIVE"}
    wait_active(kinesis, name)

    description = kinesis.describe_stream(StreamName=name)["StreamDescription"]
    assert description["StreamName"] == name
    assert description["StreamARN"] == f"arn:aws:kinesis:us-east-1:{account}:stream/{name}"
    assert description["StreamStatus"] == "ACTIVE"
    assert description["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}
    assert description["HasMoreShards"] is False
    assert description["RetentionPeriodHours"] == 24
    assert description["EnhancedMonitoring"] == [{"ShardLevelMetrics": []}]
    assert description["EncryptionType"] == "NONE"
    assert "KeyId" not in description
    created = description["StreamCreationTimestamp"]
    assert before - timedelta(seconds=1) <= created <= datetime.now(UTC) + timedelta(seconds=1)

    assert [shard["ShardId"] for shard in description["Shards"]] == [shard_id(0), shard_id(1), shard_id(2)]
    ranges = [shard["HashKeyRange"] for shard in description["Shards"]]
    assert ranges[0]["StartingHashKey"] == "0"
    assert ranges[-1]["EndingHashKey"] == LAST_HASH_KEY
    for lower, upper in itertools.pairwise(ranges):
        assert int(lower["EndingHashKey"]) + 1 == int(upper["StartingHashKey"])
    for shard in description["Shards"]:
        assert "ParentShardId" not in shard
        assert set(shard["SequenceNumberRange"]) == {"StartingSequenceNumber"}


def test_summary(kinesis: Kinesis, make_stream: Callable[..., str], account: str) -> None:
    name = make_stream(2)
    summary = stream_summary(kinesis, name)
    assert summary["StreamName"] == name
    assert summary["StreamARN"].endswith(f":{account}:stream/{name}")
    assert summary["OpenShardCount"] == 2
    assert summary["ConsumerCount"] == 0
    assert summary["MaxRecordSizeInKiB"] == 1024
    assert summary["StreamId"]
    assert summary["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}


def test_a_name_is_taken_once(kinesis: Kinesis, stream: str, account: str) -> None:
    refused = refusal(kinesis.create_stream, StreamName=stream, ShardCount=1)
    assert refused == (
        "ResourceInUseException",
        f"Stream {stream} under account {account} already exists.",
        400,
    )


def test_a_stream_that_is_not_there(kinesis: Kinesis, account: str) -> None:
    for call in (kinesis.describe_stream, kinesis.describe_stream_summary, kinesis.delete_stream):
        assert refusal(call, StreamName="nowhere") == (
            "ResourceNotFoundException",
            f"Stream nowhere under account {account} not found.",
            400,
        )


def test_a_provisioned_stream_needs_a_shard_count(kinesis: Kinesis) -> None:
    refused = refusal(kinesis.create_stream, StreamName=new_name(), StreamModeDetails={"StreamMode": "PROVISIONED"})
    assert refused.code in {"InvalidArgumentException", "ValidationException"}
    assert "ShardCount" in refused.message or "shardCount" in refused.message


def test_an_on_demand_stream_takes_no_shard_count(kinesis: Kinesis) -> None:
    details = {"StreamMode": "ON_DEMAND"}
    refused = refusal(kinesis.create_stream, StreamName=new_name(), ShardCount=2, StreamModeDetails=details)
    assert refused.code in {"InvalidArgumentException", "ValidationException"}
    name = create_stream(kinesis, None, StreamModeDetails=details)
    summary = stream_summary(kinesis, name)
    assert summary["StreamModeDetails"] == details
    assert summary["OpenShardCount"] == 4


def test_mode_changes_both_ways(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    name = make_stream(2)
    arn = stream_summary(kinesis, name)["StreamARN"]
    for mode in ("ON_DEMAND", "PROVISIONED"):
        kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": mode})
        assert wait_active(kinesis, name)["StreamModeDetails"] == {"StreamMode": mode}
    refused = refusal(
        kinesis.update_stream_mode,
        StreamARN=arn.replace(name, "nowhere"),
        StreamModeDetails={"StreamMode": "ON_DEMAND"},
    )
    assert refused.code == "ResourceNotFoundException"


def test_update_shard_count_needs_provisioned_mode(kinesis: Kinesis) -> None:
    name = create_stream(kinesis, None, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    refused = refusal(kinesis.update_shard_count, StreamName=name, TargetShardCount=8, ScalingType="UNIFORM_SCALING")
    assert refused.code in {"ValidationException", "InvalidArgumentException"}


def test_delete(server: Server, kinesis: Kinesis, account: str, stream: str) -> None:
    kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k")
    first = stream_summary(kinesis, stream)
    kinesis.delete_stream(StreamName=stream)

    def gone() -> bool:
        return stream not in kinesis.list_streams()["StreamNames"]

    wait_for(gone, "the stream to be deleted")
    assert refusal(kinesis.describe_stream_summary, StreamName=stream).code == "ResourceNotFoundException"
    create_stream(kinesis, StreamName=stream)
    again = stream_summary(kinesis, stream)
    assert again["StreamId"] != first["StreamId"]
    by_id = {"StreamId": first["StreamId"]}
    old = call_raw(server.url, "DescribeStreamSummary", by_id, account=account).json()
    assert old["__type"] == "ResourceNotFoundException"
    start = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard_id(0), ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    assert kinesis.get_records(ShardIterator=start)["Records"] == []


def test_an_iterator_does_not_outlive_its_stream(kinesis: Kinesis, stream: str) -> None:
    kinesis.put_record(StreamName=stream, Data=b"old", PartitionKey="k")
    start = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard_id(0), ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    kinesis.delete_stream(StreamName=stream)
    wait_for(lambda: not kinesis.list_streams()["StreamNames"], "the stream to be deleted")
    create_stream(kinesis, StreamName=stream)
    assert refusal(kinesis.get_records, ShardIterator=start).code == "ResourceNotFoundException"


def test_delete_with_consumers_must_be_forced(kinesis: Kinesis, stream: str) -> None:
    arn = stream_summary(kinesis, stream)["StreamARN"]
    kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="reader")
    refused = refusal(kinesis.delete_stream, StreamName=stream)
    assert refused.code == "ResourceInUseException"
    kinesis.delete_stream(StreamName=stream, EnforceConsumerDeletion=True)
    wait_for(lambda: stream not in kinesis.list_streams()["StreamNames"], "the stream to be deleted")


def test_list_streams_in_pages(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    names = sorted(make_stream() for _ in range(5))
    everything = kinesis.list_streams()
    assert everything["StreamNames"] == names
    assert everything["HasMoreStreams"] is False
    assert [summary["StreamName"] for summary in everything["StreamSummaries"]] == names
    assert {summary["StreamStatus"] for summary in everything["StreamSummaries"]} == {"ACTIVE"}

    by_token = [
        name for page in kinesis.get_paginator("list_streams").paginate(Limit=2) for name in page["StreamNames"]
    ]
    assert by_token == names
    page = kinesis.list_streams(Limit=2, ExclusiveStartStreamName=names[1])
    assert page["StreamNames"] == names[2:4]
    assert page["HasMoreStreams"] is True
    assert refusal(kinesis.list_streams, NextToken="bm90IGEgdG9rZW4=").code in {
        "InvalidArgumentException",
        "ExpiredNextTokenException",
    }


def test_describe_stream_in_pages(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    name = make_stream(5)
    page = kinesis.describe_stream(StreamName=name, Limit=2)["StreamDescription"]
    assert [shard["ShardId"] for shard in page["Shards"]] == [shard_id(0), shard_id(1)]
    assert page["HasMoreShards"] is True
    page = kinesis.describe_stream(StreamName=name, ExclusiveStartShardId=shard_id(2))["StreamDescription"]
    assert [shard["ShardId"] for shard in page["Shards"]] == [shard_id(3), shard_id(4)]
    assert page["HasMoreShards"] is False


def test_streams_are_addressed_by_name_arn_or_id(server: Server, kinesis: Kinesis, account: str, stream: str) -> None:
    summary = stream_summary(kinesis, stream)
    ways = [
        {"StreamName": stream},
        {"StreamARN": summary["StreamARN"]},
        {"StreamId": summary["StreamId"]},
        {"StreamName": stream, "StreamARN": summary["StreamARN"]},
    ]

    def call(operation: str, **params: Any) -> dict[str, Any]:
        """Without boto3, which sends calls with a StreamId to an AWS host whatever its endpoint is."""
        reply = call_raw(server.url, operation, params, account=account)
        assert reply.status_code == 200, (operation, params, reply.text)
        answer: dict[str, Any] = reply.json()
        return answer

    for way in ways:
        call("PutRecord", **way, Data="eA==", PartitionKey="k")
        call("PutRecords", **way, Records=[{"Data": "eA==", "PartitionKey": "k"}])
        assert call("DescribeStreamSummary", **way)["StreamDescriptionSummary"]["StreamName"] == stream
        assert call("DescribeStream", **way)["StreamDescription"]["StreamName"] == stream
        assert len(call("ListShards", **way)["Shards"]) == 1
        assert call("ListTagsForStream", **way)["Tags"] == []
        start = call("GetShardIterator", **way, ShardId=shard_id(0), ShardIteratorType="TRIM_HORIZON")
        assert call("GetRecords", **start)["Records"]
        assert call("GetRecords", **start, StreamARN=summary["StreamARN"])["Records"]


def test_no_address_at_all(kinesis: Kinesis) -> None:
    for call in (kinesis.describe_stream_summary, kinesis.describe_stream):
        assert refusal(call).code in {"InvalidArgumentException", "ValidationException"}
    refused = refusal(kinesis.put_record, Data=b"x", PartitionKey="k")
    assert refused.code in {"InvalidArgumentException", "ValidationException"}


def test_name_and_arn_must_agree(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    one, other = make_stream(), make_stream()
    arn = stream_summary(kinesis, one)["StreamARN"]
    refused = refusal(kinesis.describe_stream_summary, StreamName=other, StreamARN=arn)
    assert refused.code in {"InvalidArgumentException", "ValidationException"}


def test_accounts_are_apart(server: Server) -> None:
    one, other = (connect(server.url, new_account()) for _ in range(2))
    name = create_stream(one)
    assert other.list_streams()["StreamNames"] == []
    assert refusal(other.describe_stream_summary, StreamName=name).code == "ResourceNotFoundException"
    create_stream(other, 2, StreamName=name)
    one.put_record(StreamName=name, Data=b"mine", PartitionKey="k")
    for client, count in ((one, 1), (other, 2)):
        assert stream_summary(client, name)["OpenShardCount"] == count
    start = other.get_shard_iterator(StreamName=name, ShardId=shard_id(0), ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    assert other.get_records(ShardIterator=start)["Records"] == []
    arn = stream_summary(one, name)["StreamARN"]
    refused = refusal(other.put_record, StreamARN=arn, Data=b"not yours", PartitionKey="k")
    assert refused.code in {"AccessDeniedException", "ResourceNotFoundException"}


def test_regions_are_apart(server: Server) -> None:
    account = new_account()
    east, west = (connect(server.url, account, region) for region in ("us-east-1", "eu-west-2"))
    name = create_stream(east)
    assert west.list_streams()["StreamNames"] == []
    create_stream(west, StreamName=name)
    assert stream_summary(west, name)["StreamARN"] == f"arn:aws:kinesis:eu-west-2:{account}:stream/{name}"
    assert stream_summary(west, name)["StreamId"] != stream_summary(east, name)["StreamId"]


def test_enhanced_monitoring(kinesis: Kinesis, stream: str) -> None:
    reply = kinesis.enable_enhanced_monitoring(
        StreamName=stream, ShardLevelMetrics=["IncomingBytes", "OutgoingRecords"]
    )
    assert reply["StreamName"] == stream
    assert reply["CurrentShardLevelMetrics"] == []
    assert sorted(reply["DesiredShardLevelMetrics"]) == ["IncomingBytes", "OutgoingRecords"]
    [metrics] = wait_active(kinesis, stream)["EnhancedMonitoring"]
    assert sorted(metrics["ShardLevelMetrics"]) == ["IncomingBytes", "OutgoingRecords"]

    reply = kinesis.disable_enhanced_monitoring(StreamName=stream, ShardLevelMetrics=["IncomingBytes"])
    assert reply["DesiredShardLevelMetrics"] == ["OutgoingRecords"]
    wait_active(kinesis, stream)
    reply = kinesis.enable_enhanced_monitoring(StreamName=stream, ShardLevelMetrics=["ALL"])
    assert len(reply["DesiredShardLevelMetrics"]) == 7
    wait_active(kinesis, stream)
    reply = kinesis.disable_enhanced_monitoring(StreamName=stream, ShardLevelMetrics=["ALL"])
    assert reply["DesiredShardLevelMetrics"] == []
    refused = refusal(kinesis.enable_enhanced_monitoring, StreamName=stream, ShardLevelMetrics=["Nope"])
    assert refused.code == "ValidationException"


def test_stream_waiters(kinesis: Kinesis) -> None:
    name = new_name()
    fast = {"Delay": 0.1, "MaxAttempts": 100}
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=fast)
    kinesis.delete_stream(StreamName=name)
    kinesis.get_waiter("stream_not_exists").wait(StreamName=name, WaiterConfig=fast)
