"""Operators that group rows in windows: the same results however the input is cut into cycles, and the right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millstream.analytics.operators.distinct import DistinctOperator
from millstream.analytics.operators.frames import Operator
from millstream.analytics.operators.session import SessionOperator
from millstream.analytics.operators.stagger import StaggerOperator
from millstream.analytics.operators.tumble import TumbleOperator
from millstream.analytics.operators.windowsort import WindowSortOperator
from millstream.analytics.plan.nodes import (
    Aggregate,
    Distinct,
    Item,
    Session,
    SortKey,
    Stagger,
    TimeKey,
    TimeStep,
    Tumble,
    WindowSort,
)
from millstream.analytics.scalars.nodes import Literal
from millstream.analytics.scalars.types import BIGINT, DOUBLE, INTEGER, TIMESTAMP, VARCHAR
from support.operatorruns import History, Row, Table, one_by_one, run

EPOCH = datetime(1970, 1, 1)
TABLE = Table(K=VARCHAR, V=INTEGER, D=DOUBLE, E=TIMESTAMP)
K, V, D, E = (TABLE[name] for name in "KVDE")
KEYS = (Item("K", K),)
AGGREGATES = (
    Aggregate("N", "COUNT(*)", (), BIGINT),
    Aggregate("C", "COUNT", (V,), BIGINT),
    Aggregate("S", "SUM", (D,), DOUBLE),
    Aggregate("A", "AVG", (V,), DOUBLE),
    Aggregate("LO", "MIN", (D,), DOUBLE),
    Aggregate("HI", "MAX", (K,), VARCHAR),
    Aggregate("SD", "STDDEV_SAMP", (V,), DOUBLE),
    Aggregate("VP", "VAR_POP", (D,), DOUBLE),
    Aggregate("F", "FIRST_VALUE", (V,), INTEGER),
    Aggregate("L", "LAST_VALUE", (V,), INTEGER),
    Aggregate("SECOND", "NTH_VALUE", (V, Literal(2, BIGINT)), INTEGER),
    Aggregate("CD", "COUNT", (V,), BIGINT, distinct=True),
    Aggregate("SD2", "SUM", (D,), DOUBLE, distinct=True),
    Aggregate("X", "EXP_AVG", (D, Literal(3, BIGINT)), DOUBLE),
)
FEW = (AGGREGATES[0], AGGREGATES[2], AGGREGATES[8], AGGREGATES[11])
ROWTIME = TimeKey("T", "rowtime", TimeStep(10), None, TIMESTAMP)
EVENT = TimeKey("ET", "event", TimeStep(10), E, TIMESTAMP)
LONG_EVENT = TimeKey("EL", "event", TimeStep(15), E, TIMESTAMP)

OPERATORS: dict[str, Callable[[], Operator]] = {
    "tumble": lambda: TumbleOperator(Tumble(TABLE.scan, (ROWTIME,), KEYS, AGGREGATES)),
    "tumble all": lambda: TumbleOperator(Tumble(TABLE.scan, (ROWTIME,), (), FEW)),
    "two clocks": lambda: TumbleOperator(Tumble(TABLE.scan, (EVENT, ROWTIME), KEYS, FEW)),
    "event clock": lambda: TumbleOperator(Tumble(TABLE.scan, (EVENT,), KEYS, FEW)),
    "two event steps": lambda: TumbleOperator(Tumble(TABLE.scan, (EVENT, LONG_EVENT), KEYS, FEW)),
    "stagger": lambda: StaggerOperator(Stagger(TABLE.scan, KEYS, FEW, 12)),
    "session": lambda: SessionOperator(Session(TABLE.scan, KEYS, FEW, 7)),
    "event session": lambda: SessionOperator(Session(TABLE.scan, KEYS, FEW, 7, E)),
    "distinct": lambda: DistinctOperator(Distinct(TABLE.scan, TimeStep(10))),
    "sort": lambda: WindowSortOperator(WindowSort(TABLE.scan, TimeStep(10), (SortKey(K, True), SortKey(V, False)))),
}

DOUBLES = st.sampled_from([None, 0.1, 0.2, -0.3, 1e16, -1e16, 1e-20, 12.37, -0.0, 0.0]) | st.floats(-1e6, 1e6)


class Cuts(NamedTuple):
    cuts: set[int]
    beats: dict[int, int]
    restarts: set[int]


@st.composite
def histories(draw: st.DrawFn, *, rows_max: int = 16) -> History:
    gaps = draw(st.lists(st.sampled_from([0, 0, 1, 2, 5, 7, 9, 10, 23]), max_size=rows_max))
    times = [1000 + sum(gaps[: index + 1]) for index in range(len(gaps))]
    rows = [_row(draw, time) for time in times]
    return History(times, rows, (times[-1] if times else 1000) + draw(st.integers(0, 40)))


def _row(draw: st.DrawFn, time: int) -> Row:
    event = draw(st.none() | st.integers(-25, 3)) if draw(st.integers(0, 9)) else draw(st.integers(-60, 30))
    return (
        draw(st.sampled_from(["a", "b", "", None])),
        draw(st.none() | st.integers(-3, 3)),
        draw(DOUBLES),
        None if event is None else EPOCH + timedelta(milliseconds=time + event),
    )


@st.composite
def cuts_of(draw: st.DrawFn, history: History) -> Cuts:
    rows = len(history.rows)
    places = st.integers(0, rows)
    beats = {}
    for place in draw(st.sets(places, max_size=3)):
        low = history.times_ms[place - 1] if place else 0
        high = history.times_ms[place] if place < rows else history.until_ms
        beats[place] = draw(st.integers(low, high))
    return Cuts(draw(st.sets(places, max_size=6)), beats, draw(st.sets(places, max_size=2)))


def same(one: object, other: object) -> bool:
    return repr(one) == repr(other)  # also of NaN and the sign of 0.0, to the last bit


@pytest.mark.parametrize("name", OPERATORS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_results_do_not_depend_on_cycles_or_restarts(name: str, data: st.DataObject) -> None:
    history = data.draw(histories())
    cuts = data.draw(cuts_of(history))
    expected = one_by_one(OPERATORS[name], TABLE, history)
    found = run(OPERATORS[name], TABLE, history, cuts=cuts.cuts, beats=cuts.beats, restarts=cuts.restarts)
    assert same(found.rows, expected.rows)
    assert same(sorted(found.failures, key=_place), sorted(expected.failures, key=_place))


def _place(failure: tuple[Row, str]) -> tuple[object, ...]:
    return failure[0][-2:]  # $time, $seq: of a row of a cycle either reason may come first


@settings(max_examples=12, deadline=None)
@given(history=histories(rows_max=40))
def test_tumbling_gives_what_duckdb_gives_for_the_whole(history: History) -> None:
    history = history._replace(until_ms=history.until_ms + 10)
    found = run(OPERATORS["tumble"], TABLE, history, cuts=range(0, len(history.rows), 7))
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE s (n BIGINT, ms BIGINT, K VARCHAR, V INTEGER, D DOUBLE)")
        values = [(n, at, *row[:3]) for n, (at, row) in enumerate(zip(history.times_ms, history.rows, strict=True))]
        if values:
            connection.executemany("INSERT INTO s VALUES (?, ?, ?, ?, ?)", values)
        expected = connection.execute(
            """SELECT ms // 10 * 10, K, count(*), count(V), fsum(D), avg(V), min(D), max(K), stddev_samp(V),
                      list(V ORDER BY n), count(DISTINCT V)
               FROM s GROUP BY ALL ORDER BY 1, min(n)"""
        ).fetchall()
    assert len(found.rows) == len(expected)
    for row, wanted in zip(found.rows, expected, strict=True):
        _agree(row, wanted)


def _agree(row: Row, wanted: tuple[Any, ...]) -> None:
    start, key, count, some, total, average, low, high, deviation, values, different = wanted
    assert row[0] == EPOCH + timedelta(milliseconds=start)
    assert row[1:4] == (key, count, some)
    assert row[-2] == start + 10
    # DuckDB's fsum is compensated, ours exact
    assert row[4] == (None if total is None else pytest.approx(total, rel=1e-9, abs=1e-3))
    assert row[5] == (None if average is None else pytest.approx(average))
    assert row[6:8] == (low, high)
    assert row[8] == (None if deviation is None else pytest.approx(deviation, abs=1e-12))
    assert row[10:13] == (values[0], values[-1], values[1] if len(values) > 1 else None)
    assert row[13] == different


@settings(max_examples=12, deadline=None)
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=30))
def test_sums_are_exact(values: list[float]) -> None:
    history = History(range(len(values)), [("a", None, value, None) for value in values], 40)
    aggregates = (Aggregate("S", "SUM", (D,), DOUBLE),)
    node = Tumble(TABLE.scan, (ROWTIME._replace(step=TimeStep(40)),), KEYS, aggregates)
    found = run(lambda: TumbleOperator(node), TABLE, history, cuts=range(0, len(values), 4))
    assert found.rows[0][2] == math.fsum(values)


def _windows(history: History, ends: Callable[[int, int], int], belongs: Callable[[int, int], bool]) -> list[Row]:
    """Windows of keys row by row: (key, rows, end), by end and opening; `ends(old end, time)`, `belongs(end, time)`."""
    opened: dict[object, list[Any]] = {}
    done = []
    for number, (time, row) in enumerate(zip(history.times_ms, history.rows, strict=True)):
        window = opened.get(row[0])
        if window is None or not belongs(window[2], time):
            done += [window] if window is not None else []
            window = opened[row[0]] = [row[0], 0, 0, number]
        window[1] += 1
        window[2] = ends(window[2], time)
    done += [window for window in opened.values() if window[2] <= history.until_ms]
    return [tuple(window[:3]) for window in sorted(done, key=lambda window: (window[2], window[3]))]


@settings(max_examples=12, deadline=None)
@given(history=histories(rows_max=40))
def test_windows_of_keys_are_those_of_the_definition(history: History) -> None:
    count = AGGREGATES[:1]
    stagger = run(lambda: StaggerOperator(Stagger(TABLE.scan, KEYS, count, 12)), TABLE, history)
    expected = _windows(history, lambda end, time: end or time + 12, lambda end, time: time < end)
    assert [row[:3] for row in stagger.rows] == expected
    session = run(lambda: SessionOperator(Session(TABLE.scan, KEYS, count, 7)), TABLE, history)
    expected = _windows(history, lambda _, time: time + 7, lambda end, time: time < end)
    assert [row[:3] for row in session.rows] == expected
