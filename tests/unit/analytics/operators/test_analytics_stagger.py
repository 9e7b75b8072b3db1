"""Stagger windows: opened by a key's row, closed after their age."""

from __future__ import annotations

import pytest

from millstream.analytics.operators.stagger import StaggerOperator
from millstream.analytics.plan.nodes import Aggregate, Item, Stagger
from millstream.analytics.scalars.types import BIGINT, DOUBLE, INTEGER, VARCHAR
from support.operatorruns import History, Row, Run, Table, run

TABLE = Table(K=VARCHAR, V=INTEGER)


def staggered(rows: list[tuple[int, str, int]], until_ms: int, *, keyed: bool = True) -> Run:
    aggregates = (
        Aggregate("N", "COUNT(*)", (), BIGINT),
        Aggregate("S", "SUM", (TABLE["V"],), BIGINT),
        Aggregate("F", "FIRST_VALUE", (TABLE["V"],), INTEGER),
    )
    node = Stagger(TABLE.scan, (Item("K", TABLE["K"]),) if keyed else (), aggregates, 100)
    values: list[Row] = [row[1:] for row in rows]
    return run(lambda: StaggerOperator(node), TABLE, History([row[0] for row in rows], values, until_ms))


def test_each_key_has_its_own_window() -> None:
    found = staggered([(10, "a", 1), (50, "b", 2), (109, "a", 3), (110, "a", 4), (149, "b", 5)], 210)
    assert found.rows == [("a", 2, 4, 1, 110, 6), ("b", 2, 7, 2, 150, 10), ("a", 1, 4, 4, 210, 10)]


def test_a_cycle_can_hold_many_windows_of_a_key() -> None:
    found = staggered([(0, "a", 1), (100, "a", 2), (101, "a", 3), (500, "a", 4)], 599)
    assert found.rows == [("a", 1, 1, 1, 100, 2), ("a", 2, 5, 2, 200, 6)]


def test_windows_that_end_together_leave_as_they_were_opened() -> None:
    found = staggered([(7, "z", 1), (7, "a", 2), (7, "m", 3)], 107)
    assert [row[0] for row in found.rows] == ["z", "a", "m"]


def test_large_cycles_give_what_small_ones_give() -> None:
    history = History(range(600), [(f"k{row % 17}", row) for row in range(600)], 1000)
    aggregates = (Aggregate("S", "SUM", (TABLE["V"],), BIGINT), Aggregate("L", "LAST_VALUE", (TABLE["V"],), INTEGER))
    node = Stagger(TABLE.scan, (Item("K", TABLE["K"]),), aggregates, 100)
    large = run(lambda: StaggerOperator(node), TABLE, history)
    assert run(lambda: StaggerOperator(node), TABLE, history, cuts=range(0, 600, 30)) == large
    assert len(large.rows) == 17 * 6


def test_without_a_key_there_is_one_window() -> None:
    assert staggered([(0, "a", 1), (99, "b", 2)], 100, keyed=False).rows == [(2, 3, 1, 100, 4)]


@pytest.mark.parametrize("restart", [1, 2])
def test_nan_is_one_key(restart: int) -> None:
    table = Table(D=DOUBLE)
    node = Stagger(table.scan, (Item("D", table["D"]),), (Aggregate("N", "COUNT(*)", (), BIGINT),), 100)
    history = History([0, 1, 2], [(float("nan"),)] * 3, 100)
    found = run(lambda: StaggerOperator(node), table, history, restarts=[restart])
    assert [row[1] for row in found.rows] == [3]
