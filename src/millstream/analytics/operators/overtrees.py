"""Aggregates that cannot be taken back (a maximum, a variance), of any range of a key's rows.

Over the rows of a key stands a binary tree of blocks: block m of level j is the aggregate of the 2**j rows from rank
m * 2**j on. It lies at node (2m + 1) * 2**j - 1 of the key's ring, which has two places a row:

    level 2            .           .           .     3     .
    level 1            .     1     .           .     |     .     5     .
    level 0, rows      0     |     2           .     4     .     |     6
    rank               0           1                 2                 3

A block is computed when its last row comes, from its two halves. A range of rows is put together from at most two
blocks a level. What a row's aggregate is depends on the ranks only, never on batches, and its rounding errors are those
of a few additions, however many rows came before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from millstream.analytics.operators.keygroups import Groups
from millstream.analytics.operators.rings import Array, Ints, Rings, grown

Parts = tuple[Array, ...]
"""Aggregates of blocks of rows, one array a column."""

Counts = Ints | int


class Merging(NamedTuple):
    """How aggregates of neighbouring blocks become one: merge(earlier, rows of it, later, rows of it); and the
    columns of an aggregate."""

    merge: Callable[[Parts, Counts, Parts, Counts], Parts]
    columns: tuple[npt.DTypeLike, ...]
    counts: bool = False
    """Whether it matters how many rows a block has."""


def _min(earlier: Parts, _: Counts, later: Parts, __: Counts) -> Parts:
    return (np.fmin(earlier[0], later[0]),)


def _max(earlier: Parts, _: Counts, later: Parts, __: Counts) -> Parts:
    return (np.fmax(earlier[0], later[0]),)


def _variance(earlier: Parts, earlier_rows: Counts, later: Parts, later_rows: Counts) -> Parts:
    """Means and sums of squared deviations (Chan, Golub and LeVeque 1983)."""
    rows = earlier_rows + later_rows
    with np.errstate(over="ignore", invalid="ignore"):  # then it is infinite or NaN, and told of in the end
        apart = later[0] - earlier[0]
        share = later_rows / rows
        return earlier[0] + apart * share, earlier[1] + later[1] + apart * apart * (earlier_rows * share)


def decayed(half_life_ms: int) -> Merging:
    """Weighted sums, sums of weights and the last row's time; a row's weight is halved every half-life."""

    def merge(earlier: Parts, _: Counts, later: Parts, __: Counts) -> Parts:
        faded = np.exp2((earlier[2] - later[2]) / half_life_ms)
        with np.errstate(over="ignore", invalid="ignore"):
            return earlier[0] * faded + later[0], earlier[1] * faded + later[1], later[2]

    return Merging(merge, (np.float64, np.float64, np.float64))


VARIANCE = Merging(_variance, (np.float64, np.float64), counts=True)


def least(dtype: npt.DTypeLike) -> Merging:
    """The least value."""
    return Merging(_min, (dtype,))


def greatest(dtype: npt.DTypeLike) -> Merging:
    """The greatest value."""
    return Merging(_max, (dtype,))


class Tree:
    """The blocks of one aggregate over the rows of `rings`, in columns named `name`, `name`1, …"""

    def __init__(self, rings: Rings, name: str, merging: Merging) -> None:
        self._rings = rings
        self._merge = merging.merge
        self._counts = merging.counts
        self.names = [f"{name}{at}" for at in range(len(merging.columns))]
        for column, dtype in zip(self.names, merging.columns, strict=True):
            rings.add(column, dtype, nodes=True)

    def append(self, keys: Ints, ranks: Ints, leaves: Parts) -> None:
        """New rows; their places are there. `leaves` are the aggregates of each row alone."""
        offset, mask = self._frame(keys)
        self._set(offset + ((2 * ranks) & mask), leaves)
        ends, size = ranks + 1, 2
        rows = np.nonzero((ends & 1) == 0)[0]
        while rows.size:
            # A block that begins before the first row that is kept will never be asked for.
            rows = rows[ends[rows] - size >= self._rings.start[keys[rows]]]
            at, wrap, begin, half = offset[rows], mask[rows], 2 * (ends[rows] - size), size >> 1
            earlier = self._get(at + ((begin + half - 1) & wrap))
            later = self._get(at + ((begin + size + half - 1) & wrap))
            self._set(at + ((begin + size - 1) & wrap), self._merge(earlier, half, later, half))
            size <<= 1
            rows = rows[(ends[rows] & (size - 1)) == 0]

    def query(self, keys: Ints, low: Ints, high: Ints) -> Parts:
        """The aggregate of the rows low … high - 1 (at least one) of each key."""
        offset, mask = self._frame(keys)
        high = high - 1
        found, counts = self._get(offset + ((2 * high) & mask)), np.ones(keys.size, np.int64)
        level, size = 0, int((high - low).max(initial=0))
        while size:
            # Of a block that begins (ends) in the middle of its parent, the parent is not wholly in the range.
            for odd, block in ((low & 1, low), (high & 1, high - 1)):
                rows = np.flatnonzero(odd & (low < high))
                node = ((2 * block.take(rows) + 1) << level) - 1
                self._fold(offset.take(rows) + (node & mask.take(rows)), 1 << level, found, counts, rows)
            low, high, level, size = (low + 1) >> 1, high >> 1, level + 1, size >> 1
        return found

    def _fold(self, places: Ints, size: int, found: Parts, counts: Ints, rows: Ints) -> None:
        """Add blocks of `size` rows to what was found for some."""
        merged = self._merge(self._get(places), size, tuple(one.take(rows) for one in found), counts.take(rows))
        for column, values in zip(found, merged, strict=True):
            column[rows] = values
        if self._counts:
            counts[rows] += size

    def dump(self, keys: Ints) -> list[Array]:
        """The aggregates of single rows, by column."""
        return [self._rings.dump(keys, name) for name in self.names]

    def _frame(self, keys: Ints) -> tuple[Ints, Ints]:
        return 2 * self._rings.offset[keys], 2 * self._rings.mask(keys) + 1

    def _get(self, places: Ints) -> Parts:
        return tuple(self._rings.columns[name].take(places) for name in self.names)

    def _set(self, places: Ints, values: Parts) -> None:
        for name, column in zip(self.names, values, strict=True):
            self._rings.columns[name][places] = column


class Running:
    """One aggregate of all rows of each key."""

    def __init__(self, merging: Merging) -> None:
        self._merge = merging.merge
        self.counts: Ints = np.zeros(0, np.int64)
        self.totals: Parts = tuple(np.zeros(0, dtype) for dtype in merging.columns)

    def know(self, keys: int) -> None:
        """Have room for this many keys."""
        self.counts = cast(Ints, grown(self.counts, keys))
        self.totals = tuple(grown(column, keys) for column in self.totals)

    def append(self, codes: Ints, groups: Groups, leaves: Parts) -> Parts:
        """New rows, in the order of `groups.order`; the aggregates up to and including each. `codes` is by row."""
        counts, parts = groups.within + 1, tuple(column.copy() for column in leaves)
        step = 1
        while step < int(groups.sizes.max(initial=0)):
            # Every row takes in the `step` rows before those that it has taken in.
            rows = np.nonzero(groups.within >= step)[0]
            earlier = tuple(column[rows - step] for column in parts)
            taken = np.minimum(groups.within[rows] + 1, step)
            merged = self._merge(
                earlier, np.minimum(groups.within[rows] - step + 1, step), tuple(c[rows] for c in parts), taken
            )
            for column, values in zip(parts, merged, strict=True):
                column[rows] = values
            step *= 2
        self._add_totals(codes, counts, parts)
        lasts = groups.firsts + groups.sizes - 1
        self.counts[codes[lasts]] += counts[lasts]
        for total, column in zip(self.totals, parts, strict=True):
            total[codes[lasts]] = column[lasts]
        return parts

    def _add_totals(self, codes: Ints, counts: Ints, parts: Parts) -> None:
        rows = np.nonzero(self.counts[codes])[0]
        if rows.size:
            before = tuple(total[codes[rows]] for total in self.totals)
            here = tuple(column[rows] for column in parts)
            merged = self._merge(before, self.counts[codes[rows]], here, counts[rows])
            for column, values in zip(parts, merged, strict=True):
                column[rows] = values
