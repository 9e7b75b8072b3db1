"""SubscribeToShard as its consumers see it."""

from __future__ import annotations

import tracemalloc
from base64 import b64encode
from typing import Any

import pytest

from millstream.base.units import HOUR_MS, MIB
from millstream.log import LogCorrupt
from millstream.streams.model import ConsumerStatus
from millstream.streams.sequence import starting_sequence_number
from millstream.wire.faults import (
    DryRunOperationException,
    InvalidArgumentException,
    ResourceInUseException,
    ResourceNotFoundException,
)
from support.data_plane import ACCOUNT, NAME, DataPlane, Events

SHARD = "shardId-000000000000"


def keys_of(event: dict[str, Any]) -> list[str]:
    return [record["PartitionKey"] for record in event["Records"]]


async def put_all(plane: DataPlane, *keys: str) -> list[str]:
    return [await plane.put(key=key) for key in keys]


async def resumed(plane: DataPlane, arn: str, events: Events, continuation: str, kind: str) -> Events:
    """Hang up, wait until another may subscribe, and go on from `continuation`."""
    await events.close()
    plane.scheduler.advance(5_000)
    return await plane.subscribe(arn, Type=kind, SequenceNumber=continuation)


async def test_what_is_there_comes_first_and_new_records_as_they_are_committed() -> None:
    plane = DataPlane()
    arn = plane.add_consumer()
    await put_all(plane, "a", "b")
    events = await plane.subscribe(arn)
    assert keys_of(await events.event()) == ["a", "b"]
    assert await events.is_silent()
    await put_all(plane, "c")
    event = await events.event()
    assert keys_of(event) == ["c"]
    assert event["MillisBehindLatest"] == 0
    assert event["Records"][0]["ApproximateArrivalTimestamp"] == plane.clock.now_ms() / 1000
    assert set(event) == {"Records", "ContinuationSequenceNumber", "MillisBehindLatest"}
    await events.close()


async def test_the_first_message_is_the_initial_response() -> None:
    plane = DataPlane()
    result = await plane.result(
        "SubscribeToShard",
        ConsumerARN=plane.add_consumer(),
        ShardId=SHARD,
        StartingPosition={"Type": "LATEST"},
    )
    first = await anext(result.messages)
    assert b"initial-response" in first
    await result.messages.aclose()


async def test_the_five_starting_positions() -> None:
    plane = DataPlane()
    arn = plane.add_consumer()
    start_s = plane.clock.now_ms() / 1000
    numbers = await put_all(plane, "a")
    plane.clock.advance(1_000)
    numbers += await put_all(plane, "b", "c")
    positions: list[tuple[dict[str, Any], list[str]]] = [
        ({"Type": "TRIM_HORIZON"}, ["a", "b", "c"]),
        ({"Type": "LATEST"}, []),
        ({"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": numbers[1]}, ["b", "c"]),
        ({"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": numbers[1]}, ["c"]),
        ({"Type": "AT_TIMESTAMP", "Timestamp": start_s + 0.5}, ["b", "c"]),
    ]
    for position, expected in positions:
        events = await plane.subscribe(arn, **position)
        assert keys_of(await events.event()) == expected
        await events.close()


async def test_an_idle_subscription_says_at_once_and_every_5_seconds_where_it_is() -> None:
    plane = DataPlane()
    arn = plane.add_consumer()
    events = await plane.subscribe(arn, Type="LATEST")
    assert keys_of(await events.event()) == []
    for _ in range(3):
        assert await events.is_silent()
        plane.scheduler.advance(4_999)
        assert await events.is_silent()
        plane.scheduler.advance(1)
        event = await events.event()
        assert keys_of(event) == []
        assert event["MillisBehindLatest"] == 0
    await events.close()


async def test_it_ends_after_five_minutes() -> None:
    plane = DataPlane()
    events = await plane.subscribe(plane.add_consumer())
    seen = 0
    for _ in range(60):
        await events.event()
        seen += 1
        assert await events.is_silent()
        plane.scheduler.advance(5_000)
    assert seen == 60
    assert await events.next() is None
    assert plane.handle.subscriptions == {}
    assert plane.log.watcher_count(0) == 0


@pytest.mark.parametrize("kind", ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"])
async def test_a_continuation_leaves_neither_gap_nor_duplicate(kind: str) -> None:
    plane = DataPlane(limits=True)
    arn = plane.add_consumer()
    events = await plane.subscribe(arn)
    nothing = await events.event()
    events = await resumed(plane, arn, events, nothing["ContinuationSequenceNumber"], kind)
    assert keys_of(await events.event()) == []
    await put_all(plane, "a", "b")
    delivered = await events.event()
    assert keys_of(delivered) == ["a", "b"]
    events = await resumed(plane, arn, events, delivered["ContinuationSequenceNumber"], kind)
    idle = await events.event()
    assert keys_of(idle) == []
    await put_all(plane, "c")
    assert delivered["ContinuationSequenceNumber"] > delivered["Records"][-1]["SequenceNumber"]
    events = await resumed(plane, arn, events, idle["ContinuationSequenceNumber"], kind)
    assert keys_of(await events.event()) == ["c"]
    await events.close()


async def test_a_continuation_is_a_position_for_get_shard_iterator_too() -> None:
    plane = DataPlane()
    events = await plane.subscribe(plane.add_consumer(), Type="LATEST")
    await events.event()
    await put_all(plane, "a")
    event = await events.event()
    await put_all(plane, "b")
    for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        iterator = await plane.iterator(kind, StartingSequenceNumber=event["ContinuationSequenceNumber"])
        assert keys_of(await plane.records(iterator)) == ["b"]
    await events.close()


async def test_a_shard_that_is_split_ends_with_its_children() -> None:
    plane = DataPlane()
    events = await plane.subscribe(plane.add_consumer())
    await events.event()
    await put_all(plane, "a")
    plane.reshard([0, 2**127], settled=False)
    assert keys_of(await events.event()) == ["a"]
    assert await events.is_silent()
    plane.settle()
    event = await events.event()
    assert event["Records"] == []
    assert [child["ShardId"] for child in event["ChildShards"]] == ["shardId-000000000001", "shardId-000000000002"]
    assert {tuple(child["ParentShards"]) for child in event["ChildShards"]} == {(SHARD,)}
    assert "ContinuationSequenceNumber" not in event
    assert await events.next() is None


@pytest.mark.parametrize("kind", ["TRIM_HORIZON", "LATEST"])
async def test_a_closed_shard_ends_at_once_or_after_its_records(kind: str) -> None:
    plane = DataPlane()
    await put_all(plane, "a")
    plane.reshard([0, 2**127])
    events = await plane.subscribe(plane.add_consumer(), Type=kind)
    event = await events.event()
    assert keys_of(event) == (["a"] if kind == "TRIM_HORIZON" else [])
    assert len(event["ChildShards"]) == 2
    assert await events.next() is None


async def test_another_call_within_5_seconds_is_refused_and_later_takes_over() -> None:
    plane = DataPlane(limits=True)
    arn = plane.add_consumer()
    older = await plane.subscribe(arn)
    await older.event()
    in_use = f"Another active subscription exists for this consumer: {ACCOUNT}:{NAME}:{SHARD}:reader"
    plane.scheduler.advance(4_999)
    with pytest.raises(ResourceInUseException) as raised:
        await plane.subscribe(arn)
    assert raised.value.message == in_use
    plane.scheduler.advance(1)
    newer = await plane.subscribe(arn)
    while (message := await older.next()) is not None and message[0] == "SubscribeToShardEvent":
        assert message[1]["Records"] == []
    assert message == ("ResourceInUseException", {"message": in_use})
    assert await older.next() is None
    await put_all(plane, "a")
    assert keys_of(await newer.event()) == ["a"]
    await newer.close()


async def test_hanging_up_does_not_lift_the_5_seconds() -> None:
    plane = DataPlane(limits=True)
    arn = plane.add_consumer()
    await (await plane.subscribe(arn)).close()
    plane.scheduler.advance(4_000)
    with pytest.raises(ResourceInUseException):
        await plane.subscribe(arn)
    plane.scheduler.advance(1_000)
    await (await plane.subscribe(arn)).close()


async def test_without_limits_the_newer_one_takes_over_at_once() -> None:
    plane = DataPlane(limits=False)
    arn = plane.add_consumer()
    older = await plane.subscribe(arn)
    await older.event()
    newer = await plane.subscribe(arn)
    message = await older.next()
    assert message is not None
    assert message[0] == "ResourceInUseException"
    await newer.event()
    await newer.close()


async def test_consumers_and_shards_do_not_disturb_each_other() -> None:
    plane = DataPlane(shards=2, limits=True)
    arns = [plane.add_consumer("one"), plane.add_consumer("two")]
    subscriptions = [await plane.subscribe(arn, shard) for arn in arns for shard in (SHARD, "shardId-1")]
    await plane.put(key="k", ExplicitHashKey="0")
    received = [keys_of(await events.event()) for events in subscriptions]
    assert received == [["k"], [], ["k"], []]
    for events in subscriptions:
        await events.close()


async def test_hanging_up_leaves_nothing_behind() -> None:
    plane = DataPlane()
    arn = plane.add_consumer()
    for wait in (False, True):
        events = await plane.subscribe(arn)
        await events.event()
        if wait:
            assert await events.is_silent()
        await events.close()
        assert plane.handle.subscriptions == {}
        assert plane.log.watcher_count(0) == 0


async def test_a_subscription_that_nobody_reads_ends_by_itself() -> None:
    plane = DataPlane(limits=True)
    events = await plane.subscribe(plane.add_consumer())
    assert len(plane.handle.subscriptions) == 1
    plane.scheduler.advance(300_000)
    assert plane.handle.subscriptions == {}
    assert plane.log.watcher_count(0) == 0
    await events.close()


async def test_a_deleted_consumer_ends_its_subscriptions_only() -> None:
    plane = DataPlane()
    gone, stays = plane.add_consumer("gone"), plane.add_consumer("stays")
    ending, going_on = await plane.subscribe(gone), await plane.subscribe(stays)
    await ending.event()
    await going_on.event()
    plane.handle.end_subscriptions(gone)
    assert await ending.next() is None
    assert await going_on.is_silent()
    await put_all(plane, "a")
    assert keys_of(await going_on.event()) == ["a"]
    await going_on.close()


async def test_a_backlog_comes_in_events_of_2_mib_at_2_mib_a_second() -> None:
    plane = DataPlane(limits=True)
    for _ in range(5):
        await plane.put(b64encode(bytes(MIB - 1)).decode(), "k")
        plane.clock.advance(1_000)
    events = await plane.subscribe(plane.add_consumer())
    sizes = [len((await events.event())["Records"]) for _ in range(2)]
    assert await events.is_silent()
    plane.scheduler.advance(1_001)
    sizes.append(len((await events.event())["Records"]))
    assert sizes == [2, 2, 1]
    await events.close()


async def test_how_far_behind_is_the_age_of_the_last_record() -> None:
    plane = DataPlane()
    for _ in range(3):
        await plane.put(b64encode(bytes(MIB - 1)).decode(), "k")
        plane.clock.advance(10_000)
    events = await plane.subscribe(plane.add_consumer())
    assert (await events.event())["MillisBehindLatest"] == 20_000
    assert (await events.event())["MillisBehindLatest"] == 0
    await events.close()


async def test_expired_records_are_passed_over() -> None:
    plane = DataPlane()
    await put_all(plane, "old")
    plane.clock.advance(25 * HOUR_MS)
    await put_all(plane, "new")
    first = starting_sequence_number(plane.handle.shards[0])
    events = await plane.subscribe(plane.add_consumer(), Type="AT_SEQUENCE_NUMBER", SequenceNumber=first)
    assert keys_of(await events.event()) == ["new"]
    await events.close()


async def test_a_slow_reader_holds_one_event_and_misses_nothing() -> None:
    plane = DataPlane()
    events = await plane.subscribe(plane.add_consumer())
    await events.event()
    for place in range(20):
        await put_all(plane, f"k{place}")
    assert keys_of(await events.event()) == [f"k{place}" for place in range(20)]
    await events.close()


async def test_a_read_that_fails_ends_it_with_an_exception_message(caplog: pytest.LogCaptureFixture) -> None:
    plane = DataPlane()
    await put_all(plane, "a")

    def broken(*_: Any, **__: Any) -> Any:
        raise LogCorrupt("/data/x.log", 42, "checksum")

    plane.log.read = broken  # type: ignore[method-assign]
    events = await plane.subscribe(plane.add_consumer())
    message = await events.next()
    assert message is not None
    assert message[0] == "InternalFailureException"
    assert await events.next() is None
    assert "checksum" in caplog.text


@pytest.mark.parametrize("status", [ConsumerStatus.CREATING, ConsumerStatus.DELETING])
async def test_the_consumer_has_to_be_active(status: ConsumerStatus) -> None:
    plane = DataPlane()
    arn = plane.add_consumer(status=status)
    with pytest.raises(ResourceInUseException) as raised:
        await plane.subscribe(arn)
    assert raised.value.message == (
        f"Consumer reader with creation timestamp 1700000000 under stream {NAME} and account {ACCOUNT} "
        "is not in ACTIVE status."
    )


async def test_what_subscribe_to_shard_refuses() -> None:
    plane = DataPlane()
    arn = plane.add_consumer()
    with pytest.raises(ResourceNotFoundException):
        await plane.subscribe(arn.replace("reader", "nobody"))
    with pytest.raises(ResourceNotFoundException, match="Shard shardId-000000000007 in stream orders under account"):
        await plane.subscribe(arn, "shardId-7")
    with pytest.raises(InvalidArgumentException, match="Request specified AT_SEQUENCE_NUMBER and no Starting"):
        await plane.subscribe(arn, Type="AT_SEQUENCE_NUMBER")
    with pytest.raises(DryRunOperationException):
        await plane.result(
            "SubscribeToShard",
            ConsumerARN=arn,
            ShardId=SHARD,
            StartingPosition={"Type": "LATEST"},
            DryRun=True,
        )
    assert plane.handle.subscriptions == {}


async def test_a_subscription_that_waits_holds_no_records() -> None:
    plane = DataPlane()
    arn = plane.add_consumer()
    for _ in range(3):
        await plane.put(data=b64encode(bytes(MIB // 2)).decode())
    events = await plane.subscribe(arn)
    tracemalloc.start()
    try:
        assert len((await events.event())["Records"]) == 3
        assert await events.is_silent()
        assert tracemalloc.get_traced_memory()[0] < MIB // 4
    finally:
        tracemalloc.stop()
    await events.close()


async def test_a_clock_that_is_set_back_holds_up_nobody() -> None:
    plane = DataPlane(limits=True)
    arn = plane.add_consumer()
    first = await plane.subscribe(arn)
    assert keys_of(await first.event()) == []
    plane.clock.set_forward(-HOUR_MS)
    plane.clock.advance(5_000)
    second = await plane.subscribe(arn)
    assert (await first.next()) is not None
    assert keys_of(await second.event()) == []
    await first.close()
    await second.close()
