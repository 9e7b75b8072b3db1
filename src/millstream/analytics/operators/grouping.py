"""Groups of rows and their aggregates: rows in, closed groups out. Where windows begin and end is others' business."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import polars as pl

from millstream.analytics.operators import aggregates
from millstream.analytics.operators.frames import TIME, State
from millstream.analytics.operators.groups import GroupTable, grouped
from millstream.analytics.operators.measures import Measure, Measures, column_name
from millstream.analytics.operators.states import optional_frame
from millstream.analytics.plan.nodes import Aggregate, Item
from millstream.analytics.plan.trees import bare
from millstream.analytics.scalars.nodes import Scalar

NUMBER = "$n"
"""Of a row: how many rows the operator had before it."""

FIRST = column_name("min", NUMBER)
"""Of a group: the number of its first row."""

_BLOCK = 16  # half-lives of EXP_AVG that are added up before weights are brought to a later time
_BLOCKS = 8  # blocks that count: what is older has a weight below 2**-112
_BLOCK_NUMBER = "$block"


class Side(Protocol):
    """What is kept of the groups of an aggregate whose state is not one row a group."""

    def add(self, rows: pl.DataFrame) -> None: ...

    def take(self, predicate: pl.Expr) -> pl.DataFrame | None:
        """Remove groups; their measures."""
        ...

    table: GroupTable


class Closed(NamedTuple):
    """Groups that were taken: `groups` has the columns they are by, those carried, and FIRST; `values` are the
    aggregates'; `failures`: why a group has none of an aggregate's values, by its index."""

    groups: pl.DataFrame
    values: list[pl.Series]
    failures: dict[int, str]


class Grouping:
    """Groups rows by the columns `by`; `carried` columns have one value in a group. `window` is one of `by` and mostly
    the same in all rows at hand."""

    def __init__(
        self,
        aggregates_: Sequence[Aggregate],
        by: Sequence[str],
        *,
        window: str | None = None,
        carried: Sequence[str] = (),
    ) -> None:
        self._by = tuple(by)
        self._window = window
        self._carried = tuple(carried)
        self._arguments: dict[Scalar, str] = {}
        self._sides: dict[str, Side] = {}
        self._aggregates: list[tuple[Aggregate, str]] = []
        measures: list[Measure] = [Measure("min", NUMBER)]
        measures += [Measure("first", name) for name in carried]
        for aggregate in aggregates_:
            measures += self._include(aggregate)
        self._measures = Measures(measures)
        self._table = GroupTable(by, window)

    @property
    def items(self) -> list[Item]:
        """What `add` wants in its rows besides `by`, `carried`, NUMBER and $time."""
        return [Item(name, scalar) for scalar, name in self._arguments.items()]

    def _include(self, aggregate: Aggregate) -> list[Measure]:
        """Note what an aggregate is computed from; the measures that the main table keeps for it."""
        if not aggregate.arguments:
            self._aggregates.append((aggregate, ""))
            return aggregates.measures_of(aggregate, "")
        value = bare(aggregate.arguments[0])
        measures: list[Measure] = []
        argument = self._arguments.setdefault(value, f"a{len(self._arguments)}")
        if aggregate.function == "EXP_AVG":
            half_life_ms = aggregates.number_argument(aggregate)
            source, argument = argument, f"{argument}.{half_life_ms}"
            self._sides.setdefault(argument, _Decaying(self._by, source, argument, half_life_ms))
        elif aggregates.is_distinct(aggregate):
            self._sides.setdefault(f"{argument}.distinct", _Distinct(self._by, argument))
            argument = f"{argument}.distinct"
        else:
            measures = aggregates.measures_of(aggregate, argument)
        self._aggregates.append((aggregate, argument))
        return measures

    def add(self, rows: pl.DataFrame) -> None:
        """Take in rows, in order."""
        laid, parts = self._measures.lay(rows)
        self._table.add(grouped(rows.hstack(laid) if laid else rows, self._by, self._window, parts))
        for side in self._sides.values():
            side.add(rows)

    def take(self, predicate: pl.Expr) -> Closed | None:
        """Remove the groups for which the predicate over `by` is true."""
        groups = self._table.take(predicate)
        if groups is None:
            return None
        for side in self._sides.values():
            found = side.take(predicate)
            if found is not None:
                groups = groups.join(found, on=self._by, how="left", nulls_equal=True, maintain_order="left")
        results = [aggregates.result(one, argument, groups) for one, argument in self._aggregates]
        failures = {row: message for found in reversed(results) for row, message in found.failures.items()}
        carried = [groups[column_name("first", name)].alias(name) for name in self._carried]
        columns = [groups[name] for name in self._by] + carried + [groups[FIRST]]
        return Closed(pl.DataFrame(columns), [found.values for found in results], failures)

    def state(self) -> State:
        sides = {f"side {name}": side.table.frame() for name, side in self._sides.items()}
        return {"groups": self._table.frame(), **sides}

    def restore(self, state: State) -> None:
        self._table.restore(optional_frame(state, "groups"))
        for name, side in self._sides.items():
            side.table.restore(optional_frame(state, f"side {name}"))

    def size_bytes(self) -> int:
        return self._table.size_bytes() + sum(side.table.size_bytes() for side in self._sides.values())


class _Distinct:
    """The different values of a column in every group; for aggregates of DISTINCT, which are measured at the end."""

    def __init__(self, by: Sequence[str], argument: str) -> None:
        self._by = tuple(by)
        self._argument = argument
        self._name = f"{argument}.distinct"
        needs: Sequence[Measure] = [Measure(one, self._name) for one in ("count", "sum", "square")]
        self._needs = needs
        self.table = GroupTable([*by, self._name])

    def add(self, rows: pl.DataFrame) -> None:
        values = rows.select(*self._by, pl.col(self._argument).alias(self._name)).drop_nulls(self._name)
        self.table.add(values.unique())

    def take(self, predicate: pl.Expr) -> pl.DataFrame | None:
        values = self.table.take(predicate)
        if values is None:
            return None
        numbers = values[self._name].dtype.is_numeric()
        laid, parts = Measures(self._needs if numbers else self._needs[:1]).lay(values)
        return values.hstack(laid).group_by(self._by).agg(*parts)


class _Decaying:
    """Sums of values and weights for EXP_AVG: a row weighs half of one that is `half_life_ms` younger (by $time).

    Weights are relative to the beginning of a block of half-lives, so that they are the same whatever came before.
    """

    def __init__(self, by: Sequence[str], source: str, argument: str, half_life_ms: int) -> None:
        self._by = tuple(by)
        self._source = source
        self._half_life_ms = half_life_ms
        self._weight, self._weighted = f"{argument}.weight", f"{argument}.weighted"
        self._sums = [Measure("sum", self._weight), Measure("sum", self._weighted)]
        self._measures = Measures(self._sums)
        self.table = GroupTable([*by, _BLOCK_NUMBER])

    def add(self, rows: pl.DataFrame) -> None:
        block_ms = _BLOCK * self._half_life_ms
        valued = rows.drop_nulls(self._source)
        times = valued[TIME].to_numpy()
        weights = pl.Series(self._weight, np.exp2(times % block_ms / self._half_life_ms))
        weighed = valued.select(self._by).hstack(
            [
                pl.Series(_BLOCK_NUMBER, times // block_ms),
                weights,
                (weights * valued[self._source].cast(pl.Float64)).alias(self._weighted),
            ]
        )
        laid, parts = self._measures.lay(weighed)
        self.table.add(weighed.hstack(laid).group_by(*self._by, _BLOCK_NUMBER).agg(*parts))

    def take(self, predicate: pl.Expr) -> pl.DataFrame | None:
        blocks = self.table.take(predicate)
        if blocks is None:
            return None
        age = (pl.col(_BLOCK_NUMBER).max().over(self._by) - pl.col(_BLOCK_NUMBER)).alias("age")
        sums = [pl.Series(name, aggregates.floats("sum", name, blocks)) for name in (self._weight, self._weighted)]
        aged = pl.DataFrame([blocks[name] for name in (*self._by, _BLOCK_NUMBER)] + sums)
        aged = aged.with_columns(age).filter(pl.col("age") < _BLOCKS)
        factors = pl.Series(np.exp2(-float(_BLOCK) * aged["age"].to_numpy()))  # powers of two: exact
        aged = aged.with_columns(aged[self._weight] * factors, aged[self._weighted] * factors)
        laid, parts = Measures(self._sums).lay(aged)
        return aged.hstack(laid).group_by(self._by).agg(*parts)
