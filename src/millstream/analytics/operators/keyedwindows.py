"""Windows that every key has for itself: opened by a row, one at a time a key, closed by a clock.

What a kind of window is, is its rule's business: which window each row is in, and when that ends. A window's number is
that of the row that opened it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
import polars as pl

from millstream.analytics.operators.clocks import horizon_ms, show_time
from millstream.analytics.operators.closing import Stamps, emitted, no_rows
from millstream.analytics.operators.frames import TIME, Cycle, State, Times
from millstream.analytics.operators.grouping import NUMBER, Grouping
from millstream.analytics.operators.keys import Key, comparable
from millstream.analytics.operators.rowreader import RowReader
from millstream.analytics.operators.states import integer, optional_frame, part, prefixed
from millstream.analytics.plan.nodes import Item, Session, Stagger
from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.types import FLOATS, Kind

LATE = -1
"""Instead of a window's number: the row is in none."""

_WINDOW = "$window"
_ROW = "$row"
_FEW_ROWS = 256
_KEY_BYTES = 200  # about what a Python tuple of a key and its window take


class Window(NamedTuple):
    """An open window: its number, and the times that it spans so far, by the clock that closes it."""

    number: int
    begin_ms: int
    end_ms: int


class Segment(NamedTuple):
    """The rows of one key: those from `start` to `stop` of the rows sorted by key; `open`: its window before them."""

    key: Key
    start: int
    stop: int
    open: Window | None


class SortedRows(NamedTuple):
    """A cycle's rows sorted by key, of one key in order: their numbers, their times by the windows' clock, and where
    that clock stands at each."""

    numbers: Times
    times_ms: Times
    now_ms: Times


class Assignment(NamedTuple):
    """The number of each row's window, or LATE; and of each segment the windows that its rows are in, in order, of
    which the last is open."""

    numbers: Times
    windows: list[list[Window]]


class Rule(Protocol):
    """A kind of window and its clock."""

    @property
    def items(self) -> list[Item]:
        """The time that the clock goes by, if it is not ROWTIME: a TIMESTAMP; rows without are reported."""
        ...

    def advance(self, rows: pl.DataFrame | None, cycle: Cycle) -> tuple[Times, Times]:
        """Take in a cycle's rows; their times, and where the clock stands at each."""
        ...

    def now_ms(self, cycle: Cycle) -> int:
        """Where the clock stands after the cycle; windows that end then or earlier are closed."""
        ...

    def assign(self, segments: list[Segment], rows: SortedRows) -> Assignment: ...

    def stamps(self, numbers: Times, ends_ms: Times, cycle: Cycle) -> Stamps:
        """When windows with these numbers and ends close."""
        ...

    def state(self) -> State: ...

    def restore(self, state: State) -> None: ...


class OpenWindows:
    """The open window of each key, and which ends next."""

    def __init__(self) -> None:
        self._windows: dict[Key, Window] = {}
        self._ends: list[tuple[int, int, Key]] = []  # heap: (a lower bound of the end, number, key), one a window

    def get(self, key: Key) -> Window | None:
        return self._windows.get(key)

    def put(self, key: Key, window: Window) -> None:
        known = self._windows.get(key)
        self._windows[key] = window
        if known is None or known.number != window.number:
            heapq.heappush(self._ends, (window.end_ms, window.number, key))

    def pop_until(self, now_ms: int) -> Iterator[Window]:
        """Remove the windows that end by then."""
        while self._ends and self._ends[0][0] <= now_ms:
            _, number, key = self._ends[0]
            window = self._windows.get(key)
            if window is None or window.number != number:
                heapq.heappop(self._ends)
            elif window.end_ms <= now_ms:
                heapq.heappop(self._ends)
                yield self._windows.pop(key)
            else:
                heapq.heapreplace(self._ends, (window.end_ms, number, key))

    def __len__(self) -> int:
        return len(self._windows)

    def windows(self) -> list[tuple[Key, Window]]:
        return list(self._windows.items())

    def restore(self, windows: Iterable[tuple[Key, Window]]) -> None:
        self._windows, self._ends = {}, []
        for key, window in windows:
            self.put(key, window)


class KeyedWindows:
    """The operator of such windows."""

    def __init__(self, node: Stagger | Session, rule: Rule) -> None:
        self._rule = rule
        self._names = [column.name for column in node.columns]
        self._keys = [f"$k{index}" for index in range(len(node.keys))]
        keys = [Item(name, key.value) for name, key in zip(self._keys, node.keys, strict=True)]
        self._grouping = Grouping(node.aggregates, (_WINDOW,), carried=self._keys)
        self._times = [item.name for item in rule.items]
        self._reader = RowReader([*rule.items, *self._grouping.items], keys)
        self._comparable = not any(key.value.type.kind in FLOATS | {Kind.RECORD} for key in keys)
        self._open = OpenWindows()
        spans = {"number": pl.Int64(), "begin_ms": pl.Int64(), "end_ms": pl.Int64()}
        self._windows_schema = {key.name: dtype(key.value.type) for key in keys} | spans
        self._empty = no_rows(node.columns)

    def process(self, inputs: tuple[pl.DataFrame, ...], cycle: Cycle) -> pl.DataFrame:
        frame = inputs[0]
        rows = self._reader.timed(frame, self._times, cycle) if frame.height else frame
        times = self._rule.advance(rows if rows.height else None, cycle)
        ended = self._enter(frame, rows, times, cycle) if rows.height else []
        ended += self._open.pop_until(self._rule.now_ms(cycle))
        return self._emit(ended, cycle) if ended else self._empty

    def _enter(self, frame: pl.DataFrame, rows: pl.DataFrame, times: tuple[Times, Times], cycle: Cycle) -> list[Window]:
        """Take in a cycle's rows; the windows that rows of their own keys ended."""
        segments, order = self._segments(rows)
        found = self._rule.assign(
            segments, SortedRows(rows[NUMBER].to_numpy()[order], times[0][order], times[1][order])
        )
        numbers = np.empty(rows.height, dtype=np.int64)
        numbers[order] = found.numbers
        rows = self._in_time(frame, rows.hstack([pl.Series(_WINDOW, numbers)]), times[0], cycle)
        if rows.height:
            self._grouping.add(rows)
        return [window for pair in zip(segments, found.windows, strict=True) for window in self._follow(*pair)]

    def _segments(self, rows: pl.DataFrame) -> tuple[list[Segment], Times]:
        """The rows by key, and which row is where then."""
        keys, stops, order = self._sorted(rows)
        segments = [
            Segment(key, start, stop, self._open.get(key))
            for key, start, stop in zip(keys, [0, *stops[:-1]], stops, strict=True)
        ]
        return segments, order

    def _sorted(self, rows: pl.DataFrame) -> tuple[list[Key], list[int], Times]:
        """The keys, where the rows of each stop if they are sorted by key, and that order."""
        if not self._keys:
            return [()], [rows.height], np.arange(rows.height, dtype=np.int64)
        keys = rows.select(self._keys)
        if rows.height <= _FEW_ROWS:
            return _sorted_few(self._as_keys(keys))
        indexed = keys.with_columns(pl.int_range(rows.height, dtype=pl.Int64).alias(_ROW))
        groups = indexed.group_by(self._keys, maintain_order=True).agg(_ROW)
        stops = np.cumsum(groups[_ROW].list.len().to_numpy()).tolist()
        return self._as_keys(groups.select(self._keys)), stops, groups[_ROW].explode().to_numpy()

    def _as_keys(self, keys: pl.DataFrame) -> list[Key]:
        rows = keys.rows()
        return rows if self._comparable else [comparable(row) for row in rows]

    def _in_time(self, frame: pl.DataFrame, rows: pl.DataFrame, times_ms: Times, cycle: Cycle) -> pl.DataFrame:
        """The rows that are in a window; others are reported."""
        late = rows[_WINDOW].to_numpy() == LATE
        if not late.any():
            return rows
        messages = [f"late row: sessions of event time {show_time(time)} have been closed" for time in times_ms[late]]
        self._reader.reject(frame, rows[NUMBER].to_numpy()[late].tolist(), messages, cycle)
        return rows.filter(pl.Series(~late))

    def _follow(self, segment: Segment, windows: list[Window]) -> Iterator[Window]:
        """Note which window of a key is open now; those that are not any more."""
        if not windows:
            return
        if segment.open is not None and segment.open.number != windows[0].number:
            yield segment.open
        yield from windows[:-1]
        self._open.put(segment.key, windows[-1])

    def _emit(self, ended: list[Window], cycle: Cycle) -> pl.DataFrame:
        ended.sort()
        numbers = np.array([window.number for window in ended], dtype=np.int64)
        closed = self._grouping.take(pl.col(_WINDOW).is_in(pl.Series(numbers).implode()))
        assert closed is not None  # every window has a row
        own = closed.groups[_WINDOW].to_numpy()
        ends = np.array([window.end_ms for window in ended], dtype=np.int64)[np.searchsorted(numbers, own)]
        columns = [closed.groups[name] for name in self._keys] + closed.values
        named = [column.alias(name) for column, name in zip(columns, self._names, strict=True)]
        stamps, order = self._rule.stamps(own, ends, cycle)
        return emitted(named, stamps, order, closed.failures, cycle)

    def state(self) -> State:
        return {
            "count": self._reader.count,
            "windows": self._windows_frame(),
            **prefixed("clock", self._rule.state()),
            **prefixed("grouping", self._grouping.state()),
        }

    def _windows_frame(self) -> pl.DataFrame:
        rows = [(*key, *window) for key, window in self._open.windows()]
        return pl.DataFrame(rows, schema=self._windows_schema, orient="row")

    def restore(self, state: State) -> None:
        self._reader.count = integer(state, "count")
        windows = optional_frame(state, "windows")
        rows = [] if windows is None else windows.rows()
        self._open.restore((comparable(row[:-3]), Window(*row[-3:])) for row in rows)
        self._rule.restore(part("clock", state))
        self._grouping.restore(part("grouping", state))

    def state_bytes(self) -> int:
        return self._grouping.size_bytes() + _KEY_BYTES * len(self._open)


def _sorted_few(keys: list[Key]) -> tuple[list[Key], list[int], Times]:
    """`_sorted` without the fixed cost of polars."""
    places: dict[Key, list[int]] = {}
    for row, key in enumerate(keys):
        places.setdefault(key, []).append(row)
    stops = list(accumulate(len(rows) for rows in places.values()))
    return list(places), stops, np.array([row for rows in places.values() for row in rows], dtype=np.int64)


def row_numbers(starts: Sequence[int], numbers: Sequence[int], rows: int) -> Times:
    """A number a row: that of the last start at or before it."""
    bounds = np.array([*starts, rows], dtype=np.int64)
    return np.repeat(np.array(numbers, dtype=np.int64), bounds[1:] - bounds[:-1])


class RowtimeClock:
    """ROWTIME as the clock of windows: it stands where the cycle has come to."""

    items: ClassVar[list[Item]] = []

    def advance(self, rows: pl.DataFrame | None, _cycle: Cycle) -> tuple[Times, Times]:
        times = np.empty(0, dtype=np.int64) if rows is None else rows[TIME].to_numpy()
        return times, times

    def now_ms(self, cycle: Cycle) -> int:
        return horizon_ms(cycle)

    def stamps(self, numbers: Times, ends_ms: Times, cycle: Cycle) -> Stamps:
        return (ends_ms, cycle.seq_at(ends_ms)), np.lexsort((numbers, ends_ms))

    def state(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        """There is none."""
