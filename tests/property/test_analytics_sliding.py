"""OVER and joins of streams: the same answers however the input is cut, and those of DuckDB or of a plain loop over the
whole input."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.analytics.operators.frames import Operator
from millstream.analytics.operators.over import OverOperator
from millstream.analytics.operators.windowjoin import WindowJoinOperator
from millstream.analytics.plan.nodes import Over, OverAggregate, RowFrame, WindowJoin
from millstream.analytics.scalars.nodes import Call, Literal, Scalar
from millstream.analytics.scalars.types import BIGINT, BOOLEAN, DOUBLE, INTEGER, VARCHAR, SqlType
from support.operatorruns import Row, Table
from support.slidingruns import SourceRow, run_inputs, single

TABLE = Table(K=VARCHAR, X=DOUBLE, N=BIGINT, S=VARCHAR, B=BOOLEAN)
FRAMES = [RowFrame(range_ms=20), RowFrame(range_ms=0), RowFrame(rows=3), RowFrame(rows=0), RowFrame()]
GAPS = st.sampled_from([0, 0, 0, 1, 1, 2, 5, 30])
ROWS = st.tuples(
    st.sampled_from(["a", "b", "c", None]),
    st.one_of(st.none(), st.integers(-40, 40).map(lambda number: number / 4)),
    st.one_of(st.none(), st.integers(-9, 9)),
    st.one_of(st.none(), st.sampled_from(["", "x", "yy", "ä"])),
    st.one_of(st.none(), st.booleans()),
)


class Cut(NamedTuple):
    """Where cycles begin, how far time is known before, and where the operator is made anew."""

    cuts: list[int]
    beats: dict[int, int]
    restarts: list[int]


NUMBERS = st.integers(0, 30)
CUT = st.builds(
    Cut,
    st.lists(NUMBERS, max_size=6),
    st.dictionaries(NUMBERS, st.integers(0, 40), max_size=4),
    st.lists(NUMBERS, max_size=3),
)


def times_of(gaps: list[int]) -> list[int]:
    return [sum(gaps[: at + 1]) for at in range(len(gaps))]


@functools.cache
def calls(frame: RowFrame) -> list[tuple[OverAggregate, str]]:
    """Calls, and the same over the rows of a frame `w` in DuckDB."""

    def call(
        function: str, of: str, to: SqlType, *more: int, distinct: bool = False, keyed: bool = True
    ) -> OverAggregate:
        literals = tuple(Literal(number, INTEGER) for number in more)
        arguments: tuple[Scalar, ...] = (TABLE[of], *literals) if of else ()
        partition = (TABLE["K"],) if keyed else ()
        return OverAggregate(f"C{len(found)}", function, arguments, to, partition, frame, distinct)

    found: list[tuple[OverAggregate, str]] = []
    for keyed in (True, False):
        found.append((call("COUNT(*)", "", BIGINT, keyed=keyed), "count(*)"))
        found.append((call("COUNT", "X", BIGINT, keyed=keyed), "count(X)"))
        found.append((call("SUM", "X", DOUBLE, keyed=keyed), "sum(X)"))
        found.append((call("AVG", "X", DOUBLE, keyed=keyed), "avg(X)"))
        found.append((call("SUM", "N", BIGINT, keyed=keyed), "sum(N)::BIGINT"))
        found.append((call("AVG", "N", BIGINT, keyed=keyed), "trunc(sum(N) / count(N))::BIGINT"))
        found.append((call("MIN", "X", DOUBLE, keyed=keyed), "min(X)"))
        found.append((call("MAX", "N", BIGINT, keyed=keyed), "max(N)"))
        found.append((call("MAX", "S", VARCHAR, keyed=keyed), "max(S)"))
        found.append((call("ANY", "B", BOOLEAN, keyed=keyed), "bool_or(B)"))
        found.append((call("EVERY", "B", BOOLEAN, keyed=keyed), "bool_and(B)"))
        found.append((call("VAR_SAMP", "X", DOUBLE, keyed=keyed), "var_samp(X)"))
        found.append((call("STDDEV_POP", "N", DOUBLE, keyed=keyed), "stddev_pop(N)"))
        found.append((call("EXP_AVG", "X", DOUBLE, 7, keyed=keyed), "sum(X * W) / sum(W) FILTER (X IS NOT NULL)"))
        found.append((call("COUNT", "N", BIGINT, distinct=True, keyed=keyed), "count(DISTINCT N)"))
        found.append((call("SUM", "X", DOUBLE, distinct=True, keyed=keyed), "sum(DISTINCT X)"))
        found.append((call("VAR_POP", "X", DOUBLE, distinct=True, keyed=keyed), "var_pop(DISTINCT X)"))
        found.append((call("FIRST_VALUE", "N", BIGINT, keyed=keyed), "list(N ORDER BY I)[1]"))
        found.append((call("LAST_VALUE", "S", VARCHAR, keyed=keyed), "list(S ORDER BY I)[-1]"))
        found.append((call("NTH_VALUE", "N", BIGINT, 2, keyed=keyed), "list(N ORDER BY I)[2]"))
        found.append((call("LAG", "N", BIGINT, 2, keyed=keyed), "list(N ORDER BY I)[-3]"))
        found.append((call("LAG", "S", VARCHAR, keyed=keyed), "list(S ORDER BY I)[-2]"))
        kept = "(list(N ORDER BY I) FILTER (N IS NOT NULL))"
        for function, more, index in (("FIRST_VALUE", (), 1), ("LAST_VALUE", (), -1), ("NTH_VALUE", (2,), 2)):
            skipping = call(function, "N", BIGINT, *more, keyed=keyed)._replace(ignore_nulls=True)
            found.append((skipping, f"{kept}[{index}]"))
        earlier = "(list(N ORDER BY I) FILTER (N IS NOT NULL AND NOT OWN))"
        found.append((call("LAG", "N", BIGINT, 2, keyed=keyed)._replace(ignore_nulls=True), f"{earlier}[-2]"))
    return found


def by_duckdb(rows: list[Row], times: list[int], frame: RowFrame) -> list[Row]:
    frame_rows = TABLE.frame(rows, times, 0).rename({"$time": "T"}).with_row_index("I").to_arrow()
    by_frame: dict[bool, list[str]] = {True: [], False: []}
    for at, (call, text) in enumerate(calls(frame)):
        by_frame[bool(call.partition)].append(f"{text} AS C{at}")
    near = "TRUE"
    if frame.range_ms is not None:
        near = f"b.T >= a.T - {frame.range_ms}"
    queries = []
    for keyed, items in by_frame.items():
        same = "a.K IS NOT DISTINCT FROM b.K" if keyed else "TRUE"
        last = (
            ""
            if frame.rows is None
            else f"QUALIFY row_number() OVER (PARTITION BY a.I ORDER BY b.I DESC) <= {frame.rows + 1}"
        )
        pairs = (
            "SELECT a.I AS A, b.*, a.I = b.I AS OWN, 2 ** ((b.T - a.T) / 7) AS W "
            f"FROM r a JOIN r b ON b.I <= a.I AND {same} AND {near} {last}"
        )
        queries.append(f"(SELECT A, {', '.join(items)} FROM ({pairs}) GROUP BY A)")
    names = ", ".join(f"C{at}" for at in range(len(calls(frame))))
    with duckdb.connect() as connection:
        connection.register("r", frame_rows)
        return connection.sql(f"SELECT {names} FROM {queries[0]} JOIN {queries[1]} USING (A) ORDER BY A").fetchall()


def over(frame: RowFrame) -> Callable[[], Operator]:
    return lambda: OverOperator(Over(TABLE.scan, tuple(call for call, _ in calls(frame))))


def close(rows: list[Row]) -> list[Row]:
    """The same rows, to be compared within 1e-9."""
    return [
        tuple(pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value for value in row)
        for row in rows
    ]


@pytest.mark.parametrize("frame", FRAMES, ids=str)
@settings(max_examples=5)
@given(history=st.lists(st.tuples(GAPS, ROWS), min_size=1, max_size=30), cut=CUT)
def test_over_gives_what_duckdb_gives_however_the_input_is_cut(
    frame: RowFrame, history: list[tuple[int, Row]], cut: Cut
) -> None:
    times, rows = times_of([gap for gap, _ in history]), [row for _, row in history]
    source = single(times, rows)
    whole = run_inputs(over(frame), [TABLE], source, times[-1])
    parts = run_inputs(over(frame), [TABLE], source, times[-1], cuts=cut.cuts, beats=cut.beats, restarts=cut.restarts)
    assert not whole.failures
    assert parts.rows == close(whole.rows)
    assert [row[5:-2] for row in whole.rows] == close(by_duckdb(rows, times, frame))
    assert [row[:5] + row[-2:] for row in whole.rows] == [
        (*row, time, 2 * at + 1) for at, (row, time) in enumerate(zip(rows, times, strict=True))
    ]


@settings(max_examples=15)
@given(
    history=st.lists(
        st.tuples(GAPS, st.sampled_from("abc"), st.floats(allow_nan=False, allow_infinity=False)), max_size=30
    ),
    cut=CUT,
)
def test_sums_of_doubles_are_the_same_to_the_last_digit_however_the_input_is_cut(
    history: list[tuple[int, str, float]], cut: Cut
) -> None:
    table = Table(K=VARCHAR, X=DOUBLE)
    summing = [
        OverAggregate(f"C{at}", function, (table["X"],), DOUBLE, (table["K"],), frame)
        for at, (function, frame) in enumerate((f, frame) for f in ("SUM", "AVG") for frame in FRAMES)
    ]
    times = times_of([gap for gap, _, _ in history])
    source = single(times, [row[1:] for row in history])
    until = times[-1] if times else 0

    def make() -> Operator:
        return OverOperator(Over(table.scan, tuple(summing)))

    whole = run_inputs(make, [table], source, until)
    assert run_inputs(make, [table], source, until, cuts=cut.cuts, beats=cut.beats, restarts=cut.restarts) == whole


LEFT, RIGHT = Table(LK=VARCHAR, X=BIGINT), Table(RK=VARCHAR, Y=BIGINT)
JOINED = st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 5))
GIVEN = st.lists(JOINED, max_size=2)
JOIN_FRAMES = [None, RowFrame(range_ms=0), RowFrame(range_ms=7), RowFrame(rows=1), RowFrame(rows=3), RowFrame()]
JOINS = st.builds(
    WindowJoin,
    st.just(LEFT.scan),
    st.just(RIGHT.scan),
    st.sampled_from(["INNER", "LEFT", "RIGHT", "FULL"]),
    st.sampled_from(JOIN_FRAMES),
    st.sampled_from(JOIN_FRAMES),
    st.sampled_from([((LEFT["LK"], RIGHT["RK"]),), ()]),
    st.sampled_from([None, Call("<", (LEFT["X"], RIGHT["Y"]), BOOLEAN)]),
)


class Remembered(NamedTuple):
    """A row of an input in the plain join: its values, time and number of the source row."""

    values: Row
    time: int
    number: int


class PlainJoin:
    """A join row by row, in the plainest way."""

    def __init__(self, node: WindowJoin) -> None:
        self.node = node
        self.frames = (node.left_frame, node.right_frame)
        self.keeps = (node.kind in ("LEFT", "FULL"), node.kind in ("RIGHT", "FULL"))
        self.rows: tuple[list[Remembered], list[Remembered]] = ([], [])
        self.matched: tuple[set[int], set[int]] = (set(), set())
        self.out: list[tuple[int, int, int, Row]] = []

    def run(self, source: list[SourceRow], until: int) -> list[Row]:
        times = [row.time_ms for row in source]
        for number, one in enumerate(source):
            for side in (0, 1):
                for values in one.gives[side]:
                    self.take(side, Remembered(values, times[number], number))
        for side, frame in enumerate(self.frames):
            for at, row in enumerate(self.rows[side]):
                if self.keeps[side] and at not in self.matched[side]:
                    if frame is None:
                        self.emit(2 * row.number + 1, row.time, 1, side, row, None)
                    elif frame.range_ms is not None and row.time + frame.range_ms < until:
                        end = row.time + frame.range_ms
                        self.emit(2 * sum(time <= end for time in times), end, 2, side, row, None)
        self.out.sort(key=lambda one: one[:3])
        return [(*values, time, seq) for seq, time, _, values in self.out]

    def take(self, side: int, row: Remembered) -> None:
        frame, own, others = self.frames[side], self.rows[side], self.rows[1 - side]
        own.append(row)
        at = len(own) - 1
        if frame is not None and frame.rows and self.keeps[side] and at >= frame.rows:
            pushed = at - frame.rows
            if pushed not in self.matched[side]:
                self.emit(2 * row.number + 1, row.time, 0, side, own[pushed], None)
        for other_at, other in enumerate(others):
            if self.sees(1 - side, other_at, row) and self.fits(side, row.values, other.values):
                self.matched[side].add(at)
                self.matched[1 - side].add(other_at)
                self.emit(2 * row.number + 1, row.time, 0, side, row, other)

    def sees(self, side: int, at: int, row: Remembered) -> bool:
        frame, candidate = self.frames[side], self.rows[side][at]
        if frame is None:
            return candidate.number == row.number
        if frame.range_ms is not None:
            return candidate.time >= row.time - frame.range_ms
        return frame.rows is None or at >= len(self.rows[side]) - frame.rows

    def fits(self, side: int, own: Row, other: Row) -> bool:
        left, right = (own, other) if side == 0 else (other, own)
        if self.node.equal and (left[0] is None or left[0] != right[0]):
            return False
        return self.node.residual is None or left[1] < right[1]  # type: ignore[operator]

    def emit(self, seq: int, time: int, phase: int, side: int, row: Remembered, other: Remembered | None) -> None:
        halves = (row.values, (None, None) if other is None else other.values)
        self.out.append((seq, time, phase, halves[0] + halves[1] if side == 0 else halves[1] + halves[0]))


@settings(max_examples=120)
@given(
    node=JOINS,
    history=st.lists(st.tuples(GAPS, GIVEN, GIVEN), min_size=1, max_size=30),
    after=st.integers(0, 12),
    cut=CUT,
)
def test_joins_give_what_a_join_row_by_row_gives_however_the_input_is_cut(
    node: WindowJoin, history: list[tuple[int, list[Row], list[Row]]], after: int, cut: Cut
) -> None:
    times = times_of([gap for gap, _, _ in history])
    source = [SourceRow(time, given[1:]) for time, given in zip(times, history, strict=True)]
    until = times[-1] + after

    def make() -> Operator:
        return WindowJoinOperator(node)

    parts = run_inputs(make, [LEFT, RIGHT], source, until, cuts=cut.cuts, beats=cut.beats, restarts=cut.restarts)
    assert parts.rows == PlainJoin(node).run(source, until)
    assert not parts.failures
