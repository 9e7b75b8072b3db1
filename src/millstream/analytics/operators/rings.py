"""Rows by key: of each key its newest rows, in order, in columns.

The rows of a key are numbered 0, 1, 2, … as they come: their ranks. Ranks start[key] … next[key] - 1 are there. Each
key has a ring in every column, whose length is a power of two and grows as the key needs it:

    key 7, offset 96, size 4, ranks 5 to 7      [ … | r6 . r5 | … ]
                                                     96  97 98  99     place = offset + rank mod size

so that the place of a row is found without a search, appending costs the same however much is there, and all of it
works on many keys at once. Rings that were outgrown or released are garbage; when a column is full, the live rings
move together into new columns. A column may have two places a row ("nodes", see `overtrees`).
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]

_SIZE_MIN = 4
_OBJECT_BYTES = 64  # about, of a string and its pointer


def ragged(starts: Ints, lengths: Ints) -> Ints:
    """starts[0], starts[0] + 1, … lengths[0] of them, then from starts[1], …"""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if ends.size else 0
    return np.arange(total) + np.repeat(starts - ends + lengths, lengths)


def grown(array: Array, size: int) -> Array:
    """The array, or one with room for `size` values that begins with its; new places are zero (None)."""
    if size <= array.size:
        return array
    larger = empty_column(max(size, 2 * array.size), array.dtype)
    larger[: array.size] = array
    return larger


def empty_column(size: int, dtype: np.dtype[Any]) -> Array:
    """Zeros; of objects None."""
    return np.full(size, None, dtype=object) if dtype == np.object_ else np.zeros(size, dtype=dtype)


class Rings:
    """See above. Keys are small integers from 0."""

    def __init__(self) -> None:
        self.start: Ints = np.zeros(0, np.int64)
        self.next: Ints = np.zeros(0, np.int64)
        self.offset: Ints = np.zeros(0, np.int64)
        self.size: Ints = np.zeros(0, np.int64)
        self.columns: dict[str, Array] = {}
        self._widths: dict[str, int] = {}
        self._capacity = _SIZE_MIN
        self._end = 1  # place 0 is that of keys without a ring: so it can be read

    def add(self, name: str, dtype: npt.DTypeLike, *, nodes: bool = False) -> None:
        """A new column, zero (None) for the rows that are there."""
        width = 2 if nodes else 1
        self.columns[name] = empty_column(width * self._capacity, np.dtype(dtype))
        self._widths[name] = width

    def know(self, keys: int) -> None:
        """Have room for this many keys."""
        if keys > self.start.size:
            self.start, self.next, self.offset, self.size = (
                grown(array, keys) for array in (self.start, self.next, self.offset, self.size)
            )

    def append(self, keys: Ints, start: Ints, counts: Ints) -> None:
        """Give each of these (different) keys room for so many more rows; forget what was before `start`."""
        self.start[keys] = start
        ends = self.next[keys] + counts
        while (short := ends - start > self.size[keys]).any():
            sizes = _powers_of_two((ends - start)[short])
            if self._end + int(sizes.sum()) <= self._capacity:
                self._move(keys[short], sizes)
            else:
                self._gather(int(sizes.sum()))  # which makes rings smaller, too
        self.next[keys] = ends

    def release(self, keys: Ints) -> None:
        """Forget all of these keys; they begin again at rank 0."""
        for array in (self.start, self.next, self.offset, self.size):
            array[keys] = 0

    def places(self, keys: Ints, ranks: Ints) -> Ints:
        """Where rows are in the columns."""
        return cast(Ints, self.offset[keys] + (ranks & self.mask(keys)))

    def mask(self, keys: Ints) -> Ints:
        """What to AND a rank with to have it mod size; 0 of keys without a ring."""
        return cast(Ints, np.maximum(self.size[keys], 1) - 1)

    def first_at_least(self, column: str, keys: Ints, low: Ints, high: Ints, bounds: Ints) -> Ints:
        """For each (key, low, high, bound) the first rank in low … high - 1 whose value is >= bound, or high. The
        column must not decrease with the rank."""
        values, offset, mask = self.columns[column], self.offset[keys], self.mask(keys)
        low, high = low.copy(), high.copy()
        for _ in range(int((high - low).max(initial=0)).bit_length()):
            middle = (low + high) >> 1
            below = (values.take(offset + (middle & mask)) < bounds) & (low < high)
            np.copyto(low, middle + 1, where=below)
            np.copyto(high, middle, where=~below)
        return low

    def dump(self, keys: Ints, name: str) -> Array:
        """A column of these keys' rows, key by key; without the nodes that are no rows."""
        return self.columns[name][self.places(*self.live(keys)) * self._widths[name]]

    def fill(self, name: str, keys: Ints, values: Array) -> None:
        """Set what `dump` gave."""
        codes, ranks = self.live(keys)
        self.columns[name][self.places(codes, ranks) * self._widths[name]] = values

    def live(self, keys: Ints) -> tuple[Ints, Ints]:
        """Key and rank of every row of these keys, key by key."""
        lengths = self.next[keys] - self.start[keys]
        return np.repeat(keys, lengths), ragged(self.start[keys], lengths)

    def load(self, keys: Ints, start: Ints, end: Ints) -> None:
        """Make room in new rings for the rows start … end - 1 of each key."""
        self.know(keys.size)
        self.next[keys] = start
        self.append(keys, start, end - start)

    def bytes(self) -> int:
        """About how much memory they take."""
        columns = sum(
            array.size * (_OBJECT_BYTES if array.dtype == np.object_ else 8) for array in self.columns.values()
        )
        return int(columns + 4 * self.start.nbytes)

    def _move(self, keys: Ints, sizes: Ints) -> None:
        offsets = self._end + np.cumsum(sizes) - sizes
        for name, column in self.columns.items():
            self._copy(keys, offsets, sizes, name, column)
        self.offset[keys], self.size[keys] = offsets, sizes
        self._end += int(sizes.sum())

    def _gather(self, spare: int) -> None:
        """New columns for the live rings, with room for `spare` more rows and as many again."""
        keys = np.nonzero(self.size)[0]
        lengths = self.next[keys] - self.start[keys]
        sizes = self.size[keys]
        sizes = np.where(4 * lengths <= sizes, _powers_of_two(2 * lengths), sizes)
        offsets = 1 + np.cumsum(sizes) - sizes
        self._end = 1 + int(sizes.sum())
        self._capacity = 2 * (self._end + spare)
        for name in self.columns:
            column = empty_column(self._widths[name] * self._capacity, self.columns[name].dtype)
            self._copy(keys, offsets, sizes, name, column)
            self.columns[name] = column
        self.offset[keys], self.size[keys] = offsets, sizes

    def _copy(self, keys: Ints, offsets: Ints, sizes: Ints, name: str, into: Array) -> None:
        width = self._widths[name]
        lengths = width * (self.next[keys] - self.start[keys])
        ranks = ragged(width * self.start[keys], lengths)
        old = np.repeat(width * self.offset[keys], lengths) + (ranks & np.repeat(width * self.size[keys] - 1, lengths))
        new = np.repeat(width * offsets, lengths) + (ranks & np.repeat(width * sizes - 1, lengths))
        into[new] = self.columns[name][old]


def _powers_of_two(counts: Ints) -> Ints:
    """The least powers of two that are at least these, and at least 4."""
    wanted = np.maximum(counts, _SIZE_MIN)
    return cast(Ints, np.left_shift(1, np.ceil(np.log2(wanted)).astype(np.int64)))
