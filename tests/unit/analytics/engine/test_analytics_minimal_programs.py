"""Small programs that random ones were cut down to: each gave something else in a batch than row by row, or failed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from support.flowruns import differing, frames_of, run, ways
from support.sqlprograms import plan_of
from support.sqlrows import COLUMNS, START_MS, Input


class Case(NamedTuple):
    """A query over `s`, values of columns, and the rows that it gives (None: the row is an error)."""

    query: str
    values: dict[str, list[Any]]
    expected: list[tuple[Any, ...]]


AT = datetime(2016, 9, 23)
AT_NEXT = AT + timedelta(milliseconds=1)

CASES = {
    "position in a constant": Case(
        "POSITION(K IN 'ab b') FROM s", {"K": ["a", "b", "x", None]}, [(1,), (2,), (0,), (None,)]
    ),
    "like of constants, no rows": Case("K FROM s WHERE G > 5 AND 'x' NOT LIKE UPPER('a')", {"G": [1, 2]}, []),
    "whole division by a constant": Case("G / 49 FROM s", {"G": [49, 98, -147, 48]}, [(1,), (2,), (-3,), (0,)]),
    "division by a constant": Case("F / 3E2 FROM s", {"F": [1e10, 0.3]}, [(1e10 / 300,), (0.3 / 300,)]),
    "constant columns compared": Case(
        "b FROM (SELECT STREAM 5 AS a, 2.5 >= 1 AS b FROM s) WHERE 7.5 >= a", {"G": [1, 2]}, [(True,), (True,)]
    ),
    "residual over one row's pairs": Case(
        "r.NAME FROM s JOIN REF AS r ON s.G = r.NUM AND 3.0 >= s.G", {"G": [2, 9]}, [("ab",), ("b",)]
    ),
    "groups of time alone": Case(
        "COUNT(*) FROM (SELECT STREAM UPPER(K) AS u FROM s) AS t GROUP BY STEP(t.ROWTIME BY INTERVAL '1' MINUTE)",
        {"K": ["a", "b"]},
        [(2,)],
    ),
    "negative sums beside great numbers": Case(
        "SUM(F) OVER (PARTITION BY G ROWS 1 PRECEDING) FROM s",
        {"G": [1, 2, 1], "F": [-0.3, 1e300, -0.25]},
        [(-0.3,), (1e300,), (-0.55,)],
    ),
    "variances that overflow": Case(
        "VAR_POP(F) OVER (ROWS 1 PRECEDING) FROM s", {"F": [1e300, -1e300, -1e300]}, [(0.0,), (0.0,)]
    ),
    "two zeros": Case(
        "COUNT(DISTINCT F) OVER (ROWS 5 PRECEDING), MIN(F) OVER (ROWS 5 PRECEDING) FROM s",
        {"F": [0.0, -0.0, 0.0]},
        [(1, 0.0), (1, 0.0), (1, 0.0)],
    ),
    "windows over no columns": Case("COUNT(*) OVER (ROWS 1 PRECEDING) FROM s", {"G": [1, 2, 3]}, [(1,), (2,), (2,)]),
    "joins of no columns": Case("r.NAME FROM s JOIN REF AS r ON 3 = r.NUM", {"G": [1, 2]}, [("a",), ("a",)]),
    "stream joins of no columns": Case(
        'TRUE AS x FROM s LEFT JOIN "SOURCE_SQL_STREAM_001" OVER (ROWS 0 PRECEDING) AS b ON 1 = 0',
        {"G": [1, 2]},
        [(True,), (True,)],
    ),
    "sorted rows of no columns": Case(
        "1 AS x FROM s ORDER BY FLOOR(s.ROWTIME TO SECOND), 1 + 1", {"G": [1, 2]}, [(1,), (1,)]
    ),
    "distinct times": Case(
        "DISTINCT s.ROWTIME AS a, s.ROWTIME AS b FROM s", {"G": [1, 2]}, [(AT, AT), (AT_NEXT, AT_NEXT)]
    ),
    "distinct items with two zeros": Case(
        "* FROM TABLE(COUNT_DISTINCT_ITEMS_TUMBLING(CURSOR(SELECT STREAM F AS f FROM s), 'F', 5))",
        {"F": [0.0, -0.0]},
        [(1,)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_results_are_right_and_the_same_in_every_batch(name: str) -> None:
    case = CASES[name]
    count = len(next(iter(case.values.values())))
    rows = [
        tuple(case.values[column][at] if column in case.values else None for column in COLUMNS) for at in range(count)
    ]
    given = Input([START_MS + at for at in range(count)], rows)
    plan = plan_of("SELECT STREAM " + case.query.replace("FROM s", 'FROM "SOURCE_SQL_STREAM_001" AS s'))
    found = [row[2:] for frame in frames_of(plan, given).get("$query", []) for row in frame.rows()]
    assert repr(found) == repr(case.expected)
    expected = run(plan, given)
    assert all(differing(expected, run(plan, given, cuts)) is None for cuts in ways(given, 1).values())
