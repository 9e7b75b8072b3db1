"""ORDER BY within steps of ROWTIME: a step's rows leave at its end, sorted; rows with equal keys as they came.

NULL counts as greater than every value: last when ascending, first when descending.
"""

from __future__ import annotations

import polars as pl

from millstream.analytics.operators.clocks import horizon_ms, step_ends
from millstream.analytics.operators.closing import no_rows
from millstream.analytics.operators.frames import SEQ, TIME, Cycle, State
from millstream.analytics.operators.grouping import NUMBER
from millstream.analytics.operators.rowreader import RowReader
from millstream.analytics.operators.stateless import beside
from millstream.analytics.operators.states import integer, optional_frame
from millstream.analytics.plan.nodes import Item, WindowSort

_END = "$end"


class WindowSortOperator:
    """See plan.nodes.WindowSort."""

    def __init__(self, node: WindowSort) -> None:
        self._step = node.step
        self._columns = [column.name for column in node.columns]
        self._keys = [f"$s{index}" for index in range(len(node.keys))]
        self._descending = [key.descending for key in node.keys]
        self._reader = RowReader(Item(name, key.value) for name, key in zip(self._keys, node.keys, strict=True))
        self._waiting: list[pl.DataFrame] = []
        self._first_end_ms: int | None = None  # of what waits
        self._empty = no_rows(node.columns)

    def process(self, inputs: tuple[pl.DataFrame, ...], cycle: Cycle) -> pl.DataFrame:
        if inputs[0].height:
            self._enter(inputs[0], cycle)
        if self._first_end_ms is None or horizon_ms(cycle) < self._first_end_ms:
            return self._empty
        return self._sorted(cycle)

    def _enter(self, frame: pl.DataFrame, cycle: Cycle) -> None:
        rows = self._reader.read(frame, cycle)
        if rows.height < frame.height:
            frame = frame[(rows[NUMBER] - (self._reader.count - frame.height)).to_list()]
        if not frame.height:
            return
        ends = step_ends(frame[TIME].to_numpy(), self._step)
        if self._first_end_ms is None:
            self._first_end_ms = int(ends[0])
        self._waiting.append(
            beside(frame, self._columns, [*(rows[name] for name in self._keys), pl.Series(_END, ends)])
        )

    def _sorted(self, cycle: Cycle) -> pl.DataFrame:
        """The rows of steps that have ended, which wait no longer."""
        waiting = pl.concat(self._waiting)
        ended = waiting[_END] <= horizon_ms(cycle)
        rest = waiting.filter(~ended)
        self._waiting = [rest] if rest.height else []
        self._first_end_ms = int(rest[_END][0]) if rest.height else None
        rows = waiting.filter(ended).sort(
            [_END, *self._keys],
            descending=[False, *self._descending],
            nulls_last=[True, *(not descending for descending in self._descending)],
            maintain_order=True,
        )
        ends = rows[_END].alias(TIME)
        return beside(rows, self._columns, [ends, pl.Series(SEQ, cycle.seq_at(ends.to_numpy()))])

    def state(self) -> State:
        self._waiting = [pl.concat(self._waiting)] if self._waiting else []
        return {"count": self._reader.count, "waiting": self._waiting[0] if self._waiting else None}

    def restore(self, state: State) -> None:
        self._reader.count = integer(state, "count")
        waiting = optional_frame(state, "waiting")
        self._waiting = [] if waiting is None else [waiting]
        self._first_end_ms = None if waiting is None else int(waiting[_END][0])

    def state_bytes(self) -> int:
        return sum(int(frame.estimated_size()) for frame in self._waiting)
