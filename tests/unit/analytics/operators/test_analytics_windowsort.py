"""ORDER BY within steps of time."""

from __future__ import annotations

from millstream.analytics.operators.windowsort import WindowSortOperator
from millstream.analytics.plan.nodes import SortKey, TimeStep, WindowSort
from millstream.analytics.scalars.nodes import Call, Literal
from millstream.analytics.scalars.types import INTEGER, VARCHAR
from support.operatorruns import History, Row, Table, run

TABLE = Table(K=VARCHAR, V=INTEGER)


def test_a_steps_rows_leave_at_its_end_in_order() -> None:
    node = WindowSort(TABLE.scan, TimeStep(10), (SortKey(TABLE["V"], True), SortKey(TABLE["K"], False)))
    rows: list[Row] = [("b", 1), ("a", 1), ("c", 5), (None, 1), ("d", None), ("e", 9)]
    found = run(lambda: WindowSortOperator(node), TABLE, History([0, 1, 2, 3, 4, 10], rows, 20))
    assert found.rows == [
        ("d", None, 10, 10),
        ("c", 5, 10, 10),
        ("a", 1, 10, 10),
        ("b", 1, 10, 10),
        (None, 1, 10, 10),
        ("e", 9, 20, 12),
    ]


def test_equal_rows_stay_as_they_came() -> None:
    node = WindowSort(TABLE.scan, TimeStep(10), (SortKey(TABLE["V"], False),))
    rows: list[Row] = [("z", 1), ("b", 0), ("a", 1), ("m", 1)]
    found = run(lambda: WindowSortOperator(node), TABLE, History([0, 1, 2, 3], rows, 10), cuts=[2], restarts=[3])
    assert [row[0] for row in found.rows] == ["b", "z", "a", "m"]


def test_rows_without_a_key_are_errors() -> None:
    inverse = Call("/", (Literal(6, INTEGER), TABLE["V"]), INTEGER)
    node = WindowSort(TABLE.scan, TimeStep(10), (SortKey(inverse, False),))
    rows: list[Row] = [("a", 2), ("b", 0), ("c", 3)]
    found = run(lambda: WindowSortOperator(node), TABLE, History([0, 1, 2], rows, 10))
    assert [row[0] for row in found.rows] == ["c", "a"]
    assert [row[0] for row, _ in found.failures] == ["b"]
