"""The steps that a tumbling GROUP BY cuts time into, and when they end. Columns that they give rows and groups:

$end   the end of the row's step of ROWTIME (of several steps, the first to end)
t0, …  the beginning of the row's step of the event time of time key 0, …
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from millstream.analytics.operators.clocks import (
    LONG_AGO,
    EventClock,
    horizon_ms,
    show_time,
    step_ends,
    step_length_ms,
    step_start,
    step_starts,
)
from millstream.analytics.operators.closing import Stamps
from millstream.analytics.operators.frames import SEQ, TIME, Cycle, State, Times
from millstream.analytics.operators.grouping import FIRST, NUMBER
from millstream.analytics.operators.rowreader import RowReader
from millstream.analytics.operators.states import optional_integer, part, prefixed
from millstream.analytics.plan.nodes import Item, TimeKey, TimeStep

END = "$end"


class RowtimeSteps:
    """Steps of ROWTIME, and perhaps of event times beside it. Between cycles only one step of ROWTIME is open."""

    window = END

    def __init__(self, keys: Sequence[TimeKey]) -> None:
        self._keys = tuple(keys)
        self._events = _event_columns(keys)
        self._steps = [key.step for key in keys if key.clock == "rowtime"]
        self._open_end_ms: int | None = None  # of the first open step
        self._last_end_ms = LONG_AGO  # of the step of the last row
        self.by = (END, *self._events)
        self.items = _event_items(self._events)

    def enter(self, reader: RowReader, frame: pl.DataFrame, cycle: Cycle) -> pl.DataFrame | None:
        """A cycle's rows, with the steps they are in."""
        rows = reader.read(frame, cycle) if frame.height else frame
        if not rows.height:
            return None
        ends = self._ends(rows[TIME])
        starts = [_starts(rows[_value(name)], key.step).alias(name) for name, key in self._events.items()]
        if self._open_end_ms is None:
            self._open_end_ms = int(ends[0])
        self._last_end_ms = int(ends[-1])
        return rows.hstack([ends, *starts])

    def _ends(self, times: pl.Series) -> pl.Series:
        """The ends of the rows' steps; mostly all rows are in one."""
        outer = self._first_ends(np.array([times[0], times[-1]], dtype=np.int64))
        if outer[0] == outer[1]:
            return pl.Series(END, [int(outer[0])], dtype=pl.Int64).new_from_index(0, len(times))
        return pl.Series(END, self._first_ends(times.to_numpy()))

    def _first_ends(self, times_ms: Times) -> Times:
        ends: Times = np.minimum.reduce([step_ends(times_ms, step) for step in self._steps])
        return ends

    def due(self, cycle: Cycle) -> pl.Expr | None:
        """Which groups are complete; the caller takes them."""
        horizon = horizon_ms(cycle)
        if self._open_end_ms is None or horizon < self._open_end_ms:
            return None
        self._open_end_ms = self._last_end_ms if self._last_end_ms > horizon else None
        return pl.col(END) <= horizon

    def stamps(self, groups: pl.DataFrame, cycle: Cycle) -> Stamps:
        ends = groups[END].to_numpy()
        return (ends, cycle.seq_at(ends)), np.lexsort((groups[FIRST].to_numpy(), ends))

    def starts(self, groups: pl.DataFrame) -> list[pl.Series]:
        """When the steps of every time key begin, as TIMESTAMP."""
        inside = groups[END].to_numpy() - 1
        return [
            _timestamp(pl.Series(step_starts(inside, key.step)) if key.clock == "rowtime" else groups[f"t{index}"], key)
            for index, key in enumerate(self._keys)
        ]

    def state(self) -> State:
        return {"open_end": self._open_end_ms}

    def restore(self, state: State) -> None:
        self._open_end_ms = optional_integer(state, "open_end")
        self._last_end_ms = LONG_AGO if self._open_end_ms is None else self._open_end_ms


class EventSteps:
    """Steps of event times alone, each with its clock; a group is complete when one of its steps is."""

    window = None

    def __init__(self, keys: Sequence[TimeKey]) -> None:
        self._keys = tuple(keys)
        self._events = _event_columns(keys)
        idle_ms = min(step_length_ms(key.step) for key in keys)
        self._clocks = {name: _clock(key.step, idle_ms) for name, key in self._events.items()}
        self._bounds = dict.fromkeys(self._events, LONG_AGO)  # steps that begin before this have been closed
        self._times: Times = np.empty(0, dtype=np.int64)
        self._seqs: Times = self._times
        self.by = tuple(self._events)
        self.items = _event_items(self._events)

    def enter(self, reader: RowReader, frame: pl.DataFrame, cycle: Cycle) -> pl.DataFrame | None:
        """A cycle's rows that are in time, with the steps they are in; the clocks go on."""
        rows = reader.timed(frame, [item.name for item in self.items], cycle) if frame.height else None
        if rows is None or not rows.height:
            self._times = self._seqs = np.empty(0, dtype=np.int64)
            for clock in self._clocks.values():
                clock.advance(self._times, self._times, cycle)
            return None
        self._times, self._seqs = rows[TIME].to_numpy(), rows[SEQ].to_numpy()
        late = np.zeros(rows.height, dtype=np.bool_)
        starts = []
        for name, key in self._events.items():
            events = rows[_value(name)].to_numpy()
            now = self._clocks[name].advance(self._times, events, cycle)
            late |= step_ends(events, key.step) <= now
            starts.append(pl.Series(name, step_starts(events, key.step)))
        rows = rows.hstack(starts)
        if late.any():
            self._reject_late(reader, frame, rows.filter(pl.Series(late)), cycle)
            rows = rows.filter(pl.Series(~late))
        return rows

    def _reject_late(self, reader: RowReader, frame: pl.DataFrame, late: pl.DataFrame, cycle: Cycle) -> None:
        messages = [
            "late row: the window of event time {} has been closed".format(", ".join(show_time(time) for time in times))
            for times in late.select(_value(name) for name in self._events).rows()
        ]
        reader.reject(frame, late[NUMBER].to_list(), messages, cycle)

    def due(self, _cycle: Cycle) -> pl.Expr | None:
        """Which groups are complete; the caller takes them."""
        bounds = {name: self._bound(name, key.step) for name, key in self._events.items()}
        if bounds == self._bounds:
            return None
        self._bounds = bounds
        return pl.any_horizontal(pl.col(name) < bound for name, bound in bounds.items())

    def _bound(self, name: str, step: TimeStep) -> int:
        now_ms = self._clocks[name].now_ms
        return LONG_AGO if now_ms == LONG_AGO else step_start(now_ms, step)

    def stamps(self, groups: pl.DataFrame, cycle: Cycle) -> Stamps:
        ends = {name: step_ends(groups[name].to_numpy(), key.step) for name, key in self._events.items()}
        moments = np.minimum.reduce([self._clocks[name].moments(ends[name]) for name in ends])
        clock = next(iter(self._clocks.values()))
        order = np.lexsort((groups[FIRST].to_numpy(), np.minimum.reduce(list(ends.values())), moments))
        return clock.stamps(moments, self._times, self._seqs, cycle), order

    def starts(self, groups: pl.DataFrame) -> list[pl.Series]:
        """When the steps of every time key begin, as TIMESTAMP."""
        return [_timestamp(groups[name], key) for name, key in self._events.items()]

    def state(self) -> State:
        clocks = [prefixed(name, clock.state()) for name, clock in self._clocks.items()]
        return {f"bound {name}": bound for name, bound in self._bounds.items()} | dict(
            entry for clock in clocks for entry in clock.items()
        )

    def restore(self, state: State) -> None:
        for name, clock in self._clocks.items():
            clock.restore(part(name, state))
            bound = optional_integer(state, f"bound {name}")
            self._bounds[name] = LONG_AGO if bound is None else bound


def _event_columns(keys: Iterable[TimeKey]) -> dict[str, TimeKey]:
    return {f"t{index}": key for index, key in enumerate(keys) if key.clock == "event"}


def _event_items(events: dict[str, TimeKey]) -> list[Item]:
    return [Item(_value(name), key.value) for name, key in events.items() if key.value is not None]


def _value(name: str) -> str:
    return f"{name}.value"


def _clock(step: TimeStep, idle_ms: int) -> EventClock:
    return EventClock(lambda times_ms: step_ends(times_ms, step), idle_ms)


def _starts(times: pl.Series, step: TimeStep) -> pl.Series:
    """The beginnings of the steps of TIMESTAMPs, as Int64; null of null."""
    known = times.cast(pl.Datetime("ms")).to_physical()
    starts = pl.Series("v", step_starts(known.fill_null(0).to_numpy(), step))
    return starts if not times.null_count() else pl.select(pl.when(times.is_not_null()).then(starts)).to_series()


def _timestamp(starts: pl.Series, key: TimeKey) -> pl.Series:
    return starts.cast(pl.Datetime("ms")).alias(key.name)
