"""PutRecord and PutRecords as their callers see them."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Any

import cbor2
import pytest

from millstream.streams.model import StreamStatus
from millstream.streams.requests import PutRecordsInput, PutRecordsRequestEntry
from millstream.streams.sequence import decode
from millstream.wire.context import Codec
from millstream.wire.faults import (
    DryRunOperationException,
    Fault,
    InternalFailure,
    InvalidArgumentException,
    ProvisionedThroughputExceededException,
    ResourceNotFoundException,
    ValidationException,
)
from millstream.wire.operation import Encoded
from support.data_plane import ACCOUNT, NAME, DataPlane

THROTTLED = f"Rate exceeded for shard shardId-000000000000 in stream {NAME} under account {ACCOUNT}."


def blob(size: int) -> str:
    return b64encode(bytes(size)).decode()


def entries(*sizes: int) -> list[dict[str, str]]:
    return [{"Data": blob(size), "PartitionKey": f"k{place}"} for place, size in enumerate(sizes)]


async def test_a_record_is_read_back_as_it_was_put() -> None:
    plane = DataPlane()
    reply = await plane.call("PutRecord", Data="aGVsbG8=", PartitionKey="schlüssel")
    records = (await plane.records(await plane.iterator()))["Records"]
    assert reply == {"SequenceNumber": records[0]["SequenceNumber"], "ShardId": "shardId-000000000000"}
    assert records[0]["Data"] == "aGVsbG8="
    assert records[0]["PartitionKey"] == "schlüssel"
    assert records[0]["ApproximateArrivalTimestamp"] == plane.clock.now_ms() / 1000
    assert set(records[0]) == {"SequenceNumber", "ApproximateArrivalTimestamp", "Data", "PartitionKey"}


async def test_many_records_are_answered_in_the_order_of_the_request() -> None:
    plane = DataPlane(shards=3)
    keys = [f"key-{place % 17}" for place in range(100)]
    reply = await plane.call("PutRecords", Records=[{"Data": blob(1), "PartitionKey": key} for key in keys])
    assert reply["FailedRecordCount"] == 0
    assert len({record["ShardId"] for record in reply["Records"]}) == 3
    found: dict[str, tuple[str, str]] = {}
    for index in range(3):
        shard_id = f"shardId-{index:012d}"
        for record in (await plane.records(await plane.iterator(shard=shard_id)))["Records"]:
            found[record["SequenceNumber"]] = shard_id, record["PartitionKey"]
    assert len(found) == 100
    for record, key in zip(reply["Records"], keys, strict=True):
        assert found[record["SequenceNumber"]] == (record["ShardId"], key)


async def test_numbers_of_one_shard_grow_over_calls() -> None:
    plane = DataPlane()
    first = await plane.put()
    many = await plane.call("PutRecords", Records=entries(1, 1, 1))
    last = await plane.put()
    numbers = [first, *(record["SequenceNumber"] for record in many["Records"]), last]
    assert numbers == sorted(set(numbers))


async def test_explicit_hash_keys_override_partition_keys() -> None:
    plane = DataPlane(shards=4)
    quarter = 2**126
    for hash_key, index in [(0, 0), (quarter - 1, 0), (quarter, 1), (3 * quarter, 3), (2**128 - 1, 3)]:
        reply = await plane.call("PutRecord", Data="", PartitionKey="same", ExplicitHashKey=str(hash_key))
        assert reply["ShardId"] == f"shardId-{index:012d}"
    mixed = [
        {"Data": "", "PartitionKey": "same"},
        {"Data": "", "PartitionKey": "same", "ExplicitHashKey": "0"},
        {"Data": "", "PartitionKey": "same", "ExplicitHashKey": str(2**128 - 1)},
    ]
    reply = await plane.call("PutRecords", Records=mixed)
    alone = await plane.call("PutRecord", Data="", PartitionKey="same")
    assert [record["ShardId"] for record in reply["Records"]] == [
        alone["ShardId"],
        "shardId-000000000000",
        "shardId-000000000003",
    ]


OUT_OF_RANGE = str(2**128)


@pytest.mark.parametrize(
    ("members", "fault", "message"),
    [
        (
            {"ExplicitHashKey": OUT_OF_RANGE},
            InvalidArgumentException,
            (
                "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
                f"Specified value was {OUT_OF_RANGE}"
            ),
        ),
        (
            {"PartitionKey": None},
            ValidationException,
            (
                "1 validation error detected: Value null at 'partitionKey' failed to satisfy constraint: "
                "Member must not be null"
            ),
        ),
        (
            {"Data": blob(1024 * 1024)},
            ValidationException,
            (
                "1 validation error detected: Value at 'data' failed to satisfy constraint: "
                "Member must have length less than or equal to 1048576"
            ),
        ),
        (
            {"StreamName": "nowhere"},
            ResourceNotFoundException,
            f"Stream nowhere under account {ACCOUNT} not found.",
        ),
        (
            {"SequenceNumberForOrdering": str(0x3 << 184 | 1)},
            InvalidArgumentException,
            (
                f"ExclusiveMinimumSequenceNumber {0x3 << 184 | 1} used in PutRecord on stream {NAME} "
                f"under account {ACCOUNT} is invalid."
            ),
        ),
        ({"DryRun": True}, DryRunOperationException, "Request would have succeeded, but DryRun flag is set."),
    ],
)
async def test_what_a_put_refuses(members: dict[str, Any], fault: type[Fault], message: str) -> None:
    plane = DataPlane()
    with pytest.raises(fault) as raised:
        await plane.call("PutRecord", **{"Data": "", "PartitionKey": "k"} | members)
    assert raised.value.message == message
    assert plane.log.shard_range(0) == (0, 0)


async def test_a_bad_entry_refuses_the_whole_request() -> None:
    plane = DataPlane()
    good = {"Data": "", "PartitionKey": "k"}
    for bad, fault, text in [
        ({"Data": ""}, ValidationException, "Value null at 'records.2.member.partitionKey' failed"),
        ({"Data": blob(1024 * 1024), "PartitionKey": "k"}, ValidationException, "Value at 'records.2.member.data'"),
        (good | {"ExplicitHashKey": OUT_OF_RANGE}, InvalidArgumentException, OUT_OF_RANGE),
    ]:
        with pytest.raises(fault, match="2") as raised:
            await plane.call("PutRecords", Records=[good, bad])
        assert text in raised.value.message
    assert plane.log.shard_range(0) == (0, 0)


async def test_a_request_has_at_most_10_mib_with_its_keys() -> None:
    plane = DataPlane()
    plane.change(max_record_size_kib=10 * 1024)
    size = 5 * 1024 * 1024
    fitting = PutRecordsInput(
        Records=[PutRecordsRequestEntry(Data=bytes(size - 1), PartitionKey="k")] * 2, StreamName=NAME
    )
    put = plane.operations["PutRecords"].handler
    await put(plane.context("PutRecords"), fitting)  # type: ignore[misc]
    fitting.Records.append(PutRecordsRequestEntry(Data=b"", PartitionKey="k"))
    with pytest.raises(InvalidArgumentException, match=r"^Records size exceeds 10 MB limit$"):
        await put(plane.context("PutRecords"), fitting)  # type: ignore[misc]


async def test_the_record_size_limit_is_the_streams() -> None:
    plane = DataPlane()
    plane.change(max_record_size_kib=2048)
    await plane.put(blob(2048 * 1024 - 1))
    with pytest.raises(ValidationException, match=r"less than or equal to 2097152$"):
        await plane.put(blob(2048 * 1024))


async def test_ordering_takes_numbers_that_were_issued() -> None:
    plane = DataPlane()
    first = await plane.put()
    assert await plane.put(SequenceNumberForOrdering=first) > first
    for of_older_layouts in ("0", str(2 << 184 | 1)):
        assert await plane.put(SequenceNumberForOrdering=of_older_layouts) > first
    plane.clock.advance(-10_000)
    assert await plane.put(SequenceNumberForOrdering=first) > first
    one_second_later = str(int(first) + (1 << 36))
    with pytest.raises(InvalidArgumentException, match=f"ExclusiveMinimumSequenceNumber {one_second_later} used"):
        await plane.put(SequenceNumberForOrdering=one_second_later)


@pytest.mark.parametrize("status", [StreamStatus.CREATING, StreamStatus.DELETING])
async def test_streams_that_come_or_go_take_nothing(status: StreamStatus) -> None:
    plane = DataPlane()
    plane.change(status=status)
    with pytest.raises(ResourceNotFoundException, match=f"^Stream {NAME} under account {ACCOUNT} not found.$"):
        await plane.put()


async def test_streams_that_are_updated_take_records() -> None:
    plane = DataPlane()
    plane.change(status=StreamStatus.UPDATING)
    await plane.put()


async def test_encrypted_streams_say_so() -> None:
    plane = DataPlane()
    await plane.put()
    plane.change(encryption_key_id="alias/aws/kinesis")
    plane.log.encrypting = True
    one = await plane.call("PutRecord", Data="", PartitionKey="k")
    many = await plane.call("PutRecords", Records=entries(1))
    assert one["EncryptionType"] == many["EncryptionType"] == "KMS"
    records = (await plane.records(await plane.iterator()))["Records"]
    assert [record.get("EncryptionType") for record in records] == [None, "KMS", "KMS"]


async def test_cbor_replies_say_the_same() -> None:
    plane = DataPlane(shards=2)
    request = PutRecordsInput(
        Records=[PutRecordsRequestEntry(Data=b"x", PartitionKey=f"k{place}") for place in range(4)], StreamName=NAME
    )
    result = await plane.operations["PutRecords"].handler(plane.context("PutRecords", Codec.CBOR), request)  # type: ignore[misc]
    assert isinstance(result, Encoded)
    reply = cbor2.loads(result.body)
    assert reply["FailedRecordCount"] == 0
    assert [set(record) for record in reply["Records"]] == [{"SequenceNumber", "ShardId"}] * 4


async def test_a_shard_takes_1000_records_a_second() -> None:
    plane = DataPlane(limits=True)
    for _ in range(2):
        await plane.call("PutRecords", Records=entries(*[0] * 500))
    with pytest.raises(ProvisionedThroughputExceededException) as raised:
        await plane.put()
    assert raised.value.message == THROTTLED
    plane.clock.advance(2)
    await plane.put()


async def test_throttled_records_fail_one_by_one() -> None:
    plane = DataPlane(limits=True)
    half = 512 * 1024
    reply = await plane.call("PutRecords", Records=entries(half, half, 100, half))
    assert reply["FailedRecordCount"] == 2
    refused = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": THROTTLED}
    assert [reply["Records"][place] for place in (1, 3)] == [refused, refused]
    stored = (await plane.records(await plane.iterator()))["Records"]
    assert [record["PartitionKey"] for record in stored] == ["k0", "k2"]
    assert [reply["Records"][place]["SequenceNumber"] for place in (0, 2)] == [
        record["SequenceNumber"] for record in stored
    ]


async def test_one_shards_throttling_spares_the_others() -> None:
    plane = DataPlane(shards=2, limits=True)
    low = {"PartitionKey": "k", "ExplicitHashKey": "0"}
    high = {"PartitionKey": "k", "ExplicitHashKey": str(2**127)}
    megabyte = {"Data": blob(1024 * 1024 - 1)}
    reply = await plane.call("PutRecords", Records=[megabyte | low, megabyte | low, megabyte | high])
    assert ["ErrorCode" in record for record in reply["Records"]] == [False, True, False]


async def test_a_large_record_is_let_through_and_leaves_a_debt() -> None:
    plane = DataPlane(limits=True)
    plane.change(max_record_size_kib=10 * 1024)
    await plane.put(blob(10 * 1024 * 1024 - 1))
    plane.clock.advance(8_900)
    with pytest.raises(ProvisionedThroughputExceededException):
        await plane.put()
    plane.clock.advance(200)
    await plane.put()


async def test_without_limits_nothing_is_throttled_and_load_is_still_counted() -> None:
    plane = DataPlane(limits=False)
    for _ in range(5):
        assert (await plane.call("PutRecords", Records=entries(*[1000] * 500)))["FailedRecordCount"] == 0
    limiter = plane.handle.limits.of(0)
    assert limiter.records_written == 2_500
    assert limiter.bytes_written > 2_500_000


async def test_a_full_disk_fails_each_record_so_that_sdks_retry() -> None:
    plane = DataPlane()
    plane.log.full = True
    reply = await plane.call("PutRecords", Records=entries(1, 1))
    assert reply["FailedRecordCount"] == 2
    assert [record["ErrorCode"] for record in reply["Records"]] == ["InternalFailure"] * 2
    assert "disk of this server is full" in reply["Records"][0]["ErrorMessage"]
    with pytest.raises(InternalFailure, match="disk of this server is full"):
        await plane.put()
    plane.log.full = False
    await plane.put()


async def test_a_stopped_log_is_an_internal_failure() -> None:
    plane = DataPlane()
    plane.log.stopped = True
    calls: list[tuple[str, dict[str, Any]]] = [
        ("PutRecord", {"Data": "", "PartitionKey": "k"}),
        ("PutRecords", {"Records": entries(1)}),
    ]
    for operation, members in calls:
        with pytest.raises(InternalFailure) as raised:
            await plane.call(operation, **members)
        assert raised.value.status == 500


async def test_records_under_way_while_a_shard_closes_go_to_the_parent() -> None:
    plane = DataPlane()
    plane.log.flowing.clear()
    under_way = asyncio.ensure_future(plane.call("PutRecord", Data="", PartitionKey="k"))
    await asyncio.sleep(0)
    plane.reshard([0, 2**127], settled=False)
    plane.log.flowing.set()
    parents = await under_way
    plane.settle()
    children = await plane.call("PutRecord", Data="", PartitionKey="k")
    assert parents["ShardId"] == "shardId-000000000000"
    assert children["ShardId"] in ("shardId-000000000001", "shardId-000000000002")
    assert children["SequenceNumber"] > parents["SequenceNumber"]
    assert decode(children["SequenceNumber"]).created_s > decode(parents["SequenceNumber"]).created_s
