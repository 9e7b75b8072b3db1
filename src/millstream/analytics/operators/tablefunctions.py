"""Table functions over a cursor: TABLE(function(CURSOR(…), …)).

What a `TableFunction` node has for each function: its `arguments` after the cursor in the reference's order, defaults
filled in by the planner, which checks the ranges given here; and its `columns`, those of the cursor (by place: the
names may differ) before what the function adds. A column argument is a name among `node.input.columns`.

    COUNT_DISTINCT_ITEMS_TUMBLING       column, window in s (1 to 3600)
                                        -> NUMBER_OF_DISTINCT_ITEMS BIGINT
    TOP_K_ITEMS_TUMBLING                column, k (1 to 100,000), window in s (1 to 3600)
                                        -> ITEM (VARCHAR(1024) on AWS; the column's type will do), ITEM_COUNT BIGINT
    RANDOM_CUT_FOREST                   trees 100 (1 to 1000), sub-sample size 256 (10 to 1000),
                                        time decay 100,000 (1 to 2^31 - 1), shingle size 1 (1 to 30)
                                        -> the cursor's, ANOMALY_SCORE DOUBLE
    RANDOM_CUT_FOREST_WITH_EXPLANATION  the same, with direction FALSE
                                        -> the cursor's, ANOMALY_SCORE DOUBLE, ANOMALY_EXPLANATION VARCHAR
    HOTSPOTS                            window in rows (100 to 1000), scan radius (above 0), minimum points (from 2)
                                        -> the cursor's, HOTSPOTS_RESULT VARCHAR
    GROUP_RANK                          column to rank by, name of the rank's column, sort order 'asc' or 'desc',
                                        output order (the same), idle ms, rows at most (0: all)
                                        -> the cursor's, the rank INTEGER

The first two are in `sketchwindows`, the last in `grouprank`; those in between are here. They work on the cursor's
numeric columns (TINYINT to DOUBLE, not DECIMAL, as on AWS): one at least, up to 30. Other columns, ROWTIME among them,
pass through. A row in which such a value is null (or no finite number, or beyond 1e300) gets null for what the function
adds, and is as if it had not come. All others are answered at once: a row a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import polars as pl

from millstream.analytics.language.errors import SqlError
from millstream.analytics.learning.explanation import explanations
from millstream.analytics.learning.forest import VALUE_MAX, Forest, ForestSize
from millstream.analytics.learning.hotspots import HotspotFinder, hotspots_json
from millstream.analytics.learning.randomness import Floats, Integers
from millstream.analytics.operators.frames import SEQ, TIME, Cycle, Operator, State
from millstream.analytics.operators.grouprank import GroupRankOperator
from millstream.analytics.operators.sketchwindows import DistinctItems, SketchWindowsOperator, TopItems
from millstream.analytics.plan.nodes import Column, TableFunction
from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.types import FLOATS, INTEGERS, Kind


def table_function_operator(node: TableFunction) -> Operator:
    """The operator of a table function. Raises SqlError for one that has nothing to work on."""
    return _FACTORIES[node.function](node)


class _Learner(Protocol):
    """What looks at numbers of rows, one after the other, and gives columns with what it finds."""

    def learn(self, rows: Floats, cycle: Cycle) -> list[pl.Series]: ...

    def state(self) -> State: ...

    def restore(self, state: State) -> None: ...

    def state_bytes(self) -> int: ...


class LearningOperator:
    """Passes rows through, with columns of what a learner says of their numbers."""

    def __init__(self, node: TableFunction, make: Callable[[TableFunction, Sequence[Column]], _Learner]) -> None:
        passed = len(node.input.columns)
        names = [column.name for column in node.columns]
        self._passed = [pl.col(c.name).alias(name) for c, name in zip(node.input.columns, names, strict=False)]
        self._system = [pl.col(TIME), pl.col(SEQ)]
        self._added = node.columns[passed:]
        numeric = [column for column in node.input.columns if column.type.kind in INTEGERS | FLOATS]
        if not numeric:
            raise SqlError(f"{node.function} needs a numeric column", hint="select one in its CURSOR")
        self._numbers = [pl.col(column.name).cast(pl.Float64) for column in numeric]
        self._learner = make(node, numeric)

    def process(self, inputs: tuple[pl.DataFrame, ...], cycle: Cycle) -> pl.DataFrame:
        frame = inputs[0]
        numbers = frame.select(self._numbers).to_numpy()
        usable = (np.abs(numbers) <= VALUE_MAX).all(axis=1)
        places = np.flatnonzero(usable)
        found = self._learner.learn(numbers[places], cycle) if len(places) else [pl.Series([])] * len(self._added)
        whole = [self._spread(*part, places, frame.height) for part in zip(self._added, found, strict=True)]
        return frame.select(*self._passed, *whole, *self._system)

    def _spread(self, column: Column, values: pl.Series, places: Integers, height: int) -> pl.Series:
        """The values at their places in a column of the frame's height, null elsewhere."""
        values = values.cast(dtype(column.type)).alias(column.name)
        if len(places) == height:
            return values
        index = np.full(height, -1)
        index[places] = np.arange(len(places))
        chosen = pl.Series(index)
        return values.gather(chosen.set(chosen < 0, None))

    def state(self) -> State:
        return self._learner.state()

    def restore(self, state: State) -> None:
        self._learner.restore(state)

    def state_bytes(self) -> int:
        return self._learner.state_bytes()


class _ForestLearner:
    """RANDOM_CUT_FOREST, and with explanation."""

    def __init__(self, node: TableFunction, columns: Sequence[Column]) -> None:
        trees, sample_size, time_decay, shingle_size, *directed = node.arguments
        size = ForestSize(int(trees), int(sample_size), int(time_decay), int(shingle_size))
        self._names = [column.name for column in columns]
        self._explained, self._directed = bool(directed), bool(directed and directed[0])
        self._forest = Forest(size, len(columns), explained=self._explained)
        self.state, self.restore, self.state_bytes = self._forest.state, self._forest.restore, self._forest.state_bytes

    def learn(self, rows: Floats, cycle: Cycle) -> list[pl.Series]:
        scores = self._forest.score(rows, cycle.generator_seed)
        if not self._explained:
            return [pl.Series(scores[:, 0])]
        texts = explanations(self._names, scores, directed=self._directed)
        return [pl.Series(scores.sum(axis=1)), pl.Series(texts, dtype=pl.String)]


class _HotspotLearner:
    """HOTSPOTS."""

    def __init__(self, node: TableFunction, columns: Sequence[Column]) -> None:
        window_rows, radius, points_min = node.arguments
        self._finder = HotspotFinder(int(window_rows), float(radius), int(points_min), len(columns))
        self._shown = [_as_shown(column.type.kind) for column in columns]
        self.state, self.restore, self.state_bytes = self._finder.state, self._finder.restore, self._finder.state_bytes

    def learn(self, rows: Floats, cycle: Cycle) -> list[pl.Series]:  # noqa: ARG002
        last, text, texts = None, "", []
        for row in rows:
            hotspots = self._finder.add(row)
            if hotspots is not last:
                last, text = hotspots, hotspots_json(hotspots, self._shown)
            texts.append(text)
        return [pl.Series(texts, dtype=pl.String)]


def _as_shown(kind: Kind) -> Callable[[float], float]:
    """A number of a type as JSON shows it: whole, or in the digits that a REAL has."""
    if kind in INTEGERS:
        return int
    return (lambda value: float(str(np.float32(value)))) if kind is Kind.REAL else float


_FACTORIES: dict[str, Callable[[TableFunction], Operator]] = {
    "COUNT_DISTINCT_ITEMS_TUMBLING": lambda node: SketchWindowsOperator(node, DistinctItems),
    "TOP_K_ITEMS_TUMBLING": lambda node: SketchWindowsOperator(node, TopItems),
    "RANDOM_CUT_FOREST": lambda node: LearningOperator(node, _ForestLearner),
    "RANDOM_CUT_FOREST_WITH_EXPLANATION": lambda node: LearningOperator(node, _ForestLearner),
    "HOTSPOTS": lambda node: LearningOperator(node, _HotspotLearner),
    "GROUP_RANK": GroupRankOperator,
}
