"""UNION ALL: the rows of several streams in one order."""

from __future__ import annotations

import polars as pl

from millstream.analytics.operators.frames import SEQ, TIME, Cycle
from millstream.analytics.operators.instants import instants, merged_order
from millstream.analytics.operators.stateless import Stateless
from millstream.analytics.plan.nodes import Union


class UnionOperator(Stateless):
    """Rows of all inputs by ($seq, $time); of the same place, those of an earlier input first."""

    def __init__(self, node: Union) -> None:
        self._names = [column.name for column in node.columns] + [TIME, SEQ]
        self._inputs = [[column.name for column in one.columns] + [TIME, SEQ] for one in node.inputs]

    def process(self, inputs: tuple[pl.DataFrame, ...], cycle: Cycle) -> pl.DataFrame:  # noqa: ARG002
        """See Operator.process."""
        frames = [
            frame.select(pl.col(old).alias(new) for old, new in zip(names, self._names, strict=True))
            for frame, names in zip(inputs, self._inputs, strict=True)
        ]
        filled = [frame for frame in frames if frame.height]
        if len(filled) < 2:
            return filled[0] if filled else frames[0]
        return pl.concat(filled)[merged_order([instants(frame) for frame in filled])]
