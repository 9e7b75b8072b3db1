"""Joins of streams: the examples of AWS's SQL reference, and what is remembered."""

from __future__ import annotations

import pytest

from millstream.analytics.operators.windowjoin import WindowJoinOperator
from millstream.analytics.plan.nodes import RowFrame, WindowJoin
from millstream.analytics.scalars.nodes import Call
from millstream.analytics.scalars.types import BOOLEAN, INTEGER
from support.operatorruns import Row, Table
from support.slidingruns import SourceRow, run_inputs

ORDERS, SHIPMENTS = Table(ORDERED=INTEGER), Table(SHIPPED=INTEGER)
SAME = ((ORDERS["ORDERED"], SHIPMENTS["SHIPPED"]),)
MINUTE = RowFrame(range_ms=60_000)

ARRIVALS = [(0, 101, None), (0, None, 100), (20, 102, None), (30, 103, None), (40, 104, None), (45, None, 104)]
ARRIVALS += [(45, 100, None), (50, None, 105)]
"""Second, order, shipment, as in the reference: the order 100 comes late."""


def source(arrivals: list[tuple[int, int | None, int | None]]) -> list[SourceRow]:
    return [
        SourceRow(1000 * second, ([] if order is None else [(order,)], [] if shipment is None else [(shipment,)]))
        for second, order, shipment in arrivals
    ]


def joined(
    kind: str, left: RowFrame | None, right: RowFrame | None, arrivals: list[SourceRow], until_s: int
) -> list[Row]:
    """(second, order, shipment) of the result."""
    node = WindowJoin(ORDERS.scan, SHIPMENTS.scan, kind, left, right, SAME, None)
    found = run_inputs(lambda: WindowJoinOperator(node), [ORDERS, SHIPMENTS], arrivals, 1000 * until_s)
    assert not found.failures
    return [(row[2] / 1000, row[0], row[1]) for row in found.rows]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("kind", "left", "right", "expected"),
    [
        ("INNER", MINUTE, None, [(45, 104, 104)]),
        ("INNER", MINUTE, MINUTE, [(45, 104, 104), (45, 100, 100)]),
        ("RIGHT", MINUTE, None, [(0, None, 100), (45, 104, 104), (50, None, 105)]),
        ("RIGHT", MINUTE, MINUTE, [(45, 104, 104), (45, 100, 100), (110, None, 105)]),
        ("LEFT", MINUTE, None, [(45, 104, 104), (60, 101, None), (80, 102, None), (90, 103, None), (105, 100, None)]),
        ("LEFT", MINUTE, MINUTE, [(45, 104, 104), (45, 100, 100), (60, 101, None), (80, 102, None), (90, 103, None)]),
        (
            "FULL",
            None,
            MINUTE,
            [
                *((0, 101, None), (20, 102, None), (30, 103, None), (40, 104, None)),
                *((45, 100, 100), (105, None, 104), (110, None, 105)),
            ],
        ),
    ],
)
def test_the_examples_of_the_reference(
    kind: str, left: RowFrame | None, right: RowFrame | None, expected: list[Row]
) -> None:
    assert joined(kind, left, right, source(ARRIVALS), 200) == expected


def test_a_row_without_a_match_waits_until_its_window_is_over() -> None:
    assert joined("LEFT", MINUTE, MINUTE, source([(0, 1, None)]), 60) == []
    assert joined("LEFT", MINUTE, MINUTE, source([(0, 1, None), (60, None, 1)]), 200) == [(60, 1, 1)]


def test_rows_of_the_same_source_row_meet_without_a_window() -> None:
    assert joined("INNER", None, None, source([(0, 1, 1), (0, 2, 3), (0, 3, None)]), 10) == [(0, 1, 1)]


def test_the_last_rows_of_a_window_of_rows() -> None:
    arrivals = source([(0, 1, None), (1, 2, None), (2, 3, None), (3, None, 1), (3, None, 2), (3, None, 3)])
    assert joined("INNER", RowFrame(rows=2), None, arrivals, 10) == [(3, 2, 2), (3, 3, 3)]
    assert joined("LEFT", RowFrame(rows=2), None, arrivals, 10)[0] == (2, 1, None)


def test_a_condition_that_is_no_equality() -> None:
    less = Call("<", (ORDERS["ORDERED"], SHIPMENTS["SHIPPED"]), BOOLEAN)
    node = WindowJoin(ORDERS.scan, SHIPMENTS.scan, "LEFT", MINUTE, None, (), less)
    arrivals = source([(0, 1, None), (1, 5, None), (2, None, 3), (3, None, 9)])
    found = run_inputs(lambda: WindowJoinOperator(node), [ORDERS, SHIPMENTS], arrivals, 100_000)
    assert [row[:3] for row in found.rows] == [(1, 3, 2000), (1, 9, 3000), (5, 9, 3000)]


def test_a_row_whose_condition_cannot_be_computed_is_an_error() -> None:
    ratio = Call("/", (ORDERS["ORDERED"], SHIPMENTS["SHIPPED"]), INTEGER)
    node = WindowJoin(
        ORDERS.scan, SHIPMENTS.scan, "INNER", MINUTE, None, (), Call("=", (ratio, ORDERS["ORDERED"]), BOOLEAN)
    )
    found = run_inputs(
        lambda: WindowJoinOperator(node), [ORDERS, SHIPMENTS], source([(0, 4, None), (1, None, 0), (2, None, 1)]), 9000
    )
    assert [row[:2] for row in found.rows] == [(4, 1)]
    assert [row[:2] for row, _ in found.failures] == [(4, 0)]


def test_what_has_left_the_windows_is_forgotten() -> None:
    node = WindowJoin(ORDERS.scan, SHIPMENTS.scan, "FULL", MINUTE, RowFrame(rows=10), SAME, None)
    operator = WindowJoinOperator(node)
    for at in range(12):
        rows = [SourceRow(61_000 * at, ([(1000 * at + one,)], [(-1000 * at - one,)])) for one in range(500)]
        run_inputs(lambda: operator, [ORDERS, SHIPMENTS], rows, 61_000 * (at + 1))
    assert len(operator.state()["keys"]) < 3000  # type: ignore[arg-type]
    assert operator.state_bytes() < 1_500_000
