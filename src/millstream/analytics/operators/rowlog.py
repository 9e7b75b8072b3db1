"""Rows in the order in which they came, the oldest of which go: numbered 0, 1, 2, …, found by number."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from millstream.analytics.operators.rings import Array, Ints, grown


class Tail:
    """One column of numbers."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self.first = 0
        self._values: Array = np.zeros(0, dtype)
        self._begin = 0
        self._end = 0

    def values(self) -> npt.NDArray[Any]:
        """Those that are there, from number `first` on; a view."""
        return self._values[self._begin : self._end]

    def append(self, values: Array) -> None:
        """New numbers at the end."""
        if self._end + values.size > self._values.size:
            left = self.values().copy()
            self._values = grown(left, 2 * (left.size + values.size))
            self._begin, self._end = 0, left.size
        self._values[self._end : self._end + values.size] = values
        self._end += values.size

    def drop_before(self, number: int) -> None:
        """Forget the oldest."""
        self._begin += number - self.first
        self.first = number

    @property
    def end(self) -> int:
        """The number that the next one will have."""
        return self.first + self._end - self._begin


class RowLog:
    """Rows of a frame. They lie in few frames, of which each is larger than all that came after it, so that batches of
    one row cost little when they are put there and when they are looked up."""

    def __init__(self) -> None:
        self.first = 0
        self.end = 0
        self._frames: list[pl.DataFrame] = []
        self._starts: list[int] = []

    def append(self, frame: pl.DataFrame) -> None:
        """New rows at the end."""
        if not frame.height:
            return
        self._frames.append(frame)
        self._starts.append(self.end)
        self.end += frame.height
        while len(self._frames) > 1 and self._frames[-2].height <= 2 * self._frames[-1].height:
            later, _ = self._frames.pop(), self._starts.pop()
            earlier, start = self._frames.pop(), self._starts.pop()
            cut = max(0, self.first - start)
            self._frames.append(pl.concat([earlier.slice(cut), later], rechunk=True))
            self._starts.append(start + cut)

    def drop_before(self, number: int) -> None:
        """Forget the oldest rows."""
        self.first = number
        while self._frames and self._starts[0] + self._frames[0].height <= number:
            del self._frames[0], self._starts[0]

    def take(self, numbers: Ints) -> pl.DataFrame:
        """The rows of these numbers, in this order. There must be a row."""
        if len(self._frames) == 1:
            return self._frames[0][numbers - self._starts[0]]
        places = np.searchsorted(self._starts, numbers, side="right") - 1
        order = np.argsort(places, kind="stable")
        counts = np.bincount(places, minlength=len(self._frames))
        parts, begin = [], 0
        for frame, start, count in zip(self._frames, self._starts, counts.tolist(), strict=True):
            if count:
                parts.append(frame[numbers[order[begin : begin + count]] - start])
                begin += count
        back = np.empty_like(order)
        back[order] = np.arange(order.size)
        return pl.concat(parts)[back] if len(parts) > 1 else parts[0]

    def frame(self) -> pl.DataFrame | None:
        """All rows that are there; None if there are none."""
        if self.first >= self.end:
            return None
        whole = pl.concat(self._frames)
        return whole.slice(self.first - self._starts[0])

    def bytes(self) -> int:
        """About how much memory they take."""
        return cast(int, sum(frame.estimated_size() for frame in self._frames))
