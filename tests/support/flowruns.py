"""Planned programs over rows, cut into cycles in any way."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Collection, Mapping
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import polars as pl

from millstream.analytics.engine.dataflow import DataFlow, SourceRows
from millstream.analytics.engine.errors import ErrorRows
from millstream.analytics.engine.state import decode_state, encode_state
from millstream.analytics.operators.frames import SEQ, TIME
from millstream.analytics.plan.nodes import ProgramPlan
from millstream.analytics.scalars.dtypes import dtype
from support.sqlprograms import LOOSE
from support.sqlrows import SOURCE, START_MS, TABLE, TABLE_ROWS, Input, make_rows_of_new_keys

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?")
AFTER_ALL_MS = 400 * 86_400_000
Rows = dict[str, list[str]]
Frames = dict[str, list[pl.DataFrame]]


def tables() -> dict[str, pl.DataFrame]:
    """The reference table."""
    return {"REF": pl.DataFrame(TABLE_ROWS, schema={name: dtype(of) for name, of in TABLE.items()}, orient="row")}


class Cuts(NamedTuple):
    """Cycles: the rows that begin one; times at which a cycle without rows comes before a row; the rows before which
    all is made anew from its state."""

    starts: Collection[int] = ()
    beats: Mapping[int, int] = {}
    restarts: Collection[int] = ()


def ways(given: Input, seed: int) -> dict[str, Cuts]:
    """Ways to cut an input."""
    chance, count = random.Random(seed), len(given.rows)
    starts = {number for number in range(count) if chance.random() < 0.3}
    beats = {
        number: chance.randint(given.times_ms[max(0, number - 1)], given.times_ms[number])
        for number in range(count)
        if chance.random() < 0.3
    }
    return {
        "one batch": Cuts(),
        "row by row": Cuts(range(count)),
        "random cuts": Cuts(starts, beats),
        "restarts": Cuts(starts, {}, {number for number in range(count) if chance.random() < 0.25}),
    }


def run(plan: ProgramPlan, given: Input, cuts: Cuts = Cuts()) -> Rows:  # noqa: B008
    """The rows of every stream, as text, with $time and $seq."""
    found = frames_of(plan, given, cuts)
    return {name: [repr(row) for part in parts for row in part.rows()] for name, parts in found.items()}


def differing(expected: Rows, found: Rows) -> tuple[str, str, str] | None:
    """The first stream that is not the same, and its first rows that are not."""
    for name in sorted({*expected, *found}):
        pairs = zip_longest(expected.get(name, []), found.get(name, []), fillvalue="nothing")
        for one, other in pairs:
            if one != other and not (LOOSE in f"{name} {one}" and _close(one, other)):
                return name, one, other
    return None


def _close(one: str, other: str) -> bool:
    numbers, others = _NUMBER.findall(one), _NUMBER.findall(other)
    rest = _NUMBER.sub("", one) == _NUMBER.sub("", other) and len(numbers) == len(others)
    return rest and all(
        math.isclose(float(a), float(b), rel_tol=1e-6, abs_tol=1e-6) for a, b in zip(numbers, others, strict=True)
    )


def frames_of(plan: ProgramPlan, given: Input, cuts: Cuts = Cuts()) -> Frames:  # noqa: B008
    """What each cycle gives every stream: $time, $seq, then the columns."""
    flow, found = DataFlow(plan, tables()), Frames()
    frame, count = given.frame(), len(given.rows)
    bounds = sorted({0, count, *cuts.starts, *cuts.beats, *cuts.restarts})
    reached = 0
    for start, stop in zip(bounds, [*bounds[1:], count], strict=True):
        if start in cuts.restarts:
            state = decode_state(encode_state(flow.state()))
            flow = DataFlow(plan, tables())
            assert flow.restore(state) == []
        if start in cuts.beats:
            reached = max(reached, cuts.beats[start])
            _cycle(flow, frame[:0], [], start, reached, found)
        if start < stop:
            reached = max(reached, given.times_ms[stop - 1])
            _cycle(flow, frame[start:stop], given.times_ms[start:stop], start, reached, found)
    _cycle(flow, frame[:0], [], count, reached + AFTER_ALL_MS, found)
    return found


def state_sizes(plan: ProgramPlan, *, cycles: int, rows: int) -> list[tuple[int, int]]:
    """After each of so many cycles of rows with new keys: the bytes of state, as operators say and as saved."""
    flow, chance, now_ms, sizes = DataFlow(plan, tables()), random.Random(1), START_MS, []
    for cycle in range(cycles):
        times = [now_ms := now_ms + chance.choice((0, 100, 200)) for _ in range(rows)]
        _cycle(flow, make_rows_of_new_keys(chance, times, cycle * rows), times, cycle * rows, now_ms, {})
        sizes.append((flow.state_bytes(), len(encode_state(flow.state()))))
    return sizes


def _cycle(flow: DataFlow, frame: pl.DataFrame, times: list[int], first: int, until_ms: int, found: Frames) -> None:
    seqs = 2 * (first + np.arange(len(times), dtype=np.int64)) + 1
    frame = frame.with_columns(
        pl.Series(TIME, times, dtype=pl.Int64), pl.Series(SEQ, seqs), pl.lit("file").alias("PARTITION_KEY")
    )
    source = SourceRows({SOURCE: frame}, first, np.array(times, dtype=np.int64))
    for name, rows in flow.run(source, until_ms, ErrorRows()).items():
        if name == SOURCE:
            continue
        places = rows.select(SEQ, TIME).rows()
        assert places == sorted(places), name
        shown = rows.select(TIME, SEQ, *(column for column in rows.columns if not column.startswith("$")))
        found.setdefault(name, []).append(shown)
