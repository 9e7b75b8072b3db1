"""The data flow of a program: streams, pumps, and what one cycle does to them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from millstream.analytics.engine.build import Tables, follows_from_rows, make_operator
from millstream.analytics.engine.errors import ErrorRows
from millstream.analytics.operators.frames import SEQ, TIME, Cycle, Operator, State, Times
from millstream.analytics.plan import nodes
from millstream.analytics.plan.environment import ERROR_STREAM
from millstream.analytics.plan.nodes import Column, PlanNode, ProgramPlan
from millstream.analytics.plan.walking import inputs_of
from millstream.analytics.scalars.dtypes import dtype

QUERY = "$query"
"""The name under which a cycle gives the rows of a program's bare query."""

Frames = dict[str, pl.DataFrame]


class SourceRows(NamedTuple):
    """The source rows of a cycle: by in-application stream, with system columns; and the ROWTIMEs of all, in
    order."""

    frames: Frames
    first_row: int
    rowtimes_ms: Times


class DataFlow:
    """A program at work. Called from one thread at a time."""

    def __init__(self, plan: ProgramPlan, tables: Tables) -> None:
        self.plan = plan
        self._pumps = [(pump, _Node(pump.query, tables, pump.name)) for pump in plan.pumps if pump.running]
        if plan.query is not None:
            self._pumps.append(
                (nodes.PumpPlan(QUERY, QUERY, plan.query, running=True), _Node(plan.query, tables, QUERY))
            )
        self._late = _after_errors([pump for pump, _ in self._pumps])
        self.is_timed = any(not follows_from_rows(node.plan) for _, root in self._pumps for node in root.walk())

    def run(self, source: SourceRows, until_ms: int, errors: ErrorRows) -> Frames:
        """One cycle: the new rows of every in-application stream that has some, in order.

        `errors` may have rows already: of records that could not be read.
        """
        cycle = Cycle(source.first_row, source.rowtimes_ms, until_ms, errors)
        streams = dict(source.frames)
        self._run_pumps(streams, cycle, errors, late=False)
        if (failed := errors.take()).height:
            streams[ERROR_STREAM] = failed
        self._run_pumps(streams, cycle, errors, late=True)
        errors.take()  # errors about errors lead nowhere
        return {name: frame for name, frame in streams.items() if frame.height}

    def _run_pumps(self, streams: Frames, cycle: Cycle, errors: ErrorRows, *, late: bool) -> None:
        for at, (pump, root) in enumerate(self._pumps):
            if (at in self._late) is not late:
                continue
            errors.pump = pump.name
            rows = root.run(streams, cycle)
            if rows.height:
                streams[pump.target] = _merge(streams.get(pump.target), rows)
        errors.pump = ""

    def scans(self) -> list[nodes.Scan]:
        """All that its pumps read."""
        return [scan for pump, _ in self._pumps for scan in scans_of(pump.query)]

    def state(self) -> State:
        """What all operators remember, by pump and then by place in its plan."""
        return {
            pump.name: {"plan": _digest(pump.query), "operators": {node.path: node.state() for node in root.walk()}}
            for pump, root in self._pumps
        }

    def restore(self, state: State) -> list[str]:
        """Go on from a state; the names of pumps that begin anew, because they were not in it or were another
        query."""
        anew = []
        for pump, root in self._pumps:
            saved = state.get(pump.name)
            if not isinstance(saved, dict) or saved.get("plan") != _digest(pump.query):
                anew.append(pump.name)
                continue
            for node in root.walk():
                node.restore(saved["operators"][node.path])
        return anew

    def state_bytes(self) -> int:
        """About how much memory the operators' states take."""
        return sum(node.operator.state_bytes() for _, root in self._pumps for node in root.walk() if node.operator)


class _Node:
    """A plan node at work, with those that feed it."""

    def __init__(self, plan: PlanNode, tables: Tables, path: str) -> None:
        self.plan = plan
        self.path = path
        self.inputs = [_Node(child, tables, f"{path}/{at}") for at, child in enumerate(inputs_of(plan))]
        self.operator: Operator | None = None if isinstance(plan, nodes.Scan) else make_operator(plan, tables)
        self._empty = _empty(plan.columns)
        self._rests = follows_from_rows(plan)
        self._scanned = _scanned(plan) if isinstance(plan, nodes.Scan) else []

    def run(self, streams: Frames, cycle: Cycle) -> pl.DataFrame:
        if isinstance(self.plan, nodes.Scan):
            rows = streams.get(self.plan.stream)
            return self._empty if rows is None else rows.select(self._scanned)
        assert self.operator is not None
        inputs = tuple(node.run(streams, cycle) for node in self.inputs)
        if self._rests and not any(rows.height for rows in inputs):
            return self._empty
        return self.operator.process(inputs, cycle)

    def walk(self) -> Iterator[_Node]:
        yield self
        for node in self.inputs:
            yield from node.walk()

    def state(self) -> State:
        return self.operator.state() if self.operator is not None else {}

    def restore(self, state: State) -> None:
        if self.operator is not None:
            self.operator.restore(state)


def _digest(query: PlanNode) -> str:
    """What is the same for the same query, wherever in the program's text it stands: plans hold no places."""
    return hashlib.blake2b(repr(query).encode(), digest_size=16).hexdigest()


def _scanned(plan: nodes.Scan) -> list[pl.Expr]:
    prefix = f"{plan.alias}."
    names = [(column.name.removeprefix(prefix), column.name) for column in plan.columns]
    return [
        (pl.col(TIME).cast(pl.Datetime("ms")) if name == "ROWTIME" else pl.col(name)).alias(full)
        for name, full in names
    ] + [pl.col(TIME), pl.col(SEQ)]


def _empty(columns: tuple[Column, ...]) -> pl.DataFrame:
    schema = {column.name: dtype(column.type) for column in columns}
    return pl.DataFrame(schema=schema | {TIME: pl.Int64(), SEQ: pl.Int64()})


def _merge(before: pl.DataFrame | None, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of several pumps in one stream's order; at the same place, the earlier pump's first."""
    if before is None:
        return rows
    return pl.concat([before, rows]).sort(SEQ, TIME, maintain_order=True)


def _after_errors(pumps: list[nodes.PumpPlan]) -> set[int]:
    """The places of the pumps that read error_stream, or what such a pump fills: they run once a cycle's errors are
    known."""
    known_late = {ERROR_STREAM}
    late = set()
    for at, pump in enumerate(pumps):
        if known_late & {scan.stream for scan in scans_of(pump.query)}:
            late.add(at)
            known_late.add(pump.target)
    return late


def scans_of(node: PlanNode) -> list[nodes.Scan]:
    """All that a query reads."""
    if isinstance(node, nodes.Scan):
        return [node]
    return [scan for child in inputs_of(node) for scan in scans_of(child)]
