"""ListShards: pages and filters."""

from __future__ import annotations

from typing import Any

import pytest

from support.control_plane import ACCOUNT, ControlPlane


def indexes(reply: dict[str, Any]) -> list[int]:
    """The shards of a reply by index."""
    return [int(shard["ShardId"].removeprefix("shardId-")) for shard in reply["Shards"]]


async def resharded(plane: ControlPlane) -> dict[str, float]:
    """A stream whose shard 0 became 1 and 2, and whose 1 and 2 became 3; when that was, in seconds."""
    times = {}
    await plane.create(shards=1)
    times["one"] = plane.clock.now_ms() / 1000
    await plane.pass_ms(1000)
    await plane.change("SplitShard", ShardToSplit="shardId-0", NewStartingHashKey=str(2**127))
    times["two"] = plane.clock.now_ms() / 1000
    await plane.pass_ms(1000)
    await plane.change("MergeShards", ShardToMerge="shardId-1", AdjacentShardToMerge="shardId-2")
    await plane.pass_ms(1000)
    times["three"] = plane.clock.now_ms() / 1000
    return times


@pytest.mark.parametrize(
    ("shard_filter", "expected"),
    [
        (None, [0, 1, 2, 3]),
        ({"Type": "FROM_TRIM_HORIZON"}, [0, 1, 2, 3]),
        ({"Type": "AT_TRIM_HORIZON"}, [0]),
        ({"Type": "AT_LATEST"}, [3]),
        ({"Type": "AFTER_SHARD_ID", "ShardId": "shardId-000000000001"}, [2, 3]),
        ({"Type": "AFTER_SHARD_ID", "ShardId": "1"}, [2, 3]),
        ({"Type": "AT_TIMESTAMP", "Timestamp": 0}, [0]),
        ({"Type": "AT_TIMESTAMP", "Timestamp": "one"}, [0]),
        ({"Type": "AT_TIMESTAMP", "Timestamp": "two"}, [1, 2]),
        ({"Type": "AT_TIMESTAMP", "Timestamp": "three"}, [3]),
        ({"Type": "FROM_TIMESTAMP", "Timestamp": 0}, [0, 1, 2, 3]),
        ({"Type": "FROM_TIMESTAMP", "Timestamp": "one"}, [0, 1, 2, 3]),
        ({"Type": "FROM_TIMESTAMP", "Timestamp": "two"}, [1, 2, 3]),
        ({"Type": "FROM_TIMESTAMP", "Timestamp": "three"}, [3]),
    ],
)
async def test_filters(plane: ControlPlane, shard_filter: dict[str, Any] | None, expected: list[int]) -> None:
    times = await resharded(plane)
    params: dict[str, Any] = {}
    if shard_filter is not None:
        timestamp = shard_filter.get("Timestamp")
        if isinstance(timestamp, str):
            shard_filter = {**shard_filter, "Timestamp": times[timestamp]}
        params["ShardFilter"] = shard_filter
    assert indexes(await plane.call("ListShards", StreamName="orders", **params)) == expected
    page = await plane.call("ListShards", StreamName="orders", MaxResults=1, **params)
    found = indexes(page)
    while "NextToken" in page:
        page = await plane.call("ListShards", NextToken=page["NextToken"], MaxResults=1)
        found += indexes(page)
    assert found == expected


async def test_the_trim_horizon_moves_on(plane: ControlPlane) -> None:
    await resharded(plane)
    await plane.skip_ms(24 * 3_600_000 - 1500)
    at_horizon = await plane.call("ListShards", StreamName="orders", ShardFilter={"Type": "AT_TRIM_HORIZON"})
    assert indexes(at_horizon) == [1, 2]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "Either NextToken or StreamName should be provided."),
        ({"NextToken": "x", "StreamName": "orders"}, "NextToken and StreamName cannot be provided together."),
        (
            {"NextToken": "x", "ExclusiveStartShardId": "shardId-0"},
            "NextToken and ExclusiveStartShardId cannot be provided together.",
        ),
        (
            {"NextToken": "x", "StreamCreationTimestamp": 0},
            "NextToken and StreamCreationTimestamp cannot be provided together.",
        ),
        ({"NextToken": "made up"}, "NextToken is invalid."),
        (
            {"StreamName": "orders", "ShardFilter": {"Type": "AFTER_SHARD_ID"}},
            "ShardId must be provided for ShardFilter type AFTER_SHARD_ID.",
        ),
        (
            {"StreamName": "orders", "ShardFilter": {"Type": "AT_TIMESTAMP"}},
            "Timestamp must be provided for ShardFilter type AT_TIMESTAMP.",
        ),
        (
            {"StreamName": "orders", "ShardFilter": {"Type": "AT_LATEST", "ShardId": "shardId-0"}},
            "ShardId cannot be provided for ShardFilter type AT_LATEST.",
        ),
    ],
)
async def test_what_is_refused(plane: ControlPlane, params: dict[str, Any], message: str) -> None:
    await plane.create()
    assert await plane.refusal("ListShards", **params) == ("InvalidArgumentException", message)


async def test_start_after_a_shard(plane: ControlPlane) -> None:
    await plane.create(shards=4)
    reply = await plane.call("ListShards", StreamName="orders", ExclusiveStartShardId="shardId-000000000001")
    assert indexes(reply) == [2, 3]
    assert "NextToken" not in reply


async def test_a_thousand_shards_a_page(plane: ControlPlane) -> None:
    await plane.create(shards=1001)
    page = await plane.call("ListShards", StreamName="orders", MaxResults=10_000)
    assert len(page["Shards"]) == 1000
    rest = await plane.call("ListShards", NextToken=page["NextToken"])
    assert indexes(rest) == [1000]


async def test_a_token_is_good_for_300_seconds(plane: ControlPlane) -> None:
    await plane.create(shards=2)
    token = (await plane.call("ListShards", StreamName="orders", MaxResults=1))["NextToken"]
    await plane.skip_ms(300_000)
    assert indexes(await plane.call("ListShards", NextToken=token)) == [1]
    await plane.skip_ms(1)
    assert (await plane.refusal("ListShards", NextToken=token)).code == "ExpiredNextTokenException"


async def test_a_token_does_not_outlive_its_stream(plane: ControlPlane) -> None:
    await plane.create(shards=2)
    token = (await plane.call("ListShards", StreamName="orders", MaxResults=1))["NextToken"]
    await plane.call("DeleteStream", StreamName="orders")
    await plane.gone()
    await plane.create(shards=2)
    assert (await plane.refusal("ListShards", NextToken=token)).code == "ResourceNotFoundException"


async def test_streams_that_are_creating_or_deleting_have_no_list(plane: ControlPlane) -> None:
    await plane.call("CreateStream", StreamName="orders", ShardCount=1)
    for state in ("CREATING", "DELETING"):
        assert await plane.refusal("ListShards", StreamName="orders") == (
            "ResourceInUseException",
            f"Stream orders under account {ACCOUNT} not ACTIVE, instead in state {state}",
        )
        await plane.call("DeleteStream", StreamName="orders") if state == "CREATING" else None


async def test_a_stream_is_told_from_its_predecessor_by_creation_time(plane: ControlPlane) -> None:
    stream = (await plane.create()).stream
    created_s = stream.created_ms / 1000
    assert await plane.call("ListShards", StreamName="orders", StreamCreationTimestamp=created_s)
    refused = await plane.refusal("ListShards", StreamName="orders", StreamCreationTimestamp=created_s - 60)
    assert refused.code == "ResourceNotFoundException"
