"""One input of a join of streams: the rows of it that rows of the other may still meet."""

from __future__ import annotations

from typing import cast

import numpy as np
import polars as pl

from millstream.analytics.operators.frames import TIME, State, Times
from millstream.analytics.operators.rings import Ints, Rings
from millstream.analytics.operators.rowlog import RowLog, Tail
from millstream.analytics.plan.nodes import RowFrame

NO_KEY = -1
"""The code of rows that have a null in their key: they meet nothing."""

_AT = "at"
_SWEPT_ROWS_MIN = 1024


class Side:
    """The remembered rows of one input, numbered in their order, and by key. `keeps_unmatched`: a row that met nothing
    is wanted, too, when it leaves the frame."""

    def __init__(self, frame: RowFrame | None, *, keeps_unmatched: bool) -> None:
        self.frame = frame
        self.keeps_unmatched = keeps_unmatched
        self.rows = RowLog()
        self.times = Tail(np.int64)
        self.matched = Tail(np.bool_)
        self.codes = Tail(np.int64)
        self.rings = Rings()
        self.rings.add(_AT, np.int64)
        self._unswept = 0

    def append(self, frame: pl.DataFrame, times: Times, codes: Ints, keys: int) -> None:
        """New rows, of these keys (of which there are `keys`)."""
        begin = self.rows.end
        self.rows.append(frame)
        self.times.append(times)
        self.matched.append(np.zeros(times.size, np.bool_))
        self.codes.append(codes)
        self.rings.know(keys)
        self._file(codes, begin)

    def _file(self, codes: Ints, begin: int) -> None:
        """Enter rows, the first of which has the number `begin`, under their keys."""
        known = np.nonzero(codes != NO_KEY)[0]
        order = known[np.argsort(codes[known], kind="stable")]
        unique, firsts, sizes = np.unique(codes[order], return_index=True, return_counts=True)
        bounds = np.full(unique.size, self.rows.first)
        start = self.rings.first_at_least(_AT, unique, self.rings.start[unique], self.rings.next[unique], bounds)
        ranks = np.repeat(self.rings.next[unique] - firsts, sizes) + np.arange(order.size)
        self.rings.append(unique, start, sizes)
        self.rings.columns[_AT][self.rings.places(codes[order], ranks)] = begin + order

    def seen_from(self, times: Times, instants: Times, before: Ints, batch: Times) -> Ints:
        """The first row that is in the frame for each row of the other side, which comes after the rows with numbers
        below `before`. `batch` are the instants of this side's rows of the cycle."""
        first = self.rows.first
        if self.frame is None:
            # Only rows of the same instant: what the same row, or the same moment, brought forth on both sides.
            return self.rows.end - batch.size + np.searchsorted(batch, instants)
        if self.frame.range_ms is not None:
            return first + np.searchsorted(self.times.values(), times - self.frame.range_ms)
        if self.frame.rows is not None:
            return np.maximum(before - self.frame.rows, first)
        return np.full(before.size, first)

    def ranks(self, codes: Ints, numbers: Ints) -> Ints:
        """How many rows of its key, counted as in the rings, are before a row number. Of NO_KEY undefined."""
        rings = self.rings
        return rings.first_at_least(_AT, codes, rings.start[codes], rings.next[codes], numbers)

    def numbers(self, codes: Ints, ranks: Ints) -> Ints:
        """The row numbers of ranks."""
        return cast(Ints, self.rings.columns[_AT][self.rings.places(codes, ranks)])

    def leaving(self, now_ms: int) -> int:
        """The number of the first row that may still meet another one after all rows before `now_ms`."""
        if self.frame is None:
            return self.rows.end
        if self.frame.range_ms is not None:
            return int(self.rows.first + np.searchsorted(self.times.values(), now_ms - self.frame.range_ms))
        if self.frame.rows is not None:
            return max(self.rows.first, self.rows.end - self.frame.rows)
        return self.rows.first

    def unmatched(self, before: int) -> Ints:
        """The numbers of the remembered rows below `before` that met nothing, if they are wanted."""
        if not self.keeps_unmatched:
            return np.zeros(0, np.int64)
        return self.rows.first + np.nonzero(~self.matched.values()[: before - self.rows.first])[0]

    def drop_before(self, number: int) -> None:
        """Forget the oldest rows."""
        self._unswept += number - self.rows.first
        for tail in (self.rows, self.times, self.matched, self.codes):
            tail.drop_before(number)

    def sweep(self) -> bool:
        """Forget keys without rows, if it is worth while by now."""
        if self._unswept < max(_SWEPT_ROWS_MIN, self.rows.end - self.rows.first):
            return False
        self._unswept = 0
        filed = np.nonzero(self.rings.size)[0]
        lasts = self.rings.columns[_AT][self.rings.places(filed, self.rings.next[filed] - 1)]
        self.rings.release(filed[lasts < self.rows.first])
        return True

    def bytes(self) -> int:
        """About how much memory is taken."""
        return self.rows.bytes() + self.rings.bytes() + 17 * (self.rows.end - self.rows.first)

    def state(self) -> State:
        """What is remembered."""
        return {
            "rows": self.rows.frame(),
            "times": self.times.values().copy(),
            "matched": self.matched.values().copy(),
            "codes": self.codes.values().copy(),
        }

    def restore(self, state: State, keys: int) -> None:
        """Go on from a state, if there are no rows yet; the rows begin again at number 0."""
        if state["rows"] is not None:
            frame = cast(pl.DataFrame, state["rows"])
            self.append(frame, cast(Times, state["times"]), cast(Ints, state["codes"]), keys)
            self.matched.values()[:] = cast(Ints, state["matched"])


def without_system(frame: pl.DataFrame) -> pl.DataFrame:
    """The columns of a remembered row."""
    return frame.drop(TIME)
