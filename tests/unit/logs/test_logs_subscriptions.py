"""Subscription filters without a server: what is put, in which order, and where they go on."""

from __future__ import annotations

import asyncio
import gzip
import random
from array import array
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from millstream.base.clock import ManualClock
from millstream.catalog import CatalogError, SqliteCatalog
from millstream.disk import DiskError
from millstream.logs.model import LogGroup
from millstream.logs.patterns import compile_pattern
from millstream.logs.store import EventRun, Followed, GroupHandle
from millstream.logs.subscriptions import Destination, Kind, Outcome, Outgoing, Subscriptions, feed, registry
from millstream.logs.subscriptions.model import FILTER_KIND, RANDOM, SubscriptionFilter
from millstream.logs.subscriptions.records import RECORD_BYTES_MAX, Rendered, control_record, render
from millstream.logs.subscriptions.rounds import BYTES_MAX, RECORDS_MAX, rounds_of

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT, REGION = "000000000000", "us-east-1"
STREAM_ARN = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s"
GROUP = LogGroup(account=ACCOUNT, region=REGION, name="/app", group_id="ab" * 16, created_ms=1)
WANTED = SubscriptionFilter(
    account=ACCOUNT,
    region=REGION,
    group_id=GROUP.group_id,
    group_name=GROUP.name,
    name="all",
    pattern="",
    destination_arn=STREAM_ARN,
    role_arn="arn:aws:iam::000000000000:role/r",
    created_ms=5,
    position=0,
)


def run(log_stream: str, *messages: str, first_offset: int = 0) -> EventRun:
    times_ms = array("q", range(1_000, 1_000 + len(messages)))
    return EventRun(log_stream, 0, first_offset, 2_000, times_ms, [message.encode() for message in messages])


def rendered(*runs: EventRun, **members: Any) -> list[Rendered]:
    wanted = msgspec.structs.replace(WANTED, **members)
    return render(wanted, compile_pattern(wanted.pattern), GROUP, runs)


def opened(record: Outgoing) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(gzip.decompress(record.data))
    return body


def messages_of(records: list[Outgoing]) -> list[str]:
    return [event["message"] for record in records for event in opened(record)["logEvents"]]


# Records


def test_a_record_has_the_matching_events_of_one_log_stream() -> None:
    runs = [
        run("one", "ERROR a", "INFO b"),
        run("two", "ERROR c"),
        run("one", "ERROR d", first_offset=2),
        run("three", "no"),
    ]
    records = rendered(*runs, pattern="ERROR")
    assert [log_stream for log_stream, _ in records] == ["one", "two"]
    body = opened(records[0].record)
    assert [event.pop("id") for event in body["logEvents"]] == [runs[0].ids(GROUP)[0], runs[2].ids(GROUP)[0]]
    assert body == {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": "/app",
        "logStream": "one",
        "subscriptionFilters": ["all"],
        "logEvents": [{"timestamp": 1_000, "message": "ERROR a"}, {"timestamp": 1_000, "message": "ERROR d"}],
    }


def test_columns_become_extracted_fields() -> None:
    (record,) = rendered(run("one", "1.2.3.4 GET 200", "1.2.3.4 GET 404"), pattern="[ip, , status=4*]")
    (event,) = opened(record.record)["logEvents"]
    assert event["extractedFields"] == {"ip": "1.2.3.4", "2": "GET", "status": "404"}


def test_a_log_stream_s_records_have_one_partition_key_unless_they_are_to_be_spread() -> None:
    runs = [run("one", "x" * 500_000, "y" * 500_000), run("two", "z")]
    keys = [record.partition_key for _, record in rendered(*runs)]
    assert len(keys) == 3
    assert len(set(keys)) == 2
    assert keys == [record.partition_key for _, record in rendered(*runs)]
    assert len({record.partition_key for _, record in rendered(*runs, distribution=RANDOM)}) == 3


def test_records_stay_below_every_limit_and_keep_the_order() -> None:
    chance = random.Random(7)
    noise = ["".join(chance.choices([chr(code) for code in range(0x20, 0x3000)], k=40_000)) for _ in range(30)]
    records = [record for _, record in rendered(run("one", *noise))]
    assert len(records) > 1
    assert all(len(record.data) <= RECORD_BYTES_MAX for record in records)
    assert messages_of(records) == noise


def test_a_message_that_no_record_can_hold_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(7)
    monster = "".join(chance.choices([chr(code) for code in range(32)], k=1_000_000))
    records = [record for _, record in rendered(run("one", "before", monster, "after"))]
    first, cut, last = messages_of(records)
    assert (first, last) == ("before", "after")
    assert 0 < len(cut) < len(monster)
    assert monster.startswith(cut)
    assert all(len(record.data) <= RECORD_BYTES_MAX for record in records)
    assert "is cut" in caplog.text


@pytest.mark.parametrize(("kind", "name"), [(Kind.STREAM, "Kinesis stream"), (Kind.DELIVERY_STREAM, "Firehose")])
def test_the_control_message(kind: Kind, name: str) -> None:
    assert opened(control_record(kind, 77)) == {
        "messageType": "CONTROL_MESSAGE",
        "owner": "CloudwatchLogs",
        "logGroup": "",
        "logStream": "",
        "subscriptionFilters": [],
        "logEvents": [
            {"id": "", "timestamp": 77, "message": f"CWL CONTROL MESSAGE: Checking health of destination {name}."}
        ],
    }


# Rounds


def test_a_round_has_one_record_of_a_log_stream_and_no_more_than_one_call_takes() -> None:
    some = [Rendered(f"s{place % 700}", Outgoing("k", bytes([place % 251]) * 9_000)) for place in range(1_500)]
    rounds = list(rounds_of(some))
    assert all(len(records) <= RECORDS_MAX for records in rounds)
    assert all(sum(len(record.data) for record in records) <= BYTES_MAX for records in rounds)
    assert sorted(record.data for records in rounds for record in records) == sorted(record.data for _, record in some)
    large = [Rendered("a", Outgoing("1", b"")), Rendered("b", Outgoing("2", b"")), Rendered("a", Outgoing("3", b""))]
    assert [[record.partition_key for record in records] for records in rounds_of(large)] == [["1", "2"], ["3"]]
    assert list(rounds_of([])) == []


# Feeds


class FakeGroups:
    """One group whose log has runs, one a position."""

    def __init__(self) -> None:
        self.on_deleted: list[Callable[[LogGroup], None]] = []
        self.runs: list[EventRun] = []
        self.handle: GroupHandle | None = GroupHandle(GROUP, 1)
        self.failing = 0
        self.watchers: list[Callable[[], None]] = []

    def get_by_id(self, group_id: str) -> GroupHandle | None:
        return self.handle if group_id == GROUP.group_id else None

    def watch(self, group_id: str, wake: Callable[[], None]) -> Callable[[], None]:
        self.watchers.append(wake)
        return lambda: self.watchers.remove(wake)

    async def end_position(self, handle: GroupHandle) -> int:
        return len(self.runs)

    async def follow(self, handle: GroupHandle, position: int, *, bytes_max: int) -> Followed:
        if self.failing:
            self.failing -= 1
            raise DiskError("the disk is away")
        return Followed(self.runs[position : position + 2], min(position + 2, len(self.runs)))

    def add(self, *runs: EventRun) -> None:
        self.runs += runs
        for wake in self.watchers:
            wake()


class FakeDestinations:
    """Takes what it is given but for what `refused` says of a call's number and records."""

    def __init__(self) -> None:
        self.taken: list[Outgoing] = []
        self.calls = 0
        self.refused: Callable[[int, list[Outgoing]], list[int]] = lambda _, __: []

    async def put(self, destination: Destination, records: list[Outgoing]) -> Outcome:
        failed = self.refused(self.calls, records)
        self.calls += 1
        self.taken += [record for place, record in enumerate(records) if place not in failed]
        return (
            Outcome(failed, "ResourceNotFoundException", "Stream s under account … not found.")
            if failed
            else Outcome([])
        )

    def lines(self) -> list[str]:
        return messages_of(self.taken)


class World:
    """Subscriptions of one group, and what is around them."""

    def __init__(self) -> None:
        self.groups = FakeGroups()
        self.destinations = FakeDestinations()
        self.catalog = SqliteCatalog(":memory:")
        self.subscriptions = self.start_again()

    def start_again(self) -> Subscriptions:
        self.subscriptions = Subscriptions(self.catalog, self.groups, self.destinations, ManualClock())
        return self.subscriptions

    def saved(self) -> SubscriptionFilter:
        (document,) = self.catalog.list(FILTER_KIND)
        return msgspec.json.decode(document.body, type=SubscriptionFilter)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    for module, name, value in (
        (feed, "GATHER_S", 0.0),
        (feed, "BACKOFF_S_MIN", 0.001),
        (feed, "BACKOFF_S_MAX", 0.002),
        (registry, "SAVE_INTERVAL_S", 0.005),
    ):
        monkeypatch.setattr(module, name, value)
    return World()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_what_comes_later_is_delivered_and_the_position_saved(world: World) -> None:
    world.groups.add(run("one", "before"))
    world.subscriptions.put(msgspec.structs.replace(WANTED, position=1))
    for place in range(5):
        world.groups.add(run("one", f"line {place}"))
        await asyncio.sleep(0)
    await until(lambda: len(world.destinations.lines()) == 5)
    await until(lambda: world.saved().position == 6)
    assert world.destinations.lines() == [f"line {place}" for place in range(5)]
    await world.subscriptions.close()
    assert world.groups.watchers == []


async def test_it_goes_on_where_it_was_after_a_restart(world: World) -> None:
    world.subscriptions.put(WANTED)
    world.groups.add(run("one", "first"))
    await until(lambda: len(world.destinations.lines()) == 1)
    await world.subscriptions.close()
    world.groups.add(run("one", "while it was away"))
    await world.start_again().start()
    await until(lambda: len(world.destinations.lines()) == 2)
    await world.subscriptions.close()
    assert world.destinations.lines() == ["first", "while it was away"]


async def test_a_record_that_fails_is_overtaken_by_none_of_its_log_stream(world: World) -> None:
    chance = random.Random(3)
    world.destinations.refused = lambda _, records: [place for place in range(len(records)) if chance.random() < 0.4]
    lines = {name: [f"{name} {place}" for place in range(40)] for name in ("one", "two", "three")}
    for place in range(40):
        world.groups.runs += [run(name, line[place]) for name, line in lines.items()]
    world.subscriptions.put(WANTED)
    await until(lambda: len(world.destinations.lines()) == 120)
    await world.subscriptions.close()
    for name, line in lines.items():
        assert [each for each in world.destinations.lines() if each.startswith(name)] == line


async def test_what_cannot_be_delivered_waits_and_says_so_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.destinations.refused = lambda call, records: list(range(len(records))) if call < 20 else []
    world.subscriptions.put(WANTED)
    world.groups.add(run("one", "patience"))
    await until(lambda: world.destinations.calls >= 10)
    assert world.saved().position == 0
    await until(lambda: world.destinations.lines() == ["patience"])
    await world.subscriptions.close()
    assert caplog.text.count("does not take its records") == 1
    assert world.saved().position == 1


async def test_a_throttled_destination_is_told_of_once_a_while(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.destinations.refused = lambda call, records: list(range(len(records))) if call % 2 == 0 else []
    world.subscriptions.put(WANTED)
    for place in range(10):
        world.groups.add(run("one", f"line {place}"))
        await until(lambda: len(world.destinations.lines()) == place + 1)  # noqa: B023
    await world.subscriptions.close()
    assert caplog.text.count("does not take its records") == 1


async def test_a_log_that_cannot_be_read_is_tried_again(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.groups.failing = 3
    world.groups.runs.append(run("one", "at last"))
    world.subscriptions.put(WANTED)
    await until(lambda: world.destinations.lines() == ["at last"])
    await world.subscriptions.close()
    assert "the disk is away" in caplog.text
    assert "Traceback" not in caplog.text


async def test_a_filter_that_is_changed_goes_on_where_it_was(world: World) -> None:
    world.subscriptions.put(WANTED)
    world.groups.add(run("one", "ERROR 1", "INFO 2"))
    await until(lambda: len(world.destinations.lines()) == 2)
    world.subscriptions.put(msgspec.structs.replace(WANTED, pattern="ERROR", created_ms=99, position=50))
    world.groups.add(run("one", "INFO 3", "ERROR 4"))
    await until(lambda: len(world.destinations.lines()) == 3)
    await world.subscriptions.close()
    assert world.destinations.lines()[-1] == "ERROR 4"
    assert world.saved() == msgspec.structs.replace(WANTED, pattern="ERROR", position=2)


async def test_what_is_deleted_delivers_no_more(world: World) -> None:
    world.destinations.refused = lambda _, records: list(range(len(records)))
    world.groups.runs.append(run("one", "never"))
    world.subscriptions.put(WANTED)
    await until(lambda: world.destinations.calls > 2)
    assert world.subscriptions.delete(GROUP.group_id, "all")
    assert not world.subscriptions.delete(GROUP.group_id, "all")
    world.destinations.refused = lambda _, __: []
    await until(lambda: not world.groups.watchers)
    await world.subscriptions.close()
    assert world.destinations.taken == []
    assert world.catalog.list(FILTER_KIND) == []


async def test_filters_end_with_their_group(world: World) -> None:
    world.subscriptions.put(WANTED)
    world.subscriptions.put(msgspec.structs.replace(WANTED, name="other"))
    assert [wanted.name for wanted in world.subscriptions.of_group(GROUP.group_id)] == ["all", "other"]
    (told,) = world.groups.on_deleted
    told(GROUP)
    assert world.subscriptions.of_group(GROUP.group_id) == []
    assert world.catalog.list(FILTER_KIND) == []
    await world.subscriptions.close()


async def test_the_next_start_deletes_what_a_crash_left_of_a_group_s_filters(world: World) -> None:
    world.subscriptions.put(WANTED)
    await world.subscriptions.close()
    world.groups.handle = None
    await world.start_again().start()
    assert world.catalog.list(FILTER_KIND) == []
    await world.subscriptions.close()


async def test_a_position_that_cannot_be_saved_stops_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world.subscriptions.put(WANTED)

    def full(*_: Any) -> int:
        raise CatalogError("disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(world.catalog, "put", full)
        world.groups.add(run("one", "first"))
        await until(lambda: "was not saved" in caplog.text)
        world.groups.add(run("one", "second"))
        await until(lambda: len(world.destinations.lines()) == 2)
    await until(lambda: world.saved().position == 2)
    await world.subscriptions.close()
