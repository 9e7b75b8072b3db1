"""From closed groups to rows of the output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import polars as pl

from millstream.analytics.operators.frames import SEQ, TIME, Cycle, Times
from millstream.analytics.plan.nodes import Column
from millstream.analytics.scalars.compile import RowErrors
from millstream.analytics.scalars.dtypes import dtype

Stamps = tuple[tuple[Times, Times], Times]
"""$time and $seq of groups, and the order in which they leave."""


def no_rows(columns: Iterable[Column]) -> pl.DataFrame:
    """A frame of these columns and the system columns, without rows."""
    schema = {column.name: dtype(column.type) for column in columns}
    return pl.DataFrame(schema=schema | {TIME: pl.Int64(), SEQ: pl.Int64()})


def emitted(
    columns: Sequence[pl.Series],
    stamps: tuple[Times, Times],
    order: Times,
    failures: Mapping[int, str],
    cycle: Cycle,
) -> pl.DataFrame:
    """Rows of `columns` with their $time and $seq, in `order`; those that failed are reported and left out."""
    times, seqs = stamps
    frame = pl.DataFrame([*columns, pl.Series(TIME, times), pl.Series(SEQ, seqs)])[order]
    if not failures:
        return frame
    place = np.argsort(order)
    found = sorted((int(place[row]), why) for row, why in failures.items())
    rows = [row for row, _ in found]
    cycle.errors.add(frame, RowErrors(rows, [why for _, why in found]))
    return without(frame, rows)


def without(frame: pl.DataFrame, rows: Sequence[int]) -> pl.DataFrame:
    """The frame's other rows."""
    kept = np.ones(frame.height, dtype=np.bool_)
    kept[list(rows)] = False
    return frame.filter(pl.Series(kept))
