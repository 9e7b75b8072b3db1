"""COUNT, SUM, AVG and variances of DISTINCT values OVER a frame.

A value counts while it is in the frame at least once. What comes and goes is followed value by value, in Python: one or
two microseconds each. Sums are exact.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from fractions import Fraction
from typing import Any, cast

import numpy as np

from millstream.analytics.operators.frames import State
from millstream.analytics.operators.overtracks import Track, Values
from millstream.analytics.operators.rings import Array, Ints

Number = int | Fraction


class _Partition:
    """The values in a partition's frame, oldest first, and what the distinct ones of them add up to."""

    def __init__(self) -> None:
        self.first = 0  # rank of values[0]
        self.values: deque[Any] = deque()
        self.total: Number = 0
        self.squares: Number = 0
        self.count = 0
        self.odd = 0  # infinities and NaNs
        self._times: Counter[Any] = Counter()

    def add(self, value: Any, *, counts_as: int = 1) -> None:
        """A value comes (1), or goes (-1)."""
        times = self._times[value]
        if times == (0 if counts_as > 0 else 1):
            self._change(value, counts_as)
        if times + counts_as:
            self._times[value] = times + counts_as
        else:
            del self._times[value]

    def drop_before(self, rank: int) -> None:
        """Let the values before this rank go."""
        while self.first < rank and self.values:
            self.add(self.values.popleft(), counts_as=-1)
            self.first += 1

    def _change(self, value: Any, sign: int) -> None:
        self.count += sign
        if isinstance(value, float) and not math.isfinite(value):
            self.odd += sign
        elif isinstance(value, int | float):
            number = Fraction(value) if isinstance(value, float) else value
            self.total += sign * number
            self.squares += sign * number * number


class DistinctValues:
    """By row: how many distinct values there are in its frame, their sum and the sum of their squares (Fractions or
    ints; None if one is not finite)."""

    def __init__(self, track: Track) -> None:
        self._slides = not track.partitions.unbounded
        self._partitions: dict[int, _Partition] = {}

    def run(self, values: Values) -> tuple[Array, ...]:
        """See Measure."""
        counts, sums, squares = [], [], []
        given = iter(values.values.tolist())
        for code, low, has in zip(values.code.tolist(), values.low.tolist(), values.has.tolist(), strict=True):
            partition = self._partitions.get(code) or self._partitions.setdefault(code, _Partition())
            if has:
                value = next(given)
                partition.add(value)
                if self._slides:
                    partition.values.append(value)
            partition.drop_before(low)
            counts.append(partition.count)
            sums.append(None if partition.odd else partition.total)
            squares.append(None if partition.odd else partition.squares)
        return np.array(counts, dtype=np.int64), _objects(sums), _objects(squares)

    def release(self, codes: Ints) -> None:
        """See Measure."""
        for code in codes.tolist():
            self._partitions.pop(code, None)

    def state(self, live: Ints) -> State:
        """See Measure."""
        found = [self._partitions.get(code, _Partition()) for code in live.tolist()]
        return {
            "first": [one.first for one in found],
            "values": [list(one.values) if self._slides else list(one._times) for one in found],
        }

    def restore(self, state: State, live: Ints) -> None:
        """See Measure."""
        self._partitions = {}
        firsts, lists = cast(list[int], state["first"]), cast(list[list[Any]], state["values"])
        for code, first, values in zip(live.tolist(), firsts, lists, strict=True):
            partition = self._partitions[code] = _Partition()
            partition.first = first
            for value in values:
                partition.add(value)
            if self._slides:
                partition.values.extend(values)


def _objects(values: list[Number | None]) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
