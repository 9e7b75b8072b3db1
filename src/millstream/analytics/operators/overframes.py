"""Partitions and frames of OVER: which rows of its partition each row looks at, as ranks.

The rows of a partition are numbered as they come. A row of rank r looks at the ranks low … r:

    RANGE t PRECEDING      low: the first row whose time is >= the row's time - t; rows of the same time that come
                           later do not count
    ROWS n PRECEDING       low = r - n
    UNBOUNDED PRECEDING    low = 0; no row is kept
"""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np

from millstream.analytics.operators.frames import State, Times
from millstream.analytics.operators.keygroups import Groups, KeyCodes, dump_keys, load_keys
from millstream.analytics.operators.rings import Ints, Rings
from millstream.analytics.plan.nodes import RowFrame

_TIME = "time"


class Batch(NamedTuple):
    """The rows of a batch in the order of `groups.order`: each one's partition (code), rank, and the rank of the first
    row that it looks at. `codes` is by group."""

    groups: Groups
    codes: Ints
    code: Ints
    rank: Ints
    low: Ints
    times: Times


class Partitions:
    """The partitions of an OVER and the rows that its frame may still need."""

    def __init__(self, frame: RowFrame) -> None:
        self.frame = frame
        self.unbounded = frame.range_ms is None and frame.rows is None
        self._kept = frame.rows or 0
        self.keys = KeyCodes()
        self.rings = Rings()
        self._swept_ms: int | None = None
        if frame.range_ms is not None:
            self.rings.add(_TIME, np.int64)

    def enter(self, groups: Groups, times: Times) -> Batch:
        """Number the rows of a batch (`times` in its order) and find where their frames begin."""
        codes = self.keys.assign(groups.keys)
        self.rings.know(len(self.keys))
        code = codes[groups.group]
        rank = self.rings.next[code] + groups.within
        sorted_times = times[groups.order]
        if self.frame.range_ms is None:
            last = self.rings.next[codes]
            self.rings.append(codes, np.maximum(last - self._kept, self.rings.start[codes]), groups.sizes)
            low = np.zeros_like(rank) if self.frame.rows is None else np.maximum(rank - self.frame.rows, 0)
        else:
            low = self._by_time(codes, code, rank, groups, sorted_times - self.frame.range_ms, sorted_times)
        return Batch(groups, codes, code, rank, low, sorted_times)

    def _by_time(self, codes: Ints, code: Ints, rank: Ints, groups: Groups, bounds: Times, times: Times) -> Ints:
        rings = self.rings
        begin = rings.first_at_least(_TIME, codes, rings.start[codes], rings.next[codes], bounds[groups.firsts])
        rings.append(codes, begin, groups.sizes)
        rings.columns[_TIME][rings.places(code, rank)] = times
        return rings.first_at_least(_TIME, code, begin[groups.group], rank, bounds)

    def expire(self, now_ms: int) -> Ints | None:
        """Forget the partitions that have no rows that a row at `now_ms` or later would look at. Their codes, or None
        if it is not time yet to look for them."""
        range_ms = self.frame.range_ms
        if range_ms is None or (self._swept_ms is not None and now_ms - self._swept_ms <= range_ms):
            return None
        self._swept_ms = now_ms
        live = np.nonzero(self.rings.size)[0]
        lasts = self.rings.columns[_TIME][self.rings.places(live, self.rings.next[live] - 1)]
        gone = live[lasts < now_ms - range_ms]
        self.keys.release(gone)
        self.rings.release(gone)
        return gone

    def bytes(self) -> int:
        """About how much memory they take."""
        return self.keys.bytes() + self.rings.bytes()

    def state(self, live: Ints) -> State:
        """What is remembered of these partitions."""
        times = self.rings.dump(live, _TIME) if _TIME in self.rings.columns else None
        return {
            "keys": dump_keys(self.keys.live()[0]),
            "start": self.rings.start[live],
            "next": self.rings.next[live],
            "times": times,
        }

    def restore(self, state: State) -> Ints:
        """Go on from a state; the codes of its partitions: 0, 1, 2, …"""
        self.keys = KeyCodes(load_keys(cast(list[object], state["keys"])))
        live = np.arange(len(self.keys))
        self.rings.load(live, cast(Ints, state["start"]), cast(Ints, state["next"]))
        if state["times"] is not None:
            self.rings.fill(_TIME, live, cast(Ints, state["times"]))
        return live
