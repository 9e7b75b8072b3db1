"""JOIN of a stream with a reference table, as the table is when the row comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from millstream.analytics.operators.frames import SEQ, TIME, Cycle
from millstream.analytics.operators.lookups import Lookup
from millstream.analytics.operators.rings import Bools, Ints
from millstream.analytics.operators.stateless import Stateless, beside, computed
from millstream.analytics.plan.nodes import ReferenceJoin
from millstream.analytics.scalars.compile import Evaluator, Moment
from millstream.analytics.scalars.nodes import Scalar

_PASSES = "$passes"
_PAIRS_AT_ONCE = 250_000


class ReferenceJoinOperator(Stateless):
    """Each row with every row of the table that fits, in the table's order; LEFT: with nulls if none does. A null in an
    equality fits nothing. The equalities are looked up in an index, the rest of the condition is tried on what that
    gives. The table is not part of the state."""

    def __init__(self, node: ReferenceJoin, table: pl.DataFrame) -> None:
        self._columns = [column.name for column in node.input.columns]
        self._names = [column.name for column in node.table_columns]
        self._keeps_unmatched = node.kind == "LEFT"
        self._stream_keys = _evaluator([pair[0] for pair in node.equal])
        self._table_keys = _evaluator([pair[1] for pair in node.equal])
        self._residual = None if node.residual is None else Evaluator([node.residual], [_PASSES])
        self.replace_table(table)

    def replace_table(self, frame: pl.DataFrame) -> None:
        """Look into another table of the same columns from now on. Rows whose key cannot be computed are not found."""
        self._table = frame.select(self._names)
        keys = pl.DataFrame()
        if self._table_keys is not None:
            keys, _ = self._table_keys.run(frame, Moment(0))  # what failed is null, and is not found
        self._lookup = Lookup(keys, frame.height)

    def process(self, inputs: tuple[pl.DataFrame, ...], cycle: Cycle) -> pl.DataFrame:
        """See Operator.process."""
        frame, keys = inputs[0], pl.DataFrame()
        if self._stream_keys is not None and frame.height:
            frame, keys = computed(self._stream_keys, frame, cycle)
        if not frame.height:
            return self._pairs(frame, np.zeros(0, np.int64), np.zeros(0, np.int64))
        begins, counts = self._lookup.find(keys, frame.height)
        met = np.zeros(frame.height, np.bool_)
        parts, rows = [], []
        for some in _chunks(counts):
            part, row = self._fitting(frame, some, begins, counts, cycle)
            parts.append(part)
            rows.append(row)
            met[row] = True
        return self._with_unmatched(frame, parts, rows, met)

    def _fitting(
        self, frame: pl.DataFrame, some: Ints, begins: Ints, counts: Ints, cycle: Cycle
    ) -> tuple[pl.DataFrame, Ints]:
        """The pairs of some rows that fit, and the row of each."""
        row = np.repeat(some, counts[some])
        pairs = self._pairs(frame, row, self._lookup.rows(begins[some], counts[some]))
        if self._residual is None or not row.size:
            return pairs, row
        passes, errors = self._residual.run(pairs, cycle.moment)
        if errors is not None:
            cycle.errors.add(pairs, errors)
        fits = passes.to_series().fill_null(value=False)
        return pairs.filter(fits), row[fits.to_numpy()]

    def _pairs(self, frame: pl.DataFrame, rows: Ints, table_rows: Ints) -> pl.DataFrame:
        own = frame if rows.size == frame.height and bool((rows == np.arange(rows.size)).all()) else frame[rows]
        return beside(own, self._columns, [*self._table[table_rows], own.get_column(TIME), own.get_column(SEQ)])

    def _with_unmatched(
        self, frame: pl.DataFrame, parts: Sequence[pl.DataFrame], rows: Sequence[Ints], met: Bools
    ) -> pl.DataFrame:
        alone = np.nonzero(~met)[0]
        if not self._keeps_unmatched or not alone.size:
            return parts[0] if len(parts) == 1 else pl.concat(parts)
        own = frame[alone]
        nulls = self._table.clear(alone.size)
        unmatched = beside(own, self._columns, [*nulls, own.get_column(TIME), own.get_column(SEQ)])
        return pl.concat([*parts, unmatched])[np.argsort(np.concatenate([*rows, alone]), kind="stable")]

    def state_bytes(self) -> int:
        """See Operator.state_bytes."""
        return int(self._table.estimated_size()) + self._lookup.bytes()


def _chunks(counts: Ints) -> Iterator[Ints]:
    """The rows, so many at a time as find not too many together; at least once."""
    ends, begin = np.cumsum(counts), 0
    while begin < counts.size:
        done = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + _PAIRS_AT_ONCE, side="right")))
        yield np.arange(begin, end)
        begin = end


def _evaluator(scalars: list[Scalar]) -> Evaluator | None:
    return Evaluator(scalars, [f"${at}" for at in range(len(scalars))]) if scalars else None
