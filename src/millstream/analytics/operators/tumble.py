"""Tumbling windows: GROUP BY with steps of a clock.

With a step of ROWTIME among the keys a group closes when ROWTIME reaches the end of its (first ending) step; its row
comes at that time. Steps of event times are ordinary keys then.

With steps of event times only, the event clock closes groups (`clocks.EventClock`): the greatest event time so far,
which runs on to the end of its step when no row came for as long as a step takes (of several event times the shortest
step). Results come just before the row that moved the clock, with its ROWTIME, or when it was idle long enough. Rows
for a step that has ended by that clock are late: errors of the row.

Groups that close together leave in the order of their first rows.
"""

from __future__ import annotations

import polars as pl

from millstream.analytics.operators.closing import emitted, no_rows
from millstream.analytics.operators.frames import Cycle, State
from millstream.analytics.operators.grouping import Closed, Grouping
from millstream.analytics.operators.rowreader import RowReader
from millstream.analytics.operators.states import integer, part, prefixed
from millstream.analytics.operators.steps import EventSteps, RowtimeSteps
from millstream.analytics.plan.nodes import Item, Tumble
from millstream.analytics.scalars.compile import Evaluator


class TumbleOperator:
    """See plan.nodes.Tumble."""

    def __init__(self, node: Tumble) -> None:
        by_rowtime = any(key.clock == "rowtime" for key in node.times)
        self._steps: RowtimeSteps | EventSteps = RowtimeSteps(node.times) if by_rowtime else EventSteps(node.times)
        self._names = [column.name for column in node.columns]
        keys = [Item(f"k{index}", key.value) for index, key in enumerate(node.keys)]
        self._keys = [key.name for key in keys]
        self._grouping = Grouping(node.aggregates, (*self._steps.by, *self._keys), window=self._steps.window)
        self._reader = RowReader([*self._steps.items, *self._grouping.items], keys)
        self._times = [key.name for key in node.times]
        shown = [(key.name, key.shown) for key in node.times if key.shown is not None]
        self._shown = Evaluator([scalar for _, scalar in shown], [name for name, _ in shown]) if shown else None
        self._empty = no_rows(node.columns)

    def process(self, inputs: tuple[pl.DataFrame, ...], cycle: Cycle) -> pl.DataFrame:
        rows = self._steps.enter(self._reader, inputs[0], cycle)
        if rows is not None and rows.height:
            self._grouping.add(rows)
        due = self._steps.due(cycle)
        closed = self._grouping.take(due) if due is not None else None
        return self._empty if closed is None else self._emit(closed, cycle)

    def _emit(self, closed: Closed, cycle: Cycle) -> pl.DataFrame:
        groups = closed.groups
        times, failures = self._show(pl.DataFrame(self._steps.starts(groups)), cycle)
        columns = [times[name] for name in self._times] + [groups[name] for name in self._keys] + closed.values
        named = [column.alias(name) for column, name in zip(columns, self._names, strict=True)]
        stamps, order = self._steps.stamps(groups, cycle)
        return emitted(named, stamps, order, closed.failures | failures, cycle)

    def _show(self, starts: pl.DataFrame, cycle: Cycle) -> tuple[pl.DataFrame, dict[int, str]]:
        """The time keys' values, and why some have none, by row."""
        if self._shown is None:
            return starts, {}
        values, errors = self._shown.run(starts, cycle.moment)
        shown = starts.with_columns(values.get_columns())
        return shown, dict(zip(errors.rows, errors.messages, strict=True)) if errors is not None else {}

    def state(self) -> State:
        return {
            "count": self._reader.count,
            **prefixed("steps", self._steps.state()),
            **prefixed("grouping", self._grouping.state()),
        }

    def restore(self, state: State) -> None:
        self._reader.count = integer(state, "count")
        self._steps.restore(part("steps", state))
        self._grouping.restore(part("grouping", state))

    def state_bytes(self) -> int:
        return self._grouping.size_bytes()
