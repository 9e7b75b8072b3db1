"""Clocks: what steps time is cut into, how far a cycle goes, and the clock of event times."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from millstream.analytics.operators.frames import Cycle, State, Times
from millstream.analytics.operators.states import integer, optional_integer
from millstream.analytics.plan.nodes import TimeStep

LONG_AGO = -(2**62)
_MONTH_MS = 31 * 86_400_000


def horizon_ms(cycle: Cycle) -> int:
    """The ROWTIME that a cycle reaches: windows that end then or earlier are complete."""
    rowtimes = cycle.rowtimes_ms
    return max(cycle.until_ms, int(rowtimes[-1])) if len(rowtimes) else cycle.until_ms


def step_starts(times_ms: Times, step: TimeStep) -> Times:
    """When the steps begin that the times are in."""
    if step.months:
        return _month_starts(_months(times_ms) // step.months * step.months)
    return (times_ms - step.origin_ms) // step.step_ms * step.step_ms + step.origin_ms


def step_ends(times_ms: Times, step: TimeStep) -> Times:
    """When the steps end that the times are in; that moment is in the next step."""
    if step.months:
        return _month_starts((_months(times_ms) // step.months + 1) * step.months)
    return step_starts(times_ms, step) + step.step_ms


def step_start(time_ms: int, step: TimeStep) -> int:
    return int(step_starts(np.array([time_ms], dtype=np.int64), step)[0])


def show_time(time_ms: int) -> str:
    """The time as SQL writes it."""
    return str(np.datetime64(int(time_ms), "ms")).replace("T", " ")


def step_length_ms(step: TimeStep) -> int:
    """How long a step is; of months the longest."""
    return step.step_ms or step.months * _MONTH_MS


def _months(times_ms: Times) -> Times:
    return times_ms.view("datetime64[ms]").astype("datetime64[M]").astype(np.int64)


def _month_starts(months: Times) -> Times:
    return months.astype("datetime64[M]").astype("datetime64[ms]").astype(np.int64)


class EventClock:
    """The clock of an event time: the greatest that was seen so far.

    When no row came for `idle_ms` of ROWTIME, the clock runs on by itself to `end_of(greatest)`, so that what is open
    is not kept for ever. A *moment* is what moved the clock: twice a row's index in the cycle, and one more; or, for
    idleness before that row (after the last row: before the row of index n), twice its index.
    """

    def __init__(self, end_of: Callable[[Times], Times], idle_ms: int) -> None:
        self._end_of = end_of
        self._idle_ms = idle_ms
        self._seen = LONG_AGO
        self._last_row_ms: int | None = None
        self.now_ms = LONG_AGO
        self._marks: Times = np.empty(0, dtype=np.int64)  # of every moment of the cycle: where the clock is then
        self._previous: Times = self._marks  # of every row and the end of the cycle: $time of the row before

    def advance(self, times_ms: Times, events_ms: Times, cycle: Cycle) -> Times:
        """Take in a cycle's rows: their $time and event times. Gives where the clock stands at each row, it
        included."""
        before = self._seen_before(events_ms)
        arrivals = np.append(times_ms, horizon_ms(cycle))
        previous = np.append(arrivals[0] if self._last_row_ms is None else self._last_row_ms, times_ms)
        idle = arrivals - previous >= self._idle_ms
        marks = np.full(2 * len(times_ms) + 1, LONG_AGO, dtype=np.int64)
        marks[0::2][idle] = self._end_of(before[idle])
        marks[1::2] = events_ms
        self._marks = np.maximum.accumulate(np.maximum(marks, self.now_ms))
        self._seen = int(before[-1])
        self.now_ms = int(self._marks[-1])
        self._last_row_ms = int(times_ms[-1]) if len(times_ms) else self._last_row_ms
        self._previous = previous
        return self._marks[1::2]

    def _seen_before(self, events_ms: Times) -> Times:
        return np.maximum.accumulate(np.append(np.int64(self._seen), events_ms))

    def moments(self, ends_ms: Times) -> Times:
        """The first moments of the cycle at which the clock was at these times or past them."""
        return np.searchsorted(self._marks, ends_ms, side="left").astype(np.int64)

    def stamps(self, moments: Times, times_ms: Times, seqs: Times, cycle: Cycle) -> tuple[Times, Times]:
        """$time and $seq of what happens at the moments: before what the row itself does, or when it was idle long
        enough. `times_ms`, `seqs`: of the rows that `advance` was given."""
        rows = moments // 2
        idle_at = self._previous[rows] + self._idle_ms
        idle_seqs = cycle.seq_at(idle_at)
        if not len(times_ms):
            return idle_at, idle_seqs
        by_row = moments % 2 == 1
        rows = np.minimum(rows, len(times_ms) - 1)
        before_row = seqs[rows] // 2 * 2
        return np.where(by_row, times_ms[rows], idle_at), np.where(by_row, before_row, idle_seqs)

    def state(self) -> State:
        return {"seen": self._seen, "last_row": self._last_row_ms, "now": self.now_ms}

    def restore(self, state: State) -> None:
        self._seen, self.now_ms = integer(state, "seen"), integer(state, "now")
        self._last_row_ms = optional_integer(state, "last_row")
