"""What is kept of an argument's values for OVER calls, and computed for each row: the measures of a track."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from millstream.analytics.operators.frames import State, Times
from millstream.analytics.operators.keygroups import exclusive_sums
from millstream.analytics.operators.overtracks import Track, Values
from millstream.analytics.operators.overtrees import Merging, Parts, Running, Tree
from millstream.analytics.operators.rings import Array, Ints, empty_column, grown

Lift = Callable[[Array, Times], Parts]
"""The aggregates of single values, of the values and their times."""


class Blocks:
    """An aggregate of the values in a sliding frame, by a tree of blocks."""

    def __init__(self, track: Track, name: str, merging: Merging, lift: Lift) -> None:
        self._tree = Tree(track.rings, name, merging)
        self._rings = track.rings
        self._dtypes = merging.columns
        self._lift = lift

    def run(self, values: Values) -> tuple[Array, ...]:
        """The aggregate's columns."""
        leaves = self._lift(values.values, values.value_time)
        self._tree.append(values.value_code, values.value_rank, leaves)
        if bool((values.low < values.high).all()):
            return self._tree.query(values.code, values.low, values.high)
        rows = np.nonzero(values.low < values.high)[0]
        found = self._tree.query(values.code[rows], values.low[rows], values.high[rows])
        return _spread(found, rows, values.code.size)

    def release(self, codes: Ints) -> None:
        """See Measure."""

    def state(self, live: Ints) -> State:
        """See Measure."""
        return {"values": [dumped(column) for column in self._tree.dump(live)]}

    def restore(self, state: State, live: Ints) -> None:
        """See Measure."""
        codes, ranks = self._rings.live(live)
        saved = cast(list[Any], state["values"])
        leaves = tuple(loaded(column, dtype) for column, dtype in zip(saved, self._dtypes, strict=True))
        self._tree.append(codes, ranks, leaves)


class Totals:
    """An aggregate of all values so far."""

    def __init__(self, track: Track, merging: Merging, lift: Lift) -> None:
        self._running = Running(merging)
        self._rings = track.rings
        self._dtypes = merging.columns
        self._lift = lift

    def run(self, values: Values) -> tuple[Array, ...]:
        """The aggregate's columns."""
        self._running.know(self._rings.start.size)
        before = tuple(total[values.code] for total in self._running.totals)
        leaves = self._lift(values.values, values.value_time)
        found = self._running.append(values.value_code, values.groups, leaves)
        if values.row.size == values.code.size:
            return found
        # A row without a value sees what the last row with one saw, or what there was before the batch.
        earlier = exclusive_sums(values.has, values.rows) + values.has
        lasts = np.cumsum(values.has) - 1
        return tuple(
            np.where(earlier > 0, column[np.maximum(lasts, 0)] if column.size else total, total)
            for column, total in zip(found, before, strict=True)
        )

    def release(self, codes: Ints) -> None:
        """See Measure: with an unbounded frame nothing is released."""

    def state(self, live: Ints) -> State:
        """See Measure."""
        self._running.know(self._rings.start.size)
        return {
            "counts": self._running.counts[live],
            "totals": [dumped(total[live]) for total in self._running.totals],
        }

    def restore(self, state: State, live: Ints) -> None:  # noqa: ARG002
        """See Measure."""
        self._running.counts = cast(Ints, state["counts"]).copy()
        saved = cast(list[Any], state["totals"])
        self._running.totals = tuple(loaded(total, dtype) for total, dtype in zip(saved, self._dtypes, strict=True))


class Kept:
    """The values themselves, to be looked up by rank."""

    def __init__(self, track: Track, dtype: np.dtype[Any]) -> None:
        self._rings = track.rings
        self._dtype = dtype
        self._rings.add("value", dtype)
        self._rings.add("known", np.bool_)

    def run(self, values: Values) -> tuple[Array, ...]:
        """Nothing by row; the values are put where `at` finds them."""
        places = self._rings.places(values.value_code, values.value_rank)
        self._rings.columns["value"][places] = values.values
        self._rings.columns["known"][places] = values.known
        return ()

    def at(self, codes: Ints, ranks: Ints) -> tuple[Array, Array]:
        """The values of these ranks, and whether they are not null."""
        places = self._rings.places(codes, ranks)
        return self._rings.columns["value"][places], self._rings.columns["known"][places]

    def release(self, codes: Ints) -> None:
        """See Measure."""

    def state(self, live: Ints) -> State:
        """See Measure."""
        return {"value": dumped(self._rings.dump(live, "value")), "known": self._rings.dump(live, "known")}

    def restore(self, state: State, live: Ints) -> None:
        """See Measure."""
        self._rings.fill("value", live, loaded(state["value"], self._dtype))
        self._rings.fill("known", live, cast(Array, state["known"]))


class Nth:
    """The value of one rank of each partition, for unbounded frames."""

    def __init__(self, track: Track, rank: int, dtype: np.dtype[Any]) -> None:
        self._rings = track.rings
        self._rank = rank
        self._value = empty_column(0, dtype)
        self._known = np.zeros(0, np.bool_)

    def run(self, values: Values) -> tuple[Array, ...]:
        """The value and whether it is not null, by row; of rows that are before it, undefined."""
        self._know()
        new = np.nonzero(values.value_rank == self._rank)[0]
        self._value[values.value_code[new]] = values.values[new]
        self._known[values.value_code[new]] = values.known[new]
        return self._value[values.code], self._known[values.code]

    def _know(self) -> None:
        self._value = grown(self._value, self._rings.start.size)
        self._known = grown(self._known, self._rings.start.size)

    def release(self, codes: Ints) -> None:
        """See Measure: with an unbounded frame nothing is released."""

    def state(self, live: Ints) -> State:
        """See Measure."""
        self._know()
        return {"value": dumped(self._value[live]), "known": self._known[live]}

    def restore(self, state: State, live: Ints) -> None:  # noqa: ARG002
        """See Measure."""
        self._value = loaded(state["value"], self._value.dtype)
        self._known = cast(Array, state["known"]).copy()


def dumped(column: Array) -> object:
    """A column for a state: objects as a list."""
    return column.tolist() if column.dtype == np.object_ else column


def loaded(saved: object, dtype: Any) -> Array:
    """What `dumped` was given."""
    if not isinstance(saved, list):
        return cast(Array, saved).copy()
    column = empty_column(len(saved), np.dtype(dtype))
    column[:] = saved
    return column


def _spread(columns: Parts, rows: Ints, size: int) -> Parts:
    spread = tuple(empty_column(size, column.dtype) for column in columns)
    for into, column in zip(spread, columns, strict=True):
        into[rows] = column
    return spread
