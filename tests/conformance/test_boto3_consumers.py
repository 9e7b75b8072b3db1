"""Enhanced fan-out: consumers and SubscribeToShard."""

from __future__ import annotations

import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EventStreamError

from support.kinesis import (
    HASH_KEY_END,
    Kinesis,
    read_shard,
    refusal,
    register_consumer,
    shard_id,
    stream_summary,
    wait_active,
)
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

LATEST = {"Type": "LATEST"}
TRIM_HORIZON = {"Type": "TRIM_HORIZON"}


@pytest.fixture
def arn(kinesis: Kinesis, stream: str) -> str:
    """The stream's ARN."""
    text: str = stream_summary(kinesis, stream)["StreamARN"]
    return text


@pytest.fixture
def consumer(kinesis: Kinesis, arn: str) -> str:
    """The ARN of an ACTIVE consumer of the stream."""
    return register_consumer(kinesis, arn)


def events(subscription: Any) -> Iterator[dict[str, Any]]:
    """The events of a subscription."""
    for event in subscription["EventStream"]:
        yield event["SubscribeToShardEvent"]


def first_records(subscription: Any, count: int) -> list[dict[str, Any]]:
    """The first `count` records of a subscription, which is closed then."""
    records: list[dict[str, Any]] = []
    with closing(subscription["EventStream"]):
        for event in events(subscription):
            assert event["ContinuationSequenceNumber"]
            assert "ChildShards" not in event
            records += event["Records"]
            if len(records) >= count:
                break
    return records


def test_the_life_of_a_consumer(kinesis: Kinesis, stream: str, arn: str) -> None:
    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="reader")["Consumer"]
    assert consumer["ConsumerName"] == "reader"
    assert consumer["ConsumerStatus"] == "CREATING"
    seconds = int(consumer["ConsumerCreationTimestamp"].timestamp())
    assert consumer["ConsumerARN"] == f"{arn}/consumer/reader:{seconds}"

    def described(**params: str) -> dict[str, Any]:
        description: dict[str, Any] = kinesis.describe_stream_consumer(**params)["ConsumerDescription"]
        return description

    by_name = {"StreamARN": arn, "ConsumerName": "reader"}
    wait_for(lambda: described(**by_name)["ConsumerStatus"] == "ACTIVE", "the consumer to be ACTIVE")
    assert described(ConsumerARN=consumer["ConsumerARN"]) == described(**by_name)
    assert described(**by_name)["StreamARN"] == arn
    [listed] = kinesis.list_stream_consumers(StreamARN=arn)["Consumers"]
    assert listed["ConsumerARN"] == consumer["ConsumerARN"]
    assert stream_summary(kinesis, stream)["ConsumerCount"] == 1

    kinesis.deregister_stream_consumer(**by_name)
    wait_for(lambda: not kinesis.list_stream_consumers(StreamARN=arn)["Consumers"], "the consumer to go")
    assert refusal(kinesis.describe_stream_consumer, **by_name).code == "ResourceNotFoundException"
    assert refusal(kinesis.deregister_stream_consumer, **by_name).code == "ResourceNotFoundException"


def test_a_consumer_name_is_taken_once(kinesis: Kinesis, arn: str, consumer: str) -> None:
    refused = refusal(kinesis.register_stream_consumer, StreamARN=arn, ConsumerName="reader")
    assert refused.code == "ResourceInUseException"
    assert "reader" in refused.message


def test_consumers_of_no_stream(kinesis: Kinesis, arn: str) -> None:
    nowhere = arn + "-not"
    refused = refusal(kinesis.register_stream_consumer, StreamARN=nowhere, ConsumerName="reader")
    assert refused.code == "ResourceNotFoundException"
    assert refusal(kinesis.list_stream_consumers, StreamARN=nowhere).code == "ResourceNotFoundException"


def test_list_consumers_in_pages(kinesis: Kinesis, arn: str) -> None:
    names = [f"reader-{i}" for i in range(5)]
    for name in names:
        register_consumer(kinesis, arn, name)
    pages = list(
        kinesis.get_paginator("list_stream_consumers").paginate(StreamARN=arn, PaginationConfig={"PageSize": 2})
    )
    assert [len(page["Consumers"]) for page in pages] == [2, 2, 1]
    assert sorted(c["ConsumerName"] for page in pages for c in page["Consumers"]) == names


def test_a_consumer_made_with_tags(kinesis: Kinesis, arn: str) -> None:
    consumer = register_consumer(kinesis, arn, Tags={"team": "blue"})
    assert kinesis.list_tags_for_resource(ResourceARN=consumer)["Tags"] == [{"Key": "team", "Value": "blue"}]


def test_subscribe_from_the_start_and_on(kinesis: Kinesis, stream: str, consumer: str) -> None:
    for i in range(3):
        kinesis.put_record(StreamName=stream, Data=b"%d" % i, PartitionKey="k")
    subscription = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard_id(0), StartingPosition=TRIM_HORIZON)
    records: list[dict[str, Any]] = []
    with closing(subscription["EventStream"]):
        for event in events(subscription):
            records += event["Records"]
            if len(records) == 3:
                assert event["MillisBehindLatest"] == 0
                kinesis.put_record(StreamName=stream, Data=b"3", PartitionKey="k")
            if len(records) == 4:
                break
    assert records == read_shard(kinesis, stream)


def test_subscribe_at_latest_sees_only_what_comes(kinesis: Kinesis, stream: str, consumer: str) -> None:
    kinesis.put_record(StreamName=stream, Data=b"old", PartitionKey="k")
    subscription = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard_id(0), StartingPosition=LATEST)
    kinesis.put_record(StreamName=stream, Data=b"new", PartitionKey="k")
    assert [record["Data"] for record in first_records(subscription, 1)] == [b"new"]


@pytest.mark.parametrize(("kind", "expected"), [("AT_SEQUENCE_NUMBER", b"1"), ("AFTER_SEQUENCE_NUMBER", b"2")])
def test_subscribe_at_a_sequence_number(
    kinesis: Kinesis, stream: str, consumer: str, kind: str, expected: bytes
) -> None:
    numbers = [
        kinesis.put_record(StreamName=stream, Data=b"%d" % i, PartitionKey="k")["SequenceNumber"] for i in range(3)
    ]
    subscription = kinesis.subscribe_to_shard(
        ConsumerARN=consumer,
        ShardId=shard_id(0),
        StartingPosition={"Type": kind, "SequenceNumber": numbers[1]},
    )
    assert first_records(subscription, 1)[0]["Data"] == expected


def test_subscribe_at_a_timestamp(kinesis: Kinesis, stream: str, consumer: str) -> None:
    kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k")
    [record] = read_shard(kinesis, stream)
    subscription = kinesis.subscribe_to_shard(
        ConsumerARN=consumer,
        ShardId=shard_id(0),
        StartingPosition={"Type": "AT_TIMESTAMP", "Timestamp": record["ApproximateArrivalTimestamp"]},
    )
    assert first_records(subscription, 1) == [record]


def test_continuation_takes_up_where_events_stopped(kinesis: Kinesis, arn: str, stream: str) -> None:
    first, second = register_consumer(kinesis, arn, "first"), register_consumer(kinesis, arn, "second")
    kinesis.put_record(StreamName=stream, Data=b"one", PartitionKey="k")
    subscription = kinesis.subscribe_to_shard(ConsumerARN=first, ShardId=shard_id(0), StartingPosition=TRIM_HORIZON)
    with closing(subscription["EventStream"]):
        event = next(event for event in events(subscription) if event["Records"])
    kinesis.put_record(StreamName=stream, Data=b"two", PartitionKey="k")
    position = {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": event["ContinuationSequenceNumber"]}
    subscription = kinesis.subscribe_to_shard(ConsumerARN=second, ShardId=shard_id(0), StartingPosition=position)
    assert [record["Data"] for record in first_records(subscription, 1)] == [b"two"]


def test_a_subscription_ends_with_the_shard(kinesis: Kinesis, stream: str, consumer: str) -> None:
    kinesis.put_record(StreamName=stream, Data=b"last", PartitionKey="k")
    subscription = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard_id(0), StartingPosition=TRIM_HORIZON)
    seen: list[dict[str, Any]] = []
    with closing(subscription["EventStream"]):
        for event in events(subscription):
            seen.append(event)
            if event["Records"]:
                kinesis.split_shard(
                    StreamName=stream,
                    ShardToSplit=shard_id(0),
                    NewStartingHashKey=str(HASH_KEY_END // 2),
                )
    assert [record["Data"] for event in seen for record in event["Records"]] == [b"last"]
    *earlier, last = seen
    assert all("ChildShards" not in event for event in earlier)
    assert [child["ShardId"] for child in last["ChildShards"]] == [shard_id(1), shard_id(2)]
    assert all(child["ParentShards"] == [shard_id(0)] for child in last["ChildShards"])
    assert not last.get("ContinuationSequenceNumber")
    wait_active(kinesis, stream)


def test_idle_subscriptions_are_kept_alive(kinesis: Kinesis, consumer: str) -> None:
    subscription = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard_id(0), StartingPosition=LATEST)
    with closing(subscription["EventStream"]):
        stream = events(subscription)
        for event in (next(stream), next(stream)):
            assert event["Records"] == []
            assert event["MillisBehindLatest"] == 0
            assert event["ContinuationSequenceNumber"]


def test_a_second_subscription_takes_over(kinesis: Kinesis, stream: str, consumer: str) -> None:
    params = {"ConsumerARN": consumer, "ShardId": shard_id(0), "StartingPosition": LATEST}
    first = kinesis.subscribe_to_shard(**params)
    ended: list[Exception | None] = []

    def follow() -> None:
        with closing(first["EventStream"]) as stream:
            try:
                for _ in stream:
                    pass
                ended.append(None)
            except EventStreamError as error:
                ended.append(error)

    follower = threading.Thread(target=follow)
    follower.start()
    second = kinesis.subscribe_to_shard(**params)
    follower.join(10)
    assert ended, "the first subscription went on after the second took over"
    assert ended[0] is None or "ResourceInUseException" in str(ended[0])
    kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k")
    assert [record["Data"] for record in first_records(second, 1)] == [b"x"]


def test_subscriptions_end_with_their_consumer(kinesis: Kinesis, consumer: str) -> None:
    subscription = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard_id(0), StartingPosition=LATEST)
    kinesis.deregister_stream_consumer(ConsumerARN=consumer)
    with suppress(EventStreamError), closing(subscription["EventStream"]) as stream:
        for _ in stream:
            pass
    refused = refusal(kinesis.subscribe_to_shard, ConsumerARN=consumer, ShardId=shard_id(0), StartingPosition=LATEST)
    assert refused.code in {"ResourceNotFoundException", "ResourceInUseException"}


def test_subscriptions_that_cannot_be(kinesis: Kinesis, consumer: str) -> None:
    call = kinesis.subscribe_to_shard
    refused = refusal(call, ConsumerARN=consumer, ShardId=shard_id(7), StartingPosition=LATEST)
    assert refused.code == "ResourceNotFoundException"
    refused = refusal(
        call,
        ConsumerARN=consumer.replace("reader", "nobody"),
        ShardId=shard_id(0),
        StartingPosition=LATEST,
    )
    assert refused.code == "ResourceNotFoundException"
    refused = refusal(
        call,
        ConsumerARN=consumer,
        ShardId=shard_id(0),
        StartingPosition={"Type": "AT_SEQUENCE_NUMBER"},
    )
    assert refused.code in {"InvalidArgumentException", "ValidationException"}
    refused = refusal(call, ConsumerARN=consumer, ShardId=shard_id(0), StartingPosition=LATEST, DryRun=True)
    assert refused.code == "DryRunOperationException"


def test_consumers_do_not_share_throughput(kinesis: Kinesis, arn: str, stream: str) -> None:
    consumers = [register_consumer(kinesis, arn, f"reader-{i}") for i in range(3)]
    entries = [{"Data": bytes(1000), "PartitionKey": f"k{i}"} for i in range(500)]
    for _ in range(4):
        kinesis.put_records(StreamName=stream, Records=entries)
    for consumer in consumers:
        subscription = kinesis.subscribe_to_shard(
            ConsumerARN=consumer, ShardId=shard_id(0), StartingPosition=TRIM_HORIZON
        )
        records = first_records(subscription, 2000)
        numbers = [int(record["SequenceNumber"]) for record in records]
        assert len(numbers) == 2000
        assert numbers == sorted(set(numbers))
