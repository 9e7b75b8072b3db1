"""GROUP_RANK: rows of one ROWTIME are a group; each row gets its rank in it, and the group leaves in that order.

The rank is RANK()'s: rows of equal values have the same, and the next has a gap before it; rows with null come after
all others. Rows of the same rank keep their order; with an output order that is neither 'asc' nor 'desc' all do.

A group is complete when ROWTIME has gone past it, of which the application's clock tells even if no row comes. So the
idle time-out, which on AWS let go of a group when no row came to end it, has nothing to do here: it makes no
difference. The group's rows keep their ROWTIME.
"""

from __future__ import annotations

import polars as pl

from millstream.analytics.operators.clocks import horizon_ms
from millstream.analytics.operators.frames import SEQ, TIME, Cycle, State
from millstream.analytics.plan.nodes import TableFunction
from millstream.analytics.scalars.dtypes import dtype

_RANK = "$rank"


class GroupRankOperator:
    """See the module."""

    def __init__(self, node: TableFunction) -> None:
        ranked, _, sort_order, output_order, _idle_ms, rows_max = node.arguments
        descending = str(sort_order).lower() == "desc"
        values = pl.col(str(ranked))
        rank = values.rank("min", descending=descending).fill_null(values.count() + 1)
        *passed, added = node.columns
        self._rank = rank.over(TIME).cast(dtype(added.type)).alias(_RANK)
        self._output_order = str(output_order).lower()
        self._rows_max = int(rows_max)
        names = zip(node.input.columns, passed, strict=True)
        self._columns = [pl.col(old.name).alias(new.name) for old, new in names]
        self._columns += [pl.col(_RANK).alias(added.name), pl.col(TIME)]
        schema = {column.name: dtype(column.type) for column in node.input.columns}
        self._held = pl.DataFrame(schema=schema | {TIME: pl.Int64(), SEQ: pl.Int64()})

    def process(self, inputs: tuple[pl.DataFrame, ...], cycle: Cycle) -> pl.DataFrame:
        frame = inputs[0].select(self._held.columns)
        rows = pl.concat((self._held, frame)) if self._held.height else frame
        complete = pl.col(TIME) < horizon_ms(cycle)
        self._held = rows.filter(~complete)
        ranked = self._ranked(rows.filter(complete))
        seqs = cycle.seq_at(ranked[TIME].to_numpy() + 1)
        return ranked.select(*self._columns, pl.Series(SEQ, seqs, pl.Int64))

    def _ranked(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Complete groups, ranked, sorted, cut."""
        rows = rows.with_columns(self._rank)
        if self._output_order in {"asc", "desc"}:
            descending = [False, self._output_order == "desc"]
            rows = rows.sort(TIME, _RANK, descending=descending, maintain_order=True)
        if self._rows_max:
            rows = rows.filter(pl.int_range(pl.len()).over(TIME) < self._rows_max)
        return rows

    def state(self) -> State:
        return {"held": self._held}

    def restore(self, state: State) -> None:
        held = state["held"]
        assert isinstance(held, pl.DataFrame)
        self._held = held

    def state_bytes(self) -> int:
        return int(self._held.estimated_size())
