"""A relation in the making: the operators so far, and what is known of their columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from millstream.analytics.plan.environment import ROWTIME
from millstream.analytics.plan.nodes import Column, Item, PlanNode, Project
from millstream.analytics.plan.trees import ROW_TIME, is_of_time, substitute
from millstream.analytics.scalars.nodes import ColumnRef, Scalar


@dataclass(frozen=True)
class Rows:
    """`times`: columns that follow from a row's ROWTIME alone, as expressions over it."""

    node: PlanNode
    times: Mapping[str, Scalar] = field(default_factory=dict)

    def on(self, node: PlanNode) -> Rows:
        """The same columns after one more operator that keeps a row's ROWTIME."""
        return replace(self, node=node)


class Selected(NamedTuple):
    """What a query gives: operators, and their columns in the query's order, under the names that it gives."""

    rows: Rows
    columns: tuple[Column, ...]


def timed(value: Scalar, times: Mapping[str, Scalar]) -> Scalar:
    """The value over the row's ROWTIME, as far as it follows from that."""
    return substitute(value, times)


def project(rows: Rows, items: Iterable[Item]) -> Rows:
    """Computed values in the place of the columns."""
    kept = tuple(items)
    over_time = {item.name: timed(item.value, rows.times) for item in kept}
    times = {name: value for name, value in over_time.items() if is_of_time(value)}
    return Rows(Project(rows.node, kept), times)


def reference(column: Column) -> ColumnRef:
    """The column itself."""
    return ColumnRef(column.name, column.type)


_SYSTEM_COLUMNS = frozenset({"$time", "$seq"})


def unique(names: Iterable[str]) -> list[str]:
    """Names as a relation must have them: those that come again get a number, as Calcite gives it (X, X0, X1)."""
    taken = set(_SYSTEM_COLUMNS)
    result = []
    for name in names:
        chosen, number = name, 0
        while chosen in taken:
            chosen, number = f"{name}{number}", number + 1
        taken.add(chosen)
        result.append(chosen)
    return result


def with_row_time(prefix: str, columns: Iterable[Column]) -> list[Item]:
    """The columns as `PREFIX.NAME`, and the row's ROWTIME unless one of them is called so."""
    items = [Item(f"{prefix}.{column.name}", reference(column)) for column in columns]
    name = f"{prefix}.{ROWTIME}"
    return items if any(item.name == name for item in items) else [*items, Item(name, ROW_TIME)]
