"""Operators of plan nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from millstream.analytics.operators.distinct import DistinctOperator
from millstream.analytics.operators.frames import Operator
from millstream.analytics.operators.monotonic import MonotonicOperator
from millstream.analytics.operators.over import OverOperator
from millstream.analytics.operators.referencejoin import ReferenceJoinOperator
from millstream.analytics.operators.session import SessionOperator
from millstream.analytics.operators.stagger import StaggerOperator
from millstream.analytics.operators.stateless import FilterOperator, ProjectOperator
from millstream.analytics.operators.tablefunctions import table_function_operator
from millstream.analytics.operators.tumble import TumbleOperator
from millstream.analytics.operators.union import UnionOperator
from millstream.analytics.operators.windowjoin import WindowJoinOperator
from millstream.analytics.operators.windowsort import WindowSortOperator
from millstream.analytics.plan import nodes

Tables = Mapping[str, pl.DataFrame]
"""Reference tables by name; columns by their names."""

_FACTORIES: dict[type, Callable[..., Operator]] = {
    nodes.Filter: FilterOperator,
    nodes.Project: ProjectOperator,
    nodes.Tumble: TumbleOperator,
    nodes.Stagger: StaggerOperator,
    nodes.Session: SessionOperator,
    nodes.Over: OverOperator,
    nodes.Distinct: DistinctOperator,
    nodes.WindowSort: WindowSortOperator,
    nodes.Monotonic: MonotonicOperator,
    nodes.WindowJoin: WindowJoinOperator,
    nodes.Union: UnionOperator,
    nodes.TableFunction: table_function_operator,
}

_FROM_ROWS_ALONE = (
    nodes.Filter,
    nodes.Project,
    nodes.Over,
    nodes.Distinct,
    nodes.Monotonic,
    nodes.ReferenceJoin,
    nodes.Union,
)


def make_operator(node: nodes.PlanNode, tables: Tables) -> Operator:
    """The operator of a node other than a Scan."""
    if isinstance(node, nodes.ReferenceJoin):
        return ReferenceJoinOperator(node, reference_frame(node, tables))
    return _FACTORIES[type(node)](node)


def reference_frame(node: nodes.ReferenceJoin, tables: Tables) -> pl.DataFrame:
    """A reference table under the names that the join has for its columns."""
    names = [column.name for column in node.table_columns]
    return tables[node.table].select(pl.col(name.rpartition(".")[2]).alias(name) for name in names)


def follows_from_rows(node: nodes.PlanNode) -> bool:
    """Whether it gives rows only in a cycle that gives it rows: time alone brings nothing forth."""
    if isinstance(node, nodes.WindowJoin):
        return node.kind == "INNER"  # others give rows that found no partner while they were in their window
    return isinstance(node, _FROM_ROWS_ALONE)
