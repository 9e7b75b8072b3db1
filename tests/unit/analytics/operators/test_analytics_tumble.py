"""Tumbling windows: when groups close, what their rows say, and what is late."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from millstream.analytics.operators.tumble import TumbleOperator
from millstream.analytics.plan.nodes import Aggregate, Item, TimeKey, TimeStep, Tumble
from millstream.analytics.scalars.nodes import Call, ColumnRef, Literal
from millstream.analytics.scalars.types import BIGINT, DOUBLE, INTEGER, TIMESTAMP, VARCHAR
from support.operatorruns import History, Row, Run, Table, run

TABLE = Table(K=VARCHAR, V=INTEGER, E=TIMESTAMP)
COUNT = Aggregate("N", "COUNT(*)", (), BIGINT)
SUM = Aggregate("S", "SUM", (TABLE["V"],), BIGINT)
KEY = Item("K", TABLE["K"])


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None)


def rowtime(step: TimeStep, name: str = "T") -> TimeKey:
    return TimeKey(name, "rowtime", step, None, TIMESTAMP)


def event(step: TimeStep, name: str = "ET") -> TimeKey:
    return TimeKey(name, "event", step, TABLE["E"], TIMESTAMP)


def tumbled(
    times: Sequence[TimeKey],
    rows: Sequence[tuple[int, str | None, int | None, int | None]],
    until_ms: int,
    *,
    keys: tuple[Item, ...] = (KEY,),
    aggregates: tuple[Aggregate, ...] = (COUNT,),
) -> Run:
    """Rows are ROWTIME, K, V, and E in ms."""
    node = Tumble(TABLE.scan, tuple(times), keys, aggregates)
    values: list[Row] = [(key, number, None if ms is None else at(ms)) for _, key, number, ms in rows]
    return run(lambda: TumbleOperator(node), TABLE, History([row[0] for row in rows], values, until_ms))


def test_groups_leave_at_the_end_of_their_window_in_the_order_of_their_first_rows() -> None:
    rows = [(1000, "b", 1, None), (9_999, "a", 2, None), (9_999, "b", 3, None), (10_000, "a", 4, None)]
    found = tumbled([rowtime(TimeStep(10_000))], rows, 20_000, aggregates=(COUNT, SUM))
    assert found.rows == [
        (at(0), "b", 2, 4, 10_000, 6),  # before the row at 10,000, which has the number 3
        (at(0), "a", 1, 2, 10_000, 6),
        (at(10_000), "a", 1, 4, 20_000, 8),
    ]
    assert not found.failures


def test_a_window_is_open_until_time_has_come_to_its_end() -> None:
    rows = [(1000, "a", 1, None)]
    assert tumbled([rowtime(TimeStep(10_000))], rows, 9_999).rows == []
    assert tumbled([rowtime(TimeStep(10_000))], rows, 10_000).rows == [(at(0), "a", 1, 10_000, 2)]


def test_steps_from_an_origin_and_before_the_epoch() -> None:
    rows = [(-1, "a", 1, None), (2, "a", 1, None)]
    found = tumbled([rowtime(TimeStep(10, origin_ms=3))], rows, 100)
    assert found.rows == [(at(-7), "a", 2, 3, 4)]


def test_calendar_months() -> None:
    feb, mar, apr = (int(datetime(2024, month, 1, tzinfo=UTC).timestamp() * 1000) for month in (2, 3, 4))
    rows = [(mar - 1, "a", 1, None), (mar, "a", 1, None)]
    assert [row[:3] for row in tumbled([rowtime(TimeStep(months=1))], rows, apr).rows] == [
        (at(feb), "a", 1),
        (at(mar), "a", 1),
    ]
    quarter = tumbled([rowtime(TimeStep(months=3))], rows, apr)
    assert quarter.rows == [(datetime(2024, 1, 1), "a", 2, apr, 4)]


def test_the_shorter_of_two_rowtime_steps_closes_a_group() -> None:
    rows = [(5, "a", 1, None), (25, "a", 1, None), (35, "a", 1, None)]
    found = tumbled([rowtime(TimeStep(20), "SHORT"), rowtime(TimeStep(30), "LONG")], rows, 100)
    assert [row[:2] + row[3:5] for row in found.rows] == [
        (at(0), at(0), 1, 20),
        (at(20), at(0), 1, 30),
        (at(20), at(30), 1, 40),
    ]


def test_event_steps_beside_rowtime_are_keys() -> None:
    rows = [(1, "a", 1, 70_000), (2, "a", 1, 5), (3, "a", 1, 6), (4, "a", 1, None)]
    found = tumbled([rowtime(TimeStep(10)), event(TimeStep(60_000))], rows, 10)
    assert [row[1:4] for row in found.rows] == [(at(60_000), "a", 1), (at(0), "a", 2), (None, "a", 1)]


def test_a_time_key_can_be_shown_as_something_else() -> None:
    key = TimeKey("T", "rowtime", TimeStep(10), None, TIMESTAMP, ColumnRef("T", TIMESTAMP))
    assert tumbled([key], [(15, "a", 1, None)], 20).rows == [(at(10), "a", 1, 20, 2)]


def test_nulls_are_a_group_and_zero_has_no_sign() -> None:
    rows = [(1, None, 1, None), (2, None, 1, None), (3, "", 1, None)]
    assert [row[1:3] for row in tumbled([rowtime(TimeStep(10))], rows, 10).rows] == [(None, 2), ("", 1)]
    table = Table(D=DOUBLE)
    node = Tumble(table.scan, (rowtime(TimeStep(10)),), (Item("D", table["D"]),), (COUNT,))
    found = run(lambda: TumbleOperator(node), table, History([0, 1], [(-0.0,), (0.0,)], 10))
    assert [str(row[1]) for row in found.rows] == ["0.0"]


def test_no_keys_and_several_aggregates_of_one_argument() -> None:
    half = Aggregate("H", "EXP_AVG", (TABLE["V"], Literal(1000, BIGINT)), DOUBLE)
    distinct = Aggregate("D", "COUNT", (TABLE["V"],), BIGINT, distinct=True)
    rows = [(0, "a", 3, None), (0, "b", 3, None), (0, "c", 5, None)]
    found = tumbled([rowtime(TimeStep(10))], rows, 10, keys=(), aggregates=(half, distinct, SUM, COUNT))
    assert found.rows == [(at(0), pytest.approx(11 / 3), 2, 11, 3, 10, 6)]


def test_many_small_cycles_give_what_one_gives() -> None:
    count = 300
    rows: list[Row] = [(f"k{index % 7}", index, at(index % 45)) for index in range(count)]
    history = History(range(count), rows, 1000)
    aggregates = (
        SUM,
        Aggregate("D", "COUNT", (TABLE["V"],), BIGINT, distinct=True),
        Aggregate("X", "EXP_AVG", (TABLE["V"], Literal(20, BIGINT)), DOUBLE),
        Aggregate("F", "FIRST_VALUE", (TABLE["V"],), INTEGER),
        Aggregate("P", "NTH_VALUE", (TABLE["V"], Literal(3, BIGINT)), INTEGER),
    )
    for times in ((rowtime(TimeStep(250)),), (event(TimeStep(30)),)):
        node = Tumble(TABLE.scan, times, (KEY,), aggregates)
        whole = run(lambda node=node: TumbleOperator(node), TABLE, history)  # type: ignore[misc]
        assert run(lambda node=node: TumbleOperator(node), TABLE, history, cuts=range(0, count, 4)) == whole  # type: ignore[misc]
        assert len(whole.rows) >= 7


def test_failing_rows_are_left_out() -> None:
    inverse = Call("/", (Literal(6, INTEGER), TABLE["V"]), INTEGER)
    rows = [(1, "a", 2, None), (2, "a", 0, None), (3, "a", 3, None)]
    found = tumbled([rowtime(TimeStep(10))], rows, 10, aggregates=(COUNT, Aggregate("S", "SUM", (inverse,), BIGINT)))
    assert found.rows == [(at(0), "a", 2, 5, 10, 6)]
    assert [row[:2] for row, _ in found.failures] == [("a", 0)]


def test_the_event_clock_closes_groups_just_before_the_row_that_moves_it() -> None:
    rows = [(1000, "a", 1, 5), (1001, "b", 1, 9), (1002, "a", 1, 3), (1003, "a", 1, 20)]
    found = tumbled([event(TimeStep(10))], rows, 1003)
    assert found.rows == [(at(0), "a", 2, 1003, 6), (at(0), "b", 1, 1003, 6)]


def test_late_rows_are_errors() -> None:
    rows = [(1000, "a", 1, 5), (1001, "a", 1, 30), (1002, "b", 1, 9), (1003, "b", 1, 29), (1004, "b", 1, 33)]
    found = tumbled([event(TimeStep(10))], rows, 2000)
    assert [row[:3] for row in found.rows] == [(at(0), "a", 1), (at(30), "a", 1), (at(30), "b", 1)]
    assert [(row[3], why) for row, why in found.failures] == [
        (1002, "late row: the window of event time 1970-01-01 00:00:00.009 has been closed"),
        (1003, "late row: the window of event time 1970-01-01 00:00:00.029 has been closed"),
    ]


def test_an_idle_input_moves_the_event_clock_to_the_end_of_its_step() -> None:
    rows = [(1000, "a", 1, 5), (1009, "a", 1, 6), (1019, "a", 1, 7), (1019, "a", 1, 17)]
    found = tumbled([event(TimeStep(10))], rows, 1100)
    assert found.rows == [(at(0), "a", 2, 1019, 4), (at(10), "a", 1, 1029, 8)]
    assert [row[3] for row, _ in found.failures] == [1019]  # the first window was closed before that row


def test_a_row_without_event_time_is_an_error() -> None:
    found = tumbled([event(TimeStep(10))], [(1000, "a", 1, None)], 2000)
    assert found.rows == []
    assert [why for _, why in found.failures] == ["the event time is NULL: the row is in no window"]
