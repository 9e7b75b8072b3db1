"""INSERT INTO: a query's columns as a stream's."""

from __future__ import annotations

from sqlglot import exp

from millstream.analytics.language.nodes import InsertInto
from millstream.analytics.plan.environment import ROWTIME, Stream
from millstream.analytics.plan.nodes import Column, Item, PlanNode, Project
from millstream.analytics.plan.problems import problem
from millstream.analytics.plan.relational import Selected, reference, timed
from millstream.analytics.plan.suggestions import name_hint, written
from millstream.analytics.plan.trees import ROW_TIME, bare
from millstream.analytics.scalars import signatures
from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.nodes import Literal, Scalar
from millstream.analytics.scalars.types import TEXTS, Kind, show


def assign(insert: InsertInto, target: Stream, selected: Selected) -> PlanNode:
    """The query with exactly the target's columns; those that are not inserted are null. Raises SqlError with the
    words that AWS used."""
    names = [*(insert.args.get("columns") or [])]
    given = _without_rowtime(names, selected) if names else selected.columns
    columns = _targets(target, [name for name in names if name.this != ROWTIME] if names else None)
    if len(columns) != len(given):
        message = (
            f"Number of INSERT target columns ({len(columns)}) does not equal number of source items ({len(given)})"
        )
        wanted = ", ".join(f"{written(column.name)} {show(column.type)}" for column in columns)
        raise problem(insert.args["query"], message, f"{written(target.name)} takes {wanted}"[:400])
    pairs = zip(columns, given, strict=True)
    values = {column.name: _assigned(insert, column, source) for column, source in pairs}
    _check_required(insert, target, values)
    items = [Item(one.name, values.get(one.name, Literal(None, one.type))) for one in target.columns]
    return Project(selected.rows.node, tuple(items))


def _targets(target: Stream, names: list[exp.Identifier] | None) -> list[Column]:
    if names is None:
        return list(target.columns)
    by_name = {column.name: column for column in target.columns}
    chosen: dict[str, Column] = {}
    for name in names:
        column = by_name.get(name.this)
        if column is None:
            hint = name_hint(name.this, bool(name.args.get("quoted")), by_name)
            raise problem(name, f"Stream {written(target.name)} has no column {written(name.this)}", hint)
        if column.name in chosen:
            raise problem(name, f"Column {written(name.this)} is inserted twice")
        chosen[column.name] = column
    return list(chosen.values())


def _without_rowtime(names: list[exp.Identifier], selected: Selected) -> tuple[Column, ...]:
    """Columns but that for ROWTIME, which every row brings along."""
    kept = list(selected.columns)
    for index, name in enumerate(names):
        if name.this == ROWTIME and index < len(kept):
            if bare(timed(reference(kept[index]), selected.rows.times)) != ROW_TIME:
                hint = "insert the time into a TIMESTAMP column of its own"
                raise problem(name, "ROWTIME of a row is when it came; it cannot be set", hint)
            return tuple(kept[:index] + kept[index + 1 :])
    return selected.columns


def _assigned(insert: InsertInto, column: Column, source: Column) -> Scalar:
    # what a log parser found is text in the log: as a number it may go back into a text, as published programs have it
    parsed = isinstance(_item_node(insert, source).unalias(), exp.Dot) and column.type.kind in TEXTS
    try:
        return signatures.cast(reference(source), column.type, implicit=not parsed)
    except Mistake as mistake:
        message = (
            f"Cannot assign to target field '{column.name}' of type {show(column.type)}"
            f" from source field '{source.name}' of type {show(source.type)}"
        )
        raise problem(_item_node(insert, source), message, mistake.hint) from None


def _item_node(insert: InsertInto, source: Column) -> exp.Expression:
    """The item of the SELECT that gives the column, to show its place."""
    query = insert.args["query"].unnest()
    for item in query.args.get("items") or []:
        name = item.alias if isinstance(item, exp.Alias) else item.name
        if name == source.name:
            return item  # type: ignore[no-any-return]
    return query  # type: ignore[no-any-return]


def _check_required(insert: InsertInto, target: Stream, values: dict[str, Scalar]) -> None:
    for column in target.columns:
        value = values.get(column.name)
        is_null = value is None or value.type.kind == Kind.NULL or (isinstance(value, Literal) and value.value is None)
        if column.name in target.required and is_null:
            message = f"Column '{column.name}' has no default value and does not allow NULLs"
            raise problem(insert, message, "insert a value into it, or leave NOT NULL out of the stream")
