"""The rows that a grouping operator works on: computed values of its input, numbered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from millstream.analytics.operators.closing import without
from millstream.analytics.operators.frames import SEQ, TIME, Cycle
from millstream.analytics.operators.grouping import NUMBER
from millstream.analytics.plan.nodes import Item
from millstream.analytics.scalars.compile import Evaluator, RowErrors
from millstream.analytics.scalars.types import FLOATS


class RowReader:
    """Computes values of input rows; rows that they cannot be computed for are reported and left out."""

    def __init__(self, items: Iterable[Item], keys: Iterable[Item] = ()) -> None:
        """`keys` are computed, too, and -0.0 is 0.0 in them, as in SQL."""
        keys = list(keys)
        named = [*keys, *items]
        self._evaluator = Evaluator([item.value for item in named], [item.name for item in named]) if named else None
        self._floating = [item.name for item in keys if item.value.type.kind in FLOATS]
        self.count = 0  # rows read so far, also those left out

    def read(self, frame: pl.DataFrame, cycle: Cycle) -> pl.DataFrame:
        """The values, $time, $seq, and the rows' numbers."""
        numbers = pl.int_range(self.count, self.count + frame.height, dtype=pl.Int64, eager=True).alias(NUMBER)
        self.count += frame.height
        system = [frame[TIME], frame[SEQ], numbers]
        if self._evaluator is None:
            return pl.DataFrame(system)
        values, errors = self._evaluator.run(frame, cycle.moment)
        rows = values.hstack(system)
        for name in self._floating:
            column = rows[name]
            rows.replace_column(rows.get_column_index(name), column.set(column == 0.0, 0.0))
        if errors is None or not errors.rows:
            return rows
        cycle.errors.add(frame, errors)
        return without(rows, errors.rows)

    def timed(self, frame: pl.DataFrame, names: Sequence[str], cycle: Cycle) -> pl.DataFrame:
        """`read`, where the values `names` are event times: given as Int64 ms, rows without one reported, too."""
        rows = self.read(frame, cycle)
        if not names:
            return rows
        rows = rows.with_columns(pl.col(name).cast(pl.Datetime("ms")).to_physical() for name in names)
        missing = rows.select(pl.any_horizontal(pl.col(name).is_null() for name in names)).to_series()
        if not missing.any():
            return rows
        numbers = rows[NUMBER].filter(missing).to_list()
        self.reject(frame, numbers, ["the event time is NULL: the row is in no window"] * len(numbers), cycle)
        return rows.filter(~missing)

    def reject(self, frame: pl.DataFrame, numbers: Sequence[int], messages: Sequence[str], cycle: Cycle) -> None:
        """Report rows of the frame that was read last, by their numbers."""
        start = self.count - frame.height
        cycle.errors.add(frame, RowErrors([number - start for number in numbers], list(messages)))
