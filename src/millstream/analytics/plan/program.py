"""A program's statements, one after the other, as the plan of an application."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from sqlglot import exp

from millstream.analytics.language.errors import SqlError
from millstream.analytics.language.nodes import (
    AlterPump,
    ColumnDefinition,
    CreateFunction,
    CreatePump,
    CreateStream,
    Drop,
    Explain,
    InsertInto,
    SelectStream,
    UnionAll,
)
from millstream.analytics.plan.context import Context
from millstream.analytics.plan.dataflow import in_order, streams_read
from millstream.analytics.plan.environment import ROWTIME, Catalog, Environment, Function, Stream, View
from millstream.analytics.plan.inserts import assign
from millstream.analytics.plan.literals import type_of
from millstream.analytics.plan.names import AGGREGATES, OVER_ONLY, TABLE_FUNCTIONS
from millstream.analytics.plan.nodes import Column, PlanNode, ProgramPlan, PumpPlan, StreamPlan
from millstream.analytics.plan.optimizing import optimized
from millstream.analytics.plan.problems import check_names, problem, with_source
from millstream.analytics.plan.queries import plan_query
from millstream.analytics.plan.relational import reference
from millstream.analytics.plan.scopes import Field, Relation, Scope
from millstream.analytics.plan.suggestions import name_hint, written
from millstream.analytics.scalars.signatures import SCALAR_FUNCTIONS


def plan_program(statements: Iterable[exp.Expression], catalog: Catalog, *, text: str = "") -> ProgramPlan:
    """What the statements of `parse_program` ask for. `text`: the program, for messages that show the place. Raises
    SqlError, nothing else."""
    program = _Program(catalog)
    try:
        for statement in statements:
            program.apply(statement)
        return program.plan()
    except RecursionError:
        raise SqlError("The program is nested too deeply", text=text, hint="insert parts of it into streams") from None
    except SqlError as error:
        raise with_source(error, text) from None


class Pump(NamedTuple):
    """A pump's plan, and the statement that made it."""

    plan: PumpPlan
    node: exp.Expression


class _Program:
    """What the statements so far have made."""

    def __init__(self, catalog: Catalog) -> None:
        self._environment = Environment.of(catalog)
        self._pumps: dict[str, Pump] = {}
        self._query: PlanNode | None = None
        self._inserts = 0

    def apply(self, statement: exp.Expression) -> None:
        """One statement. Raises SqlError."""
        action = _ACTIONS.get(type(statement))
        if action is None:
            raise problem(statement, "This is not a statement of a program")
        action(self, statement)

    def plan(self) -> ProgramPlan:
        """All of it."""
        streams = {
            stream.name: StreamPlan(stream.name, stream.columns, stream.source)
            for stream in self._environment.streams.values()
        }
        return ProgramPlan(streams, in_order(list(self._pumps.values())), self._query)

    def create_stream(self, statement: CreateStream) -> None:
        name, query = statement.this, statement.args.get("query")
        self._check_new(statement, name)
        if query is not None:
            self._create_view(statement, query)
            return
        check_names([one.this for one in statement.args["columns"]], "Column")
        columns: list[Column] = []
        required: set[str] = set()
        for definition in statement.args["columns"]:
            column = self._column(definition)
            columns.append(column)
            if definition.args.get("not_null"):
                required.add(column.name)
        self._check_unused(statement, name, tuple(columns))
        self._environment.views.pop(name.this, None)
        self._environment.streams[name.this] = Stream(name.this, tuple(columns), required=frozenset(required))

    def _create_view(self, statement: CreateStream, query: exp.Expression) -> None:
        name = statement.this
        self._check_unused(statement, name, ())
        check_names([one.this for one in statement.args.get("columns") or []], "Column")
        names = [str(one.this.this) for one in statement.args.get("columns") or []]
        view = View(name.this, query, tuple(names) if names else None, self._environment.copy())
        selected = self._context().nested(query)
        if names and len(names) != len(selected.columns):
            message = f"{len(names)} names are given to the {len(selected.columns)} columns of the query"
            raise problem(statement.args["columns"][0], message)
        self._environment.streams.pop(name.this, None)
        self._environment.views[name.this] = view

    def create_pump(self, statement: CreatePump) -> None:
        name = str(statement.this.this)
        if name in self._pumps and not statement.args.get("replace"):
            raise problem(statement.this, f"There is a pump {written(name)} already", "write CREATE OR REPLACE PUMP")
        self._add_pump(name, statement, statement.args["insert"], running=not statement.args.get("stopped"))

    def create_function(self, statement: CreateFunction) -> None:
        name = str(statement.this.this)
        if name in SCALAR_FUNCTIONS | AGGREGATES | OVER_ONLY | TABLE_FUNCTIONS:
            raise problem(statement.this, f"{name} is a function of the language", "give yours another name")
        if name in self._environment.functions and not statement.args.get("replace"):
            raise problem(
                statement.this, f"There is a function {written(name)} already", "write CREATE OR REPLACE FUNCTION"
            )
        given = statement.args.get("parameters") or []
        check_names([one.this for one in given], "Parameter")
        parameters = [Column(str(one.this.this), type_of(one.args["kind"])) for one in given]
        fields = tuple(Field(one.name, reference(one)) for one in parameters)
        translator = self._context().translator(Scope((Relation("", fields),)), "a function")
        body, returns = statement.args["body"], type_of(statement.args["returns"])
        value = translator.cast(body, translator.scalar(body), returns, implicit=True)
        self._environment.functions[name] = Function(name, tuple(parameters), value)

    def alter_pump(self, statement: AlterPump) -> None:
        names = statement.args.get("names") or []
        for name in names:
            self._existing_pump(name)
        for name in [str(one.this) for one in names] or list(self._pumps):
            pump = self._pumps[name]
            self._pumps[name] = pump._replace(plan=replace(pump.plan, running=bool(statement.args.get("start"))))

    def drop(self, statement: Drop) -> None:
        kind, name = str(statement.args["kind"]), statement.this
        owners: dict[str, dict[str, Any]] = {
            "STREAM": self._environment.streams,
            "VIEW": self._environment.views,
            "FUNCTION": self._environment.functions,
            "PUMP": self._pumps,
        }
        owner = owners[kind]
        if name.this not in owner:
            if statement.args.get("if_exists"):
                return
            hint = name_hint(name.this, bool(name.args.get("quoted")), owner)
            raise problem(name, f"There is no {kind.lower()} {written(name.this)}", hint)
        if kind == "STREAM":
            self._environment.target(name)
            self._check_unused(statement, name, ())
        del owner[name.this]

    def insert(self, statement: InsertInto) -> None:
        self._inserts += 1
        name = f"INSERT_{self._inserts}"
        while name in self._pumps:
            name += "_"
        self._add_pump(name, statement, statement, running=True)

    def select(self, statement: exp.Expression) -> None:
        if self._query is not None:
            raise problem(statement, "A program has one SELECT of its own", "put the others into pumps")
        self._query = optimized(self._context().nested(statement).rows.node)

    def explain(self, statement: Explain) -> None:
        inner = statement.this
        if isinstance(inner, SelectStream | UnionAll):
            self._context().nested(inner)

    def _context(self) -> Context:
        return Context(self._environment, plan_query)

    def _add_pump(self, name: str, statement: exp.Expression, insert: InsertInto, *, running: bool) -> None:
        target = self._environment.target(insert.args["target"])
        selected = self._context().nested(insert.args["query"])
        query = optimized(assign(insert, target, selected))
        self._pumps.pop(name, None)
        self._pumps[name] = Pump(PumpPlan(name, target.name, query, running), statement)

    def _existing_pump(self, name: exp.Identifier) -> None:
        if name.this not in self._pumps:
            hint = name_hint(name.this, bool(name.args.get("quoted")), self._pumps)
            raise problem(name, f"There is no pump {written(name.this)}", hint)

    def _column(self, definition: ColumnDefinition) -> Column:
        name = str(definition.this.this)
        if name == ROWTIME:
            hint = "every stream has it; for a time of your own take another name"
            raise problem(definition, "ROWTIME cannot be declared", hint)
        return Column(name, type_of(definition.args["kind"]))

    def _check_new(self, statement: CreateStream, name: exp.Identifier) -> None:
        found = self._environment.streams.get(name.this)
        if name.this in self._environment.tables:
            raise problem(name, f"{written(name.this)} is a reference table of the application", "take another name")
        if found is not None and (found.source or name.this == "error_stream"):
            raise problem(name, f"{written(name.this)} is a stream of the application itself", "take another name")
        there = found is not None or name.this in self._environment.views
        if there and not statement.args.get("replace"):
            raise problem(name, f"There is a stream {written(name.this)} already", "write CREATE OR REPLACE STREAM")

    def _check_unused(self, statement: exp.Expression, name: exp.Identifier, columns: tuple[Column, ...]) -> None:
        """Nobody takes away what a pump uses; the same columns again are no change."""
        stream = self._environment.streams.get(name.this)
        if stream is None or stream.columns == columns:
            return
        for pump in self._pumps.values():
            if pump.plan.target == name.this or name.this in streams_read(pump.plan.query):
                hint = f"DROP PUMP {written(pump.plan.name)} before"
                raise problem(statement, f"Pump {written(pump.plan.name)} uses stream {written(name.this)}", hint)


_ACTIONS: dict[type[exp.Expression], Callable[..., None]] = {
    CreateStream: _Program.create_stream,
    CreatePump: _Program.create_pump,
    CreateFunction: _Program.create_function,
    AlterPump: _Program.alter_pump,
    Drop: _Program.drop,
    InsertInto: _Program.insert,
    SelectStream: _Program.select,
    UnionAll: _Program.select,
    Explain: _Program.explain,
}
