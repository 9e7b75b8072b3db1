"""How deliveries go, from checkpoints alone; a flush waits for what was put before it, and says what is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from millstream.base.clock import ManualClock
from millstream.firehose.errorlog import StreamErrorLog
from millstream.firehose.model import DeliveryStream, Destination, KinesisSource, StreamStatus, StreamType
from millstream.firehose.progress import Counters, Progress
from millstream.server.admin import Ports, operations_of
from millstream.server.inprocess import InProcessClient
from millstream.telemetry import Outbox
from millstream.wire import CallContext, Service
from millstream.wire.faults import ResourceInUseException, ResourceNotFoundException
from millstream.wire.request import DEFAULT_ACCOUNT

REGION = "eu-west-1"
LOGGING = {"Enabled": True, "LogGroupName": "g", "LogStreamName": "s"}


class Handle:
    def __init__(self, stream: DeliveryStream) -> None:
        self.stream = stream


def delivery_stream(name: str, **changes: Any) -> DeliveryStream:
    configuration = {"BucketARN": "arn:aws:s3:::lake", "Prefix": "a/", "CloudWatchLoggingOptions": LOGGING}
    stream = DeliveryStream(
        account=DEFAULT_ACCOUNT,
        region=REGION,
        name=name,
        stream_id=f"id-{name}",
        created_ms=0,
        status=StreamStatus.ACTIVE,
        destination=Destination(kind="ExtendedS3", configuration=configuration),
    )
    return replace(stream, **changes)


class World:
    """Delivery streams whose logs end at 1,000, a worker that is told to flush, and a client of the operations."""

    def __init__(self, *streams: DeliveryStream) -> None:
        self.handles = {stream.name: Handle(stream) for stream in streams}
        self.progress: dict[str, dict[str, Progress]] = {}
        self.journal = 0
        self.logs = Outbox(":memory:")
        self.clock = ManualClock()
        self.flushed: list[str] = []
        self.end: int | None = 1000
        ports = Ports(self, lambda _: self.end, self, self, self.flush, self.clock)
        self.call = InProcessClient(Service("millstream", operations_of(ports)), REGION).call

    def find(self, context: CallContext, name: str) -> Handle:
        if name not in self.handles:
            raise ResourceNotFoundException(f"Firehose {name} under account {context.account} not found.")
        return self.handles[name]

    def in_region(self, account: str, region: str) -> list[Handle]:
        assert (account, region) == (DEFAULT_ACCOUNT, REGION)
        return list(self.handles.values())

    async def newest(
        self, account: str, region: str, group: str, *, stream: str | None, start_ms: int, text: str, events_max: int
    ) -> list[tuple[int, str]]:
        """What the log groups have of all that was told."""
        found = [
            (event.time_ms, event.message)
            for event in self.logs.take(after=0, events_max=1000)
            if (event.account, event.region, event.log_group) == (account, region, group)
            and stream in (None, event.log_stream)
            and event.time_ms >= start_ms
            and text in event.message
        ]
        return found[: -events_max - 1 : -1]

    def flush(self, stream_id: str) -> None:
        self.flushed.append(stream_id)

    def read(self) -> dict[str, dict[str, Progress]]:
        return self.progress

    def journal_end(self, stream_id: str) -> int:
        return self.journal

    def save(self, name: str, progress: Progress, delivery: str = "main") -> None:
        self.progress.setdefault(f"id-{name}", {})[delivery] = progress

    def close(self) -> None:
        self.logs.close()


@pytest.fixture
def world() -> Iterator[World]:
    it = World(delivery_stream("orders"), delivery_stream("ticks"))
    yield it
    it.close()


async def test_how_a_delivery_goes(world: World) -> None:
    now_ms = world.clock.now_ms()
    counters = Counters(
        delivered_records=7,
        delivered_bytes=700,
        failed_records=1,
        parcels=2,
        last_delivered_ms=now_ms - 500,
        oldest_waiting_ms=now_ms - 4200,
    )
    world.save("orders", Progress(position=900, counters=counters))
    failed = Counters(last_error="S3.SlowDown: Slow down.", last_error_ms=now_ms - 100)
    world.save("orders", Progress(position=400, counters=failed), "backup")
    orders, ticks = (await world.call("DescribeDeliveries"))["Deliveries"]
    assert orders == {
        "DeliveryStreamName": "orders",
        "DeliveryStreamARN": f"arn:aws:firehose:{REGION}:{DEFAULT_ACCOUNT}:deliverystream/orders",
        "DeliveryStreamStatus": "ACTIVE",
        "DeliveryStreamType": "DirectPut",
        "DestinationType": "ExtendedS3",
        "Target": "s3://lake/a/",
        "WaitingBytes": 600,
        "OldestWaitingAgeMs": 4200,
        "DeliveredRecords": 7,
        "DeliveredBytes": 700,
        "Deliveries": 2,
        "FailedRecords": 1,
        "LastDeliveredTimestamp": pytest.approx((now_ms - 500) / 1000),
        "LastErrorMessage": "S3.SlowDown: Slow down.",
        "LastErrorTimestamp": pytest.approx((now_ms - 100) / 1000),
    }
    assert (ticks["WaitingBytes"], ticks["DeliveredRecords"]) == (1000, 0)
    assert "LastErrorMessage" not in ticks


async def test_one_delivery_and_none(world: World) -> None:
    (only,) = (await world.call("DescribeDeliveries", DeliveryStreamName="ticks"))["Deliveries"]
    assert only["DeliveryStreamName"] == "ticks"
    with pytest.raises(ResourceNotFoundException, match="Firehose nothing under account"):
        await world.call("DescribeDeliveries", DeliveryStreamName="nothing")


async def test_a_data_stream_is_read_from_where_it_ended_and_may_be_gone() -> None:
    arn = f"arn:aws:kinesis:{REGION}:{DEFAULT_ACCOUNT}:stream/s"
    source = KinesisSource(stream_arn=arn, role_arn="", stream_id="i", start_position=800, start_ms=0)
    world = World(delivery_stream("ticks", type=StreamType.KINESIS, source=source))
    (ticks,) = (await world.call("DescribeDeliveries"))["Deliveries"]
    assert (ticks["WaitingBytes"], ticks["KinesisStreamARN"]) == (200, arn)
    world.end = None
    (ticks,) = (await world.call("DescribeDeliveries"))["Deliveries"]
    assert "WaitingBytes" not in ticks
    world.close()


async def test_a_flush_waits_until_what_was_there_is_delivered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    positions = [500, 900, 1000]

    async def pass_time(_s: float) -> None:
        world.end = 5000  # what is put after the call is not waited for
        world.save("orders", Progress(position=positions.pop(0)))

    monkeypatch.setattr("millstream.server.admin.asyncio.sleep", pass_time)
    assert await world.call("FlushDeliveryStream", DeliveryStreamName="orders") == {
        "Delivered": True,
        "WaitingBytes": 0,
    }
    assert set(world.flushed) == {"id-orders"}
    assert positions == []


async def test_a_flush_is_told_again_to_a_worker_that_may_have_missed_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def pass_time(_s: float) -> None:
        world.clock.advance(300)
        if len(world.flushed) == 3:
            world.save("orders", Progress(position=1000))

    monkeypatch.setattr("millstream.server.admin.asyncio.sleep", pass_time)
    assert (await world.call("FlushDeliveryStream", DeliveryStreamName="orders"))["Delivered"]


async def test_a_flush_goes_through_the_function_and_its_journal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.journal = 700
    steps = [("function", 1000), ("main", 300), ("main", 700)]

    async def pass_time(_s: float) -> None:
        delivery, position = steps.pop(0)
        world.save("orders", Progress(position=position), delivery)
        if delivery == "main":
            world.journal = 9000  # what came later is not waited for

    world.save("orders", Progress(position=200), "main")
    world.save("orders", Progress(position=600), "function")
    (orders, _) = (await world.call("DescribeDeliveries"))["Deliveries"]
    assert orders["WaitingBytes"] == (1000 - 600) + (700 - 200)
    monkeypatch.setattr("millstream.server.admin.asyncio.sleep", pass_time)
    assert (await world.call("FlushDeliveryStream", DeliveryStreamName="orders"))["Delivered"]
    assert steps == []


async def test_a_flush_ends_when_its_time_is_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def pass_time(_s: float) -> None:
        world.clock.advance(700)

    monkeypatch.setattr("millstream.server.admin.asyncio.sleep", pass_time)
    world.save("orders", Progress(position=990))
    answer = await world.call("FlushDeliveryStream", DeliveryStreamName="orders", TimeoutMs=2000)
    assert answer == {"Delivered": False, "WaitingBytes": 10}


async def test_what_is_being_created_is_flushed_and_what_is_being_deleted_is_not() -> None:
    world = World(delivery_stream("orders", status=StreamStatus.DELETING))
    world.handles["new"] = Handle(delivery_stream("new", status=StreamStatus.CREATING))
    world.save("new", Progress(position=1000))
    assert (await world.call("FlushDeliveryStream", DeliveryStreamName="new"))["Delivered"]
    world.flushed.clear()
    with pytest.raises(ResourceInUseException, match="not ACTIVE, instead in state DELETING"):
        await world.call("FlushDeliveryStream", DeliveryStreamName="orders")
    assert world.flushed == []
    world.close()


async def errors(world: World, name: str, **params: Any) -> list[tuple[float, str]]:
    """When each error was told, and its code."""
    answer = await world.call("GetDeliveryErrors", DeliveryStreamName=name, **params)
    assert answer["LoggingEnabled"] is True
    return [(error["Timestamp"], json.loads(error["Message"])["errorCode"]) for error in answer["Errors"]]


def report(world: World, stream: DeliveryStream, code: str, *, time_ms: int) -> None:
    StreamErrorLog(stream, world.logs, ManualClock(time_ms)).report(code, "message")


async def test_errors_newest_first(world: World) -> None:
    for n in range(3):
        report(world, delivery_stream("orders"), f"E{n}", time_ms=n * 1000)
    world.logs.append(DEFAULT_ACCOUNT, REGION, "g", "of another log stream", [(0, "")])
    assert await errors(world, "orders", Limit=2) == [(2.0, "E2"), (1.0, "E1")]


async def test_errors_of_all_versions_and_of_no_other_delivery_stream(world: World) -> None:
    world.handles["orders"].stream = delivery_stream("orders", created_ms=1000, version=2)
    report(world, delivery_stream("orders", stream_id="deleted"), "before", time_ms=999)
    report(world, delivery_stream("orders", version=1), "first", time_ms=1000)
    report(world, delivery_stream("orders-2"), "other", time_ms=1500)
    report(world, delivery_stream("orders", version=2), "second", time_ms=2000)
    assert await errors(world, "orders") == [(2.0, "second"), (1.0, "first")]


async def test_without_logging_there_are_no_errors_to_show() -> None:
    destination = Destination(kind="ExtendedS3", configuration={"BucketARN": "arn:aws:s3:::lake"})
    world = World(delivery_stream("orders", destination=destination))
    answer = await world.call("GetDeliveryErrors", DeliveryStreamName="orders")
    assert answer == {"LoggingEnabled": False, "Errors": []}
    world.close()
