"""The parts of the engine: queues of outputs, the newest rows, states of queries that did not change."""

from __future__ import annotations

import asyncio
import json

import polars as pl
import pytest

from millstream.analytics.engine.dataflow import DataFlow
from millstream.analytics.engine.deliver import OutputQueue
from millstream.analytics.engine.ports import Refused
from millstream.analytics.engine.recent import RecentRows
from millstream.analytics.model import Output, ResourceKind
from millstream.analytics.operators.frames import SEQ, TIME
from support.planned import planned

SUMS = """\
CREATE STREAM "SUMS" (t VARCHAR(4), p REAL);
CREATE PUMP "SUM" AS INSERT INTO "SUMS" SELECT STREAM ticker_symbol, SUM(price) OVER w
FROM "SOURCE_SQL_STREAM_001" WHERE price > 0 AND sector <> 'X''Y'
WINDOW w AS (PARTITION BY ticker_symbol ROWS 9 PRECEDING);
"""
OTHER = """\
CREATE STREAM "OTHERS" (t VARCHAR(4));
CREATE PUMP "OTHER" AS INSERT INTO "OTHERS" SELECT STREAM ticker_symbol FROM "SOURCE_SQL_STREAM_001";
"""


class Taking:
    """Takes records, after it has refused the first so many times those that are odd."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.taken: list[bytes] = []
        self.puts: list[int] = []

    async def put(self, output: Output, keys: list[bytes], data: list[bytes]) -> Refused | None:
        self.puts.append(len(data))
        if self.refusals:
            self.refusals -= 1
            self.taken += data[::2]
            return Refused(list(range(1, len(data), 2)), "ProvisionedThroughputExceededException", "slowly")
        self.taken += data
        return None


def queue_of(sender: Taking, told: list[str]) -> OutputQueue:
    output = Output(output_id="1", name="OUT", kind=ResourceKind.STREAM, arn="arn")
    return OutputQueue(output, sender, lambda code, message: told.append(f"{code}: {message}"))


async def test_what_is_refused_is_put_again_alone() -> None:
    sender, told = Taking(refusals=1), list[str]()
    queue = queue_of(sender, told)
    await queue.add([b"k"] * 4, [b"0", b"1", b"2", b"3"])
    await queue.taken(queue.added)
    await queue.close()
    assert sender.taken == [b"0", b"2", b"1", b"3"]
    assert told == []


async def test_puts_have_five_hundred_records_and_four_mib_at_most() -> None:
    sender = Taking()
    queue = queue_of(sender, [])
    await queue.add([b"k"] * 1_001, [b"small"] * 1_001)
    await queue.add([b"k"] * 9, [b"x" * 1_000_000] * 9)
    await queue.taken(queue.added)
    await queue.close()
    assert sender.puts == [500, 500, 1, 4, 4, 1]


async def test_rows_that_are_too_large_are_told_and_left_out() -> None:
    sender, told = Taking(), list[str]()
    queue = queue_of(sender, told)
    await queue.add([b"k"] * 3, [b"0", b"x" * (1 << 20), b"2"])
    await queue.taken(queue.added)
    await queue.close()
    assert sender.taken == [b"0", b"2"]
    assert told[0].startswith("RecordTooLarge: 1 rows")


async def test_an_output_that_was_refused_for_hours_is_tried_on(monkeypatch: pytest.MonkeyPatch) -> None:
    really_sleep, pauses_s = asyncio.sleep, list[float]()

    async def sleep(pause_s: float) -> None:
        pauses_s.append(pause_s)
        await really_sleep(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    sender, told = Taking(refusals=1_200), list[str]()
    sender.put = _refusing(sender)  # type: ignore[method-assign]
    queue = queue_of(sender, told)
    await queue.add([b"k"], [b"0"])
    await queue.taken(queue.added)
    await queue.close()
    assert len(pauses_s) == 1_200
    assert max(pauses_s) <= 5
    assert len(told) < 30


def _refusing(sender: Taking):  # type: ignore[no-untyped-def]
    async def put(output: Output, keys: list[bytes], data: list[bytes]) -> Refused | None:
        sender.refusals -= 1
        return Refused([0], "ResourceNotFoundException", "gone") if sender.refusals >= 0 else None

    return put


async def test_a_queue_that_is_full_lets_in_when_it_need_not_be_bounded() -> None:
    sender = Taking()
    hold = asyncio.Event()

    async def put(output: Output, keys: list[bytes], data: list[bytes]) -> Refused | None:
        await hold.wait()
        return None

    sender.put = put  # type: ignore[method-assign]
    queue = queue_of(sender, [])
    adding = asyncio.create_task(queue.add([b"k"] * 60, [b"x" * 1_000_000] * 60))
    await asyncio.wait({adding}, timeout=0.05)
    assert not adding.done()
    await queue.set_bounded(False)
    await asyncio.wait_for(adding, 5)
    waiting = asyncio.create_task(queue.taken(queue.added))
    await queue.close()
    await asyncio.wait_for(waiting, 5)


def rows(*numbers: int) -> dict[str, pl.DataFrame]:
    return {"OUT": pl.DataFrame({"N": list(numbers), TIME: [0] * len(numbers), SEQ: list(numbers)})}


def numbers(found: tuple[int, list[bytes]]) -> tuple[int, list[int]]:
    return found[0], [json.loads(row)["N"] for row in found[1]]


def test_the_newest_rows_and_those_after_them() -> None:
    recent = RecentRows(1_000)
    assert recent.after("OUT", -1, 2) == (1_000, [])
    recent.add(rows(1, 2, 3))
    recent.add(rows(4))
    assert numbers(recent.after("OUT", -1, 2)) == (1_004, [3, 4])
    assert numbers(recent.after("OUT", 1_001, 2)) == (1_003, [2, 3])
    assert numbers(recent.after("OUT", 1_004, 2)) == (1_004, [])
    recent.add(rows(*range(5, 2_000)))
    assert recent.counts() == {"OUT": 1_999}
    following, found = numbers(recent.after("OUT", 1_004, 600))
    assert (following, found[0], len(found)) == (2_999, 1_500, 500)


@pytest.mark.parametrize("number", [0, 7, 999, 1_005, 1 << 60])
def test_who_asks_after_a_row_of_another_process_gets_what_there_is(number: int) -> None:
    recent = RecentRows(1_000)
    recent.add(rows(1, 2, 3))
    assert numbers(recent.after("OUT", number, 10)) == (1_003, [1, 2, 3])


def test_an_answer_has_a_bound_in_bytes() -> None:
    recent = RecentRows()
    frame = pl.DataFrame({"N": ["x" * 3_000_000] * 5, TIME: [0] * 5, SEQ: range(5)})
    recent.add({"OUT": frame})
    following, found = recent.after("OUT", 0, 5)
    assert (following, len(found)) == (2, 2)
    assert recent.after("OUT", following, 5)[0] == 4


def test_a_query_keeps_its_state_wherever_it_stands() -> None:
    before = DataFlow(planned(SUMS + OTHER), {}).state()
    assert DataFlow(planned("-- moved\n\n" + OTHER + SUMS.replace("SELECT", "\n SELECT")), {}).restore(before) == []
    changed = [
        SUMS.replace("ROWS 9", "ROWS 8"),
        SUMS.replace("price > 0", "price > 1"),
        SUMS.replace("X''Y", "XY"),
        SUMS.replace("SUM(price)", "MIN(price)"),
    ]
    for code in changed:
        assert DataFlow(planned(code + OTHER), {}).restore(before) == ["SUM"], code
