"""Streams: create, delete, describe, list."""

from __future__ import annotations

import re
from typing import Any

import pytest

from support.control_plane import ACCOUNT, ControlPlane

ARN = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/orders"


async def test_a_stream_is_creating_and_then_active(plane: ControlPlane) -> None:
    await plane.call("CreateStream", StreamName="orders", ShardCount=3)
    description = (await plane.call("DescribeStream", StreamName="orders"))["StreamDescription"]
    assert description["StreamStatus"] == "CREATING"
    assert description["Shards"] == []
    await plane.pass_ms(60)
    description = (await plane.call("DescribeStream", StreamName="orders"))["StreamDescription"]
    shards = description.pop("Shards")
    created_s = description.pop("StreamCreationTimestamp")
    assert created_s == pytest.approx(plane.clock.now_ms() / 1000, abs=1)
    assert description == {
        "StreamName": "orders",
        "StreamARN": ARN,
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": {"StreamMode": "PROVISIONED"},
        "HasMoreShards": False,
        "RetentionPeriodHours": 24,
        "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
        "EncryptionType": "NONE",
    }
    assert [(shard["ShardId"], shard["HashKeyRange"]) for shard in shards] == [
        (
            "shardId-000000000000",
            {"StartingHashKey": "0", "EndingHashKey": "113427455640312821154458202477256070484"},
        ),
        (
            "shardId-000000000001",
            {
                "StartingHashKey": "113427455640312821154458202477256070485",
                "EndingHashKey": "226854911280625642308916404954512140969",
            },
        ),
        (
            "shardId-000000000002",
            {
                "StartingHashKey": "226854911280625642308916404954512140970",
                "EndingHashKey": "340282366920938463463374607431768211455",
            },
        ),
    ]
    assert all(re.fullmatch(r"\d{56}", shard["SequenceNumberRange"]["StartingSequenceNumber"]) for shard in shards)
    assert not any("EndingSequenceNumber" in shard["SequenceNumberRange"] for shard in shards)
    assert not any("ParentShardId" in shard for shard in shards)


async def test_the_summary_has_every_member(plane: ControlPlane) -> None:
    await plane.create(shards=2)
    summary = await plane.summary()
    assert re.fullmatch(r"[a-z0-9]{20}-[a-z0-9]{3}", summary.pop("StreamId"))
    assert summary.pop("StreamCreationTimestamp")
    assert summary == {
        "StreamName": "orders",
        "StreamARN": ARN,
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": {"StreamMode": "PROVISIONED"},
        "RetentionPeriodHours": 24,
        "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
        "EncryptionType": "NONE",
        "OpenShardCount": 2,
        "ConsumerCount": 0,
        "MaxRecordSizeInKiB": 1024,
        "ChannelCount": 0,
        "QueueCount": 0,
    }


async def test_a_stream_is_made_with_what_create_says(plane: ControlPlane) -> None:
    await plane.create(shards=1, Tags={"team": "blue"}, MaxRecordSizeInKiB=10240)
    assert (await plane.summary())["MaxRecordSizeInKiB"] == 10240
    tags = await plane.call("ListTagsForStream", StreamName="orders")
    assert tags == {"Tags": [{"Key": "team", "Value": "blue"}], "HasMoreTags": False}


async def test_an_on_demand_stream_starts_with_four_shards(plane: ControlPlane) -> None:
    await plane.create(shards=None, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    summary = await plane.summary()
    assert summary["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    assert summary["OpenShardCount"] == 4
    assert summary["WarmThroughput"] == {"CurrentMiBps": 4}
    assert summary["RecordDistributionStrategy"] == "USER_PARTITION_KEY"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "ShardCount must be specified for streams in PROVISIONED mode."),
        (
            {"ShardCount": 1, "WarmThroughputMiBps": 5},
            "WarmThroughputMiBps can only be specified for streams in ON_DEMAND mode.",
        ),
        (
            {"ShardCount": 1, "StreamModeDetails": {"StreamMode": "ON_DEMAND"}},
            "ShardCount can not be specified for streams in ON_DEMAND mode.",
        ),
        (
            {"WarmThroughputMiBps": 5, "StreamModeDetails": {"StreamMode": "ON_DEMAND"}},
            "Warm throughput can only be specified for accounts that have MinimumThroughputBillingCommitment enabled.",
        ),
        (
            {"RecordDistributionStrategy": "AUTO", "StreamModeDetails": {"StreamMode": "ON_DEMAND"}},
            "RecordDistributionStrategy AUTO is not supported yet: records go where their partition keys say.",
        ),
    ],
)
async def test_what_create_refuses(plane: ControlPlane, params: dict[str, Any], message: str) -> None:
    refused = await plane.refusal("CreateStream", StreamName="orders", **params)
    assert refused == ("InvalidArgumentException", message)
    assert (await plane.call("ListStreams"))["StreamNames"] == []


async def test_a_name_is_taken_once_an_account_and_region(plane: ControlPlane) -> None:
    await plane.create(shards=1)
    refused = await plane.refusal("CreateStream", StreamName="orders", ShardCount=1)
    assert refused == ("ResourceInUseException", f"Stream orders under account {ACCOUNT} already exists.")
    await plane.create(shards=2, region="eu-west-1")
    await plane.create(shards=3, account="210987654321")
    elsewhere = await plane.call("DescribeStreamSummary", StreamName="orders", region="eu-west-1")
    assert elsewhere["StreamDescriptionSummary"]["OpenShardCount"] == 2
    assert elsewhere["StreamDescriptionSummary"]["StreamARN"] == ARN.replace("us-east-1", "eu-west-1")
    assert (await plane.summary())["OpenShardCount"] == 1


async def test_a_deleted_stream_is_deleting_and_then_gone_with_its_log(plane: ControlPlane) -> None:
    handle = await plane.create()
    await plane.put()
    await plane.call("DeleteStream", StreamName="orders")
    assert await plane.status() == "DELETING"
    refused = await plane.refusal("DeleteStream", StreamName="orders")
    assert refused == (
        "ResourceInUseException",
        f"Stream orders under account {ACCOUNT} not ACTIVE, instead in state DELETING",
    )
    await plane.gone()
    refused = await plane.refusal("DescribeStream", StreamName="orders")
    assert refused == ("ResourceNotFoundException", f"Stream orders under account {ACCOUNT} not found.")
    assert plane.deleted == [handle.stream.stream_id]
    assert plane.catalog.list("stream") == []
    again = await plane.create()
    assert again.stream.stream_id != handle.stream.stream_id


async def test_a_stream_may_be_deleted_while_it_is_created(plane: ControlPlane) -> None:
    await plane.call("CreateStream", StreamName="orders", ShardCount=1)
    await plane.call("DeleteStream", StreamName="orders")
    assert await plane.status() == "DELETING"
    await plane.gone()


async def test_a_stream_with_consumers_is_deleted_only_by_force(plane: ControlPlane) -> None:
    await plane.create()
    await plane.call("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="reader")
    assert (await plane.refusal("DeleteStream", StreamName="orders")).code == "ResourceInUseException"
    assert await plane.status() == "ACTIVE"
    await plane.call("DeleteStream", StreamName="orders", EnforceConsumerDeletion=True)
    await plane.gone()


async def test_streams_are_listed_by_name_in_pages(plane: ControlPlane) -> None:
    for name in ("c", "a", "b"):
        await plane.create(name)
    everything = await plane.call("ListStreams")
    assert everything["StreamNames"] == ["a", "b", "c"]
    assert everything["HasMoreStreams"] is False
    assert "NextToken" not in everything
    summary = everything["StreamSummaries"][0]
    assert summary["StreamStatus"] == "ACTIVE"
    assert summary["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}
    first = await plane.call("ListStreams", Limit=2)
    assert (first["StreamNames"], first["HasMoreStreams"]) == (["a", "b"], True)
    rest = await plane.call("ListStreams", NextToken=first["NextToken"])
    assert (rest["StreamNames"], rest["HasMoreStreams"]) == (["c"], False)
    after = await plane.call("ListStreams", ExclusiveStartStreamName="b")
    assert after["StreamNames"] == ["c"]
    assert (await plane.call("ListStreams", region="eu-west-1"))["StreamNames"] == []


async def test_at_most_a_hundred_streams_and_shards_a_page(plane: ControlPlane) -> None:
    await plane.create("s", shards=101)
    for number in range(101):
        await plane.call("CreateStream", StreamName=f"s{number:03}", ShardCount=1)
    assert len((await plane.call("ListStreams", Limit=10_000))["StreamNames"]) == 100
    description = (await plane.call("DescribeStream", StreamName="s", Limit=10_000))["StreamDescription"]
    assert (len(description["Shards"]), description["HasMoreShards"]) == (100, True)
    last = description["Shards"][-1]["ShardId"]
    rest = await plane.call("DescribeStream", StreamName="s", ExclusiveStartShardId=last)
    assert [shard["ShardId"] for shard in rest["StreamDescription"]["Shards"]] == ["shardId-000000000100"]


async def test_tokens_belong_to_their_operation_and_account_and_expire(plane: ControlPlane) -> None:
    for name in ("a", "b"):
        await plane.create(name)
    token = (await plane.call("ListStreams", Limit=1))["NextToken"]
    for params in ({"NextToken": "bm9uZQ=="}, {"NextToken": token, "account": "210987654321"}):
        refused = await plane.refusal("ListStreams", **params)
        assert refused == ("InvalidArgumentException", "NextToken is invalid.")
    assert (await plane.refusal("ListShards", NextToken=token)).code == "InvalidArgumentException"
    await plane.skip_ms(300_000)
    assert (await plane.call("ListStreams", NextToken=token))["StreamNames"] == ["b"]
    await plane.skip_ms(1)
    assert (await plane.refusal("ListStreams", NextToken=token)).code == "ExpiredNextTokenException"


class TestAddressing:
    """Streams by name, ARN and StreamId."""

    async def test_all_three(self, plane: ControlPlane) -> None:
        stream = (await plane.create()).stream
        for address in (
            {"StreamName": "orders"},
            {"StreamARN": ARN},
            {"StreamId": stream.stream_id},
            {"StreamName": "orders", "StreamARN": ARN, "StreamId": stream.stream_id},
        ):
            reply = await plane.call("DescribeStreamSummary", **address)
            assert reply["StreamDescriptionSummary"]["StreamARN"] == ARN

    @pytest.mark.parametrize(
        ("address", "code", "message"),
        [
            ({}, "InvalidArgumentException", "Either StreamName or StreamARN must be provided."),
            (
                {"StreamName": "other", "StreamARN": ARN},
                "InvalidArgumentException",
                "StreamARN and StreamName must refer to the same stream.",
            ),
            (
                {"StreamName": "orders", "StreamId": "a" * 20 + "-aaa"},
                "InvalidArgumentException",
                "StreamId and the stream's name or ARN must refer to the same stream.",
            ),
            (
                {"StreamName": "nowhere"},
                "ResourceNotFoundException",
                f"Stream nowhere under account {ACCOUNT} not found.",
            ),
            (
                {"StreamARN": ARN.replace("orders", "nowhere")},
                "ResourceNotFoundException",
                f"Stream nowhere under account {ACCOUNT} not found.",
            ),
            (
                {"StreamARN": ARN.replace("us-east-1", "eu-west-1")},
                "ResourceNotFoundException",
                f"Stream orders under account {ACCOUNT} not found.",
            ),
            (
                {"StreamId": "a" * 20 + "-aaa"},
                "ResourceNotFoundException",
                f"Stream {'a' * 20}-aaa under account {ACCOUNT} not found.",
            ),
        ],
    )
    async def test_refusals(self, plane: ControlPlane, address: dict[str, str], code: str, message: str) -> None:
        await plane.create()
        assert await plane.refusal("DescribeStreamSummary", **address) == (code, message)

    async def test_another_accounts_stream(self, plane: ControlPlane) -> None:
        stream = (await plane.create()).stream
        for address, code in (
            ({"StreamName": "orders"}, "ResourceNotFoundException"),
            ({"StreamId": stream.stream_id}, "ResourceNotFoundException"),
            ({"StreamARN": ARN}, "AccessDeniedException"),
        ):
            refused = await plane.refusal("DescribeStreamSummary", account="210987654321", **address)
            assert refused.code == code
