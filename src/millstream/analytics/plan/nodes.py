"""The plan: what operators an application runs. Immutable.

Every node gives frames with the columns in `columns` (names unique within it, as `ALIAS.NAME` above a Scan, then as
the planner names them) and the
system columns of `operators.frames` ($time, $seq). Nodes above it refer to columns by these names. ROWTIME is an
ordinary TIMESTAMP column `ALIAS.ROWTIME`
of a Scan, there when something uses it; what an operator's output row's ROWTIME is, is $time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from millstream.analytics.scalars.nodes import Scalar
from millstream.analytics.scalars.types import SqlType


class Column(NamedTuple):
    """A column of a relation."""

    name: str
    type: SqlType


class Item(NamedTuple):
    """A named value."""

    name: str
    value: Scalar


class TimeStep(NamedTuple):
    """What time is cut into: steps of `step_ms` from `origin_ms` (epoch 0 unless said), or `months` (1, 3, 12) by
    the calendar."""

    step_ms: int = 0
    months: int = 0
    origin_ms: int = 0


class TimeKey(NamedTuple):
    """A grouping key that is a step of a clock. `value` is the TIMESTAMP that is cut: for `clock` "rowtime" it is
    not looked at ($time is).
    The key's column has the type `type` (TIMESTAMP; BIGINT or an interval for the idiom FLOOR((ROWTIME - TIMESTAMP
    …) SECOND / 10 TO SECOND))
    and the value that `shown` computes from a column named `name` that has the step's beginning as TIMESTAMP (None:
    that itself)."""

    name: str
    clock: str  # "rowtime", "event"
    step: TimeStep
    value: Scalar | None
    type: SqlType
    shown: Scalar | None = None


class Aggregate(NamedTuple):
    """An aggregate call: `function` of AVG, COUNT, COUNT(*), SUM, MIN, MAX, STDDEV_POP, STDDEV_SAMP, VAR_POP,
    VAR_SAMP, FIRST_VALUE, LAST_VALUE, ANY,
    EVERY, EXP_AVG, NTH_VALUE. `arguments` of literals after the first (EXP_AVG: half-life in ms; NTH_VALUE: n from
    1)."""

    name: str
    function: str
    arguments: tuple[Scalar, ...]
    type: SqlType
    distinct: bool = False


class RowFrame(NamedTuple):
    """Which rows up to the current one an OVER looks at: those at most `range_ms` older, or at most `rows` before
    it; both None: all before it."""

    range_ms: int | None = None
    rows: int | None = None


class OverAggregate(NamedTuple):
    """A call OVER a window: an aggregate of `Aggregate`, or LAG (value, offset literal, default), FIRST_VALUE,
    LAST_VALUE, NTH_VALUE (value, n)."""

    name: str
    function: str
    arguments: tuple[Scalar, ...]
    type: SqlType
    partition: tuple[Scalar, ...]
    frame: RowFrame
    distinct: bool = False
    ignore_nulls: bool = False


class SortKey(NamedTuple):
    """One key of an ORDER BY."""

    value: Scalar
    descending: bool


@dataclass(frozen=True)
class Scan:
    """Rows of an in-application stream, as column `ALIAS.NAME` each; `columns` has those that are used."""

    stream: str
    alias: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Filter:
    """Rows for which the predicate is true."""

    input: PlanNode
    predicate: Scalar

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns


@dataclass(frozen=True)
class Project:
    """One row a row, of computed values."""

    input: PlanNode
    items: tuple[Item, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(Column(item.name, item.value.type) for item in self.items)


@dataclass(frozen=True)
class Tumble:
    """GROUP BY with steps of a clock: a row a group, when its window closes. At least one time key. Output: time
    keys, keys, aggregates.

    A group closes when the ROWTIME clock passes the end of its rowtime step (if it has one); groups with only event
    steps when the event clock does, or the stream has
    been idle for a step. The row's $time is the end of the ROWTIME window.
    """

    input: PlanNode
    times: tuple[TimeKey, ...]
    keys: tuple[Item, ...]
    aggregates: tuple[Aggregate, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return _grouped(self.times, self.keys, self.aggregates)


@dataclass(frozen=True)
class Stagger:
    """WINDOWED BY STAGGER: a window a key, opened by its first row, closed `age_ms` later. Output: keys,
    aggregates."""

    input: PlanNode
    keys: tuple[Item, ...]
    aggregates: tuple[Aggregate, ...]
    age_ms: int

    @property
    def columns(self) -> tuple[Column, ...]:
        return _grouped((), self.keys, self.aggregates)


@dataclass(frozen=True)
class Session:
    """WINDOWED BY SESSION: a window a key that ends when no row came for `gap_ms` (of ROWTIME, or of `time`).
    Output: keys, aggregates."""

    input: PlanNode
    keys: tuple[Item, ...]
    aggregates: tuple[Aggregate, ...]
    gap_ms: int
    time: Scalar | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        return _grouped((), self.keys, self.aggregates)


@dataclass(frozen=True)
class Over:
    """Sliding windows: the input's columns, and those of the calls; one row a row, at once."""

    input: PlanNode
    calls: tuple[OverAggregate, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns + tuple(Column(call.name, call.type) for call in self.calls)


@dataclass(frozen=True)
class Distinct:
    """The first row of every set of equal rows within a step of the ROWTIME clock, at once."""

    input: PlanNode
    step: TimeStep

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns


@dataclass(frozen=True)
class WindowSort:
    """ORDER BY within steps of the ROWTIME clock: rows of a step leave it sorted by `keys`, at its end (their
    $time)."""

    input: PlanNode
    step: TimeStep
    keys: tuple[SortKey, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns


@dataclass(frozen=True)
class Monotonic:
    """MONOTONIC(value): rows whose value is below one seen before are dropped."""

    input: PlanNode
    value: Scalar

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns


@dataclass(frozen=True)
class WindowJoin:
    """A join of two streams. A side with a frame remembers its rows (of that time, that many, or all); one without
    is only its current row.

    `equal`: pairs of a left and a right value that must be equal; `residual`: the rest of the condition, over both
    sides' columns. `kind`: INNER, LEFT, RIGHT, FULL.
    Output: the columns of both sides. $time is that of the later row.
    """

    left: PlanNode
    right: PlanNode
    kind: str
    left_frame: RowFrame | None
    right_frame: RowFrame | None
    equal: tuple[tuple[Scalar, Scalar], ...]
    residual: Scalar | None

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.left.columns + self.right.columns


@dataclass(frozen=True)
class ReferenceJoin:
    """A stream joined with a reference table as it is when the row comes. `kind`: INNER or LEFT (the stream's rows
    are kept)."""

    input: PlanNode
    table: str
    table_columns: tuple[Column, ...]  # `ALIAS.NAME`
    kind: str
    equal: tuple[tuple[Scalar, Scalar], ...]  # (over the stream, over the table)
    residual: Scalar | None

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.input.columns + self.table_columns


@dataclass(frozen=True)
class Union:
    """UNION ALL, in the order of $seq; all inputs have the same columns."""

    inputs: tuple[PlanNode, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.inputs[0].columns


@dataclass(frozen=True)
class TableFunction:
    """TABLE(function(CURSOR(…), …)): `arguments` are constants (int, float, str, bool) after the cursor, defaults
    filled in.

    COUNT_DISTINCT_ITEMS_TUMBLING (column, window s): NUMBER_OF_DISTINCT_ITEMS. TOP_K_ITEMS_TUMBLING (column, k,
    window s): ITEM, ITEM_COUNT.
    RANDOM_CUT_FOREST (trees, sub-sample size, time decay, shingle size): input columns, ANOMALY_SCORE.
    RANDOM_CUT_FOREST_WITH_EXPLANATION (…, with direction): and
    ANOMALY_EXPLANATION. HOTSPOTS (window rows, scan radius, minimum points): and HOTSPOTS_RESULT. GROUP_RANK: see
    the documentation.
    """

    function: str
    input: PlanNode
    arguments: tuple[int | float | str | bool, ...]
    columns: tuple[Column, ...]


def _grouped(
    times: tuple[TimeKey, ...], keys: tuple[Item, ...], aggregates: tuple[Aggregate, ...]
) -> tuple[Column, ...]:
    columns = [Column(time.name, time.type) for time in times]
    columns += [Column(key.name, key.value.type) for key in keys]
    return tuple(columns + [Column(one.name, one.type) for one in aggregates])


PlanNode = (
    Scan
    | Filter
    | Project
    | Tumble
    | Stagger
    | Session
    | Over
    | Distinct
    | WindowSort
    | Monotonic
    | WindowJoin
    | ReferenceJoin
    | Union
    | TableFunction
)


@dataclass(frozen=True)
class StreamPlan:
    """An in-application stream. `source`: fed by the application's input; otherwise by pumps."""

    name: str
    columns: tuple[Column, ...]
    source: bool = False


@dataclass(frozen=True)
class PumpPlan:
    """A pump: `query` gives exactly the target's columns, in its order and types, under its names; columns that are
    not inserted are null."""

    name: str
    target: str
    query: PlanNode
    running: bool


@dataclass(frozen=True)
class ProgramPlan:
    """A program: streams by name (sources and error_stream included), pumps in an order in which every pump comes
    after those that feed it."""

    streams: dict[str, StreamPlan]
    pumps: tuple[PumpPlan, ...]
    query: PlanNode | None = None  # of a bare SELECT at the end, for `millstream sql run`
