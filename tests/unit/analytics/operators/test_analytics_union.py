"""UNION ALL."""

from __future__ import annotations

import numpy as np
import polars as pl

from millstream.analytics.operators.frames import Cycle
from millstream.analytics.operators.union import UnionOperator
from millstream.analytics.plan.nodes import Union
from millstream.analytics.scalars.types import INTEGER
from support.operatorruns import Failures, Table
from support.slidingruns import SourceRow, run_inputs

TABLES = [Table(A=INTEGER), Table(B=INTEGER), Table(C=INTEGER)]
NODE = Union(tuple(table.scan for table in TABLES))


def test_rows_are_in_the_order_of_the_source_then_of_the_inputs() -> None:
    source = [SourceRow(3, ([], [(1,)], [(2,), (3,)])), SourceRow(3, ([(4,)], [], [(5,)])), SourceRow(9, ([], [], []))]
    for cuts in ([], [1], [1, 2]):
        found = run_inputs(lambda: UnionOperator(NODE), TABLES, source, 9, cuts=cuts)
        assert found.rows == [(1, 3, 1), (2, 3, 1), (3, 3, 1), (4, 3, 3), (5, 3, 3)]


def test_rows_of_windows_that_close_stand_before_the_row_that_closes_them() -> None:
    frames = [
        pl.DataFrame(
            {name: values, "$time": times, "$seq": seqs}, schema_overrides={"$time": pl.Int64, "$seq": pl.Int64}
        )
        for name, values, times, seqs in (
            ("A", [1, 2], [5, 12], [1, 3]),
            ("B", [10, 20], [6, 10], [2, 2]),
            ("C", [100], [10], [2]),
        )
    ]
    out = UnionOperator(NODE).process(tuple(frames), Cycle(0, np.array([5, 12]), 12, Failures()))
    assert out["A"].to_list() == [1, 10, 20, 100, 2]
