"""MONOTONIC."""

from __future__ import annotations

import pytest

from millstream.analytics.operators.monotonic import MonotonicOperator
from millstream.analytics.plan.nodes import Monotonic
from millstream.analytics.scalars.types import DOUBLE, INTEGER, VARCHAR, SqlType
from support.operatorruns import Row, Table
from support.slidingruns import run_inputs, single


@pytest.mark.parametrize(
    ("of", "values", "expected"),
    [
        (INTEGER, [3, 3, 2, None, 5, 4, 5], [3, 3, None, 5, 5]),
        (DOUBLE, [-1.0, -2.0, 0.5], [-1.0, 0.5]),
        (VARCHAR, ["b", "a", None, "b", "c"], ["b", None, "b", "c"]),
    ],
)
@pytest.mark.parametrize("cuts", [[], [1, 2, 4], range(7)], ids=str)
def test_rows_below_what_was_seen_are_left_out(
    of: SqlType, values: list[object], expected: list[object], cuts: list[int]
) -> None:
    table = Table(V=of)
    node = Monotonic(table.scan, table["V"])
    rows: list[Row] = [(value,) for value in values]
    source = single([0] * len(values), rows)
    found = run_inputs(lambda: MonotonicOperator(node), [table], source, 0, cuts=cuts, restarts=cuts)
    assert [row[0] for row in found.rows] == expected
