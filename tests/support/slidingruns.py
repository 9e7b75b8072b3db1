"""Operators that take rows of one or several streams, over a source cut into cycles in any way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from millstream.analytics.engine.state import decode_state, encode_state
from millstream.analytics.operators.frames import SEQ, TIME, Cycle, Operator
from support.operatorruns import Failures, Row, Run, Table


class SourceRow(NamedTuple):
    """A row of the source: when it came, and the rows that each input of the operator gets from it."""

    time_ms: int
    gives: Sequence[Sequence[Row]]


def run_inputs(
    make: Callable[[], Operator],
    tables: Sequence[Table],
    source: Sequence[SourceRow],
    until_ms: int,
    *,
    cuts: Collection[int] = (),
    beats: Mapping[int, int] | None = None,
    restarts: Collection[int] = (),
) -> Run:
    """Run the operator. `cuts`: numbers of source rows that begin a cycle. `beats`: how far time is known, beyond the
    last row, when the cycle before that source row ends. `restarts`: numbers of source rows before which the operator
    is made anew from its state."""
    operator, failures, rows = make(), Failures(), list[Row]()
    bounds = sorted({0, *cuts, *restarts, *(beats or {})} & set(range(len(source) + 1)))
    for start, stop in zip(bounds, [*bounds[1:], len(source)], strict=True):
        if start in restarts:
            state = decode_state(encode_state(operator.state()))
            operator = make()
            operator.restore(state)
        known = until_ms
        if stop < len(source):
            last_ms = source[stop - 1].time_ms if stop else 0
            known = min(last_ms + (beats or {}).get(stop, 0), source[stop].time_ms)
        cycle = Cycle(start, np.array([row.time_ms for row in source[start:stop]], dtype=np.int64), known, failures)
        inputs = tuple(_frame(table, source, start, stop, at) for at, table in enumerate(tables))
        out = operator.process(inputs, cycle)
        places = out.select(SEQ, TIME).rows()
        assert places == sorted(places)
        assert operator.state_bytes() >= 0
        rows += out.rows()
    return Run(rows, failures.found)


def _frame(table: Table, source: Sequence[SourceRow], start: int, stop: int, at: int) -> pl.DataFrame:
    rows = [(row, number) for number in range(start, stop) for row in source[number].gives[at]]
    frame = table.frame([row for row, _ in rows], [source[number].time_ms for _, number in rows], 0)
    return frame.with_columns(pl.Series(SEQ, [2 * number + 1 for _, number in rows], dtype=pl.Int64))


def single(times_ms: Sequence[int], rows: Sequence[Row]) -> list[SourceRow]:
    """A source each of whose rows gives one row to one input."""
    return [SourceRow(time, ((row,),)) for time, row in zip(times_ms, rows, strict=True)]
