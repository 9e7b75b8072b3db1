"""Batches, their order, and what every operator is.

A batch is a polars DataFrame of a relation's columns and two system columns:

    $time  Int64, epoch ms: the row's ROWTIME
    $seq   Int64: where the row stands among all rows of the application (below); never null

**Why results do not depend on batches.** The rows of the source are numbered: 0, 1, 2, … in the order of the log,
and their ROWTIMEs never go back. A row that
follows from source row n alone (a filter's, a sliding window's) has $seq 2n + 1 and n's $time. A row that follows
from the passing of time (a window that closes at E) has
$time E and $seq 2n where n is the first source row with ROWTIME >= E, also if that row has not come yet. So every
stream of an application has one order,
($seq, $time, then the input's number where inputs meet), and a window that was closed by the clock leaves its rows
exactly where it would have if the next row had closed it.

A **cycle** is one turn of the application: some source rows and a time `until_ms` up to which all is known: every
later source row has ROWTIME >= until_ms. In a cycle every operator is
called once, in the order of the data flow, with all rows that this cycle gives its inputs (in order; perhaps none),
and gives back all rows that follow, in order: after it,
every window with an end <= until_ms has been closed.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from millstream.analytics.scalars.compile import Moment, RowErrors

TIME = "$time"
SEQ = "$seq"

State = dict[str, object]
"""What an operator remembers: DataFrames, int64/float64/bool ndarrays, and plain values (None, bool, int, float,
str, bytes, lists and dicts (str keys) of them)."""

Times = npt.NDArray[np.int64]


class ErrorSink(Protocol):
    """Where rows go that something could not be computed for."""

    def add(self, frame: pl.DataFrame, errors: RowErrors, *, name: str = "") -> None:
        """Note rows of `frame` (with system columns) as failed."""
        ...


class Cycle:
    """One turn: see above. `rowtimes_ms` are those of the cycle's source rows, whose first has the number
    `first_row`."""

    def __init__(
        self, first_row: int, rowtimes_ms: Times, until_ms: int, errors: ErrorSink, *, generator_seed: int = 0
    ) -> None:
        self.first_row = first_row
        self.rowtimes_ms = rowtimes_ms
        self.until_ms = until_ms
        self.errors = errors
        self.generator_seed = generator_seed
        self.moment = Moment(until_ms)

    def seq_at(self, times_ms: Times) -> Times:
        """$seq of rows that follow from the clock reaching these times."""
        rows = self.first_row + np.searchsorted(self.rowtimes_ms, times_ms, side="left")
        return (2 * rows).astype(np.int64)


class Operator(Protocol):
    """A node of the plan at work. Called from one thread at a time."""

    def process(self, inputs: tuple[pl.DataFrame, ...], cycle: Cycle) -> pl.DataFrame:
        """The rows that follow from a cycle's rows of the inputs, in order. Does not change the inputs. May be
        called with empty inputs."""
        ...

    def state(self) -> State:
        """All that is needed to go on; the operator goes on working on it, so it is encoded before the next
        `process`."""
        ...

    def restore(self, state: State) -> None:
        """Go on from what `state` gave, also that of an earlier version of the same plan node."""
        ...

    def state_bytes(self) -> int:
        """About how much memory the state takes."""
        ...
