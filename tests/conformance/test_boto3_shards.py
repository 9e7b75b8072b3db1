"""Shards and resharding: ListShards, SplitShard, MergeShards, UpdateShardCount, and lineage as readers follow it."""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from support.kinesis import (
    HASH_KEY_END,
    Kinesis,
    iterator,
    list_shards,
    open_shards,
    patiently,
    read_lineage,
    read_shard,
    refusal,
    shard_id,
    stream_summary,
    wait_active,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MIDDLE = str(HASH_KEY_END // 2)


def split(kinesis: Kinesis, name: str, shard: dict[str, Any]) -> None:
    """Split a shard in the middle and wait until the stream is ACTIVE again."""
    bounds = shard["HashKeyRange"]
    middle = (int(bounds["StartingHashKey"]) + int(bounds["EndingHashKey"]) + 1) // 2
    patiently(
        kinesis.split_shard,
        StreamName=name,
        ShardToSplit=shard["ShardId"],
        NewStartingHashKey=str(middle),
    )
    wait_active(kinesis, name)


def merge(kinesis: Kinesis, name: str, lower: dict[str, Any], upper: dict[str, Any]) -> None:
    """Merge two adjacent shards and wait until the stream is ACTIVE again."""
    patiently(
        kinesis.merge_shards,
        StreamName=name,
        ShardToMerge=lower["ShardId"],
        AdjacentShardToMerge=upper["ShardId"],
    )
    wait_active(kinesis, name)


def rescale(kinesis: Kinesis, name: str, count: int) -> None:
    """UpdateShardCount, and wait until the stream is ACTIVE again."""
    patiently(kinesis.update_shard_count, StreamName=name, TargetShardCount=count, ScalingType="UNIFORM_SCALING")
    wait_active(kinesis, name)


def ids(shards: list[dict[str, Any]]) -> list[int]:
    """The indexes of shards."""
    return [int(shard["ShardId"].removeprefix("shardId-")) for shard in shards]


def assert_whole(shards: list[dict[str, Any]]) -> None:
    """Open shards cover every hash key once."""
    edge = 0
    for shard in shards:
        assert int(shard["HashKeyRange"]["StartingHashKey"]) == edge
        edge = int(shard["HashKeyRange"]["EndingHashKey"]) + 1
    assert edge == HASH_KEY_END


def test_split(kinesis: Kinesis, stream: str) -> None:
    before = kinesis.put_record(StreamName=stream, Data=b"parent", PartitionKey="k")
    patiently(kinesis.split_shard, StreamName=stream, ShardToSplit=shard_id(0), NewStartingHashKey=MIDDLE)
    wait_active(kinesis, stream)
    parent, low, high = kinesis.describe_stream(StreamName=stream)["StreamDescription"]["Shards"]
    assert low["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": str(int(MIDDLE) - 1)}
    assert high["HashKeyRange"] == {"StartingHashKey": MIDDLE, "EndingHashKey": str(HASH_KEY_END - 1)}
    for child in (low, high):
        assert child["ParentShardId"] == shard_id(0)
        assert "AdjacentParentShardId" not in child
        assert "EndingSequenceNumber" not in child["SequenceNumberRange"]
        start = int(child["SequenceNumberRange"]["StartingSequenceNumber"])
        assert start > int(parent["SequenceNumberRange"]["EndingSequenceNumber"])
    bounds = parent["SequenceNumberRange"]
    assert int(bounds["StartingSequenceNumber"]) <= int(before["SequenceNumber"])
    assert int(bounds["EndingSequenceNumber"]) >= int(before["SequenceNumber"])
    assert stream_summary(kinesis, stream)["OpenShardCount"] == 2
    after = kinesis.put_record(StreamName=stream, Data=b"child", PartitionKey="k")
    assert after["ShardId"] in {shard_id(1), shard_id(2)}
    assert int(after["SequenceNumber"]) > int(before["SequenceNumber"])


def test_merge(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    name = make_stream(2)
    merge(kinesis, name, *open_shards(kinesis, name))
    *parents, child = kinesis.describe_stream(StreamName=name)["StreamDescription"]["Shards"]
    assert child["ParentShardId"] == shard_id(0)
    assert child["AdjacentParentShardId"] == shard_id(1)
    assert child["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": str(HASH_KEY_END - 1)}
    for parent in parents:
        assert "EndingSequenceNumber" in parent["SequenceNumberRange"]


def test_the_end_of_a_shard(kinesis: Kinesis, stream: str) -> None:
    kinesis.put_record(StreamName=stream, Data=b"last", PartitionKey="k")
    start = iterator(kinesis, stream)
    latest = iterator(kinesis, stream, kind="LATEST")
    split(kinesis, stream, open_shards(kinesis, stream)[0])
    page = kinesis.get_records(ShardIterator=start)
    assert [record["Data"] for record in page["Records"]] == [b"last"]
    if "NextShardIterator" in page:
        assert "ChildShards" not in page
        page = kinesis.get_records(ShardIterator=page["NextShardIterator"])
        assert page["Records"] == []
    assert "NextShardIterator" not in page
    assert page["MillisBehindLatest"] == 0
    by_listing = list_shards(kinesis, stream)[1:]
    assert page["ChildShards"] == [
        {
            "ShardId": shard["ShardId"],
            "ParentShards": [shard_id(0)],
            "HashKeyRange": shard["HashKeyRange"],
        }
        for shard in by_listing
    ]
    page = kinesis.get_records(ShardIterator=latest)
    assert page["Records"] == []
    assert "NextShardIterator" not in page
    assert len(page["ChildShards"]) == 2


def test_both_parents_of_a_merge_name_the_child(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    name = make_stream(2)
    merge(kinesis, name, *open_shards(kinesis, name))
    for parent in (shard_id(0), shard_id(1)):
        page = kinesis.get_records(ShardIterator=iterator(kinesis, name, parent))
        assert "NextShardIterator" not in page
        [child] = page["ChildShards"]
        assert child["ShardId"] == shard_id(2)
        assert sorted(child["ParentShards"]) == [shard_id(0), shard_id(1)]


class Writer(threading.Thread):
    """Puts records of 40 partition keys, each with a counter, until stopped; every record must be taken."""

    def __init__(self, kinesis: Kinesis, name: str) -> None:
        super().__init__()
        self._kinesis, self._name = kinesis, name
        self._stopped = threading.Event()
        self.put: dict[str, list[bytes]] = defaultdict(list)
        self.failure: BaseException | None = None

    def run(self) -> None:
        count = 0
        try:
            while not self._stopped.is_set():
                self._put_once(count)
                count += 1
        except BaseException as failure:  # noqa: BLE001 - handed to the test by `finish`
            self.failure = failure

    def _put_once(self, count: int) -> None:
        data = b"%08d" % count
        keys = [f"key-{i}" for i in range(40)]
        reply = self._kinesis.put_records(
            StreamName=self._name, Records=[{"Data": data, "PartitionKey": key} for key in keys]
        )
        assert reply["FailedRecordCount"] == 0, reply
        for key in keys:
            self.put[key].append(data)

    def finish(self) -> dict[str, list[bytes]]:
        """Stop; returns what was put, by partition key and in order."""
        self._stopped.set()
        self.join()
        if self.failure:
            raise self.failure
        return self.put


def test_readers_follow_the_lineage_while_records_are_put(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    name = make_stream(2)
    writer = Writer(kinesis, name)
    writer.start()
    try:
        split(kinesis, name, open_shards(kinesis, name)[0])
        shards = open_shards(kinesis, name)
        merge(kinesis, name, shards[1], shards[2])
        rescale(kinesis, name, 4)
        rescale(kinesis, name, 3)
        split(kinesis, name, open_shards(kinesis, name)[-1])
    finally:
        put = writer.finish()

    assert_whole(open_shards(kinesis, name))
    read: dict[str, list[bytes]] = defaultdict(list)
    numbers: dict[str, list[int]] = defaultdict(list)
    for record in read_lineage(kinesis, name):
        read[record["PartitionKey"]].append(record["Data"])
        numbers[record["PartitionKey"]].append(int(record["SequenceNumber"]))
    assert read == put  # every record once, in order per partition key
    for of_key in numbers.values():
        assert of_key == sorted(of_key)


@pytest.mark.parametrize(
    ("first", "target", "total"),
    [(2, 4, 6), (4, 5, 15), (10, 13, 37), (4, 2, 6), (5, 3, 7), (10, 3, 17)],
)
def test_update_shard_count_makes_as_many_shards_as_aws(
    kinesis: Kinesis, make_stream: Callable[..., str], first: int, target: int, total: int
) -> None:
    name = make_stream(first)
    reply = kinesis.update_shard_count(StreamName=name, TargetShardCount=target, ScalingType="UNIFORM_SCALING")
    assert reply["StreamName"] == name
    assert (reply["CurrentShardCount"], reply["TargetShardCount"]) == (first, target)
    assert wait_active(kinesis, name)["OpenShardCount"] == target
    shards = open_shards(kinesis, name)
    assert len(shards) == target
    assert_whole(shards)
    sizes = [int(s["HashKeyRange"]["EndingHashKey"]) - int(s["HashKeyRange"]["StartingHashKey"]) for s in shards]
    assert max(sizes) - min(sizes) <= target or max(sizes) <= 2 * min(sizes) + target
    assert len(list_shards(kinesis, name)) == total


def test_list_shards_in_pages(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    name = make_stream(5)
    page = kinesis.list_shards(StreamName=name, MaxResults=2)
    assert ids(page["Shards"]) == [0, 1]
    page = kinesis.list_shards(NextToken=page["NextToken"], MaxResults=2)
    assert ids(page["Shards"]) == [2, 3]
    page = kinesis.list_shards(NextToken=page["NextToken"])
    assert ids(page["Shards"]) == [4]
    assert "NextToken" not in page
    page = kinesis.list_shards(StreamName=name, ExclusiveStartShardId=shard_id(2), MaxResults=1000)
    assert ids(page["Shards"]) == [3, 4]


def test_list_shards_needs_a_stream_or_a_token(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    name = make_stream(2)
    assert refusal(kinesis.list_shards).code == "InvalidArgumentException"
    token = kinesis.list_shards(StreamName=name, MaxResults=1)["NextToken"]
    refused = refusal(kinesis.list_shards, StreamName=name, NextToken=token)
    assert refused[:2] == (
        "InvalidArgumentException",
        "NextToken and StreamName cannot be provided together.",
    )
    assert refusal(kinesis.list_shards, NextToken="made up").code == "InvalidArgumentException"


def test_shard_filters(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    name = make_stream(2)

    def filtered(kind: str, **params: Any) -> list[int]:
        return ids(patiently(kinesis.list_shards, StreamName=name, ShardFilter={"Type": kind, **params})["Shards"])

    kinesis.put_record(StreamName=name, Data=b"x", PartitionKey="k", ExplicitHashKey="0")
    [record] = read_shard(kinesis, name)
    before = record["ApproximateArrivalTimestamp"]
    split(kinesis, name, open_shards(kinesis, name)[0])
    assert filtered("AT_LATEST") == [1, 2, 3]
    assert filtered("AT_TRIM_HORIZON") == [0, 1]
    assert filtered("FROM_TRIM_HORIZON") == [0, 1, 2, 3]
    assert filtered("AFTER_SHARD_ID", ShardId=shard_id(1)) == [2, 3]
    assert filtered("AT_TIMESTAMP", Timestamp=before) == [0, 1]
    assert filtered("FROM_TIMESTAMP", Timestamp=before) == [0, 1, 2, 3]
    now = datetime.now(UTC)
    assert filtered("AT_TIMESTAMP", Timestamp=now) == [1, 2, 3]
    assert filtered("FROM_TIMESTAMP", Timestamp=now) == [1, 2, 3]


@pytest.mark.parametrize(
    "shard_filter",
    [
        {"Type": "AFTER_SHARD_ID"},
        {"Type": "AT_TIMESTAMP"},
        {"Type": "FROM_TIMESTAMP"},
        {"Type": "AT_LATEST", "ShardId": shard_id(0)},
    ],
)
def test_shard_filters_that_lack_or_exceed(kinesis: Kinesis, stream: str, shard_filter: dict[str, Any]) -> None:
    refused = refusal(kinesis.list_shards, StreamName=stream, ShardFilter=shard_filter)
    assert refused.code == "InvalidArgumentException"


def test_stream_creation_timestamp_tells_streams_of_one_name_apart(kinesis: Kinesis, stream: str) -> None:
    created = stream_summary(kinesis, stream)["StreamCreationTimestamp"]
    listed = kinesis.list_shards(StreamName=stream, StreamCreationTimestamp=created)
    assert ids(listed["Shards"]) == [0]
    refused = refusal(kinesis.list_shards, StreamName=stream, StreamCreationTimestamp=created - timedelta(days=1))
    assert refused.code == "ResourceNotFoundException"


def test_split_outside_the_shard(kinesis: Kinesis, make_stream: Callable[..., str], account: str) -> None:
    name = make_stream(1)
    for hash_key in ("0", "1", str(HASH_KEY_END - 1)):
        refused = refusal(kinesis.split_shard, StreamName=name, ShardToSplit=shard_id(0), NewStartingHashKey=hash_key)
        assert refused[:2] == (
            "InvalidArgumentException",
            (
                f"NewStartingHashKey {hash_key} used in SplitShard() on shard shardId-000000000000 in stream "
                f"{name} under account {account} is not both greater than one plus the shard's StartingHashKey "
                f"0 and less than the shard's EndingHashKey {HASH_KEY_END - 1}."
            ),
        )


def test_split_and_merge_need_shards_that_are_there(kinesis: Kinesis, stream: str, account: str) -> None:
    expected = (
        "ResourceNotFoundException",
        f"Could not find shard shardId-000000000009 in stream {stream} under account {account}.",
        400,
    )
    refused = refusal(kinesis.split_shard, StreamName=stream, ShardToSplit=shard_id(9), NewStartingHashKey=MIDDLE)
    assert refused == expected
    refused = refusal(
        kinesis.merge_shards, StreamName=stream, ShardToMerge=shard_id(0), AdjacentShardToMerge=shard_id(9)
    )
    assert refused == expected


def test_merge_needs_neighbours(kinesis: Kinesis, make_stream: Callable[..., str], account: str) -> None:
    name = make_stream(3)
    refused = refusal(kinesis.merge_shards, StreamName=name, ShardToMerge=shard_id(0), AdjacentShardToMerge=shard_id(2))
    assert refused[:2] == (
        "InvalidArgumentException",
        (
            f"Shards shardId-000000000000 and shardId-000000000002 in stream {name} under account {account} are "
            "not an adjacent pair of shards eligible for merging"
        ),
    )


def test_a_closed_shard_is_not_split_again(kinesis: Kinesis, stream: str) -> None:
    split(kinesis, stream, open_shards(kinesis, stream)[0])
    refused = refusal(kinesis.split_shard, StreamName=stream, ShardToSplit=shard_id(0), NewStartingHashKey="77")
    assert refused.code in {"InvalidArgumentException", "ResourceInUseException"}
    assert stream_summary(kinesis, stream)["OpenShardCount"] == 2


def test_one_change_at_a_time(kinesis: Kinesis, stream: str, account: str) -> None:
    kinesis.split_shard(StreamName=stream, ShardToSplit=shard_id(0), NewStartingHashKey=MIDDLE)
    refused = refusal(kinesis.update_shard_count, StreamName=stream, TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    assert refused.code == "ResourceInUseException"
    assert stream in refused.message
    wait_active(kinesis, stream)


def test_scaling_type_is_an_enum(kinesis: Kinesis, stream: str) -> None:
    refused = refusal(kinesis.update_shard_count, StreamName=stream, TargetShardCount=2, ScalingType="RANDOM")
    assert refused[:2] == (
        "ValidationException",
        (
            "1 validation error detected: Value 'RANDOM' at 'scalingType' failed to satisfy constraint: "
            "Member must satisfy enum value set: [UNIFORM_SCALING]"
        ),
    )
