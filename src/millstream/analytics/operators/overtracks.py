"""The values of one argument of OVER calls, numbered by partition.

Aggregates skip nulls. So an argument's values have ranks of their own, and a row looks at a range of these:
low … high - 1. As long as no null has come, they are those of the rows. Calls that do not skip nulls (LAG, FIRST_VALUE)
have a track in which nulls are values.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, cast

import numpy as np
import polars as pl

from millstream.analytics.operators.arrays import to_array
from millstream.analytics.operators.frames import State, Times
from millstream.analytics.operators.keygroups import Groups, exclusive_sums
from millstream.analytics.operators.overframes import Batch, Partitions
from millstream.analytics.operators.rings import Array, Bools, Ints, Rings, grown


class Values(NamedTuple):
    """An argument's values in a batch.

    By row, in the order of the batch's groups: its partition `code`, the ranks low … high - 1 of the values that it
    looks at, and whether it `has` one itself; `rows` are the rows by partition. By value: which row it is of, whether
    it is `known` (not null), its partition, rank and time. `groups` are the values by partition; its `order` counts
    them.
    """

    rows: Groups
    code: Ints
    low: Ints
    high: Ints
    has: Bools
    row: Ints
    values: Array
    known: Bools
    value_code: Ints
    value_rank: Ints
    value_time: Times
    groups: Groups


class Measure(Protocol):
    """Something that is kept of the values of a track and computed for each row."""

    def run(self, values: Values) -> tuple[Array, ...]:
        """By row. Undefined where a row looks at no values."""
        ...

    def release(self, codes: Ints) -> None:
        """Forget partitions."""
        ...

    def state(self, live: Ints) -> State:
        """What is remembered of these partitions."""
        ...

    def restore(self, state: State, live: Ints) -> None:
        """Go on from a state; the track's ranks are there."""
        ...


class Track:
    """See above. `measures` are by name; what they remember of single values is in columns of `rings`."""

    def __init__(self, partitions: Partitions, name: str, *, skips_nulls: bool) -> None:
        self.rings = Rings()
        self.partitions = partitions
        self.measures: dict[str, Measure] = {}
        self.kept_values = 0
        """With an unbounded frame: how many values before the current row are needed."""
        self._skips_nulls = skips_nulls
        self._nulls_before = f"nulls {name}"  # a column of the partitions' rows, once a null has come
        self._nulls: Ints = np.zeros(0, np.int64)
        self._has_nulls = False

    def append(self, batch: Batch, column: pl.Series) -> Values:
        """Take in a batch's values (in the batch's own order), and make room for them in the columns."""
        values, known = to_array(column)
        values, known = values[batch.groups.order], known[batch.groups.order]
        self._know()
        if self._skips_nulls and not self._has_nulls and not known.all():
            self._has_nulls = True
            if not self.partitions.unbounded:
                self.partitions.rings.add(self._nulls_before, np.int64)
        return self._without_nulls(batch, values, known) if self._has_nulls else self._all(batch, values, known)

    def _all(self, batch: Batch, values: Array, known: Bools) -> Values:
        groups = batch.groups
        self._make_room(batch.codes, self.partitions.rings.start[batch.codes], groups.sizes)
        rows = np.arange(values.size)
        groups = Groups(groups.keys, rows, groups.sizes, groups.firsts, groups.group, groups.within)
        own = (batch.code, batch.rank, batch.times)
        has = np.ones(values.size, np.bool_)
        return Values(batch.groups, batch.code, batch.low, batch.rank + 1, has, rows, values, known, *own, groups)

    def _without_nulls(self, batch: Batch, values: Array, known: Bools) -> Values:
        rows = np.nonzero(known)[0]
        nulls = self._nulls[batch.code] + exclusive_sums(~known, batch.groups)
        start, low = self._beginnings(batch, nulls)
        sizes = np.bincount(batch.groups.group[rows], minlength=batch.codes.size)
        self._make_room(batch.codes, start, sizes)
        self._nulls[batch.codes] += batch.groups.sizes - sizes
        high = batch.rank - nulls + known
        own = (batch.code[rows], high[rows] - 1, batch.times[rows])
        groups = _groups(sizes)
        return Values(batch.groups, batch.code, low, high, known, rows, values[rows], known[rows], *own, groups)

    def _beginnings(self, batch: Batch, nulls: Ints) -> tuple[Ints, Ints]:
        """Ranks of values: by group the first that is kept, by row the first that it looks at."""
        rings = self.partitions.rings
        start = rings.start[batch.codes]
        if self.partitions.unbounded:
            return start, batch.low
        column = rings.columns[self._nulls_before]
        column[rings.places(batch.code, batch.rank)] = nulls
        start = start - column[rings.places(batch.codes, start)]
        return start, batch.low - column[rings.places(batch.code, batch.low)]

    def _make_room(self, codes: Ints, start: Ints, sizes: Ints) -> None:
        if self.partitions.unbounded:
            start = np.maximum(self.rings.next[codes] - self.kept_values, self.rings.start[codes])
        self.rings.append(codes, start, sizes)

    def _know(self) -> None:
        keys = len(self.partitions.keys)
        self.rings.know(keys)
        self._nulls = cast(Ints, grown(self._nulls, keys))

    def release(self, codes: Ints) -> None:
        """Forget these partitions."""
        self._know()
        self.rings.release(codes)
        self._nulls[codes] = 0
        for measure in self.measures.values():
            measure.release(codes)

    def state(self, live: Ints) -> State:
        """What is remembered of these partitions."""
        self._know()
        name = self._nulls_before
        return {
            "start": self.rings.start[live],
            "next": self.rings.next[live],
            "nulls": self._nulls[live],
            "has_nulls": self._has_nulls,
            "before": self.partitions.rings.dump(live, name) if name in self.partitions.rings.columns else None,
            "measures": {name: measure.state(live) for name, measure in self.measures.items()},
        }

    def restore(self, state: State, live: Ints) -> None:
        """Go on from a state."""
        self._know()
        self.rings.load(live, cast(Ints, state["start"]), cast(Ints, state["next"]))
        self._nulls[live] = cast(Ints, state["nulls"])
        self._has_nulls = cast(bool, state["has_nulls"])
        if state["before"] is not None:
            self.partitions.rings.add(self._nulls_before, np.int64)
            self.partitions.rings.fill(self._nulls_before, live, cast(Ints, state["before"]))
        saved = cast(dict[str, State], state["measures"])
        for name, measure in self.measures.items():
            measure.restore(saved[name], live)


def _groups(sizes: Ints) -> Groups:
    """The groups of values, of which there are `sizes` in each group of rows."""
    sizes = sizes[sizes > 0]
    firsts = np.cumsum(sizes) - sizes
    order = np.arange(int(sizes.sum()))
    group = np.repeat(np.arange(sizes.size), sizes)
    return Groups((), order, sizes, firsts, group, order - firsts[group])
