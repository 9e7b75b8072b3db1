"""A robust random cut forest over a stream of points: each is scored by what came before it, then it may be learned.

Each tree has its own sample of the points, weighted so that a point's chance to be in it falls by e every
`time_decay` points (Efraimidis and Spirakis: Weighted random sampling with a reservoir, 2006): point i gets the key
log(-log u) - i / time_decay, and the tree keeps the points with the `sample_size` lowest keys. So a tree takes one of
about time_decay / sample_size points, and between these it scores many points at a time. Trees know nothing of each
other: a batch is worked on in rounds, in each of which every tree scores its points up to the next that it takes,
and takes that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from millstream.analytics.learning.randomness import Floats, Hashes, Integers, keyed, keys_of, uniform
from millstream.analytics.learning.scoring import score_lanes, share_lanes
from millstream.analytics.learning.trees import CutTrees, both_ways

VALUE_MAX = 1e300
"""Larger values (absolutely) are no points: sums of sides of boxes must stay finite."""

_ROWS_MAX = 1024
_VALUES_MAX = 4_000_000  # of scores of rows by trees and columns, at a time


class ForestSize(NamedTuple):
    """RANDOM_CUT_FOREST's parameters: `tree_count` from 1, `sample_size` from 2 points a tree, `time_decay` in
    points, `shingle_size` rows that make a point."""

    tree_count: int = 100
    sample_size: int = 256
    time_decay: int = 100_000
    shingle_size: int = 1


class Forest:
    """Scores rows of `columns` numbers. With `explained`, says for each column what being low and being high adds
    to the score."""

    def __init__(self, size: ForestSize, columns: int, *, explained: bool = False) -> None:
        self.size, self.columns, self.explained = size, columns, explained
        dimensions = columns * size.shingle_size
        self._trees = CutTrees(size.tree_count, size.sample_size, dimensions)
        self._recent = np.empty((0, columns))  # rows that begin shingles to come
        self._first = np.empty((0, dimensions))  # points, until there are as many as a sample has
        self._count = 0  # of points
        self._seed, self._tree_keys = 0, keys_of(0, size.tree_count)
        self._keys = np.zeros((size.tree_count, size.sample_size))
        self._leaves = np.zeros((size.tree_count, size.sample_size), np.int64)

    def score(self, rows: Floats, seed: int) -> Floats:
        """A score each (a column), or with `explained` the shares: of being low in each column, then of being high.

        0 until a sample is full. `rows`: finite, absolutely up to VALUE_MAX. `seed`: that of the first call counts.
        """
        if not self._count and not len(self._recent):
            self._seed, self._tree_keys = seed, keys_of(seed, self.size.tree_count)
        result = np.zeros((len(rows), self._width))
        shingles = np.concatenate((self._recent, rows))
        size = self.size.shingle_size
        self._recent = shingles[max(0, len(shingles) - size + 1) :].copy()
        if len(shingles) >= size:
            windows = sliding_window_view(shingles, size, axis=0).swapaxes(1, 2)
            points = windows.reshape(len(windows), -1)
            result[len(rows) - len(points) :] = self._score_points(points)
        return result

    @property
    def _width(self) -> int:
        return 2 * self.columns if self.explained else 1

    def _score_points(self, points: Floats) -> Floats:
        result = np.zeros((len(points), self._width))
        start = min(self.size.sample_size - len(self._first), len(points)) if self._filling else 0
        if start:
            self._fill(points[:start])
        step = max(1, min(_ROWS_MAX, _VALUES_MAX // (self.size.tree_count * self._width)))
        for begin in range(start, len(points), step):
            part = slice(begin, begin + step)
            result[part] = self._score_part(both_ways(points[part]))
        return result

    @property
    def _filling(self) -> bool:
        return self._count < self.size.sample_size

    def _fill(self, points: Floats) -> None:
        """The first points: all trees have all of them, so they are built in one go."""
        self._first = np.concatenate((self._first, points))
        self._count += len(points)
        if self._filling:
            return
        both, leaves, masses = np.unique(both_ways(self._first), axis=0, return_inverse=True, return_counts=True)
        trees = np.arange(self.size.tree_count)[:, None]
        numbers = np.arange(self._count)[None, :]
        self._keys[:] = self._sampling_keys(keyed(self._tree_keys[:, None], numbers), numbers)
        self._leaves[:] = trees * self._trees.width + leaves.reshape(1, -1)
        self._trees.build(both, masses, self._tree_keys)
        self._first = self._first[:0]

    def _sampling_keys(self, hashes: Hashes, numbers: Integers) -> Floats:
        return np.log(-np.log(uniform(hashes))) - numbers / self.size.time_decay

    def _score_part(self, both: Floats) -> Floats:
        """Scores of some points, in rounds."""
        count, tree_count = len(both), self.size.tree_count
        wanted = self._candidates(count)
        result = np.empty((count, self._width, tree_count))
        begin = np.zeros(tree_count, np.int64)
        while True:
            taking = self._skip_refused(wanted)
            end = np.where(taking, wanted.rows[wanted.next_of(taking)] + 1, count)
            tree, row = _ranges(begin, end)
            result[row, :, tree] = self._lanes(both, tree, row)
            trees = np.flatnonzero(taking)
            if not len(trees):
                break
            self._take(trees, both, wanted, wanted.next[trees])
            wanted.next[trees] += 1
            begin = end
        self._count += count
        scores: Floats = result.mean(axis=2)
        return scores

    def _lanes(self, both: Floats, tree: Integers, row: Integers) -> Floats:
        if self.explained:
            return share_lanes(self._trees, both, tree, row, columns=self.columns)
        return score_lanes(self._trees, both, tree, row)

    def _candidates(self, count: int) -> _Candidates:
        """The points among the next `count` whose keys are below the highest that a tree has now."""
        numbers = self._count + np.arange(count)
        hashes = keyed(self._tree_keys[:, None], numbers[None, :])
        highest = self._keys.max(axis=1)
        with np.errstate(over="ignore"):  # then everything is taken
            least = np.exp(-np.exp(highest + numbers[-1] / self.size.time_decay))
        trees, rows = np.nonzero(uniform(hashes) > least[:, None] * (1 - 1e-9) - 1e-300)
        keys = self._sampling_keys(hashes[trees, rows], numbers[rows])
        ends = np.searchsorted(trees, np.arange(self.size.tree_count), side="right")
        starts = np.searchsorted(trees, np.arange(self.size.tree_count), side="left")
        return _Candidates(np.append(rows, 0), np.append(keys, np.inf), hashes[trees, rows], starts, ends)

    def _skip_refused(self, wanted: _Candidates) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which trees take one of their candidates, after passing over those that they do not."""
        highest = self._keys.max(axis=1)
        while True:
            left = wanted.next < wanted.ends
            refused = left & (wanted.keys[wanted.next_of(left)] >= highest)
            if not refused.any():
                return left
            wanted.next[refused] += 1

    def _take(self, trees: Integers, both: Floats, wanted: _Candidates, chosen: Integers) -> None:
        slots = self._keys[trees].argmax(axis=1)
        self._trees.delete(self._leaves[trees, slots])
        self._leaves[trees, slots] = self._trees.insert(trees, both[wanted.rows[chosen]], wanted.hashes[chosen])
        self._keys[trees, slots] = wanted.keys[chosen]

    def state(self) -> dict[str, object]:
        """Arrays and plain values."""
        return {
            "size": list(self.size),
            "columns": self.columns,
            "count": self._count,
            "seed": self._seed,
            "recent": self._recent,
            "first": self._first,
            "keys": self._keys,
            "leaves": self._leaves,
            "trees": dict(self._trees.arrays()),
        }

    def restore(self, state: dict[str, object]) -> None:
        """Go on from a state. One of other parameters or columns is not taken: the forest learns anew."""
        if state["size"] != list(self.size) or state["columns"] != self.columns:
            return
        for name in ("count", "seed", "recent", "first", "keys", "leaves"):
            setattr(self, f"_{name}", _own(state[name]))
        self._tree_keys = keys_of(self._seed, self.size.tree_count)
        trees = state["trees"]
        assert isinstance(trees, dict)
        for name, value in trees.items():
            setattr(self._trees, name, _own(value))

    def state_bytes(self) -> int:
        """About how much memory the forest takes."""
        own = (self._recent, self._first, self._keys, self._leaves)
        return sum(array.nbytes for array in (*own, *self._trees.arrays().values()))


class _Candidates(NamedTuple):
    """Points that trees may take: rows, keys and hashes, ordered by tree and row; `next` of each tree up to `ends`.
    One more row and key at the end stand for none."""

    rows: Integers
    keys: Floats
    hashes: Hashes
    next: Integers
    ends: Integers

    def next_of(self, trees: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Integers:
        """The index of the next of each tree, that of none for the trees without."""
        return np.where(trees, self.next, len(self.rows) - 1)


def _ranges(begin: Integers, end: Integers) -> tuple[Integers, Integers]:
    """(i, n) for every n from begin[i] to below end[i], as two arrays."""
    sizes = end - begin
    index = np.repeat(np.arange(len(sizes)), sizes)
    return index, np.arange(len(index)) + (begin + sizes - np.cumsum(sizes))[index]


def _own(value: object) -> object:
    """A copy that may be written to, of an array."""
    return value.copy() if isinstance(value, np.ndarray) else value
