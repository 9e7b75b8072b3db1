"""DISTINCT and ORDER BY: possible on a stream within steps of its ROWTIME."""

from __future__ import annotations

from typing import NamedTuple

from sqlglot import exp

from millstream.analytics.plan.nodes import Distinct, Item, SortKey, TimeStep, WindowSort
from millstream.analytics.plan.problems import problem
from millstream.analytics.plan.relational import Rows, project, reference, timed, unique
from millstream.analytics.plan.timekeys import key_of
from millstream.analytics.plan.trees import ROW_TIME, bare, is_constant, is_of_time
from millstream.analytics.scalars.nodes import ColumnRef, Scalar
from millstream.analytics.scalars.types import Kind

_ORDER_HINT = "begin with the time: ORDER BY ROWTIME, x or ORDER BY FLOOR(s.ROWTIME TO MINUTE), x"


class Order(NamedTuple):
    """One key of ORDER BY, over the rows below the SELECT's items."""

    node: exp.Ordered
    value: Scalar

    @property
    def descending(self) -> bool:
        """True if the greatest comes first."""
        return bool(self.node.args.get("desc"))


def plan_distinct(rows: Rows, items: list[Item], node: exp.Expression) -> Rows:
    """SELECT DISTINCT: the items' rows, each once within a step of ROWTIME. ROWTIME itself does not count."""
    over_time = {item.name: timed(item.value, rows.times) for item in items}
    rowtimes = {name for name, value in over_time.items() if bare(value) == ROW_TIME}
    steps = [step for name, value in over_time.items() if name not in rowtimes and (step := _step(value)) is not None]
    if not steps and not rowtimes:
        hint = "select a step of time, too: SELECT STREAM DISTINCT FLOOR(s.ROWTIME TO MINUTE), …"
        raise problem(node, "A stream never ends: DISTINCT needs a window of time", hint)
    step = min(steps, key=lambda one: (one.months, one.step_ms)) if steps else TimeStep(1)
    counted = project(rows, [item for item in items if item.name not in rowtimes] or items[:1])
    distinct = counted.on(Distinct(counted.node, step))
    if not rowtimes:
        return distinct
    columns = {column.name: reference(column) for column in distinct.node.columns}
    return project(distinct, [Item(item.name, columns.get(item.name, ROW_TIME)) for item in items])


def _step(over_time: Scalar) -> TimeStep | None:
    cut = key_of(over_time) if is_of_time(over_time) else None
    return cut.step if cut is not None and bare(cut.base) == ROW_TIME else None


def plan_order(rows: Rows, items: list[Item], orders: list[Order], *, distinct: bool) -> Rows:
    """SELECT … ORDER BY: the items' rows, sorted. `rows` are those below the items; with `distinct` they are the items'
    already."""
    first = orders[0]
    step = _step(timed(first.value, rows.times))
    if step is None:
        raise problem(first.node, "A stream can be sorted only within steps of its ROWTIME", _ORDER_HINT)
    if first.descending:
        raise problem(first.node, "Time does not run backwards", _ORDER_HINT)
    rest = [order for order in orders[1:] if not is_constant(order.value)]
    if not rest:
        return rows if distinct else project(rows, items)
    hidden = [] if distinct else _hidden(items, rest)
    below = rows if distinct else project(rows, [*items, *hidden])
    names = {bare(item.value): item.name for item in [*items, *hidden]}
    keys = []
    for order in rest:
        _check_sortable(order)
        name = order.value.name if distinct and isinstance(order.value, ColumnRef) else names[bare(order.value)]
        keys.append(SortKey(ColumnRef(name, order.value.type), order.descending))
    sorted_rows = below.on(WindowSort(below.node, step, tuple(keys)))
    if not hidden:
        return sorted_rows
    return project(sorted_rows, [Item(item.name, ColumnRef(item.name, item.value.type)) for item in items])


def _hidden(items: list[Item], orders: list[Order]) -> list[Item]:
    """Sort keys that are not among the items."""
    known = {bare(item.value) for item in items}
    values: list[Scalar] = []
    for order in orders:
        if bare(order.value) not in known:
            known.add(bare(order.value))
            values.append(order.value)
    names = unique([*(item.name for item in items), *(f"$order{number}" for number in range(1, len(values) + 1))])
    return [Item(name, value) for name, value in zip(names[len(items) :], values, strict=True)]


def _check_sortable(order: Order) -> None:
    if order.value.type.kind == Kind.RECORD:
        raise problem(order.node, "Records have no order", "sort by one of the fields")
