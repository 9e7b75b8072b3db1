"""Measures: what is kept of the rows of a group, so that aggregates can be computed in parts and the parts merged.

A column of the state is named `operation:argument:parameter`; how two parts of it become one follows from the
operation alone (MERGES). The parameter of `sum` and `square` is the unit of `exact`: they have a column a unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import polars as pl

from millstream.analytics.operators import exact


class Measure(NamedTuple):
    """`operation` on the column `argument`: rows (no argument), count, sum, square, min, max, first, last, head
    (of `parameter` rows)."""

    operation: str
    argument: str = ""
    parameter: int = 0


MERGES: dict[str, Callable[[pl.Expr, int], pl.Expr]] = {
    "rows": lambda column, _: column.sum(),
    "count": lambda column, _: column.sum(),
    "sum": lambda column, _: column.sum(),
    "square": lambda column, _: column.sum(),
    "sum-odd": lambda column, _: column.sum(),
    "square-odd": lambda column, _: column.sum(),
    "min": lambda column, _: column.min(),
    "max": lambda column, _: column.max(),
    "first": lambda column, _: column.first(),
    "last": lambda column, _: column.last(),
    "head": lambda column, count: column.explode().head(count),
}

_DIRECT: dict[str, Callable[[pl.Expr, int], pl.Expr]] = {
    "count": lambda column, _: column.count().cast(pl.Int64),
    "min": lambda column, _: column.min(),
    "max": lambda column, _: column.max(),
    "first": lambda column, _: column.first(),
    "last": lambda column, _: column.last(),
    "head": lambda column, count: column.head(count),
}

_SQUARE_MAX = 2**44  # squares of integers below this can be added up in Int128 for 2**39 rows
_HALF = pl.Series([2**64], dtype=pl.Int128)


def column_name(operation: str, argument: str, parameter: int = 0) -> str:
    return f"{operation}:{argument}:{parameter}"


def merged(name: str) -> pl.Expr:
    """How parts of a column of the state become one."""
    operation, _, parameter = name.split(":")
    return MERGES[operation](pl.col(name), int(parameter)).alias(name)


class Measures:
    """Computes measures of batches."""

    def __init__(self, measures: Iterable[Measure]) -> None:
        self._measures = tuple(dict.fromkeys(measures))
        self._splitters = {one: exact.Splitter() for one in self._measures if one.operation in {"sum", "square"}}
        self._rests = {one: exact.Splitter() for one in self._measures if one.operation == "square"}

    def lay(self, values: pl.DataFrame) -> tuple[list[pl.Series], list[pl.Expr]]:
        """Columns to add to a batch, and what to compute of the batch and these in every group."""
        added: list[pl.Series] = []
        parts: list[pl.Expr] = []
        for measure in self._measures:
            operation, argument, parameter = measure
            if operation == "rows":
                parts.append(pl.len().cast(pl.Int64).alias("rows::0"))
            elif operation in _DIRECT:
                name = column_name(operation, argument, parameter)
                parts.append(_DIRECT[operation](pl.col(argument), parameter).alias(name))
            else:
                new = self._additive(measure, values[argument])
                added += new
                parts += [pl.col(column.name).sum() for column in new]
        return added, parts

    def _additive(self, measure: Measure, column: pl.Series) -> list[pl.Series]:
        """The columns whose sums are the measure."""
        if column.dtype.is_float():
            return self._floating(measure, column.cast(pl.Float64))
        whole = column.to_physical()  # of decimals: Int128
        parts = {0: whole} if measure.operation == "sum" else _integer_squares(whole)
        return [
            part.cast(pl.Int128).alias(column_name(measure.operation, measure.argument, unit))
            for unit, part in parts.items()
        ]

    def _floating(self, measure: Measure, column: pl.Series) -> list[pl.Series]:
        operation, argument, _ = measure
        splitter = self._splitters[measure]
        if operation == "sum":
            parts = list(splitter.split(column).items())
            odd = exact.not_finite(column)
        else:
            product, error = exact.squares(exact.finite(column))
            parts = [*splitter.split(pl.Series(product)).items()]
            parts += self._rests[measure].split(pl.Series(error)).items()
            odd = exact.not_finite(column * column)
        series = _united(parts, operation, argument)
        return series if odd is None else [*series, odd.alias(column_name(f"{operation}-odd", argument))]


def _integer_squares(whole: pl.Series) -> Mapping[int, pl.Series]:
    wide = whole.cast(pl.Int128)
    squares = wide * wide
    if not bool((wide.abs() >= _SQUARE_MAX).any()):
        return {0: squares}
    return {0: squares % _HALF, 64: squares // _HALF}


def _united(parts: list[tuple[int, pl.Series]], operation: str, argument: str) -> list[pl.Series]:
    """One column a unit, also if two parts happen to have the same."""
    found: dict[int, pl.Series] = {}
    for unit, part in parts:
        found[unit] = found[unit] + part if unit in found else part
    return [part.alias(column_name(operation, argument, unit)) for unit, part in found.items()]
