"""What stands in FROM, one by one: streams, views, subqueries, table functions, reference tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlglot import exp

from millstream.analytics.language.nodes import Source
from millstream.analytics.plan.context import Context
from millstream.analytics.plan.environment import ROWTIME, Stream, View
from millstream.analytics.plan.nodes import Column, Item, RowFrame, Scan
from millstream.analytics.plan.problems import check_names, problem
from millstream.analytics.plan.relational import Rows, Selected, project, reference, with_row_time
from millstream.analytics.plan.scopes import Field, Relation
from millstream.analytics.plan.suggestions import written
from millstream.analytics.plan.tablefunctions import plan_table_function
from millstream.analytics.plan.trees import ROW_TIME
from millstream.analytics.plan.windows import Windows, row_frame
from millstream.analytics.scalars.nodes import Scalar
from millstream.analytics.scalars.types import TIMESTAMP


@dataclass(frozen=True)
class Table:
    """A reference table with its columns as `ALIAS.NAME`."""

    name: str
    columns: tuple[Column, ...]


class Span(NamedTuple):
    """How long a join looks back at a stream: its ROWTIME column, and the time."""

    rowtime: Scalar
    range_ms: int


@dataclass(frozen=True)
class Side:
    """A part of FROM: rows of streams, or a reference table. `frame`: its OVER. `spans`: of all its streams, if the
    OVER of each is of time."""

    relations: tuple[Relation, ...]
    rows: Rows | None = None
    table: Table | None = None
    frame: RowFrame | None = None
    merged: tuple[Field, ...] = ()
    spans: tuple[Span, ...] = ()


def plan_source(context: Context, source: Source, windows: Windows) -> Side:
    """One source. Raises SqlError."""
    context.count_relation(source)
    side = _side(context, source)
    if source.args.get("columns"):
        side = _renamed(side, source.args["columns"])
    if source.args.get("over") is None:
        return side
    if side.table is not None:
        raise problem(source, "A reference table has no window", "only streams take OVER (…) in a join")
    window = windows.find(source.args["over"])
    if window.partition:
        raise problem(
            window.partition[0], "A join's window takes no PARTITION BY", "put the columns into the ON condition"
        )
    frame = row_frame(window.frame)
    rowtime = rowtime_of(side.relations[0])
    spans = () if frame.range_ms is None or rowtime is None else (Span(rowtime, frame.range_ms),)
    return replace(side, frame=frame, spans=spans)


def rowtime_of(relation: Relation) -> Scalar | None:
    """The ROWTIME column of a stream; reference tables have none."""
    found = [one.value for one in relation.fields if one.name == ROWTIME and one.value.type == TIMESTAMP]
    return found[-1] if found else None


def _side(context: Context, source: Source) -> Side:
    alias = source.args.get("alias")
    name = str(alias.this) if alias is not None else context.anonymous()
    if "." in name:
        raise problem(alias, f"{written(name)}: a name in FROM has no dot", "give it another with AS")
    inner = source.this
    if isinstance(inner, exp.Anonymous):
        return _of_query(name, plan_table_function(context, inner))
    if not isinstance(inner, exp.Table):
        return _of_query(name, context.nested(inner.unnest()))
    found = context.environment.relation(inner.this)
    name = str(alias.this) if alias is not None else str(inner.this.this)
    if "." in name:
        raise problem(inner, f"{written(name)}: a name with a dot needs another one in FROM", "give it one with AS")
    if isinstance(found, Stream):
        return _scan(name if alias is not None else found.name, found)
    if isinstance(found, View):
        return _of_query(name, _view(context, found, source))
    return _table(name, str(inner.this.this), found)


def _scan(alias: str, stream: Stream) -> Side:
    own = [column for column in stream.columns if column.name != ROWTIME]
    rowtime = Column(ROWTIME, TIMESTAMP)
    columns = tuple(column._replace(name=f"{alias}.{column.name}") for column in (*own, *stream.hidden, rowtime))
    visible = len(own)
    fields = tuple(
        Field(column.name.removeprefix(f"{alias}."), reference(column), hidden=index >= visible)
        for index, column in enumerate(columns)
    )
    times = {f"{alias}.{ROWTIME}": ROW_TIME}
    return Side((Relation(alias, fields),), Rows(Scan(stream.name, alias, columns), times))


def _table(alias: str, name: str, columns: tuple[Column, ...]) -> Side:
    named = tuple(column._replace(name=f"{alias}.{column.name}") for column in columns)
    fields = tuple(Field(column.name, reference(one)) for column, one in zip(columns, named, strict=True))
    return Side((Relation(alias, fields),), table=Table(name, named))


def _view(context: Context, view: View, source: Source) -> Selected:
    selected = context.nested(view.query, view.environment)
    return named_columns(selected, list(view.columns), source) if view.columns is not None else selected


def named_columns(selected: Selected, names: list[str], node: exp.Expression) -> Selected:
    """The query's columns under other names, in their order."""
    if len(names) != len(selected.columns):
        raise problem(node, f"{len(names)} names are given to the {len(selected.columns)} columns of a query")
    items = [Item(name, reference(column)) for name, column in zip(names, selected.columns, strict=True)]
    rows = project(selected.rows, items)
    return Selected(rows, rows.node.columns)


def _of_query(alias: str, selected: Selected) -> Side:
    rows = project(selected.rows, with_row_time(alias, selected.columns))
    visible = len(selected.columns)
    fields = tuple(
        Field(column.name.removeprefix(f"{alias}."), reference(column), hidden=index >= visible)
        for index, column in enumerate(rows.node.columns)
    )
    return Side((Relation(alias, fields),), rows)


def _renamed(side: Side, names: list[exp.Identifier]) -> Side:
    relation = side.relations[0]
    visible = [one for one in relation.fields if not one.hidden]
    if len(names) != len(visible):
        message = f"{written(relation.name)} has {len(visible)} columns, not {len(names)}"
        raise problem(names[0], message, "name all of them, or none")
    check_names(names, "Column")
    new = [one._replace(name=str(name.this)) for one, name in zip(visible, names, strict=True)]
    hidden = [one for one in relation.fields if one.hidden]
    return replace(side, relations=(relation._replace(fields=(*new, *hidden)),))
