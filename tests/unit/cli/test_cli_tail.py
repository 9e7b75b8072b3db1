"""`tail` shows every record once, parents before children, whatever the server does meanwhile."""

from __future__ import annotations

import base64
from collections import defaultdict
from typing import Any

import pytest

from millstream.cli import tail as tail_module
from millstream.cli.client import CallError, Unreachable
from millstream.cli.errors import CommandError
from millstream.cli.lineage import Lineage
from millstream.cli.tail import Position, Tail, parse_position


def record(number: int) -> dict[str, Any]:
    return {
        "SequenceNumber": str(number),
        "Data": base64.b64encode(b"%d" % number).decode(),
        "PartitionKey": "k",
        "ApproximateArrivalTimestamp": 1_700_000_000.0,
    }


class Stream:
    """Stands for the client of a stream whose shards answer GetRecords from scripts.

    A step is a list of record numbers, an exception to raise, or a dict: the children of a shard that ends there.
    """

    def __init__(self, listed: list[dict[str, Any]], **scripts: list[Any]) -> None:
        self._listed = listed
        self._scripts = scripts
        self.iterators: dict[str, list[Position]] = defaultdict(list)
        self.filters: list[Any] = []

    async def pages(self, operation: str, key: str, *, StreamName: str, ShardFilter: Any) -> list[Any]:  # noqa: N803
        self.filters.append(ShardFilter)
        return self._listed

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        if operation == "GetShardIterator":
            shard_id = params["ShardId"]
            position = Position(params["ShardIteratorType"], params["Timestamp"], params["StartingSequenceNumber"])
            self.iterators[shard_id].append(position)
            return {"ShardIterator": shard_id}
        shard_id = params["ShardIterator"]
        step = self._scripts[shard_id].pop(0) if self._scripts[shard_id] else []
        if isinstance(step, Exception):
            raise step
        if isinstance(step, dict):
            return {"Records": [], "MillisBehindLatest": 0, "ChildShards": step["children"]}
        return {"Records": [record(n) for n in step], "MillisBehindLatest": 0, "NextShardIterator": shard_id}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def back_off(_attempt: int) -> None:
        return

    monkeypatch.setattr(tail_module, "back_off", back_off)
    monkeypatch.setattr(tail_module, "POLL_S", 0)


async def follow(stream: Stream, count: int, start: str = "TRIM_HORIZON") -> list[tuple[str, int]]:
    """What is emitted until there are `count` records."""
    emitted: list[tuple[str, int]] = []

    def emit(shard_id: str, records: list[dict[str, Any]]) -> bool:
        emitted.extend((shard_id, int(each["SequenceNumber"])) for each in records)
        return len(emitted) >= count

    await Tail(stream, "s", Position(start), emit).run()  # type: ignore[arg-type]
    return emitted


async def test_parents_are_read_to_their_end_before_their_children() -> None:
    children = [{"ShardId": "c", "ParentShards": ["a", "b"]}]
    stream = Stream(
        [{"ShardId": "a"}, {"ShardId": "b"}, {"ShardId": "c", "ParentShardId": "a", "AdjacentParentShardId": "b"}],
        a=[[1], {"children": children}],
        b=[[], [], [], [2], [3], {"children": children}],
        c=[[4, 5]],
    )
    emitted = await follow(stream, 5)
    assert emitted[-2:] == [("c", 4), ("c", 5)]
    assert sorted(emitted) == [("a", 1), ("b", 2), ("b", 3), ("c", 4), ("c", 5)]


async def test_children_that_open_meanwhile_are_read_from_their_beginning() -> None:
    split = {"children": [{"ShardId": "b", "ParentShards": ["a"]}, {"ShardId": "c", "ParentShards": ["a"]}]}
    stream = Stream([{"ShardId": "a", "ParentShardId": "gone"}], a=[[1], split], b=[[2]], c=[[3]])
    assert sorted(await follow(stream, 3, "LATEST")) == [("a", 1), ("b", 2), ("c", 3)]
    assert stream.filters == [{"Type": "AT_LATEST"}]
    assert stream.iterators["a"] == [Position("LATEST")]
    assert stream.iterators["b"] == stream.iterators["c"] == [Position("TRIM_HORIZON")]


async def test_an_expired_iterator_is_taken_up_after_the_last_record() -> None:
    stream = Stream([{"ShardId": "a"}], a=[[1, 2], CallError("ExpiredIteratorException", "expired"), [3]])
    assert await follow(stream, 3) == [("a", 1), ("a", 2), ("a", 3)]
    assert stream.iterators["a"][1] == Position("AFTER_SEQUENCE_NUMBER", sequence_number="2")


async def test_throttling_failures_and_restarts_are_sat_out(capsys: pytest.CaptureFixture[str]) -> None:
    stream = Stream(
        [{"ShardId": "a"}],
        a=[
            CallError("ProvisionedThroughputExceededException", "Rate exceeded"),
            [1],
            CallError("InternalFailure", ""),
            Unreachable("no server"),
            Unreachable("no server"),
            [2],
        ],
    )
    assert await follow(stream, 2) == [("a", 1), ("a", 2)]
    assert capsys.readouterr().err.splitlines() == [
        "millstream: no server; waiting for it to return",
        "millstream: the server is back",
    ]


async def test_a_stream_that_is_deleted_ends_it() -> None:
    stream = Stream([{"ShardId": "a"}], a=[[1], CallError("ResourceNotFoundException", "not found")])
    with pytest.raises(CallError, match="not found"):
        await follow(stream, 2)


def test_a_merged_shard_waits_for_both_parents_and_unknown_parents_count_as_read() -> None:
    lineage = Lineage()
    lineage.add([{"ShardId": "2", "ParentShardId": "0", "AdjacentParentShardId": "1"}, {"ShardId": "1"}])
    assert lineage.begin() == ["1"]
    assert lineage.begin() == []
    lineage.end("1")
    assert lineage.begin() == ["2"]


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("trim-horizon", Position("TRIM_HORIZON")),
        ("TRIM_HORIZON", Position("TRIM_HORIZON")),
        ("latest", Position("LATEST")),
        ("1700000000.5", Position("AT_TIMESTAMP", timestamp=1700000000.5)),
        ("2023-11-14T22:13:20Z", Position("AT_TIMESTAMP", timestamp=1700000000.0)),
        ("2023-11-14T23:13:20+01:00", Position("AT_TIMESTAMP", timestamp=1700000000.0)),
    ],
)
def test_positions(text: str, position: Position) -> None:
    assert parse_position(text) == position


@pytest.mark.parametrize("text", ["yesterday", "nan", "inf", "", "-5"])
def test_positions_that_are_none(text: str) -> None:
    with pytest.raises(CommandError, match="must be trim-horizon, latest, or a time"):
        parse_position(text)
