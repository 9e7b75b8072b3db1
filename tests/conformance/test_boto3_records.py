"""Records: PutRecord, PutRecords, GetRecords, UpdateMaxRecordSize."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from support.kinesis import (
    Kinesis,
    iterator,
    open_shards,
    patiently,
    read_pages,
    read_shard,
    refusal,
    shard_id,
    stream_summary,
    wait_active,
)
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20


def test_a_record_comes_back_as_it_was_put(kinesis: Kinesis, stream: str) -> None:
    data = bytes(range(256))
    before = datetime.now(UTC)
    put = kinesis.put_record(StreamName=stream, Data=data, PartitionKey="schlüssel ✓")
    assert put["ShardId"] == shard_id(0)
    assert "EncryptionType" not in put or put["EncryptionType"] == "NONE"
    [record] = read_shard(kinesis, stream)
    assert record["Data"] == data
    assert record["PartitionKey"] == "schlüssel ✓"
    assert record["SequenceNumber"] == put["SequenceNumber"]
    assert "EncryptionType" not in record
    tolerance = timedelta(seconds=1)
    assert before - tolerance <= record["ApproximateArrivalTimestamp"] <= datetime.now(UTC) + tolerance


def test_request_ids(kinesis: Kinesis, stream: str) -> None:
    replies = [kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k") for _ in range(2)]
    headers = [reply["ResponseMetadata"]["HTTPHeaders"] for reply in replies]
    assert headers[0]["x-amzn-requestid"] != headers[1]["x-amzn-requestid"]
    assert all(header["x-amz-id-2"] for header in headers)
    assert all(header["content-type"] == "application/x-amz-json-1.1" for header in headers)


def test_an_empty_record(kinesis: Kinesis, stream: str) -> None:
    kinesis.put_record(StreamName=stream, Data=b"", PartitionKey="k")
    assert [record["Data"] for record in read_shard(kinesis, stream)] == [b""]


def test_sequence_numbers_grow(kinesis: Kinesis, stream: str) -> None:
    numbers = [
        kinesis.put_record(StreamName=stream, Data=b"%d" % i, PartitionKey=f"k{i}")["SequenceNumber"] for i in range(20)
    ]
    batch = [{"Data": b"%d" % i, "PartitionKey": "k"} for i in range(20, 60)]
    reply = kinesis.put_records(StreamName=stream, Records=batch)
    numbers += [record["SequenceNumber"] for record in reply["Records"]]
    assert [int(n) for n in numbers] == sorted({int(n) for n in numbers})
    assert {len(n) for n in numbers} == {56}
    records = read_shard(kinesis, stream)
    assert [record["SequenceNumber"] for record in records] == numbers
    assert [record["Data"] for record in records] == [b"%d" % i for i in range(60)]


def test_put_records_answers_in_the_order_of_the_request(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    name = make_stream(4)
    entries = [{"Data": b"%d" % i, "PartitionKey": f"key-{i}"} for i in range(500)]
    reply = kinesis.put_records(StreamName=name, Records=entries)
    assert reply["FailedRecordCount"] == 0
    assert len(reply["Records"]) == 500
    assert all(set(record) == {"SequenceNumber", "ShardId"} for record in reply["Records"])
    found = {
        (shard, record["SequenceNumber"]): (record["Data"], record["PartitionKey"])
        for shard in map(shard_id, range(4))
        for record in read_shard(kinesis, name, shard)
    }
    assert len(found) == 500
    for entry, placed in zip(entries, reply["Records"], strict=True):
        assert found[placed["ShardId"], placed["SequenceNumber"]] == (entry["Data"], entry["PartitionKey"])


def test_partition_keys_are_routed_by_md5(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    import hashlib

    name = make_stream(7)
    ranges = [
        (int(s["HashKeyRange"]["StartingHashKey"]), int(s["HashKeyRange"]["EndingHashKey"]), s["ShardId"])
        for s in open_shards(kinesis, name)
    ]
    keys = [f"key-{i}" for i in range(200)] + ["ключ", "鍵", "🔑"]
    reply = kinesis.put_records(StreamName=name, Records=[{"Data": b"x", "PartitionKey": key} for key in keys])
    for key, record in zip(keys, reply["Records"], strict=True):
        digest = int.from_bytes(hashlib.md5(key.encode()).digest())
        [expected] = [shard for low, high, shard in ranges if low <= digest <= high]
        assert record["ShardId"] == expected


def test_explicit_hash_keys_win(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    name = make_stream(3)
    for shard in open_shards(kinesis, name):
        for end in ("StartingHashKey", "EndingHashKey"):
            hash_key = shard["HashKeyRange"][end]
            put = kinesis.put_record(StreamName=name, Data=b"x", PartitionKey="same", ExplicitHashKey=hash_key)
            assert put["ShardId"] == shard["ShardId"]
    refused = refusal(kinesis.put_record, StreamName=name, Data=b"x", PartitionKey="k", ExplicitHashKey=str(2**128))
    assert refused[:2] == (
        "InvalidArgumentException",
        f"Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {2**128}",
    )


def test_sequence_number_for_ordering(kinesis: Kinesis, stream: str) -> None:
    number = "0"
    for _ in range(3):
        put = kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k", SequenceNumberForOrdering=number)
        assert int(put["SequenceNumber"]) > int(number)
        number = put["SequenceNumber"]


def test_put_to_nowhere(kinesis: Kinesis, account: str) -> None:
    entry = {"Data": b"x", "PartitionKey": "k"}
    expected = ("ResourceNotFoundException", f"Stream nowhere under account {account} not found.", 400)
    assert refusal(kinesis.put_record, StreamName="nowhere", **entry) == expected
    assert refusal(kinesis.put_records, StreamName="nowhere", Records=[entry]) == expected


def test_dry_run_changes_nothing(kinesis: Kinesis, stream: str) -> None:
    entry = {"Data": b"x", "PartitionKey": "k"}
    start = iterator(kinesis, stream)
    calls: list[tuple[Any, dict[str, Any]]] = [
        (kinesis.put_record, {"StreamName": stream, **entry}),
        (kinesis.put_records, {"StreamName": stream, "Records": [entry]}),
        (kinesis.get_records, {"ShardIterator": start}),
        (
            kinesis.get_shard_iterator,
            {"StreamName": stream, "ShardId": shard_id(0), "ShardIteratorType": "LATEST"},
        ),
    ]
    for call, params in calls:
        assert refusal(call, **params, DryRun=True).code == "DryRunOperationException"
    assert read_shard(kinesis, stream) == []
    refused = refusal(kinesis.put_record, StreamName="nowhere", **entry, DryRun=True)
    assert refused.code == "ResourceNotFoundException"


def test_limit_of_get_records(kinesis: Kinesis, stream: str) -> None:
    entries = [{"Data": b"%d" % i, "PartitionKey": "k"} for i in range(25)]
    kinesis.put_records(StreamName=stream, Records=entries)
    page = kinesis.get_records(ShardIterator=iterator(kinesis, stream), Limit=10)
    assert [record["Data"] for record in page["Records"]] == [b"%d" % i for i in range(10)]
    assert page["MillisBehindLatest"] >= 0
    page = kinesis.get_records(ShardIterator=page["NextShardIterator"], Limit=10)
    assert [record["Data"] for record in page["Records"]] == [b"%d" % i for i in range(10, 20)]
    page = kinesis.get_records(ShardIterator=page["NextShardIterator"], Limit=10)
    assert [record["Data"] for record in page["Records"]] == [b"%d" % i for i in range(20, 25)]
    assert page["MillisBehindLatest"] == 0
    assert "ChildShards" not in page


def test_millis_behind_latest(kinesis: Kinesis, stream: str) -> None:
    first = kinesis.put_record(StreamName=stream, Data=b"first", PartitionKey="k")
    start = iterator(kinesis, stream, kind="AT_SEQUENCE_NUMBER", StartingSequenceNumber=first["SequenceNumber"])
    kinesis.put_record(StreamName=stream, Data=b"later", PartitionKey="k")

    def behind_ms() -> int:
        lag: int = kinesis.get_records(ShardIterator=start, Limit=1)["MillisBehindLatest"]
        return lag

    earlier = behind_ms()
    later = wait_for(lambda: lag if (lag := behind_ms()) > earlier + 50 else None, "the lag to grow with time")
    assert later < 60_000
    *_, last = read_pages(kinesis, start)
    assert last["MillisBehindLatest"] == 0


def test_get_records_answers_at_most_10_mib(kinesis: Kinesis, stream: str) -> None:
    data = os.urandom(MIB - 1)
    for _ in range(12):
        kinesis.put_record(StreamName=stream, Data=data, PartitionKey="k")
    page = kinesis.get_records(ShardIterator=iterator(kinesis, stream))
    assert 1 <= len(page["Records"]) <= 10
    assert page["MillisBehindLatest"] > 0
    assert len(read_shard(kinesis, stream)) == 12


def test_record_size_limit(kinesis: Kinesis, stream: str) -> None:
    kinesis.put_record(StreamName=stream, Data=bytes(MIB - 1), PartitionKey="k")  # keys count
    refused = refusal(kinesis.put_record, StreamName=stream, Data=bytes(MIB), PartitionKey="k")
    assert refused.code in {"ValidationException", "InvalidArgumentException"}
    entries = [{"Data": b"small", "PartitionKey": "k"}, {"Data": bytes(MIB), "PartitionKey": "k"}]
    refused = refusal(kinesis.put_records, StreamName=stream, Records=entries)
    assert refused.code in {"ValidationException", "InvalidArgumentException"}
    assert len(read_shard(kinesis, stream)) == 1


def test_a_put_records_request_holds_at_most_10_mib(kinesis: Kinesis, stream: str) -> None:
    entries = [{"Data": bytes(MIB - 1), "PartitionKey": "k"}] * 11
    refused = refusal(kinesis.put_records, StreamName=stream, Records=entries)
    assert refused.code in {"ValidationException", "InvalidArgumentException"}
    assert read_shard(kinesis, stream) == []


def test_records_of_10_mib(kinesis: Kinesis, stream: str) -> None:
    arn = stream_summary(kinesis, stream)["StreamARN"]
    kinesis.update_max_record_size(StreamARN=arn, MaxRecordSizeInKiB=10240)
    assert wait_active(kinesis, stream)["MaxRecordSizeInKiB"] == 10240
    data = os.urandom(10 * MIB - 256)
    put = kinesis.put_record(StreamName=stream, Data=data, PartitionKey="k")
    reply = kinesis.put_records(StreamName=stream, Records=[{"Data": data, "PartitionKey": "k"}])
    numbers = [put["SequenceNumber"], reply["Records"][0]["SequenceNumber"]]
    records = read_shard(kinesis, stream)
    assert [record["SequenceNumber"] for record in records] == numbers
    assert all(record["Data"] == data for record in records)
    refused = refusal(kinesis.put_record, StreamName=stream, Data=bytes(10 * MIB + 1), PartitionKey="k")
    assert refused[:2] == (
        "ValidationException",
        (
            f"1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim={10 * MIB + 1} "
            f"cap={10 * MIB + 1}]' at 'data' failed to satisfy constraint: "
            f"Member must have length less than or equal to {10 * MIB}"
        ),
    )


@pytest.mark.parametrize("size_kib", [1023, 10241])
def test_max_record_size_has_bounds(kinesis: Kinesis, stream: str, size_kib: int) -> None:
    arn = stream_summary(kinesis, stream)["StreamARN"]
    refused = refusal(kinesis.update_max_record_size, StreamARN=arn, MaxRecordSizeInKiB=size_kib)
    assert refused.code == "ValidationException"
    assert f"Value '{size_kib}' at 'maxRecordSizeInKiB' failed to satisfy constraint: " in refused.message


def test_records_put_while_the_stream_changes(kinesis: Kinesis, stream: str) -> None:
    kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=48)
    kinesis.put_record(StreamName=stream, Data=b"during", PartitionKey="k")
    wait_active(kinesis, stream)
    assert [record["Data"] for record in read_shard(kinesis, stream)] == [b"during"]
    patiently(kinesis.decrease_stream_retention_period, StreamName=stream, RetentionPeriodHours=24)
