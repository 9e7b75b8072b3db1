"""Session windows, by ROWTIME and by event times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from millstream.analytics.operators.session import SessionOperator
from millstream.analytics.plan.nodes import Aggregate, Item, Session
from millstream.analytics.scalars.types import BIGINT, TIMESTAMP, VARCHAR
from support.operatorruns import History, Row, Run, Table, run

TABLE = Table(K=VARCHAR, E=TIMESTAMP)
COUNT = Aggregate("N", "COUNT(*)", (), BIGINT)
FIRST = Aggregate("F", "MIN", (TABLE["E"],), TIMESTAMP)


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None)


def sessions(rows: list[tuple[int, str]], until_ms: int) -> Run:
    node = Session(TABLE.scan, (Item("K", TABLE["K"]),), (COUNT,), 100)
    values: list[Row] = [(key, None) for _, key in rows]
    return run(lambda: SessionOperator(node), TABLE, History([row[0] for row in rows], values, until_ms))


def event_sessions(rows: Sequence[tuple[int, str, int | None]], until_ms: int) -> Run:
    node = Session(TABLE.scan, (Item("K", TABLE["K"]),), (COUNT, FIRST), 100, TABLE["E"])
    values: list[Row] = [(key, None if ms is None else at(ms)) for _, key, ms in rows]
    return run(lambda: SessionOperator(node), TABLE, History([row[0] for row in rows], values, until_ms))


def test_a_session_goes_on_while_rows_come_in_time() -> None:
    found = sessions([(0, "a"), (99, "a"), (150, "b"), (198, "a"), (298, "a")], 400)
    assert found.rows == [("b", 1, 250, 8), ("a", 3, 298, 8), ("a", 1, 398, 10)]


def test_sessions_that_end_together_leave_as_they_began() -> None:
    assert [row[0] for row in sessions([(0, "z"), (0, "a"), (0, "z")], 100).rows] == ["z", "a"]


def test_an_open_session_waits() -> None:
    assert sessions([(0, "a")], 99).rows == []


def test_sessions_by_event_time_end_by_the_event_clock() -> None:
    found = event_sessions([(1000, "a", 0), (1001, "b", 90), (1002, "a", 50), (1003, "b", 150)], 1003)
    assert found.rows == [("a", 2, at(0), 1003, 6)]


def test_earlier_rows_join_an_open_session_if_they_are_near() -> None:
    rows = [(1000, "a", 200), (1001, "a", 101), (1002, "a", 1), (1003, "b", 101), (1004, "c", 100)]
    found = event_sessions(rows, 2000)
    assert found.rows == [("b", 1, at(101), 1104, 10), ("a", 2, at(101), 1104, 10)]
    assert [(row[0], row[2]) for row, _ in found.failures] == [("a", 1002), ("c", 1004)]


def test_an_idle_input_ends_all_sessions() -> None:
    found = event_sessions([(1000, "a", 5), (1100, "a", 5), (1100, "a", 106)], 1300)
    assert found.rows == [("a", 1, at(5), 1100, 2), ("a", 1, at(106), 1200, 6)]
    assert [(row[2], why) for row, why in found.failures] == [
        (1100, "late row: sessions of event time 1970-01-01 00:00:00.005 have been closed")
    ]
