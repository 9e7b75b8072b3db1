"""SELECT DISTINCT within steps of time."""

from __future__ import annotations

from millstream.analytics.operators.distinct import DistinctOperator
from millstream.analytics.plan.nodes import Distinct, TimeStep
from millstream.analytics.scalars.types import DOUBLE, VARCHAR
from support.operatorruns import History, Row, Table, run

TABLE = Table(K=VARCHAR, V=DOUBLE)
NAN = float("nan")


def test_the_first_of_equal_rows_in_a_step_leaves_at_once() -> None:
    node = Distinct(TABLE.scan, TimeStep(10))
    rows: list[Row] = [("a", 1.0), ("a", 1.0), ("a", 2.0), (None, None), (None, None), ("a", 1.0), ("a", 1.0)]
    found = run(lambda: DistinctOperator(node), TABLE, History([0, 1, 2, 3, 9, 10, 25], rows, 30))
    assert found.rows == [
        ("a", 1.0, 0, 1),
        ("a", 2.0, 2, 5),
        (None, None, 3, 7),
        ("a", 1.0, 10, 11),
        ("a", 1.0, 25, 13),
    ]


def test_rows_are_remembered_over_cycles_and_forgotten_at_the_end_of_the_step() -> None:
    node = Distinct(TABLE.scan, TimeStep(10))
    made: list[DistinctOperator] = []

    def make() -> DistinctOperator:
        made.append(DistinctOperator(node))
        return made[-1]

    rows: list[Row] = [("a", NAN), ("a", NAN), ("a", -0.0), ("a", 0.0)]
    found = run(make, TABLE, History([0, 1, 2, 3], rows, 9), cuts=[1, 3], restarts=[2])
    assert [row[2:] for row in found.rows] == [(0, 1), (2, 5)]
    assert made[-1].state_bytes() > 0
    run(lambda: made[-1], TABLE, History([], [], 10))
    assert made[-1].state_bytes() == 0
