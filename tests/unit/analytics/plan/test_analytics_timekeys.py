"""Grouping by an expression of time is grouping by the steps that the planner finds in it: within a step the expression
has one value, in every other step another, and it is the one that the plan shows for the step's beginning."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from millstream.analytics.language.errors import SqlError
from millstream.analytics.operators.clocks import step_starts
from millstream.analytics.plan.nodes import Project, TimeKey, Tumble
from millstream.analytics.plan.walking import walk
from millstream.analytics.scalars.compile import Evaluator, Moment
from millstream.analytics.scalars.nodes import Scalar
from support.planned import planned

SOURCE = '"SOURCE_SQL_STREAM_001"'

KEYS = [
    "ROWTIME",
    "ROWTIME - INTERVAL '1' HOUR",
    "STEP(ROWTIME BY INTERVAL '7' SECOND)",
    "STEP(ROWTIME BY INTERVAL '1:30' MINUTE TO SECOND)",
    "FLOOR(ROWTIME TO SECOND)",
    "FLOOR(ROWTIME TO MINUTE)",
    "FLOOR(ROWTIME TO DAY)",
    "FLOOR(ROWTIME TO MONTH)",
    "FLOOR(ROWTIME TO YEAR)",
    "FLOOR(FLOOR(ROWTIME TO HOUR) TO MONTH)",
    "CEIL(ROWTIME TO HOUR)",
    "CEIL(ROWTIME TO DAY) + INTERVAL '1' HOUR",
    "FLOOR((ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND / 10 TO SECOND)",
    "FLOOR((ROWTIME - TIMESTAMP '2001-01-01 00:00:03') MINUTE / 3 TO MINUTE)",
    "CEIL((ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND / 10 TO SECOND)",
    "STEP((ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND BY INTERVAL '11' SECOND)",
    "STEP(ROWTIME - INTERVAL '25' SECOND BY INTERVAL '10' SECOND)",
    "FLOOR(STEP(ROWTIME - INTERVAL '25' SECOND BY INTERVAL '10' SECOND) TO MINUTE)",
    "FLOOR(STEP(ROWTIME BY INTERVAL '10' SECOND) - INTERVAL '20' SECOND TO MINUTE)",
    "UNIX_TIMESTAMP(ROWTIME) / 60000",
    "FLOOR(CAST(UNIX_TIMESTAMP(ROWTIME) AS DOUBLE) / 1500)",
    "STEP(UNIX_TIMESTAMP(ROWTIME) BY 500)",
    "TSDIFF(ROWTIME, TIMESTAMP '2001-01-01 00:00:03') / 5000",
    "CAST(ROWTIME AS DATE)",
    "CAST(FLOOR(ROWTIME TO MINUTE) AS VARCHAR(30))",
]


@pytest.fixture(scope="module")
def times() -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Times about a moment, of some years, and about the ends of hours, days and months. ms."""
    generator = random.Random(1)
    base = 1_700_000_000_000
    chosen = [base + generator.randrange(-100_000, 100_000) for _ in range(1500)]
    chosen += [base + generator.randrange(10**11) for _ in range(300)]
    for month in range(1, 13):
        begin = int(datetime(2024, month, 1, tzinfo=UTC).timestamp()) * 1000
        chosen += [begin + offset for offset in (-1, 0, 1, 3_599_999, 3_600_000, 3_600_001, 10_000, 10_009, 10_010)]
    return np.array(sorted(chosen), dtype=np.int64)


def time_key(query: str) -> TimeKey:
    (tumble,) = [node for _, node in walk(planned(query)) if isinstance(node, Tumble)]
    return tumble.times[0]


def item(expression: str) -> Scalar:
    query = planned(f"SELECT STREAM {expression} AS v FROM {SOURCE} AS s").query
    assert isinstance(query, Project)
    return query.items[0].value


def values(scalar: Scalar | None, name: str, times: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pl.Series:
    frame = pl.DataFrame({name: pl.Series(times).cast(pl.Datetime("ms"))})
    if scalar is None:
        return frame[name].alias("v")
    result, errors = Evaluator([scalar], ["v"]).run(frame, Moment(0))
    assert errors is None
    return result["v"]


@pytest.mark.parametrize("expression", KEYS)
def test_a_step_has_one_value(expression: str, times: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    key = time_key(f"SELECT STREAM {expression}, COUNT(*) FROM {SOURCE} GROUP BY {expression}")
    starts = step_starts(times, key.step)
    value = values(item(expression), "S.ROWTIME", times)
    assert value.equals(values(key.shown, "window", starts))
    pairs = pl.DataFrame({"value": value, "start": starts})
    assert pairs.unique().height == pairs["value"].n_unique() == pairs["start"].n_unique()


@pytest.mark.parametrize("expression", KEYS)
def test_an_event_time_is_cut_alike(expression: str) -> None:
    event = expression.replace("ROWTIME", '"event_time"')
    if not any(word in event for word in ("FLOOR", "CEIL", "STEP", "/", "CAST")):
        with pytest.raises(SqlError, match="window of time"):
            time_key(f"SELECT STREAM COUNT(*) FROM {SOURCE} GROUP BY {event}")
        return
    of_rowtime = time_key(f"SELECT STREAM COUNT(*) FROM {SOURCE} GROUP BY {expression}")
    of_event = time_key(f"SELECT STREAM COUNT(*) FROM {SOURCE} GROUP BY {event}")
    assert (of_event.clock, of_event.step) == ("event", of_rowtime.step)
    assert (of_event.shown is None) == (of_rowtime.shown is None)


@pytest.mark.parametrize(
    "expression",
    [
        "EXTRACT(HOUR FROM ROWTIME)",
        "EXTRACT(MINUTE FROM FLOOR(ROWTIME TO MINUTE))",
        "CAST(FLOOR(ROWTIME TO SECOND) AS VARCHAR(10))",
        "CURRENT_TIMESTAMP",
        "UNIX_TIMESTAMP()",
        "STEP(n BY 5)",
        "CEIL(ROWTIME TO MONTH)",
    ],
)
def test_what_does_not_cut_time_is_no_window(expression: str) -> None:
    with pytest.raises(SqlError):
        planned(f"SELECT STREAM COUNT(*) FROM {SOURCE} GROUP BY {expression}")
