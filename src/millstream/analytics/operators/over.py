"""SELECT … OVER: sliding windows, incrementally. One row a row, at once.

Each row gets what its calls are of the rows of its partition up to itself, row by row: rows of the same time that come
later do not count. So results do not depend on batches: sums are exact (`oversums`). Only the last digits of variances
and EXP_AVG do (within 1e-12 of the value), as blocks of rows are put together by their ranks in the partition
(`overtrees`), which begin again when a partition had no rows left.

    rows --group_rows--> rows by partition --Partitions--> rank, first rank of the frame
    --Track--> the same of an argument's values without nulls --Measure--> sums, extremes, … --finish--> values

A cycle costs about the rows of its batch, whatever is remembered: per row of state 8 bytes for its time and 16 to 48
for each argument and kind of aggregate. A partition without rows in its frame is forgotten within the frame's length.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import polars as pl

from millstream.analytics.operators.arrays import to_series
from millstream.analytics.operators.frames import SEQ, TIME, Cycle, State, Times
from millstream.analytics.operators.keygroups import Groups, group_rows
from millstream.analytics.operators.overcalls import Finish, need, skips_nulls
from millstream.analytics.operators.overframes import Batch, Partitions
from millstream.analytics.operators.overnumbers import Answers, overflow
from millstream.analytics.operators.overtracks import Track, Values
from millstream.analytics.operators.stateless import beside, computed, without_failed
from millstream.analytics.plan.nodes import Over, OverAggregate, RowFrame
from millstream.analytics.plan.trees import bare
from millstream.analytics.scalars.compile import Evaluator, RowErrors
from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.nodes import Scalar

_COUNT_ROWS = "COUNT(*)"


class OverOperator:
    """See above."""

    def __init__(self, node: Over) -> None:
        self._columns = [column.name for column in node.input.columns]
        self._calls = node.calls
        self._names = _names(node.calls)
        self._evaluator = Evaluator(list(self._names), list(self._names.values()))
        self._windows: dict[tuple[tuple[str, ...], RowFrame], _Window] = {}
        for at, call in enumerate(node.calls):
            partition = tuple(self._names[bare(one)] for one in call.partition)
            window = self._windows.setdefault((partition, call.frame), _Window(call.frame))
            window.add(at, call, self._name_of(call, 0), self._name_of(call, 2))

    def _name_of(self, call: OverAggregate, argument: int) -> str:
        return self._names[bare(call.arguments[argument])] if len(call.arguments) > argument else ""

    def process(self, inputs: tuple[pl.DataFrame, ...], cycle: Cycle) -> pl.DataFrame:
        """See Operator.process."""
        (frame,) = inputs
        values = frame.clear()
        if frame.height and self._names:
            frame, values = computed(self._evaluator, frame, cycle)
        found: list[pl.Series] = [pl.Series(call.name, [], dtype(call.type)) for call in self._calls]
        failed: dict[int, str] = {}
        if frame.height:
            self._run(frame, values, found, failed)
        self._expire(frame, cycle)
        result = beside(frame, self._columns, [*found, frame.get_column(TIME), frame.get_column(SEQ)])
        if not failed:
            return result
        rows = sorted(failed)
        return without_failed(result, RowErrors(rows, [failed[row] for row in rows]), cycle)

    def _run(self, frame: pl.DataFrame, values: pl.DataFrame, found: list[pl.Series], failed: dict[int, str]) -> None:
        times = cast(Times, frame.get_column(TIME).to_numpy())
        groups: dict[tuple[str, ...], Groups] = {}
        for (partition, _), window in self._windows.items():
            if partition not in groups:
                groups[partition] = group_rows([values.get_column(one) for one in partition], frame.height)
            for at, column, rows in window.run(groups[partition], times, values):
                found[at] = column
                failed |= dict.fromkeys(rows, overflow(self._calls[at])) | failed

    def _expire(self, frame: pl.DataFrame, cycle: Cycle) -> None:
        last_ms = frame.get_column(TIME).item(-1) if frame.height else cycle.until_ms
        for window in self._windows.values():
            window.expire(max(last_ms, cycle.until_ms))

    def state(self) -> State:
        """See Operator.state."""
        return {"windows": [window.state() for window in self._windows.values()]}

    def restore(self, state: State) -> None:
        """See Operator.restore."""
        for window, saved in zip(self._windows.values(), cast(list[State], state["windows"]), strict=True):
            window.restore(saved)

    def state_bytes(self) -> int:
        """See Operator.state_bytes."""
        return sum(window.bytes() for window in self._windows.values())


def _names(calls: tuple[OverAggregate, ...]) -> dict[Scalar, str]:
    """Columns for the values that calls need of rows."""
    needed: list[Scalar] = []
    for call in calls:
        needed += call.partition
        needed += call.arguments[:1] + call.arguments[2:3]
    unique = dict.fromkeys(bare(one) for one in needed)
    return {scalar: f"${at}" for at, scalar in enumerate(unique)}


class _Call(NamedTuple):
    at: int
    call: OverAggregate
    track: str
    finish: Finish
    default: str


class _Window:
    """The calls over one frame of one partition."""

    def __init__(self, frame: RowFrame) -> None:
        self._partitions = Partitions(frame)
        self._tracks: dict[str, Track] = {}
        self._arguments: dict[str, str] = {}
        self._calls: list[_Call] = []
        self._row_counts: list[tuple[int, OverAggregate]] = []

    def add(self, at: int, call: OverAggregate, argument: str, default: str) -> None:
        """A call, whose values are the column `argument`; LAG's defaults are the column `default`."""
        if call.function == _COUNT_ROWS:
            self._row_counts.append((at, call))
            return
        name = argument if skips_nulls(call) else f"{argument} with nulls"
        if name not in self._tracks:
            self._tracks[name] = Track(self._partitions, name, skips_nulls=skips_nulls(call))
            self._arguments[name] = argument
        track = self._tracks[name]
        measures, finish = need(call, track)
        for measure, make in measures.items():
            if measure not in track.measures:
                track.measures[measure] = make()
        self._calls.append(_Call(at, call, name, finish, default if call.function == "LAG" else ""))

    def run(self, groups: Groups, times: Times, values: pl.DataFrame) -> list[tuple[int, pl.Series, list[int]]]:
        """The calls' values, in the batch's order, and which rows failed."""
        batch = self._partitions.enter(groups, times)
        counts = Answers(batch.rank - batch.low + 1, None)
        found = [_answered(at, call, counts, batch) for at, call in self._row_counts]
        taken: dict[str, Values] = {}
        measured = {}
        for name, track in self._tracks.items():
            taken[name] = track.append(batch, values.get_column(self._arguments[name]))
            measured[name] = {key: measure.run(taken[name]) for key, measure in track.measures.items()}
        for at, call, name, finish, default in self._calls:
            defaults = values.get_column(default) if default else None
            answers = finish(taken[name], measured[name], defaults)
            found.append(_answered(at, call, answers, batch, defaults))
        return found

    def expire(self, now_ms: int) -> None:
        """Forget what no row from now on looks at."""
        gone = self._partitions.expire(now_ms)
        if gone is not None and gone.size:
            for track in self._tracks.values():
                track.release(gone)

    def state(self) -> State:
        """What is remembered."""
        _, live = self._partitions.keys.live()
        return {
            "partitions": self._partitions.state(live),
            "tracks": {name: track.state(live) for name, track in self._tracks.items()},
        }

    def restore(self, state: State) -> None:
        """Go on from a state."""
        live = self._partitions.restore(cast(State, state["partitions"]))
        saved = cast(dict[str, State], state["tracks"])
        for name, track in self._tracks.items():
            track.restore(saved[name], live)

    def bytes(self) -> int:
        """About how much memory is taken."""
        return self._partitions.bytes() + sum(track.rings.bytes() for track in self._tracks.values())


def _answered(
    at: int, call: OverAggregate, answers: Answers, batch: Batch, defaults: pl.Series | None = None
) -> tuple[int, pl.Series, list[int]]:
    valid, failed = answers.valid, answers.failed
    if failed is not None:
        valid = ~failed if valid is None else valid & ~failed
    place = np.empty_like(batch.groups.order)
    place[batch.groups.order] = np.arange(place.size)
    column = to_series(call.name, answers.values[place], None if valid is None else valid[place], dtype(call.type))
    if defaults is not None and answers.defaults is not None:
        column = _with_defaults(column, defaults, pl.Series(answers.defaults[place]))
    rows = [] if failed is None else np.nonzero(failed[place])[0].tolist()
    return at, column, rows


def _with_defaults(column: pl.Series, defaults: pl.Series, where: pl.Series) -> pl.Series:
    chosen = pl.when(where).then(defaults.cast(column.dtype)).otherwise(column)
    return pl.select(chosen.alias(column.name)).to_series()
