"""Session windows: WINDOWED BY SESSION (PARTITION BY … [ON time] TIMEOUT …), Millstream's own.

A session goes on as long as rows of its key come less than `gap_ms` after one another; it ends `gap_ms` after the last
of them, and a row at that moment begins a new one. Sessions that end together leave in the order in which they began.

With `time` the rows are apart by that event time, and the event clock (`clocks.EventClock`: the greatest event time so
far in the whole input, `gap_ms` more when no row came for `gap_ms` of ROWTIME) ends sessions; they leave just before
the row that moved it. A row that is earlier than its key's open session joins it if it is less than `gap_ms` before
that began. A row that is not in an open session and whose own would have ended by the clock is late: a row error.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from millstream.analytics.operators.clocks import EventClock
from millstream.analytics.operators.closing import Stamps
from millstream.analytics.operators.frames import SEQ, TIME, Cycle, State, Times
from millstream.analytics.operators.keyedwindows import (
    LATE,
    Assignment,
    KeyedWindows,
    RowtimeClock,
    Segment,
    SortedRows,
    Window,
    row_numbers,
)
from millstream.analytics.plan.nodes import Item, Session
from millstream.analytics.scalars.nodes import Scalar

_EVENT = "$event"


class SessionOperator(KeyedWindows):
    """See plan.nodes.Session."""

    def __init__(self, node: Session) -> None:
        rule = _Gaps(node.gap_ms) if node.time is None else _EventGaps(node.time, node.gap_ms)
        super().__init__(node, rule)


class _Gaps(RowtimeClock):
    """Sessions by ROWTIME."""

    def __init__(self, gap_ms: int) -> None:
        self._gap_ms = gap_ms

    def assign(self, segments: list[Segment], rows: SortedRows) -> Assignment:
        times, numbers = rows.times_ms.tolist(), rows.numbers.tolist()
        breaks = np.append(np.flatnonzero(np.diff(rows.times_ms) >= self._gap_ms) + 1, len(times)).tolist()
        upcoming = 0
        starts: list[int] = []
        found: list[list[Window]] = []
        for segment in segments:
            at, windows = segment.start, list[Window]()
            while at < segment.stop:
                while breaks[upcoming] <= at:
                    upcoming += 1
                stop = min(segment.stop, breaks[upcoming])
                starts.append(at)
                goes_on = at == segment.start and segment.open is not None and times[at] < segment.open.end_ms
                number = segment.open.number if goes_on and segment.open is not None else numbers[at]
                windows.append(Window(number, times[at], times[stop - 1] + self._gap_ms))
                at = stop
            found.append(windows)
        marks = [window.number for windows in found for window in windows]
        return Assignment(row_numbers(starts, marks, len(times)), found)


class _EventGaps:
    """Sessions by an event time."""

    def __init__(self, time: Scalar, gap_ms: int) -> None:
        self._gap_ms = gap_ms
        self._clock = EventClock(lambda times_ms: times_ms + gap_ms, gap_ms)
        self._times: Times = np.empty(0, dtype=np.int64)
        self._seqs: Times = self._times
        self.items = [Item(_EVENT, time)]

    def advance(self, rows: pl.DataFrame | None, cycle: Cycle) -> tuple[Times, Times]:
        names = (TIME, SEQ, _EVENT)
        columns = [np.empty(0, dtype=np.int64) if rows is None else rows[name].to_numpy() for name in names]
        self._times, self._seqs, events = columns
        return events, self._clock.advance(self._times, events, cycle)

    def now_ms(self, _cycle: Cycle) -> int:
        return self._clock.now_ms

    def assign(self, segments: list[Segment], rows: SortedRows) -> Assignment:
        columns = (rows.numbers.tolist(), rows.times_ms.tolist(), rows.now_ms.tolist())
        marks: list[int] = []
        found: list[list[Window]] = []
        for segment in segments:
            window, windows = segment.open, dict[int, Window]()
            for number, time, now in zip(*(column[segment.start : segment.stop] for column in columns), strict=True):
                following = self._following(window, number, time, now)
                if following is None:
                    marks.append(LATE)
                else:
                    window = windows[following.number] = following
                    marks.append(window.number)
            found.append(list(windows.values()))
        return Assignment(np.array(marks, dtype=np.int64), found)

    def _following(self, window: Window | None, number: int, time: int, now: int) -> Window | None:
        """The session that a row is in, with it; None: it is late."""
        own_end = time + self._gap_ms
        if window is None or window.end_ms <= now:
            return Window(number, time, own_end) if own_end > now else None
        if own_end <= window.begin_ms:
            return None
        return Window(window.number, min(window.begin_ms, time), max(window.end_ms, own_end))

    def stamps(self, numbers: Times, ends_ms: Times, cycle: Cycle) -> Stamps:
        moments = self._clock.moments(ends_ms)
        order = np.lexsort((numbers, ends_ms, moments))
        return self._clock.stamps(moments, self._times, self._seqs, cycle), order

    def state(self) -> State:
        return self._clock.state()

    def restore(self, state: State) -> None:
        self._clock.restore(state)
