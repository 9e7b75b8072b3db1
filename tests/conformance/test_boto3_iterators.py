"""Shard iterators: GetShardIterator's five types and its refusals."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from support.kinesis import (
    Kinesis,
    connect,
    create_stream,
    iterator,
    new_account,
    read_shard,
    refusal,
    shard_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.server import Server


@pytest.fixture
def numbers(kinesis: Kinesis, stream: str) -> list[str]:
    """The sequence numbers of ten records "0" to "9" in `stream`."""
    entries = [{"Data": b"%d" % i, "PartitionKey": "k"} for i in range(10)]
    reply = kinesis.put_records(StreamName=stream, Records=entries)
    return [record["SequenceNumber"] for record in reply["Records"]]


def values(kinesis: Kinesis, stream: str, kind: str, **params: Any) -> str:
    """The data of the records that an iterator of that type leads to."""
    return b"".join(record["Data"] for record in read_shard(kinesis, stream, kind=kind, **params)).decode()


def test_trim_horizon(kinesis: Kinesis, stream: str, numbers: list[str]) -> None:
    assert values(kinesis, stream, "TRIM_HORIZON") == "0123456789"


def test_at_and_after_a_sequence_number(kinesis: Kinesis, stream: str, numbers: list[str]) -> None:
    for i, number in enumerate(numbers):
        at = values(kinesis, stream, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=number)
        after = values(kinesis, stream, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=number)
        assert (at, after) == ("0123456789"[i:], "0123456789"[i + 1 :])


def test_the_shards_starting_sequence_number_reads_everything(
    kinesis: Kinesis, stream: str, numbers: list[str]
) -> None:
    [shard] = kinesis.list_shards(StreamName=stream)["Shards"]
    start = shard["SequenceNumberRange"]["StartingSequenceNumber"]
    assert values(kinesis, stream, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=start) == "0123456789"


def test_latest_reads_what_comes_after_it(kinesis: Kinesis, stream: str, numbers: list[str]) -> None:
    latest = iterator(kinesis, stream, kind="LATEST")
    page = kinesis.get_records(ShardIterator=latest)
    assert page["Records"] == []
    assert page["MillisBehindLatest"] == 0
    kinesis.put_record(StreamName=stream, Data=b"new", PartitionKey="k")
    for start in (latest, page["NextShardIterator"]):
        assert [r["Data"] for r in kinesis.get_records(ShardIterator=start)["Records"]] == [b"new"]


def test_at_timestamp(kinesis: Kinesis, stream: str, numbers: list[str]) -> None:
    def last_arrival() -> datetime:
        arrival: datetime = read_shard(kinesis, stream)[-1]["ApproximateArrivalTimestamp"]
        return arrival

    first = last_arrival()
    number = numbers[-1]
    while last_arrival() == first:  # the next record of a later millisecond
        number = kinesis.put_record(StreamName=stream, Data=b"later", PartitionKey="k")["SequenceNumber"]
    at = read_shard(kinesis, stream, kind="AT_TIMESTAMP", Timestamp=last_arrival())
    assert [record["SequenceNumber"] for record in at] == [number]
    long_ago = datetime.now(UTC) - timedelta(days=3)
    assert values(kinesis, stream, "AT_TIMESTAMP", Timestamp=long_ago).startswith("0123456789")
    after = last_arrival() + timedelta(milliseconds=1)
    assert values(kinesis, stream, "AT_TIMESTAMP", Timestamp=after) == ""


def test_at_timestamp_needs_a_timestamp(kinesis: Kinesis, stream: str) -> None:
    refused = refusal(
        kinesis.get_shard_iterator, StreamName=stream, ShardId=shard_id(0), ShardIteratorType="AT_TIMESTAMP"
    )
    assert refused == (
        "InvalidArgumentException",
        (
            "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. "
            "Current request has no timestamp parameter."
        ),
        400,
    )


def test_timestamps_of_the_future(kinesis: Kinesis, stream: str) -> None:
    refused = refusal(
        kinesis.get_shard_iterator,
        StreamName=stream,
        ShardId=shard_id(0),
        ShardIteratorType="AT_TIMESTAMP",
        Timestamp=datetime.now(UTC) + timedelta(hours=1),
    )
    assert refused.code == "InvalidArgumentException"
    assert refused.message.startswith(
        "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: "
    )


@pytest.mark.parametrize("kind", ["TRIM_HORIZON", "LATEST"])
def test_a_sequence_number_too_many(kinesis: Kinesis, stream: str, numbers: list[str], kind: str) -> None:
    refused = refusal(
        kinesis.get_shard_iterator,
        StreamName=stream,
        ShardId=shard_id(0),
        ShardIteratorType=kind,
        StartingSequenceNumber=numbers[0],
    )
    assert refused[:2] == (
        "InvalidArgumentException",
        (
            "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
            f"(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified {kind} and also a "
            "StartingSequenceNumber."
        ),
    )


@pytest.mark.parametrize("kind", ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"])
def test_a_sequence_number_missing(kinesis: Kinesis, stream: str, kind: str) -> None:
    refused = refusal(kinesis.get_shard_iterator, StreamName=stream, ShardId=shard_id(0), ShardIteratorType=kind)
    assert refused[:2] == (
        "InvalidArgumentException",
        (
            "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
            f"(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified {kind} and no "
            "StartingSequenceNumber."
        ),
    )


def test_a_sequence_number_of_another_shard(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    name = make_stream(2)
    put = kinesis.put_record(StreamName=name, Data=b"x", PartitionKey="k", ExplicitHashKey="0")
    refused = refusal(
        kinesis.get_shard_iterator,
        StreamName=name,
        ShardId=shard_id(1),
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        StartingSequenceNumber=put["SequenceNumber"],
    )
    assert refused[:2] == (
        "InvalidArgumentException",
        (
            "Invalid StartingSequenceNumber. It encodes shardId-000000000000, while it was used in a call to a "
            "shard with shardId-000000000001"
        ),
    )


def test_a_made_up_sequence_number(kinesis: Kinesis, stream: str, account: str) -> None:
    refused = refusal(
        kinesis.get_shard_iterator,
        StreamName=stream,
        ShardId=shard_id(0),
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        StartingSequenceNumber="9" * 57,
    )
    assert refused[:2] == (
        "InvalidArgumentException",
        (
            f"StartingSequenceNumber {'9' * 57} used in GetShardIterator on shard shardId-000000000000 in stream "
            f"{stream} under account {account} is invalid."
        ),
    )


def test_short_shard_ids(kinesis: Kinesis, stream: str, numbers: list[str]) -> None:
    assert len(read_shard(kinesis, stream, "shardId-0")) == 10
    assert len(read_shard(kinesis, stream, "0")) == 10


def test_a_shard_that_is_not_there(kinesis: Kinesis, stream: str, account: str) -> None:
    refused = refusal(kinesis.get_shard_iterator, StreamName=stream, ShardId=shard_id(5), ShardIteratorType="LATEST")
    assert refused == (
        "ResourceNotFoundException",
        f"Shard shardId-000000000005 in stream {stream} under account {account} does not exist",
        400,
    )
    refused = refusal(kinesis.get_shard_iterator, StreamName=stream, ShardId="nonsense", ShardIteratorType="LATEST")
    assert refused[:2] == (
        "ResourceNotFoundException",
        f"Could not find shard nonsense in stream {stream} under account {account}.",
    )


@pytest.mark.parametrize("text", ["x", "AAAA", base64.b64encode(bytes(200)).decode(), "☃", "=" * 64, "A" * 511])
def test_iterators_cannot_be_made_up(kinesis: Kinesis, text: str) -> None:
    refused = refusal(kinesis.get_records, ShardIterator=text)
    assert refused[:2] == ("InvalidArgumentException", "Invalid ShardIterator.")


def test_iterators_cannot_be_changed(kinesis: Kinesis, stream: str, numbers: list[str]) -> None:
    sound = iterator(kinesis, stream)
    for position in range(0, len(sound) - 4, 7):
        swapped = "A" if sound[position] != "A" else "B"
        forged = sound[:position] + swapped + sound[position + 1 :]
        assert refusal(kinesis.get_records, ShardIterator=forged).code == "InvalidArgumentException"


def test_iterators_are_not_for_other_accounts(server: Server) -> None:
    one, other = (connect(server.url, new_account()) for _ in range(2))
    name = create_stream(one)
    create_stream(other, StreamName=name)
    start = iterator(one, name)
    refused = refusal(other.get_records, ShardIterator=start)
    assert refused.code in {
        "AccessDeniedException",
        "InvalidArgumentException",
        "ResourceNotFoundException",
    }


def test_every_page_has_a_new_iterator(kinesis: Kinesis, stream: str, numbers: list[str]) -> None:
    seen = {iterator(kinesis, stream)}
    for _ in range(5):
        seen.add(kinesis.get_records(ShardIterator=max(seen, key=len))["NextShardIterator"])
    assert len(seen) == 6
    assert all(1 <= len(text) <= 512 for text in seen)
