"""Plans for people to read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from millstream.analytics.plan.nodes import (
    Aggregate,
    Column,
    Distinct,
    Filter,
    Item,
    Monotonic,
    Over,
    OverAggregate,
    PlanNode,
    ProgramPlan,
    Project,
    ReferenceJoin,
    RowFrame,
    Scan,
    Session,
    Stagger,
    TableFunction,
    TimeKey,
    TimeStep,
    Tumble,
    Union,
    WindowJoin,
    WindowSort,
)
from millstream.analytics.plan.printing import column_text, duration_text, sql
from millstream.analytics.plan.suggestions import written
from millstream.analytics.plan.walking import inputs_of
from millstream.analytics.scalars.nodes import Scalar
from millstream.analytics.scalars.types import show

_MONTHS = {1: "a month", 3: "a quarter", 12: "a year"}


def explain(plan: ProgramPlan) -> str:
    """The whole program: streams, then pumps in the order in which they run, each with its operators below it, the last
    one first."""
    lines = []
    for stream in plan.streams.values():
        kind = "SOURCE" if stream.source else "STREAM"
        lines.append(f"{kind} {written(stream.name)} ({_columns(stream.columns)})")
    for pump in plan.pumps:
        state = "" if pump.running else " (stopped)"
        lines += ["", f"PUMP {written(pump.name)}{state} -> {written(pump.target)}", explain_query(pump.query, 1)]
    if plan.query is not None:
        lines += ["", "SELECT", explain_query(plan.query, 1)]
    return "\n".join(lines)


def explain_query(node: PlanNode, depth: int = 0) -> str:
    """An operator and those below it, indented."""
    describe = _DESCRIPTIONS[type(node)]
    head, *details = describe(node)
    lines = [f"{'  ' * depth}{head}", *(f"{'  ' * depth}    {detail}" for detail in details)]
    return "\n".join([*lines, *(explain_query(one, depth + 1) for one in inputs_of(node))])


def _columns(columns: Iterable[Column]) -> str:
    return ", ".join(f"{column_text(column.name)} {show(column.type)}" for column in columns)


def _item(item: Item) -> str:
    value = sql(item.value)
    shown = column_text(item.name) if value == column_text(item.name) else f"{column_text(item.name)} = {value}"
    return f"{shown}  {show(item.value.type)}"


def _step(step: TimeStep) -> str:
    size = _MONTHS.get(step.months, f"{step.months} months") if step.months else duration_text(step.step_ms)
    return f"{size}{f' from {duration_text(step.origin_ms)}' if step.origin_ms else ''}"


def _frame(frame: RowFrame | None) -> str:
    if frame is None:
        return "the current row"
    if frame.range_ms is not None:
        return f"the last {duration_text(frame.range_ms)}"
    if frame.rows is None:
        return "all rows so far"
    return f"the row and {frame.rows} before it" if frame.rows else "the row alone"


def _equal(pairs: Iterable[tuple[Scalar, Scalar]], residual: Scalar | None) -> list[str]:
    lines = [f"{sql(left)} = {sql(right)}" for left, right in pairs]
    return [*lines, *([f"and {sql(residual)}"] if residual is not None else [])]


def _aggregate(one: Aggregate | OverAggregate) -> str:
    function = one.function.removesuffix("(*)")
    arguments = "*" if one.function == "COUNT(*)" else ", ".join(sql(argument) for argument in one.arguments)
    nulls = " IGNORE NULLS" if isinstance(one, OverAggregate) and one.ignore_nulls else ""
    return f"{one.name} = {function}({'DISTINCT ' if one.distinct else ''}{arguments}){nulls}  {show(one.type)}"


def _over_call(one: OverAggregate) -> str:
    by = f" of each {', '.join(sql(value) for value in one.partition)}" if one.partition else ""
    return f"{_aggregate(one)}  over {_frame(one.frame)}{by}"


def _time(time: TimeKey) -> str:
    clock = "ROWTIME" if time.value is None else sql(time.value)
    shown = f", shown as {sql(time.shown)}" if time.shown is not None else ""
    return f"{time.name}: steps of {_step(time.step)} of {clock}{shown}  {show(time.type)}"


def _keys(keys: Iterable[Item]) -> list[str]:
    return [f"key {_item(key)}" for key in keys]


def _tumble(node: Tumble) -> list[str]:
    clocks = " and ".join(f"{time.clock} windows of {_step(time.step)}" for time in node.times)
    aggregates = [_aggregate(one) for one in node.aggregates]
    return [f"Tumble, {clocks}", *(_time(time) for time in node.times), *_keys(node.keys), *aggregates]


def _stagger(node: Stagger) -> list[str]:
    head = f"Stagger, windows of {duration_text(node.age_ms)} from a key's first row"
    return [head, *_keys(node.keys), *(_aggregate(one) for one in node.aggregates)]


def _session(node: Session) -> list[str]:
    clock = "ROWTIME" if node.time is None else sql(node.time)
    head = f"Session, until {duration_text(node.gap_ms)} of {clock} without a row"
    return [head, *_keys(node.keys), *(_aggregate(one) for one in node.aggregates)]


def _sort(node: WindowSort) -> list[str]:
    keys = ", ".join(f"{sql(key.value)}{' DESC' if key.descending else ''}" for key in node.keys)
    return [f"Sort, within steps of {_step(node.step)} of ROWTIME", f"by {keys}"]


def _window_join(node: WindowJoin) -> list[str]:
    frames = f"{_frame(node.left_frame)} with {_frame(node.right_frame)}"
    return [f"{node.kind.title()} join, {frames}", *_equal(node.equal, node.residual)]


def _reference_join(node: ReferenceJoin) -> list[str]:
    columns = _columns(node.table_columns)
    table = f"table {written(node.table)} ({columns})"
    return [f"{node.kind.title()} reference join", table, *_equal(node.equal, node.residual)]


def _table_function(node: TableFunction) -> list[str]:
    arguments = ", ".join(f"'{one}'" if isinstance(one, str) else str(one) for one in node.arguments)
    return [f"{node.function} ({arguments})", f"gives {_columns(node.columns)}"]


def _scan(node: Scan) -> list[str]:
    alias = f" as {written(node.alias)}" if node.alias != node.stream else ""
    names = (Column(column.name.removeprefix(f"{node.alias}."), column.type) for column in node.columns)
    return [f"Scan {written(node.stream)}{alias} ({_columns(names)})"]


_DESCRIPTIONS: dict[type, Callable[[Any], list[str]]] = {
    Scan: _scan,
    Filter: lambda node: [f"Filter {sql(node.predicate)}"],
    Project: lambda node: ["Project", *(_item(item) for item in node.items)],
    Tumble: _tumble,
    Stagger: _stagger,
    Session: _session,
    Over: lambda node: ["Over", *(_over_call(call) for call in node.calls)],
    Distinct: lambda node: [f"Distinct, within steps of {_step(node.step)} of ROWTIME"],
    WindowSort: _sort,
    Monotonic: lambda node: [f"Monotonic {sql(node.value)}"],
    WindowJoin: _window_join,
    ReferenceJoin: _reference_join,
    Union: lambda _: ["Union all"],
    TableFunction: _table_function,
}
