"""COUNT_DISTINCT_ITEMS_TUMBLING and TOP_K_ITEMS_TUMBLING: a sketch of a column over tumbling windows of ROWTIME.

Windows begin at multiples of their length since 1970. At its end, with that as ROWTIME, a window in which there was an
item gives its result: a row with the number of distinct items, or a row an item, the most frequent first, equally
frequent ones in the order in which they first came. Nulls are no items.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import polars as pl

from millstream.analytics.learning.distinct import DistinctCounter, hash_numbers, hash_texts
from millstream.analytics.learning.frequent import CAPACITY, Counted, FrequentItems
from millstream.analytics.learning.randomness import Hashes
from millstream.analytics.operators.clocks import horizon_ms
from millstream.analytics.operators.frames import SEQ, TIME, Cycle, State
from millstream.analytics.plan.nodes import TableFunction
from millstream.analytics.scalars.compile import Evaluator, Moment
from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.nodes import ColumnRef
from millstream.analytics.scalars.signatures import cast


class _Sketch(Protocol):
    """What a window remembers of the items in it."""

    def add(self, items: pl.Series) -> None: ...

    def columns(self) -> list[pl.Series]: ...

    def state(self) -> State: ...

    def restore(self, state: State) -> None: ...

    def state_bytes(self) -> int: ...


class SketchWindowsOperator:
    """A sketch, made by `make`, for each window that is open."""

    def __init__(self, node: TableFunction, make: Callable[[TableFunction], _Sketch]) -> None:
        self._item, self._length_ms = str(node.arguments[0]), int(node.arguments[-1]) * 1000
        self._make: Callable[[], _Sketch] = lambda: make(node)
        self._names = [column.name for column in node.columns]
        schema = {column.name: dtype(column.type) for column in node.columns}
        self._nothing = pl.DataFrame(schema=schema | {TIME: pl.Int64(), SEQ: pl.Int64()})
        self._open: dict[int, _Sketch] = {}  # by the window's end

    def process(self, inputs: tuple[pl.DataFrame, ...], cycle: Cycle) -> pl.DataFrame:
        times, items = inputs[0][TIME].to_numpy(), inputs[0][self._item]
        ends, starts = np.unique(times // self._length_ms, return_index=True)
        for end, first, after in zip(ends, starts, np.append(starts, len(times))[1:], strict=True):
            self._add(int(end + 1) * self._length_ms, items[int(first) : int(after)])
        due = sorted(end for end in self._open if end <= horizon_ms(cycle))
        return pl.concat([self._nothing, *(self._result(end, cycle) for end in due)]) if due else self._nothing

    def _add(self, end_ms: int, items: pl.Series) -> None:
        if items.dtype.is_float():
            known = items.fill_nan(None).drop_nulls()
            items = pl.Series(
                known.to_numpy() + 0.0, dtype=items.dtype
            )  # 0.0 and -0.0 are the same; Polars adds no 0.0
        items = items.drop_nulls()
        if len(items):
            sketch = self._open.get(end_ms)
            if sketch is None:
                sketch = self._open[end_ms] = self._make()
            sketch.add(items)

    def _result(self, end_ms: int, cycle: Cycle) -> pl.DataFrame:
        columns = self._open.pop(end_ms).columns()
        rows = pl.DataFrame([column.alias(name) for column, name in zip(columns, self._names, strict=True)])
        seq = int(cycle.seq_at(np.array([end_ms]))[0])
        rows = rows.cast({name: self._nothing.schema[name] for name in self._names})
        return rows.with_columns(pl.lit(end_ms, pl.Int64).alias(TIME), pl.lit(seq, pl.Int64).alias(SEQ))

    def state(self) -> State:
        return {"windows": {str(end): sketch.state() for end, sketch in self._open.items()}}

    def restore(self, state: State) -> None:
        windows = state["windows"]
        assert isinstance(windows, dict)
        self._open = {int(end): self._make() for end in windows}
        for end, sketch in self._open.items():
            sketch.restore(windows[str(end)])

    def state_bytes(self) -> int:
        return sum(sketch.state_bytes() for sketch in self._open.values())


class DistinctItems:
    """The number of distinct items."""

    def __init__(self, _node: TableFunction) -> None:
        self._counter = DistinctCounter()

    def add(self, items: pl.Series) -> None:
        self._counter.add(_hashes(items.unique()))

    def columns(self) -> list[pl.Series]:
        return [pl.Series([self._counter.count()])]

    def state(self) -> State:
        return self._counter.state()

    def restore(self, state: State) -> None:
        self._counter = DistinctCounter.from_state(state)

    def state_bytes(self) -> int:
        return self._counter.state_bytes()


class TopItems:
    """The most frequent items, and how often each came."""

    def __init__(self, node: TableFunction) -> None:
        self._number = int(node.arguments[1])
        self._counter: FrequentItems[object] = FrequentItems(max(CAPACITY, self._number))
        source = next(column for column in node.input.columns if column.name == node.arguments[0])
        self._dtype = dtype(source.type)
        shown = cast(ColumnRef("item", source.type), node.columns[0].type)
        self._shown = Evaluator([shown], ["item"]) if source.type.kind is not node.columns[0].type.kind else None

    def add(self, items: pl.Series) -> None:
        counts = pl.DataFrame({"item": items}).group_by("item", maintain_order=True).len()
        self._counter.add(counts["item"].to_list(), counts["len"].to_list(), items.to_list)

    def columns(self) -> list[pl.Series]:
        top = self._frame(self._counter.top(self._number))
        items = top["item"] if self._shown is None else self._shown.run(top, Moment(0))[0]["item"]
        return [items, top["times"]]

    def _frame(self, entries: list[Counted[object]]) -> pl.DataFrame:
        columns = [[entry[place] for entry in entries] for place in range(3)]
        dtypes = (self._dtype, pl.Int64(), pl.Int64())
        named = zip(Counted._fields, columns, dtypes, strict=True)
        return pl.DataFrame([pl.Series(name, values, dtype) for name, values, dtype in named])

    def state(self) -> State:
        return {"entries": self._frame(self._counter.all()), "known": self._counter.known}

    def restore(self, state: State) -> None:
        entries, known = state["entries"], state["known"]
        assert isinstance(entries, pl.DataFrame)
        assert isinstance(known, int)
        self._counter.restore([Counted(*row) for row in entries.iter_rows()], known)

    def state_bytes(self) -> int:
        return self._counter.state_bytes()


def _hashes(items: pl.Series) -> Hashes:
    """Hashes of items, equal ones for equal items of one type."""
    if items.dtype.is_decimal():
        items = items.cast(pl.String)
    if items.dtype == pl.String:
        return hash_texts(text.encode() for text in items.to_list())
    if items.dtype == pl.Binary:
        return hash_texts(items.to_list())
    if items.dtype.is_float():
        return hash_numbers(items.cast(pl.Float64).to_numpy().view(np.int64))
    return hash_numbers(items.to_physical().cast(pl.Int64).to_numpy())
