"""GROUP BY and WINDOWED BY: which rows become one, and when they are all there.

A key that is a step of the ROWTIME clock closes the groups; without one, a key that is a step of an event time does.
Of several steps of ROWTIME the smallest closes; all other keys, event steps as well, are keys like any other. Columns
that follow from ROWTIME alone (a step that a subquery computed) count as what they are computed from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlglot import exp

from millstream.analytics.language.errors import SqlError
from millstream.analytics.language.nodes import SelectStream, SessionWindow, StaggerWindow
from millstream.analytics.plan.environment import ROWTIME
from millstream.analytics.plan.nodes import (
    Aggregate,
    Item,
    PlanNode,
    Session,
    Stagger,
    TimeKey,
    TimeStep,
    Tumble,
)
from millstream.analytics.plan.problems import problem
from millstream.analytics.plan.relational import Rows, timed
from millstream.analytics.plan.scalars import Translator
from millstream.analytics.plan.timekeys import Cut, cut_of, key_of
from millstream.analytics.plan.trees import (
    ROW_TIME,
    bare,
    earlier,
    is_constant,
    is_of_time,
    is_row_time,
    replace,
    rewrite,
)
from millstream.analytics.scalars.nodes import ColumnRef, Literal, Scalar
from millstream.analytics.scalars.types import TIMESTAMP, Kind

_WINDOW_HINT = "add a step of time to GROUP BY: STEP(s.ROWTIME BY INTERVAL '60' SECOND)"
NO_WINDOW = "A stream never ends: groups need a window of time"

Make = Callable[[PlanNode, tuple[Aggregate, ...]], PlanNode]


class Key(NamedTuple):
    """A grouping expression: its value over the input, and its column after grouping."""

    value: Scalar
    column: ColumnRef


@dataclass
class Grouping:
    """A GROUP BY in the making. `make` gives the operator once the aggregates are known; `times`: keys that follow from
    the ROWTIME of the group's row."""

    keys: list[Key]
    make: Make
    times: dict[str, Scalar] = field(default_factory=dict)
    aggregates: list[Aggregate] = field(default_factory=list)

    def aggregate(self, function: str, arguments: tuple[Scalar, ...], call: Aggregate) -> ColumnRef:
        """The column of an aggregate; the same call has the same column."""
        wanted = (function, tuple(bare(one) for one in arguments), call.distinct)
        for one in self.aggregates:
            if (one.function, tuple(bare(argument) for argument in one.arguments), one.distinct) == wanted:
                return ColumnRef(one.name, one.type)
        self.aggregates.append(call)
        return ColumnRef(call.name, call.type)

    def finished(self, value: Scalar, computed: set[str], *, rowtime: bool = False) -> Scalar:
        """A value over the input as one over the groups. `computed`: columns that are made of groups already.
        `rowtime`: ROWTIME may stand for that of the group's row."""
        by_value = {bare(key.value): key.column for key in self.keys}

        def change(part: Scalar) -> Scalar | None:
            key = by_value.get(bare(part))
            if key is not None:
                return key._replace(span=part.span)
            if bare(part) == ROW_TIME:
                return part
            if not isinstance(part, ColumnRef) or part.name in computed:
                return None
            if rowtime and is_row_time(part):
                return ROW_TIME
            raise self._not_grouped(part)

        return rewrite(value, change)

    def rows(self, rows: Rows) -> Rows:
        """The groups."""
        return Rows(self.make(rows.node, tuple(self.aggregates)), self.times)

    def _not_grouped(self, part: ColumnRef) -> SqlError:
        name = part.name.split(".", 1)[-1]
        hint = "add it to GROUP BY, or use it in an aggregate"
        if name == ROWTIME:
            hint = "use the step that stands in GROUP BY, or MAX(ROWTIME)"
        return SqlError(f"Expression '{name}' is not being grouped", part.span, hint=hint)


def plan_grouping(select: SelectStream, translator: Translator, rows: Rows) -> Grouping | None:
    """The grouping of a SELECT, if it has one. Raises SqlError."""
    group, windowed = list(select.args.get("group") or []), select.args.get("windowed_by")
    if isinstance(windowed, StaggerWindow | SessionWindow):
        partition = [*(windowed.args.get("partition") or []), *group]
        return _windowed(windowed, _values(translator, partition), translator)
    if not group:
        return None
    return _tumbling(group, _values(translator, group), rows)


def _values(translator: Translator, nodes: Sequence[exp.Expression]) -> list[Scalar]:
    values: list[Scalar] = []
    for node in nodes:
        value = translator.scalar(node)
        if isinstance(value, Literal):
            raise problem(node, "GROUP BY takes expressions, not positions or constants", "write the expression itself")
        if value.type.kind == Kind.RECORD:
            raise problem(node, "A record cannot be grouped by", "name one of its fields")
        if not is_constant(value) and all(bare(value) != bare(one) for one in values):
            values.append(value)
    return values


def _windowed(window: StaggerWindow | SessionWindow, values: list[Scalar], translator: Translator) -> Grouping:
    keys = _named(values)
    items = _items(keys)
    length = _length(window, translator)
    if isinstance(window, StaggerWindow):
        return Grouping(keys, lambda node, aggregates: Stagger(node, items, aggregates, length))
    time = translator.scalar(window.args["time"]) if window.args.get("time") is not None else None
    if time is not None and time.type.kind != Kind.TIMESTAMP:
        raise problem(window.args["time"], f"A session's time is a TIMESTAMP, not a {time.type.kind}")
    if time is not None and is_row_time(time):
        time = None
    return Grouping(keys, lambda node, aggregates: Session(node, items, aggregates, length, time))


def _length(window: exp.Expression, translator: Translator) -> int:
    name = "age" if isinstance(window, StaggerWindow) else "gap"
    value = translator.scalar(window.args[name])
    fits = isinstance(value, Literal) and value.type.kind == Kind.INTERVAL_DAY and isinstance(value.value, int)
    if not fits or not isinstance(value, Literal) or not isinstance(value.value, int) or value.value < 1:
        raise problem(
            window.args[name], "The length of a window is an interval above zero", "write INTERVAL '1' MINUTE"
        )
    return value.value


def _named(values: Sequence[Scalar]) -> list[Key]:
    return [Key(value, ColumnRef(_key_name(value, index), value.type)) for index, value in enumerate(values, start=1)]


def _key_name(value: Scalar, index: int) -> str:
    return value.name if isinstance(value, ColumnRef) else f"key{index}"


def _items(keys: Sequence[Key]) -> tuple[Item, ...]:
    return tuple(Item(key.column.name, key.value) for key in keys)


class _Step(NamedTuple):
    """A key that is a step: of ROWTIME if `over_time` (the key's value over it) is there."""

    place: int
    cut: Cut
    over_time: Scalar | None


def _tumbling(group: list[exp.Expression], values: list[Scalar], rows: Rows) -> Grouping:
    steps = [step for index, value in enumerate(values) if (step := _step(index, value, rows)) is not None]
    of_rowtime = [step for step in steps if step.over_time is not None]
    of_events = [step for step in steps if step.over_time is None]
    if not of_rowtime and not of_events:
        raise problem(group[0], NO_WINDOW, _WINDOW_HINT)
    chosen = min(of_rowtime, key=lambda step: _size(step.cut.step)) if of_rowtime else of_events[0]
    value = values[chosen.place]
    time = _time_key(value, chosen)
    others = _named([one for index, one in enumerate(values) if index != chosen.place])
    items = _items(others)
    window = Key(value, ColumnRef(time.name, time.type))
    times = {}
    if chosen.over_time is not None:
        times[time.name] = replace(chosen.over_time, ROW_TIME, earlier(ROW_TIME, 1))
    return Grouping([window, *others], lambda node, aggregates: Tumble(node, (time,), items, aggregates), times)


def _step(index: int, value: Scalar, rows: Rows) -> _Step | None:
    over_time = timed(value, rows.times)
    cut = key_of(over_time) if is_of_time(over_time) else None
    if cut is not None and bare(cut.base) == ROW_TIME:
        return _Step(index, cut, over_time)
    # A plain event time is no window by itself, only its steps are.
    cut = cut_of(value)
    return _Step(index, cut, None) if cut is not None and cut.base.type.kind == Kind.TIMESTAMP else None


def _size(step: TimeStep) -> int:
    return step.step_ms or step.months * 31 * 86_400_000


def _time_key(value: Scalar, step: _Step) -> TimeKey:
    name = "window"
    clock = "event" if step.over_time is None else "rowtime"
    over = value if step.over_time is None else step.over_time
    begin = ColumnRef(name, TIMESTAMP)
    shown = None if step.cut.plain else replace(over, step.cut.base, begin)
    base = step.cut.base if step.over_time is None else None
    return TimeKey(name, clock, step.cut.step, base, value.type, shown)
