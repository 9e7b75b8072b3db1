"""Operators over histories of rows, cut into cycles in any way."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from millstream.analytics.operators.frames import SEQ, TIME, Cycle, Operator, State
from millstream.analytics.plan.nodes import Column, Scan
from millstream.analytics.scalars.compile import RowErrors
from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.nodes import ColumnRef
from millstream.analytics.scalars.types import SqlType

Row = tuple[object, ...]


class Run(NamedTuple):
    """What came out: rows of the output (with $time and $seq), and the rows that failed, with why."""

    rows: list[Row]
    failures: list[tuple[Row, str]]


class Failures:
    """Rows that failed: their $time, $seq and values, and why."""

    def __init__(self) -> None:
        self.found: list[tuple[Row, str]] = []

    def add(self, frame: pl.DataFrame, errors: RowErrors, *, name: str = "") -> None:
        assert errors.rows == sorted(errors.rows)
        self.found += [(frame.row(row), why) for row, why in zip(errors.rows, errors.messages, strict=True)]


class Table:
    """The columns of an operator's input."""

    def __init__(self, **types: SqlType) -> None:
        self.types = types
        self.scan = Scan("S", "S", tuple(Column(name, of) for name, of in types.items()))

    def __getitem__(self, name: str) -> ColumnRef:
        return ColumnRef(name, self.types[name])

    def frame(self, rows: Sequence[Row], times_ms: Sequence[int], first_row: int) -> pl.DataFrame:
        schema = {name: dtype(of) for name, of in self.types.items()}
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        seqs = [2 * (first_row + index) + 1 for index in range(len(rows))]
        return frame.hstack([pl.Series(TIME, times_ms, dtype=pl.Int64), pl.Series(SEQ, seqs, dtype=pl.Int64)])


class History(NamedTuple):
    """Rows in the order of their times, and a time that is reached after them."""

    times_ms: Sequence[int]
    rows: Sequence[Row]
    until_ms: int


def run(
    make: Callable[[], Operator],
    table: Table,
    history: History,
    *,
    cuts: Collection[int] = (),
    beats: Mapping[int, int] | None = None,
    restarts: Collection[int] = (),
) -> Run:
    """Run a history. `cuts`: numbers of rows that begin a cycle. `beats`: cycles without rows before the row of that
    number, at that time. `restarts`: numbers of rows before which the operator is made anew from its state."""
    operator, failures, rows = make(), Failures(), list[Row]()
    beats = beats or {}
    bounds = sorted({0, len(history.rows), *cuts, *beats, *restarts} & set(range(len(history.rows) + 1)))
    for start, stop in zip(bounds, [*bounds[1:], len(history.rows)], strict=True):
        if start in restarts:
            state = stored(operator.state())
            operator = make()
            operator.restore(state)
        if start in beats:
            before = max(beats[start], history.times_ms[start - 1] if start else beats[start])
            rows += _cycle(operator, table, history, (start, start), before, failures)
        until = history.times_ms[stop - 1] if start < stop else (history.times_ms[start - 1] if start else 0)
        rows += _cycle(operator, table, history, (start, stop), until, failures)
    rows += _cycle(operator, table, history, (len(history.rows),) * 2, history.until_ms, failures)
    return Run(rows, failures.found)


def one_by_one(make: Callable[[], Operator], table: Table, history: History) -> Run:
    """A cycle a row."""
    return run(make, table, history, cuts=range(len(history.rows)))


def stored(state: State) -> State:
    """A state as it comes back from a checkpoint."""
    return {name: _stored(value) for name, value in state.items()}


def _stored(value: object) -> object:
    if not isinstance(value, pl.DataFrame):
        assert value is None or isinstance(value, (bool, int, float, str, bytes))
        return value
    buffer = io.BytesIO()
    value.write_ipc(buffer)
    buffer.seek(0)
    return pl.read_ipc(buffer)


def _cycle(
    operator: Operator, table: Table, history: History, span: tuple[int, int], until_ms: int, failures: Failures
) -> list[Row]:
    start, stop = span
    times = list(history.times_ms[start:stop])
    frame = table.frame(history.rows[start:stop], times, start)
    before = frame.clone()
    out = operator.process((frame,), Cycle(start, np.array(times, dtype=np.int64), until_ms, failures))
    assert frame.equals(before)
    seqs = out.select(SEQ, TIME).rows()
    assert seqs == sorted(seqs)
    assert operator.state_bytes() >= 0
    return out.rows()
