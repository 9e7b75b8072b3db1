"""GetShardIterator and GetRecords as their callers see them."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import cbor2
import pytest

from millstream.base.units import HOUR_MS, MIB
from millstream.streams.model import StreamStatus
from millstream.streams.requests import GetRecordsInput
from millstream.streams.sequence import ending_sequence_number, starting_sequence_number
from millstream.wire.context import Codec
from millstream.wire.faults import (
    DryRunOperationException,
    ExpiredIteratorException,
    Fault,
    InternalFailure,
    InvalidArgumentException,
    ProvisionedThroughputExceededException,
    ResourceNotFoundException,
    ValidationException,
)
from support.data_plane import ACCOUNT, NAME, DataPlane

SHARD = "shardId-000000000000"
THROTTLED = f"Rate exceeded for shard {SHARD} in stream {NAME} under account {ACCOUNT}."
NEITHER = (
    "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
    "(2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified "
)


async def put_spread(plane: DataPlane, count: int = 5, gap_ms: int = 1_000) -> list[str]:
    """Put records `gap_ms` apart, the first now; the clock stands at the last one's arrival then."""
    numbers = []
    for place in range(count):
        plane.clock.advance(gap_ms if place else 0)
        numbers.append(await plane.put(b64encode(b"%d" % place).decode(), f"k{place}"))
    return numbers


async def keys_from(plane: DataPlane, iterator: str) -> list[str]:
    return [record["PartitionKey"] for record in (await plane.records(iterator))["Records"]]


async def test_the_five_types_of_iterator() -> None:
    plane = DataPlane()
    start_s = plane.clock.now_ms() / 1000
    numbers = await put_spread(plane)
    cases: list[tuple[str, dict[str, Any], list[str]]] = [
        ("TRIM_HORIZON", {}, ["k0", "k1", "k2", "k3", "k4"]),
        ("LATEST", {}, []),
        ("AT_SEQUENCE_NUMBER", {"StartingSequenceNumber": numbers[3]}, ["k3", "k4"]),
        ("AFTER_SEQUENCE_NUMBER", {"StartingSequenceNumber": numbers[3]}, ["k4"]),
        ("AFTER_SEQUENCE_NUMBER", {"StartingSequenceNumber": numbers[4]}, []),
        ("AT_TIMESTAMP", {"Timestamp": start_s + 2}, ["k2", "k3", "k4"]),
        ("AT_TIMESTAMP", {"Timestamp": start_s + 2.001}, ["k3", "k4"]),
        ("AT_TIMESTAMP", {"Timestamp": 0}, ["k0", "k1", "k2", "k3", "k4"]),
    ]
    for kind, members, expected in cases:
        assert await keys_from(plane, await plane.iterator(kind, **members)) == expected, (kind, members)


async def test_a_shards_own_range_can_be_read_from() -> None:
    plane = DataPlane()
    await put_spread(plane)
    plane.reshard([0, 2**127])
    parent = plane.handle.shards[0]
    start, end = starting_sequence_number(parent), ending_sequence_number(parent)
    for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        assert len(await keys_from(plane, await plane.iterator(kind, StartingSequenceNumber=start))) == 5
        reply = await plane.records(await plane.iterator(kind, StartingSequenceNumber=end))
        assert reply["Records"] == []
        assert len(reply["ChildShards"]) == 2


async def test_latest_sees_what_comes_after_it_was_asked_for() -> None:
    plane = DataPlane()
    await plane.put(key="before")
    iterator = await plane.iterator("LATEST")
    await plane.put(key="after")
    assert await keys_from(plane, iterator) == ["after"]


@pytest.mark.parametrize("shard", ["shardId-000000000001", "shardId-1", "1", "01", "x-1"])
async def test_short_shard_ids_are_understood(shard: str) -> None:
    plane = DataPlane(shards=2)
    reply = await plane.call("PutRecord", Data="", PartitionKey="k", ExplicitHashKey=str(2**128 - 1))
    records = (await plane.records(await plane.iterator(shard=shard)))["Records"]
    assert [record["SequenceNumber"] for record in records] == [reply["SequenceNumber"]]


FAR = str(0x13BB2CC3D80000000000000000000000)


@pytest.mark.parametrize(
    ("members", "fault", "message"),
    [
        (
            {"ShardId": "shardId-5"},
            ResourceNotFoundException,
            f"Shard shardId-000000000005 in stream {NAME} under account {ACCOUNT} does not exist",
        ),
        (
            {"ShardId": "5", "StreamName": "nowhere"},
            ResourceNotFoundException,
            f"Shard shardId-000000000005 in stream nowhere under account {ACCOUNT} does not exist",
        ),
        (
            {"ShardId": "shardId-2147483648"},
            ResourceNotFoundException,
            f"Could not find shard shardId-2147483648 in stream {NAME} under account {ACCOUNT}.",
        ),
        (
            {"ShardId": "ABKLFD8"},
            ResourceNotFoundException,
            f"Could not find shard ABKLFD8 in stream {NAME} under account {ACCOUNT}.",
        ),
        (
            {"ShardIteratorType": "AT_SEQUENCE_NUMBER"},
            InvalidArgumentException,
            f"{NEITHER}AT_SEQUENCE_NUMBER and no StartingSequenceNumber.",
        ),
        (
            {"ShardIteratorType": "LATEST", "StartingSequenceNumber": "5"},
            InvalidArgumentException,
            f"{NEITHER}LATEST and also a StartingSequenceNumber.",
        ),
        (
            {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": "5"},
            InvalidArgumentException,
            (
                "Invalid StartingSequenceNumber. It encodes shardId-000000000005, "
                f"while it was used in a call to a shard with {SHARD}"
            ),
        ),
        (
            {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": str(2 << 184 | 0x80000000 << 4 | 2)},
            InvalidArgumentException,
            (
                "Invalid StartingSequenceNumber. It encodes shardId--02147483648, "
                f"while it was used in a call to a shard with {SHARD}"
            ),
        ),
        (
            {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": FAR},
            InvalidArgumentException,
            (
                f"StartingSequenceNumber {FAR} used in GetShardIterator on shard {SHARD} in stream {NAME} "
                f"under account {ACCOUNT} is invalid."
            ),
        ),
        (
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": str(2 << 184 | 1 << 148 | 2)},
            InvalidArgumentException,
            (
                f"StartingSequenceNumber {2 << 184 | 1 << 148 | 2} used in GetShardIterator on shard {SHARD} in stream "
                f"{NAME} under account {ACCOUNT} is invalid because it did not come from this stream."
            ),
        ),
        (
            {"ShardIteratorType": "AT_TIMESTAMP"},
            InvalidArgumentException,
            (
                "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. "
                "Current request has no timestamp parameter."
            ),
        ),
        (
            {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1_700_000_002},
            InvalidArgumentException,
            (
                "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
                "timestampInMillis: 1700000002000, currentTimestampInMillis: 1700000000000"
            ),
        ),
        ({"DryRun": True}, DryRunOperationException, "Request would have succeeded, but DryRun flag is set."),
    ],
)
async def test_what_get_shard_iterator_refuses(members: dict[str, Any], fault: type[Fault], message: str) -> None:
    plane = DataPlane()
    with pytest.raises(fault) as raised:
        await plane.call("GetShardIterator", **{"ShardId": SHARD, "ShardIteratorType": "LATEST"} | members)
    assert raised.value.message == message


async def test_paging_gives_every_record_once_and_then_nothing() -> None:
    plane = DataPlane()
    await put_spread(plane, 7)
    iterator, seen, behind = await plane.iterator(), [], []
    for _ in range(5):
        reply = await plane.records(iterator, Limit=2)
        seen += [record["PartitionKey"] for record in reply["Records"]]
        behind.append(reply["MillisBehindLatest"])
        assert reply["NextShardIterator"] != iterator
        assert "ChildShards" not in reply
        iterator = reply["NextShardIterator"]
    assert seen == ["k0", "k1", "k2", "k3", "k4", "k5", "k6"]
    assert behind == [5_000, 3_000, 1_000, 0, 0]


async def test_at_the_tip_no_file_is_touched() -> None:
    plane = DataPlane()
    await put_spread(plane)
    calls = plane.log.blocking_calls
    reply = await plane.records(await plane.iterator("LATEST"))
    for _ in range(3):
        reply = await plane.records(reply["NextShardIterator"])
        assert reply["Records"] == []
        assert reply["MillisBehindLatest"] == 0
    assert plane.log.blocking_calls == calls


async def test_a_reply_has_at_most_10_mib() -> None:
    plane = DataPlane()
    for _ in range(12):
        await plane.put(b64encode(bytes(MIB - 1)).decode(), "k")
    first = await plane.records(await plane.iterator())
    rest = await plane.records(first["NextShardIterator"])
    assert [len(reply["Records"]) for reply in (first, rest)] == [10, 2]


async def test_iterators_live_five_minutes() -> None:
    plane = DataPlane()
    iterator = await plane.iterator()
    plane.clock.advance(300_000)
    await plane.records(iterator)
    plane.clock.advance(1)
    with pytest.raises(ExpiredIteratorException) as raised:
        await plane.records(iterator)
    assert raised.value.message == (
        "Iterator expired. The iterator was created at time Tue Nov 14 22:13:20 UTC 2023 while right now it is "
        "Tue Nov 14 22:18:20 UTC 2023 which is further in the future than the tolerated delay of 300000 milliseconds."
    )


async def test_iterators_cannot_be_made_up_or_altered() -> None:
    plane = DataPlane()
    iterator = await plane.iterator()
    assert len(iterator) <= 512
    for text in ["x", "AAAA", iterator[:-4], "A" + iterator[1:], iterator.swapcase(), "ä" * 100, " " + iterator]:
        with pytest.raises(InvalidArgumentException, match=r"^Invalid ShardIterator\.$"):
            await plane.records(text)
    with pytest.raises(ValidationException):
        await plane.records("")


async def test_iterators_are_of_one_stream_only() -> None:
    plane = DataPlane()
    iterator = await plane.iterator()
    other = plane.add_stream("another")
    with pytest.raises(InvalidArgumentException, match=r"^Invalid ShardIterator\.$"):
        await plane.records(iterator, StreamARN=other.stream.arn)
    await plane.records(iterator, StreamARN=plane.handle.stream.arn)
    gone = f"Shard {SHARD} in stream {NAME} under account .* does not exist"
    with pytest.raises(ResourceNotFoundException, match=gone):
        await plane.records(iterator, account="999999999999")
    plane.service.registry.remove(plane.handle)
    with pytest.raises(ResourceNotFoundException, match=gone):
        await plane.records(iterator)


async def test_names_of_any_length_fit_into_an_iterator() -> None:
    plane = DataPlane()
    plane.add_stream("a" * 128)
    iterator = await plane.iterator(StreamName="a" * 128)
    assert len(iterator) <= 512
    assert (await plane.records(iterator))["Records"] == []


@pytest.mark.parametrize("status", [StreamStatus.CREATING, StreamStatus.DELETING])
async def test_streams_that_come_or_go_are_not_read(status: StreamStatus) -> None:
    plane = DataPlane()
    iterator = await plane.iterator()
    plane.change(status=status)
    with pytest.raises(ResourceNotFoundException, match=f"{SHARD} in stream {NAME}"):
        await plane.records(iterator)
    with pytest.raises(ResourceNotFoundException, match=f"{SHARD} in stream {NAME}"):
        await plane.iterator()


@pytest.mark.parametrize("limit", [0, 10_001])
async def test_limit_is_1_to_10000(limit: int) -> None:
    plane = DataPlane()
    with pytest.raises(ValidationException, match="'limit' failed to satisfy constraint"):
        await plane.records(await plane.iterator(), Limit=limit)


async def test_a_split_shard_ends_with_its_children() -> None:
    plane = DataPlane()
    await put_spread(plane, 3)
    iterator = await plane.iterator()
    plane.reshard([0, 2**127])
    first = await plane.records(iterator, Limit=2)
    assert "ChildShards" not in first
    last = await plane.records(first["NextShardIterator"])
    assert len(last["Records"]) == 1
    assert "NextShardIterator" not in last
    assert last["ChildShards"] == [
        {
            "ShardId": "shardId-000000000001",
            "ParentShards": [SHARD],
            "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(2**127 - 1)},
        },
        {
            "ShardId": "shardId-000000000002",
            "ParentShards": [SHARD],
            "HashKeyRange": {"StartingHashKey": str(2**127), "EndingHashKey": str(2**128 - 1)},
        },
    ]
    assert last["MillisBehindLatest"] == 0
    latest = await plane.records(await plane.iterator("LATEST"))
    assert latest["Records"] == []
    assert latest["ChildShards"] == last["ChildShards"]


async def test_merged_shards_end_with_the_same_child() -> None:
    plane = DataPlane(shards=2)
    plane.reshard([0])
    for index in (0, 1):
        reply = await plane.records(await plane.iterator(shard=str(index)))
        assert "NextShardIterator" not in reply
        (child,) = reply["ChildShards"]
        assert child["ShardId"] == "shardId-000000000002"
        assert child["ParentShards"] == ["shardId-000000000000", "shardId-000000000001"]


async def test_a_closed_shard_goes_on_until_its_end_is_known() -> None:
    plane = DataPlane()
    await plane.put()
    plane.reshard([0, 2**127], settled=False)
    reply = await plane.records(await plane.iterator())
    assert "ChildShards" not in reply
    plane.settle()
    reply = await plane.records(reply["NextShardIterator"])
    assert reply["Records"] == []
    assert "NextShardIterator" not in reply
    assert len(reply["ChildShards"]) == 2


async def test_expired_records_are_invisible_while_the_log_still_has_them() -> None:
    plane = DataPlane()
    await put_spread(plane, 4, gap_ms=12 * HOUR_MS)  # at 0, 12, 24 and 36 hours; it is hour 36 now
    plane.clock.advance(1)
    assert await keys_from(plane, await plane.iterator()) == ["k2", "k3"]
    assert await keys_from(plane, await plane.iterator("AT_TIMESTAMP", Timestamp=0)) == ["k2", "k3"]
    plane.change(retention_hours=48)
    assert await keys_from(plane, await plane.iterator()) == ["k0", "k1", "k2", "k3"]


@pytest.mark.parametrize("kind", ["TRIM_HORIZON", "AT_SEQUENCE_NUMBER"])
async def test_when_all_has_expired_a_reader_is_at_the_tip(kind: str) -> None:
    plane = DataPlane()
    numbers = await put_spread(plane, 3)
    plane.clock.advance(25 * HOUR_MS)
    members = {"StartingSequenceNumber": numbers[0]} if kind == "AT_SEQUENCE_NUMBER" else {}
    reply = await plane.records(await plane.iterator(kind, **members))
    assert reply["Records"] == []
    assert reply["MillisBehindLatest"] == 0
    await plane.put(key="new")
    assert await keys_from(plane, reply["NextShardIterator"]) == ["new"]


async def test_trimmed_records_do_not_stop_an_old_position() -> None:
    plane = DataPlane()
    numbers = await put_spread(plane, 3)
    plane.clock.advance(25 * HOUR_MS)
    plane.log.trim(plane.clock.now_ms() - 24 * HOUR_MS)
    await plane.put(key="new")
    iterator = await plane.iterator("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[0])
    assert await keys_from(plane, iterator) == ["new"]


async def test_a_closed_shard_whose_records_expired_still_ends() -> None:
    plane = DataPlane()
    await put_spread(plane, 3)
    plane.reshard([0, 2**127])
    plane.clock.advance(24 * HOUR_MS + 1)
    plane.log.trim(plane.clock.now_ms() - 24 * HOUR_MS)
    reply = await plane.records(await plane.iterator())
    assert reply["Records"] == []
    assert len(reply["ChildShards"]) == 2


async def test_reads_are_limited_to_5_calls_a_second() -> None:
    plane = DataPlane(limits=True)
    iterator = await plane.iterator()
    for _ in range(5):
        await plane.records(iterator)
    with pytest.raises(ProvisionedThroughputExceededException) as raised:
        await plane.records(iterator)
    assert raised.value.message == THROTTLED
    plane.clock.advance(201)
    await plane.records(iterator)


async def test_iterators_are_limited_to_5_calls_a_second() -> None:
    plane = DataPlane(limits=True)
    for _ in range(5):
        await plane.iterator()
    with pytest.raises(ProvisionedThroughputExceededException):
        await plane.iterator()


async def test_a_reply_of_10_mib_blocks_the_shard_for_5_seconds() -> None:
    plane = DataPlane(limits=True)
    for _ in range(11):
        await plane.put(b64encode(bytes(MIB - 1)).decode(), "k")
        plane.clock.advance(1_000)
    reply = await plane.records(await plane.iterator())
    assert len(reply["Records"]) == 10
    plane.clock.advance(4_900)
    with pytest.raises(ProvisionedThroughputExceededException):
        await plane.records(reply["NextShardIterator"])
    plane.clock.advance(101)
    assert len((await plane.records(reply["NextShardIterator"]))["Records"]) == 1


async def test_small_reads_share_2_mib_a_second() -> None:
    plane = DataPlane(limits=True)
    for _ in range(4):
        await plane.put(b64encode(bytes(MIB - 1)).decode(), "k")
        plane.clock.advance(1_000)
    iterator = await plane.iterator()
    for _ in range(3):
        iterator = (await plane.records(iterator, Limit=1))["NextShardIterator"]
    with pytest.raises(ProvisionedThroughputExceededException):
        await plane.records(iterator, Limit=1)
    plane.clock.advance(500)
    await plane.records(iterator, Limit=1)


async def test_a_read_that_fails_is_an_internal_failure(caplog: pytest.LogCaptureFixture) -> None:
    plane = DataPlane()
    await plane.put()

    def broken(*_: Any, **__: Any) -> Any:
        from millstream.log import LogCorrupt

        raise LogCorrupt("/data/x.log", 42, "checksum")

    plane.log.read = broken  # type: ignore[method-assign]
    with pytest.raises(InternalFailure, match="could not be read") as raised:
        await plane.records(await plane.iterator())
    assert "/data" not in raised.value.message
    assert "/data/x.log" in caplog.text


async def test_cbor_replies_have_bytes_and_milliseconds() -> None:
    plane = DataPlane()
    await plane.put("aGVsbG8=")
    request = GetRecordsInput(ShardIterator=await plane.iterator())
    result = await plane.operations["GetRecords"].handler(plane.context("GetRecords", Codec.CBOR), request)  # type: ignore[misc]
    assert cbor2.dumps(cbor2.CBORTag(1, plane.clock.now_ms())) in result.body
    assert cbor2.dumps(b"hello") in result.body


async def test_replies_are_json_as_aws_writes_it() -> None:
    plane = DataPlane()
    await plane.put("aGVsbG8=", 'quote " and \\')
    result = await plane.result("GetRecords", ShardIterator=await plane.iterator())
    reply = json.loads(result.body)
    assert reply["Records"][0]["PartitionKey"] == 'quote " and \\'
    assert set(reply) == {"Records", "NextShardIterator", "MillisBehindLatest"}
