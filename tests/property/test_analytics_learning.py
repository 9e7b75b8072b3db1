"""Table functions give the same rows however the input is cut into cycles, and wherever they go on from a state."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.analytics.engine.state import decode_state, encode_state
from millstream.analytics.operators.frames import SEQ, TIME, Cycle
from millstream.analytics.operators.tablefunctions import table_function_operator
from millstream.analytics.plan.nodes import Column, Scan, TableFunction
from millstream.analytics.scalars.compile import RowErrors
from millstream.analytics.scalars.types import Kind, SqlType

BIGINT, DOUBLE, TEXT = SqlType(Kind.BIGINT), SqlType(Kind.DOUBLE), SqlType(Kind.VARCHAR, 1024)
COLUMNS = (Column("a", DOUBLE), Column("b", BIGINT), Column("c", TEXT))
SCAN = Scan("S", "S", COLUMNS)
SCORE, EXPLANATION = Column("ANOMALY_SCORE", DOUBLE), Column("ANOMALY_EXPLANATION", TEXT)
RANK = Column("rank", SqlType(Kind.INTEGER))

NODES = [
    TableFunction("RANDOM_CUT_FOREST", SCAN, (6, 10, 30, 1), (*COLUMNS, SCORE)),
    TableFunction("RANDOM_CUT_FOREST", SCAN, (4, 12, 12, 3), (*COLUMNS, SCORE)),
    TableFunction("RANDOM_CUT_FOREST_WITH_EXPLANATION", SCAN, (4, 10, 20, 2, True), (*COLUMNS, SCORE, EXPLANATION)),
    TableFunction("HOTSPOTS", SCAN, (20, 1.5, 3), (*COLUMNS, Column("HOTSPOTS_RESULT", TEXT))),
    TableFunction("COUNT_DISTINCT_ITEMS_TUMBLING", SCAN, ("c", 1), (Column("NUMBER_OF_DISTINCT_ITEMS", BIGINT),)),
    TableFunction("TOP_K_ITEMS_TUMBLING", SCAN, ("c", 3, 1), (Column("ITEM", TEXT), Column("ITEM_COUNT", BIGINT))),
    TableFunction("TOP_K_ITEMS_TUMBLING", SCAN, ("b", 2, 2), (Column("ITEM", BIGINT), Column("ITEM_COUNT", BIGINT))),
    TableFunction("GROUP_RANK", SCAN, ("b", "rank", "desc", "asc", 0, 2), (*COLUMNS, RANK)),
]


class NoErrors:
    def add(self, frame: pl.DataFrame, errors: RowErrors, *, name: str = "") -> None:
        raise AssertionError(errors)


def rows_of(seed: int, count: int) -> pl.DataFrame:
    """Random rows: clusters, duplicates, nulls, times with ties and gaps."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.choice([0, 0, 1, 300, 2500], count, p=[0.3, 0.2, 0.3, 0.18, 0.02]))
    frame = pl.DataFrame(
        {
            "a": np.where(rng.random(count) < 0.5, rng.integers(0, 4, count), rng.normal(0, 5, count)),
            "b": rng.integers(0, 6, count),
            "c": [f"item {number}" for number in rng.zipf(1.5, count) % 20],
            TIME: times,
            SEQ: 2 * np.arange(count) + 1,
        },
        schema_overrides={"c": pl.String},
    )
    gaps = pl.Series(rng.random(count) < 0.1)
    return frame.with_columns(pl.when(gaps).then(None).otherwise(pl.col("a", "b", "c")).name.keep())


def run(node: TableFunction, rows: pl.DataFrame, cuts: list[int], restarts: set[int], waits: set[int]) -> pl.DataFrame:
    """All that comes of the rows in cycles that end at the cuts; after some the state is saved and read, after some
    the clock goes to just before the next row."""
    operator, results = table_function_operator(node), []
    times = rows[TIME].to_numpy()
    for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(times)], strict=True)):
        last = end == len(times)
        until = 10**9 if last else int(times[end] if number in waits else times[max(end - 1, 0)])
        cycle = Cycle(start, times[start:end], until, NoErrors(), generator_seed=3)
        results.append(operator.process((rows[start:end],), cycle))
        if number in restarts:
            state = decode_state(encode_state(operator.state()))
            operator = table_function_operator(node)
            operator.restore(state)
            assert operator.state_bytes() >= 0
    return pl.concat(results)


@pytest.mark.parametrize("node", NODES, ids=lambda node: f"{node.function} {node.arguments}")
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_results_do_not_depend_on_batches_or_restarts(node: TableFunction, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 120))
    rows = rows_of(data.draw(st.integers(0, 10**6)), count)
    cuts = sorted(data.draw(st.lists(st.integers(0, count), max_size=12)))
    numbers = st.sets(st.integers(0, 12))
    result = run(node, rows, cuts, data.draw(numbers), data.draw(numbers))
    expected = run(node, rows, [], set(), set())
    assert result.schema == expected.schema
    assert result.rows() == expected.rows()
    order = list(zip(result[SEQ], result[TIME], strict=True))
    assert order == sorted(order)
