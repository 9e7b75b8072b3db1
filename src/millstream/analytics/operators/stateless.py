"""WHERE and SELECT: what follows from a row alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from millstream.analytics.operators.frames import SEQ, TIME, Cycle, State
from millstream.analytics.plan.nodes import Filter, Project
from millstream.analytics.scalars.compile import Evaluator, RowErrors

_PASSES = "$passes"


class Stateless:
    """The half of the operator contract that is empty for an operator that remembers nothing."""

    def state(self) -> State:
        """Nothing."""
        return {}

    def restore(self, state: State) -> None:
        """Nothing to do."""

    def state_bytes(self) -> int:
        """0."""
        return 0


class FilterOperator(Stateless):
    """Rows for which the predicate is true; not those for which it is unknown."""

    def __init__(self, node: Filter) -> None:
        self._evaluator = Evaluator([node.predicate], [_PASSES])

    def process(self, inputs: tuple[pl.DataFrame, ...], cycle: Cycle) -> pl.DataFrame:
        """See Operator.process."""
        (frame,) = inputs
        if not frame.height:
            return frame
        found, errors = self._evaluator.run(frame, cycle.moment)
        if errors is not None:
            cycle.errors.add(frame, errors)
        return frame.filter(found.to_series())  # what failed is null


class ProjectOperator(Stateless):
    """One row a row, of computed values."""

    def __init__(self, node: Project) -> None:
        self._names = [item.name for item in node.items]
        self._evaluator = Evaluator([item.value for item in node.items], self._names)

    def process(self, inputs: tuple[pl.DataFrame, ...], cycle: Cycle) -> pl.DataFrame:
        """See Operator.process."""
        frame, found = inputs[0], pl.DataFrame()
        if self._names:
            frame, found = computed(self._evaluator, frame, cycle)
        return beside(found, self._names, [frame.get_column(TIME), frame.get_column(SEQ)])


def computed(evaluator: Evaluator, frame: pl.DataFrame, cycle: Cycle) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that all scalars could be computed for, and the scalars' values; the others are noted as failed."""
    found, errors = evaluator.run(frame, cycle.moment)
    if errors is None:
        return frame, found
    return without_failed(frame, errors, cycle), found.filter(_passing(frame.height, errors))


def beside(frame: pl.DataFrame, names: list[str], added: pl.DataFrame | Sequence[pl.Series]) -> pl.DataFrame:
    """Some columns of a frame, perhaps none, and others beside them. (A frame without columns has no rows to
    Polars, so that it takes none beside it.)"""
    columns = list(added)
    return frame.select(names).hstack(columns) if names else pl.DataFrame(columns)


def without_failed(frame: pl.DataFrame, errors: RowErrors, cycle: Cycle) -> pl.DataFrame:
    """The frame without the rows that failed, which are noted."""
    cycle.errors.add(frame, errors)
    return frame.filter(_passing(frame.height, errors))


def _passing(height: int, errors: RowErrors) -> pl.Series:
    passing = np.ones(height, dtype=np.bool_)
    passing[errors.rows] = False
    return pl.Series(passing)
