"""SplitShard, MergeShards, UpdateShardCount: checks, wording, and what becomes of records."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from millstream.base.hashkeys import HASH_KEY_MAX
from support.control_plane import ACCOUNT, ControlPlane

HALF = 2**127
IN = f"in stream orders under account {ACCOUNT}"


async def shards(plane: ControlPlane, **params: Any) -> list[dict[str, Any]]:
    """ListShards."""
    listed: list[dict[str, Any]] = (await plane.call("ListShards", StreamName="orders", **params))["Shards"]
    return listed


async def test_a_split_closes_the_shard_and_opens_two(plane: ControlPlane) -> None:
    await plane.create(shards=1)
    await plane.call("SplitShard", StreamName="orders", ShardToSplit="shardId-0", NewStartingHashKey=str(HALF))
    assert await plane.status() == "UPDATING"
    assert len(await shards(plane)) == 1
    put = await plane.put()
    assert put["ShardId"] == "shardId-000000000000"
    await plane.pass_ms(60)
    assert await plane.status() == "ACTIVE"
    parent, low, high = await shards(plane)
    assert "EndingSequenceNumber" in parent["SequenceNumberRange"]
    assert int(put["SequenceNumber"]) < int(parent["SequenceNumberRange"]["EndingSequenceNumber"])
    for child, bounds in ((low, (0, HALF - 1)), (high, (HALF, HASH_KEY_MAX))):
        assert child["ParentShardId"] == "shardId-000000000000"
        assert "AdjacentParentShardId" not in child
        assert tuple(int(key) for key in child["HashKeyRange"].values()) == bounds
        start = int(child["SequenceNumberRange"]["StartingSequenceNumber"])
        assert start > int(parent["SequenceNumberRange"]["EndingSequenceNumber"])
    assert (await plane.put(hash_key=HALF))["ShardId"] == "shardId-000000000002"
    assert (await plane.summary())["OpenShardCount"] == 2


async def test_a_merge_closes_two_shards_and_opens_one(plane: ControlPlane) -> None:
    await plane.create(shards=3)
    await plane.change("MergeShards", ShardToMerge="shard-0", AdjacentShardToMerge="shard-1")
    merged = (await shards(plane))[3]
    assert merged["ParentShardId"] == "shardId-000000000000"
    assert merged["AdjacentParentShardId"] == "shardId-000000000001"
    assert merged["HashKeyRange"]["StartingHashKey"] == "0"
    assert (await plane.put(hash_key=7))["ShardId"] == "shardId-000000000003"


async def test_shards_merge_whichever_is_named_first(plane: ControlPlane) -> None:
    await plane.create(shards=2)
    await plane.change("MergeShards", ShardToMerge="shardId-1", AdjacentShardToMerge="shardId-0")
    assert (await plane.summary())["OpenShardCount"] == 1


async def test_appends_under_way_settle_before_the_parents_end_is_known(plane: ControlPlane) -> None:
    handle = await plane.create(shards=1)
    log = plane.logs[handle.stream.stream_id]
    log.flowing.clear()
    put = asyncio.create_task(plane.put())
    await plane.settle()
    await plane.change("SplitShard", ShardToSplit="shardId-0", NewStartingHashKey=str(HALF))
    assert await plane.status() == "UPDATING"
    assert handle.shards[0].closed_ms is not None
    assert handle.shards[0].end_offset is None
    child = asyncio.create_task(plane.put())
    await plane.settle()
    log.flowing.set()
    await plane.settle()
    assert (await put)["ShardId"] == "shardId-000000000000"
    assert (await child)["ShardId"] == "shardId-000000000001"
    assert await plane.status() == "ACTIVE"
    assert handle.shards[0].end_offset == 1


SPLITS = [
    (
        {"ShardToSplit": "shardId-0", "NewStartingHashKey": key},
        "InvalidArgumentException",
        (
            f"NewStartingHashKey {key} used in SplitShard() on shard shardId-000000000000 {IN} is not both greater "
            f"than one plus the shard's StartingHashKey 0 and less than the shard's EndingHashKey {HALF - 1}."
        ),
    )
    for key in ("0", "1", str(HALF - 1), str(HALF), "9" * 39)
]


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        *SPLITS,
        (
            {"ShardToSplit": "shardId-2", "NewStartingHashKey": "5"},
            "ResourceNotFoundException",
            f"Could not find shard shardId-000000000002 {IN}.",
        ),
        (
            {"ShardToSplit": "shardId-x", "NewStartingHashKey": "5"},
            "ResourceNotFoundException",
            f"Could not find shard shardId-x {IN}.",
        ),
    ],
)
async def test_what_split_refuses(plane: ControlPlane, params: dict[str, str], code: str, message: str) -> None:
    await plane.create(shards=2)
    assert await plane.refusal("SplitShard", StreamName="orders", **params) == (code, message)
    assert await plane.status() == "ACTIVE"


@pytest.mark.parametrize(
    ("first", "second", "code", "message"),
    [
        (
            "shardId-0",
            "shardId-2",
            "InvalidArgumentException",
            (
                f"Shards shardId-000000000000 and shardId-000000000002 {IN} are not an adjacent pair of shards "
                "eligible for merging"
            ),
        ),
        (
            "shardId-1",
            "shardId-1",
            "InvalidArgumentException",
            (
                f"Shards shardId-000000000001 and shardId-000000000001 {IN} are not an adjacent pair of shards "
                "eligible for merging"
            ),
        ),
        (
            "shardId-0",
            "shardId-9",
            "ResourceNotFoundException",
            f"Could not find shard shardId-000000000009 {IN}.",
        ),
    ],
)
async def test_what_merge_refuses(plane: ControlPlane, first: str, second: str, code: str, message: str) -> None:
    await plane.create(shards=3)
    refused = await plane.refusal("MergeShards", StreamName="orders", ShardToMerge=first, AdjacentShardToMerge=second)
    assert refused == (code, message)


async def test_closed_shards_are_not_resharded(plane: ControlPlane) -> None:
    await plane.create(shards=2)
    await plane.change("MergeShards", ShardToMerge="shardId-0", AdjacentShardToMerge="shardId-1")
    message = (
        f"Shard shardId-000000000000 {IN} has already been merged or split, and thus is not eligible for merging or "
        "splitting."
    )
    split = await plane.refusal("SplitShard", StreamName="orders", ShardToSplit="shardId-0", NewStartingHashKey="77")
    merge = await plane.refusal(
        "MergeShards", StreamName="orders", ShardToMerge="shardId-0", AdjacentShardToMerge="shardId-1"
    )
    assert split == merge == ("InvalidArgumentException", message)


RESHARDINGS = [
    ("SplitShard", {"ShardToSplit": "shardId-0", "NewStartingHashKey": "77"}),
    ("MergeShards", {"ShardToMerge": "shardId-0", "AdjacentShardToMerge": "shardId-1"}),
    ("UpdateShardCount", {"TargetShardCount": 3, "ScalingType": "UNIFORM_SCALING"}),
]


@pytest.mark.parametrize(("operation", "params"), RESHARDINGS)
async def test_resharding_needs_an_active_stream(plane: ControlPlane, operation: str, params: dict[str, Any]) -> None:
    await plane.call("CreateStream", StreamName="orders", ShardCount=2)
    for state in ("CREATING", "UPDATING", "DELETING"):
        assert await plane.refusal(operation, StreamName="orders", **params) == (
            "ResourceInUseException",
            f"Stream orders under account {ACCOUNT} not ACTIVE, instead in state {state}",
        )
        await plane.pass_ms(60 if state == "CREATING" else 0)
        if state == "CREATING":
            await plane.call(operation, StreamName="orders", **params)
        elif state == "UPDATING":
            await plane.call("DeleteStream", StreamName="orders")


@pytest.mark.parametrize(("operation", "params"), RESHARDINGS)
async def test_resharding_needs_provisioned_mode(plane: ControlPlane, operation: str, params: dict[str, Any]) -> None:
    await plane.create(shards=None, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    refused = await plane.refusal(operation, StreamName="orders", **params)
    assert refused == (
        "ValidationException",
        (
            f"{operation} is only supported for streams in PROVISIONED mode. Stream orders under account {ACCOUNT} is "
            "in ON_DEMAND mode."
        ),
    )


@pytest.mark.parametrize(
    ("count", "target", "total"), [(2, 4, 6), (4, 5, 15), (10, 13, 37), (4, 2, 6), (5, 3, 7), (10, 3, 17)]
)
async def test_update_shard_count(plane: ControlPlane, count: int, target: int, total: int) -> None:
    await plane.create(shards=count)
    reply = await plane.change("UpdateShardCount", TargetShardCount=target, ScalingType="UNIFORM_SCALING")
    assert reply == {
        "StreamName": "orders",
        "CurrentShardCount": count,
        "TargetShardCount": target,
        "StreamARN": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/orders",
    }
    assert len(await shards(plane)) == total
    assert len(await shards(plane, ShardFilter={"Type": "AT_LATEST"})) == target
    assert (await plane.summary())["OpenShardCount"] == target


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            9,
            (
                "UpdateShardCount cannot scale up over double your current open shard count. "
                "Current open shard count: 4 Target shard count: 9"
            ),
        ),
        (
            1,
            (
                "UpdateShardCount cannot scale down below half your current open shard count. "
                "Current open shard count: 4 Target shard count: 1"
            ),
        ),
    ],
)
async def test_update_shard_count_at_most_doubles_or_halves(limited: ControlPlane, target: int, message: str) -> None:
    await limited.create(shards=4)
    refused = await limited.refusal(
        "UpdateShardCount", StreamName="orders", TargetShardCount=target, ScalingType="UNIFORM_SCALING"
    )
    assert refused == ("LimitExceededException", message)


async def test_ten_rescales_in_24_hours(limited: ControlPlane) -> None:
    await limited.create(shards=2)
    rescale = {"StreamName": "orders", "ScalingType": "UNIFORM_SCALING"}
    for turn in range(10):
        await limited.call("UpdateShardCount", TargetShardCount=3 - turn % 2, **rescale)
        await limited.pass_ms(200)
    refused = await limited.refusal("UpdateShardCount", TargetShardCount=3, **rescale)
    assert refused == (
        "LimitExceededException",
        f"Stream orders under account {ACCOUNT} has been scaled 10 times within the last 24 hours.",
    )
    await limited.skip_ms(24 * 3_600_000)
    await limited.call("UpdateShardCount", TargetShardCount=3, **rescale)


async def test_the_shard_limit_of_the_account() -> None:
    plane = ControlPlane(limits_aws=True, shard_limit=4)
    await plane.create("other", shards=1)
    await plane.create(shards=2)
    too_many = (
        "This request would exceed the shard limit for the account {account} in us-east-1. Current shard count for "
        "the account: {current}. Limit: 4. Number of additional shards that would have resulted from this request: "
        "{more}. Refer to the AWS Service Limits page "
        "(http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits and how to "
        "request higher limits."
    )
    refused = await plane.refusal("CreateStream", StreamName="third", ShardCount=2)
    assert refused == ("LimitExceededException", too_many.format(account=ACCOUNT, current=3, more=2))
    await plane.change("SplitShard", ShardToSplit="shardId-0", NewStartingHashKey="77")
    refused = await plane.refusal(
        "SplitShard", StreamName="orders", ShardToSplit="shardId-1", NewStartingHashKey=str(HALF + 77)
    )
    assert refused == ("LimitExceededException", too_many.format(account=ACCOUNT, current=4, more=1))
    await plane.create("elsewhere", shards=4, region="eu-west-1")
