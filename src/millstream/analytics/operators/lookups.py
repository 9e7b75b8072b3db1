"""An index of a table by the values of some columns: which rows have the values that are looked up.

Each column's values are numbered in their sorted order; numbers of several columns are made into one, which is numbered
again so that it stays small. A lookup is a binary search a column, so that one row costs some microseconds however
large the table is.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import polars as pl

from millstream.analytics.operators.rings import Bools, Ints, ragged


class _Column(NamedTuple):
    """The sorted different values of a column, and the numbers, in sorted order, that those of the columns before it
    and this one make together (None: of the first column, whose numbers are its values' places)."""

    values: pl.Series
    combined: Ints | None


class Lookup:
    """See above."""

    def __init__(self, keys: pl.DataFrame, height: int) -> None:
        """`keys`: the values by row of a table of this height; rows with a null are not found."""
        self._columns: list[_Column] = []
        usable = np.arange(height)
        if keys.width:
            usable = np.nonzero(keys.select(pl.all_horizontal(pl.all().is_not_null())).to_series().to_numpy())[0]
        codes = np.zeros(usable.size, np.int64)
        for column in keys.get_columns():
            codes = self._add(_plain(column)[usable], codes)
        order = np.argsort(codes, kind="stable")
        self._order = usable[order]
        counts = np.bincount(codes) if codes.size else np.zeros(1, np.int64)
        self._starts = np.concatenate([[0], np.cumsum(counts)])

    def _add(self, column: pl.Series, codes: Ints) -> Ints:
        values = column.unique().sort()
        numbers = column.rank("dense").cast(pl.Int64).to_numpy() - 1
        if not self._columns:
            self._columns.append(_Column(values, None))
            return cast(Ints, numbers)
        combined, found = np.unique(codes * max(1, values.len()) + numbers, return_inverse=True)
        self._columns.append(_Column(values, combined))
        return found

    def find(self, keys: pl.DataFrame, height: int) -> tuple[Ints, Ints]:
        """By row of `keys` (of this height) where what it finds begins, for `rows`, and how many rows that is. No
        columns: all rows."""
        codes, found = np.zeros(height, np.int64), np.full(height, self._order.size > 0)
        for (values, combined), column in zip(self._columns, keys.get_columns(), strict=True):
            numbers, known = _search(values, _plain(column))
            found &= known
            if combined is not None:
                wanted = codes * max(1, values.len()) + numbers
                codes = np.minimum(np.searchsorted(combined, wanted), max(0, combined.size - 1))
                found &= combined[codes] == wanted if combined.size else False
            else:
                codes = numbers
        codes = np.where(found, codes, 0)
        return self._starts[codes], np.where(found, self._starts[codes + 1] - self._starts[codes], 0)

    def rows(self, begins: Ints, counts: Ints) -> Ints:
        """The table's rows that were found, in the order of the table for each row that was looked up."""
        return self._order[ragged(begins, counts)]

    def bytes(self) -> int:
        """About how much memory it takes."""
        columns = sum(
            values.estimated_size() + (0 if combined is None else combined.nbytes) for values, combined in self._columns
        )
        return int(columns + self._order.nbytes + self._starts.nbytes)


def _search(values: pl.Series, wanted: pl.Series) -> tuple[Ints, Bools]:
    """Where the wanted values are among the sorted ones, and which are there."""
    if not values.len():
        return np.zeros(wanted.len(), np.int64), np.zeros(wanted.len(), np.bool_)
    places = values.search_sorted(wanted, side="left").cast(pl.Int64).to_numpy()
    places = np.minimum(places, values.len() - 1)
    same = values.gather(places) == wanted
    return places, same.fill_null(value=False).to_numpy()


def _plain(column: pl.Series) -> pl.Series:
    if column.dtype.is_temporal() or column.dtype.is_decimal():
        column = column.to_physical()
    if column.dtype.is_integer() or column.dtype == pl.Boolean:
        return column.cast(pl.Int64)
    return column.cast(pl.Float64) if column.dtype.is_float() else column
