"""Simpler plans with the same rows: projections of projections become one, and only what is used is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass, replace
from typing import Any, cast

from millstream.analytics.plan.nodes import (
    Distinct,
    Filter,
    Item,
    Monotonic,
    Over,
    PlanNode,
    Project,
    ReferenceJoin,
    Scan,
    Session,
    Stagger,
    TableFunction,
    Tumble,
    Union,
    WindowJoin,
    WindowSort,
)
from millstream.analytics.plan.trees import bare, columns_of, parts, substitute
from millstream.analytics.plan.walking import inputs_of
from millstream.analytics.scalars.nodes import Call, ColumnRef, Literal, Scalar

_BY_COLUMN = frozenset({"COUNT_DISTINCT_ITEMS_TUMBLING", "TOP_K_ITEMS_TUMBLING"})


def optimized(node: PlanNode) -> PlanNode:
    """The plan to run: the same columns. It does not say where its parts stood, so that equal plans are equal."""
    return cast("PlanNode", _placeless(_pruned(_merged(node), {column.name for column in node.columns})))


def _placeless(part: object) -> object:
    if isinstance(part, ColumnRef | Literal | Call):
        return bare(part)
    if isinstance(part, tuple):
        inner: list[Any] = [_placeless(one) for one in part]
        return type(part)(*inner) if hasattr(part, "_fields") else tuple(inner)
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{one.name: _placeless(getattr(part, one.name)) for one in fields(part)})
    return part


def with_inputs(node: PlanNode, inputs: tuple[PlanNode, ...]) -> PlanNode:
    """The node over other inputs with the same columns."""
    if isinstance(node, Scan):
        return node
    if isinstance(node, WindowJoin):
        return replace(node, left=inputs[0], right=inputs[1])
    return replace(node, inputs=inputs) if isinstance(node, Union) else replace(node, input=inputs[0])


def _merged(node: PlanNode) -> PlanNode:
    node = with_inputs(node, tuple(_merged(one) for one in inputs_of(node)))
    if not isinstance(node, Project) or not isinstance(node.input, Project):
        return node
    inner = {item.name: item.value for item in node.input.items}
    uses = Counter(part.name for item in node.items for part in parts(item.value) if isinstance(part, ColumnRef))
    if any(count > 1 and isinstance(inner.get(name), Call) for name, count in uses.items()):
        return node
    items = tuple(Item(item.name, substitute(item.value, inner)) for item in node.items)
    return Project(node.input.input, items)


def _pruned(node: PlanNode, used: set[str]) -> PlanNode:
    prune = _PRUNE.get(type(node))
    if prune is not None:
        result: PlanNode = prune(node, used)
        return result
    return with_inputs(node, tuple(_pruned(one, {column.name for column in one.columns}) for one in inputs_of(node)))


def _scan(node: Scan, used: set[str]) -> Scan:
    return replace(node, columns=tuple(column for column in node.columns if column.name in used))


def _filter(node: Filter, used: set[str]) -> Filter:
    return replace(node, input=_pruned(node.input, used | columns_of(node.predicate)))


def _monotonic(node: Monotonic, used: set[str]) -> Monotonic:
    return replace(node, input=_pruned(node.input, used | columns_of(node.value)))


def _window_sort(node: WindowSort, used: set[str]) -> WindowSort:
    return replace(node, input=_pruned(node.input, used | columns_of(*(key.value for key in node.keys))))


def _project(node: Project, used: set[str]) -> Project:
    items = tuple(item for item in node.items if item.name in used)
    return Project(_pruned(node.input, columns_of(*(item.value for item in items))), items)


def _all(values: Iterable[tuple[Scalar, ...]]) -> set[str]:
    return columns_of(*(one for several in values for one in several))


def _tumble(node: Tumble, used: set[str]) -> Tumble:
    aggregates = tuple(one for one in node.aggregates if one.name in used)
    needed = _all(one.arguments for one in aggregates) | columns_of(*(key.value for key in node.keys))
    needed |= columns_of(*(time.value for time in node.times))
    return replace(node, input=_pruned(node.input, needed), aggregates=aggregates)


def _windowed(node: Stagger | Session, used: set[str]) -> PlanNode:
    aggregates = tuple(one for one in node.aggregates if one.name in used)
    needed = _all(one.arguments for one in aggregates) | columns_of(*(key.value for key in node.keys))
    if isinstance(node, Session):
        needed |= columns_of(node.time)
    return replace(node, input=_pruned(node.input, needed), aggregates=aggregates)


def _over(node: Over, used: set[str]) -> PlanNode:
    calls = tuple(one for one in node.calls if one.name in used)
    needed = used - {one.name for one in node.calls}
    needed |= _all(one.arguments for one in calls) | _all(one.partition for one in calls)
    below = _pruned(node.input, needed)
    return Over(below, calls) if calls else below


def _join(node: WindowJoin, used: set[str]) -> WindowJoin:
    needed = used | _all(node.equal) | columns_of(node.residual)
    return replace(node, left=_pruned(node.left, needed), right=_pruned(node.right, needed))


def _reference(node: ReferenceJoin, used: set[str]) -> ReferenceJoin:
    needed = used | _all(node.equal) | columns_of(node.residual)
    columns = tuple(column for column in node.table_columns if column.name in needed)
    return replace(node, input=_pruned(node.input, needed), table_columns=columns)


def _union(node: Union, used: set[str]) -> Union:
    return Union(tuple(_pruned(one, used) for one in node.inputs))


def _table_function(node: TableFunction, _: set[str]) -> TableFunction:
    needed = {column.name for column in node.input.columns}
    if node.function in _BY_COLUMN:
        needed = {str(node.arguments[0])}
    return replace(node, input=_pruned(node.input, needed))


def _distinct(node: Distinct, _: set[str]) -> Distinct:
    return replace(node, input=_pruned(node.input, {column.name for column in node.columns}))


_PRUNE: dict[type, Callable[[Any, set[str]], PlanNode]] = {
    Scan: _scan,
    Filter: _filter,
    Monotonic: _monotonic,
    WindowSort: _window_sort,
    Project: _project,
    Tumble: _tumble,
    Stagger: _windowed,
    Session: _windowed,
    Over: _over,
    Distinct: _distinct,
    WindowJoin: _join,
    ReferenceJoin: _reference,
    Union: _union,
    TableFunction: _table_function,
}
