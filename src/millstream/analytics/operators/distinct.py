"""SELECT DISTINCT: of equal rows within a step of ROWTIME the first, at once."""

from __future__ import annotations

import polars as pl

from millstream.analytics.operators.clocks import LONG_AGO, horizon_ms, step_ends
from millstream.analytics.operators.frames import TIME, Cycle, State
from millstream.analytics.operators.keys import Key, comparable
from millstream.analytics.operators.states import integer, optional_frame
from millstream.analytics.plan.nodes import Distinct
from millstream.analytics.scalars.types import FLOATS, Kind

_END = "$end"
_KEY_BYTES = 200  # about what a row takes as a Python tuple


class DistinctOperator:
    """See plan.nodes.Distinct."""

    def __init__(self, node: Distinct) -> None:
        self._step = node.step
        self._names = [column.name for column in node.columns]
        self._comparable = not any(column.type.kind in FLOATS | {Kind.RECORD} for column in node.columns)
        self._end_ms = LONG_AGO  # of the step that is remembered
        self._seen: set[Key] = set()
        self._frames: list[pl.DataFrame] = []  # the same rows

    def process(self, inputs: tuple[pl.DataFrame, ...], cycle: Cycle) -> pl.DataFrame:
        frame = inputs[0]
        fresh = self._fresh(frame) if frame.height else frame
        if horizon_ms(cycle) >= self._end_ms:
            self._begin(LONG_AGO)
        return fresh

    def _fresh(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows that are the first of their kind in their step."""
        ends = step_ends(frame[TIME].to_numpy(), self._step)
        if ends[0] == ends[-1]:
            return self._fresh_of_step(frame, int(ends[0]))
        # rows of whole steps within the batch can only equal one another
        kinds = frame.hstack([pl.Series(_END, ends)]).unique([*self._names, _END], keep="first", maintain_order=True)
        first, last = kinds[_END] == ends[0], kinds[_END] == ends[-1]
        kinds = kinds.drop(_END)
        return pl.concat(
            [
                self._fresh_of_step(kinds.filter(first), int(ends[0])),
                kinds.filter(~first & ~last),
                self._fresh_of_step(kinds.filter(last), int(ends[-1])),
            ]
        )

    def _fresh_of_step(self, frame: pl.DataFrame, end_ms: int) -> pl.DataFrame:
        if end_ms != self._end_ms:
            self._begin(end_ms)
        kinds = frame.unique(self._names, keep="first", maintain_order=True)
        keys = self._keys(kinds)
        new = [key not in self._seen for key in keys]
        if not any(new):
            return kinds.clear()
        self._seen.update(keys)
        fresh = kinds if all(new) else kinds.filter(pl.Series(new))
        self._frames.append(fresh.select(self._names))
        return fresh

    def _keys(self, frame: pl.DataFrame) -> list[Key]:
        rows = frame.select(self._names).rows()
        return rows if self._comparable else [comparable(row) for row in rows]

    def _begin(self, end_ms: int) -> None:
        self._end_ms = end_ms
        self._seen, self._frames = set(), []

    def state(self) -> State:
        self._frames = [pl.concat(self._frames)] if self._frames else []
        return {"end": self._end_ms, "seen": self._frames[0] if self._frames else None}

    def restore(self, state: State) -> None:
        self._begin(integer(state, "end"))
        seen = optional_frame(state, "seen")
        if seen is not None:
            self._frames, self._seen = [seen], set(self._keys(seen))

    def state_bytes(self) -> int:
        return sum(int(frame.estimated_size()) for frame in self._frames) + _KEY_BYTES * len(self._seen)
