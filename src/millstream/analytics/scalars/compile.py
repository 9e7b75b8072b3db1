"""Typed scalars as Polars expressions, and the rows for which they cannot be computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from millstream.analytics.scalars.building import NOW, Builder, Value
from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.expressions import MAKERS
from millstream.analytics.scalars.faults import any_of, mask, messages
from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.nodes import Scalar

_FAILED = "$failed"


class Moment(NamedTuple):
    """What is constant over a run of an expression: the statement's time (for CURRENT_TIMESTAMP and its like)."""

    now_ms: int


class RowErrors(NamedTuple):
    """Rows that an expression could not be computed for: their indexes in the frame (ascending), and why, each."""

    rows: list[int]
    messages: list[str]


class Evaluator:
    """Computes several scalars over frames at once. Thread-compatible; holds no rows.

    Raises Mistake for what shows only when it is built: too large a regular expression, too deep a nesting."""

    def __init__(self, scalars: Sequence[Scalar], names: Sequence[str]) -> None:
        try:
            self._build(scalars, names)
        except RecursionError:
            raise Mistake("The expression is nested too deeply", "compute it in several steps") from None

    def _build(self, scalars: Sequence[Scalar], names: Sequence[str]) -> None:
        builder = Builder(MAKERS)
        self._names = list(names)
        self._schema = {name: dtype(scalar.type) for scalar, name in zip(scalars, names, strict=True)}
        self._values: list[Value] = [builder.value(scalar) for scalar in scalars]
        self._stages = builder.stages
        self._uses_now = builder.uses_now
        self._outputs = [value.expr.alias(name) for value, name in zip(self._values, names, strict=True)]
        fault = any_of([value.fault for value in self._values])
        self._can_fail = fault is not None
        self._selected = [*self._outputs, mask(fault).alias(_FAILED)] if self._can_fail else self._outputs
        # a select of constants alone has one row, whatever the frame has
        self._constant = not any(value.expr.meta.root_names() for value in self._values)

    def run(self, frame: pl.DataFrame, moment: Moment) -> tuple[pl.DataFrame, RowErrors | None]:
        """A frame of the scalars' values under their names, one row a row of `frame`; and what failed, whose values
        are null.

        A row fails for overflow, a division by zero, a cast that is not possible. CASE computes only the branch it
        takes, as far as errors go.
        """
        try:
            return self._run(frame, moment)
        except pl.exceptions.PolarsError as error:
            if frame.height <= 1:
                return self._lost(frame, str(error).splitlines()[0])
        try:
            # Polars makes one row of a constant compared with a column of which it knows that all its values are
            # one; a frame that is made anew of its columns does not know
            return self._run(pl.DataFrame(frame.get_columns()), moment)
        except pl.exceptions.PolarsError:
            return self._one_by_one(frame, moment)

    def _run(self, frame: pl.DataFrame, moment: Moment) -> tuple[pl.DataFrame, RowErrors | None]:
        staged = self._staged(frame, moment)
        computed = self._select(staged)
        if not self._can_fail:
            return computed, None
        failed = computed.drop_in_place(_FAILED)
        if not failed.any():
            return computed, None
        rows = failed.fill_null(value=False).arg_true()
        return self._failed(staged, computed, rows)

    def _staged(self, frame: pl.DataFrame, moment: Moment) -> pl.DataFrame:
        if self._uses_now:
            now = pl.lit(moment.now_ms, pl.Int64()).cast(pl.Datetime("ms"))
            frame = frame.with_columns(now.alias(NOW))
        for stage in self._stages:
            frame = frame.with_columns(stage)
        return frame

    def _select(self, frame: pl.DataFrame) -> pl.DataFrame:
        if self._constant:
            return frame.with_columns(self._selected).select([*self._names, _FAILED] if self._can_fail else self._names)
        computed = frame.select(self._selected)
        if computed.height != frame.height:
            raise pl.exceptions.ShapeError(f"{computed.height} values for {frame.height} rows")
        return computed

    def _failed(
        self, staged: pl.DataFrame, computed: pl.DataFrame, rows: pl.Series
    ) -> tuple[pl.DataFrame, RowErrors | None]:
        bad = staged[rows]
        found: list[str | None] = [None] * len(rows)
        nulled = []
        for name, value in zip(self._names, self._values, strict=True):
            if value.fault is None:
                continue
            said = messages(value.fault, bad)
            failing = rows.gather([index for index, message in enumerate(said) if message is not None])
            fine = pl.repeat(value=True, n=computed.height, eager=True).scatter(failing, values=False)
            nulled.append(pl.when(fine).then(pl.col(name)).alias(name))
            found = [old if old is not None else new for old, new in zip(found, said, strict=True)]
        reported = [(row, message) for row, message in zip(rows.to_list(), found, strict=True) if message is not None]
        errors = RowErrors([row for row, _ in reported], [message for _, message in reported])
        return computed.with_columns(nulled), errors if reported else None

    def _one_by_one(self, frame: pl.DataFrame, moment: Moment) -> tuple[pl.DataFrame, RowErrors | None]:
        """Polars gave up on one row: the others are computed without it."""
        parts: list[pl.DataFrame] = []
        errors = RowErrors([], [])
        half = frame.height // 2
        for start, part in ((0, frame[:half]), (half, frame[half:])):
            computed, failed = self.run(part, moment)
            parts.append(computed)
            if failed is not None:
                errors.rows.extend(start + row for row in failed.rows)
                errors.messages.extend(failed.messages)
        return pl.concat(parts), errors if errors.rows else None

    def _lost(self, frame: pl.DataFrame, why: str) -> tuple[pl.DataFrame, RowErrors | None]:
        empty = pl.DataFrame(schema=self._schema).clear(frame.height)
        if not frame.height:
            return empty, None
        return empty, RowErrors(list(range(frame.height)), [why] * frame.height)
