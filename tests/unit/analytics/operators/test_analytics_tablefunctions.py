"""Table functions as operators: columns, times, order of rows, nulls."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from millstream.analytics.language.errors import SqlError
from millstream.analytics.operators.frames import SEQ, TIME, Cycle, Operator
from millstream.analytics.operators.tablefunctions import table_function_operator
from millstream.analytics.plan.nodes import Column, Scan, TableFunction
from millstream.analytics.scalars.compile import RowErrors
from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.types import Kind, SqlType

BIGINT, DOUBLE = SqlType(Kind.BIGINT), SqlType(Kind.DOUBLE)
TEXT = SqlType(Kind.VARCHAR, 1024)


class NoErrors:
    def add(self, frame: pl.DataFrame, errors: RowErrors, *, name: str = "") -> None:
        raise AssertionError(errors)


def node(
    function: str, columns: dict[str, SqlType], arguments: Sequence[int | float | str | bool], added: dict[str, SqlType]
) -> TableFunction:
    """A table function over a stream of these columns, which has them in its result if it passes rows through."""
    scanned = tuple(Column(name, of) for name, of in columns.items())
    passed = () if function.endswith("TUMBLING") else tuple(Column(f"T.{name}", of) for name, of in columns.items())
    result = passed + tuple(Column(name, of) for name, of in added.items())
    return TableFunction(function, Scan("S", "S", scanned), tuple(arguments), result)


class Stream:
    """Feeds an operator cycle by cycle."""

    def __init__(self, node: TableFunction) -> None:
        self._schema = {column.name: dtype(column.type) for column in node.input.columns}
        self.operator: Operator = table_function_operator(node)
        self._rows = 0

    def rows(self, until_ms: int, times_ms: Sequence[int] = (), **columns: Sequence[object]) -> pl.DataFrame:
        numbers = np.arange(self._rows, self._rows + len(times_ms))
        cycle = Cycle(self._rows, np.array(times_ms, np.int64), until_ms, NoErrors())
        self._rows += len(times_ms)
        data = [pl.Series(name, list(columns.get(name, ())), of) for name, of in self._schema.items()]
        system = [pl.Series(TIME, times_ms, pl.Int64), pl.Series(SEQ, 2 * numbers + 1, pl.Int64)]
        return self.operator.process((pl.DataFrame(data + system),), cycle)


def distinct_node(of: SqlType = TEXT) -> TableFunction:
    return node("COUNT_DISTINCT_ITEMS_TUMBLING", {"x": of}, ["x", 1], {"NUMBER_OF_DISTINCT_ITEMS": BIGINT})


def top_node(of: SqlType = TEXT, k: int = 2) -> TableFunction:
    return node("TOP_K_ITEMS_TUMBLING", {"x": of}, ["x", k, 1], {"ITEM": of, "ITEM_COUNT": BIGINT})


def rank_node(sort_order: str, output_order: str, rows_max: int = 0) -> TableFunction:
    arguments: list[int | str] = ["n", "groupRank", sort_order, output_order, 5, rows_max]
    return node("GROUP_RANK", {"name": TEXT, "n": BIGINT}, arguments, {"groupRank": SqlType(Kind.INTEGER)})


def test_distinct_items_of_each_window_come_at_its_end() -> None:
    stream = Stream(distinct_node())
    assert stream.rows(1500, [1000, 1200, 1500], x=["a", "b", "a"]).is_empty()
    result = stream.rows(3500, [1999, 2000, 3500], x=["c", "a", None])
    assert result.rows() == [(3, 2000, 8), (1, 3000, 10)]
    assert stream.rows(4000).is_empty()
    assert stream.rows(9000).is_empty()


@pytest.mark.parametrize(
    ("of", "values", "count"),
    [
        (SqlType(Kind.DOUBLE), [1.0, -0.0, 0.0, float("nan"), None, 1e300], 3),
        (SqlType(Kind.REAL), [0.1, 0.1, 0.25], 2),
        (SqlType(Kind.BOOLEAN), [True, False, True], 2),
        (SqlType(Kind.DECIMAL, 10, 2), ["1.50", "1.5", "2.00"], 2),
        (SqlType(Kind.VARBINARY, 10), [b"\0", b"", b"\0"], 2),
        (SqlType(Kind.TIMESTAMP), [1, 2, 1], 2),
        (SqlType(Kind.TINYINT), [-1, 1, -1], 2),
    ],
)
def test_items_of_every_type_count(of: SqlType, values: list[object], count: int) -> None:
    if of.kind is Kind.DECIMAL:
        values = pl.Series(values).cast(pl.Decimal(10, 2)).to_list()
    for make in (distinct_node, top_node):
        stream = Stream(make(of))
        result = stream.rows(1000, range(len(values)), x=values)
        if make is distinct_node:
            assert result["NUMBER_OF_DISTINCT_ITEMS"].to_list() == [count]
            single = Stream(make(of))
            for at, value in enumerate(values):
                single.rows(at, [at], x=[value])
            assert single.rows(1000)["NUMBER_OF_DISTINCT_ITEMS"].to_list() == [count]
        else:
            assert result.height == 2
            assert result["ITEM"].dtype == dtype(of)


def test_top_items_come_by_their_counts_then_as_they_came() -> None:
    stream = Stream(top_node(k=3))
    stream.rows(500, [0, 1, 2, 3, 4, 5], x=["d", "b", "a", "c", "a", "c"])
    result = stream.rows(1000, [600, 1000], x=[None, "z"])
    assert result.rows() == [("a", 2, 1000, 14), ("c", 2, 1000, 14), ("d", 1, 1000, 14)]


def test_top_items_of_numbers_as_text() -> None:
    function = node("TOP_K_ITEMS_TUMBLING", {"x": BIGINT}, ["x", 5, 1], {"ITEM": TEXT, "ITEM_COUNT": BIGINT})
    result = Stream(function).rows(1000, [0, 1, 2], x=[20, -3, 20])
    assert result.rows() == [("20", 2, 1000, 6), ("-3", 1, 1000, 6)]


@pytest.mark.parametrize(
    ("sort_order", "output_order", "rows_max", "expected"),
    [
        ("desc", "asc", 0, [("b", 1), ("d", 1), ("a", 3), ("c", 4)]),
        ("asc", "asc", 0, [("a", 1), ("b", 2), ("d", 2), ("c", 4)]),
        ("ASC", "desc", 0, [("c", 4), ("b", 2), ("d", 2), ("a", 1)]),
        ("desc", "asc", 3, [("b", 1), ("d", 1), ("a", 3)]),
        ("desc", "none", 0, [("a", 3), ("b", 1), ("c", 4), ("d", 1)]),
    ],
)
def test_groups_are_ranked_sorted_and_cut(
    sort_order: str, output_order: str, rows_max: int, expected: list[tuple[str, int]]
) -> None:
    stream = Stream(rank_node(sort_order, output_order, rows_max))
    result = stream.rows(2001, [1000] * 4, name=["a", "b", "c", "d"], n=[1, 5, None, 5])
    assert result.columns == ["T.name", "T.n", "groupRank", TIME, SEQ]
    assert list(zip(result["T.name"], result["groupRank"], strict=True)) == expected
    assert set(result[TIME]) == {1000}


def test_a_group_leaves_when_time_has_gone_past_it() -> None:
    stream = Stream(rank_node("asc", "asc"))
    assert stream.rows(1000, [1000], name=["a"], n=[2]).is_empty()
    assert stream.rows(1000, [1000], name=["b"], n=[1]).is_empty()
    result = stream.rows(3000, [2000, 3000], name=["c", "d"], n=[0, 0])
    assert result.rows() == [("b", 1, 1, 1000, 4), ("a", 2, 2, 1000, 4), ("c", 0, 1, 2000, 6)]
    assert stream.rows(3001).rows() == [("d", 0, 1, 3000, 8)]


def forest_node(explained: bool, **columns: SqlType) -> TableFunction:
    function, arguments = "RANDOM_CUT_FOREST", [10, 16, 1000, 1]
    added = {"ANOMALY_SCORE": DOUBLE}
    if explained:
        return node(f"{function}_WITH_EXPLANATION", columns, [*arguments, True], added | {"ANOMALY_EXPLANATION": TEXT})
    return node(function, columns, arguments, added)


def test_a_forest_scores_every_row_by_its_numbers() -> None:
    stream = Stream(forest_node(False, x=SqlType(Kind.INTEGER), name=TEXT, y=SqlType(Kind.REAL)))
    numbers = np.random.default_rng(1).integers(0, 50, 200).tolist()
    numbers[-1] = 999
    columns = {"x": numbers, "name": ["n"] * 200, "y": [0.5] * 200}
    result = stream.rows(1000, range(200), **columns)
    assert result.columns == ["T.x", "T.name", "T.y", "ANOMALY_SCORE", TIME, SEQ]
    assert result["ANOMALY_SCORE"].arg_max() == 199
    assert result[SEQ].to_list() == list(range(1, 400, 2))
    assert stream.rows(2000).is_empty()


def test_rows_without_all_numbers_get_no_score_and_teach_nothing() -> None:
    clean, gaps = (Stream(forest_node(True, x=DOUBLE, y=DOUBLE)) for _ in range(2))
    values = np.random.default_rng(1).normal(size=40).tolist()
    expected = clean.rows(1000, range(40), x=values, y=values[::-1])
    bad = [None, float("inf"), float("nan"), 1e301]
    result = gaps.rows(
        1000, range(44), x=values[:20] + bad + values[20:], y=values[:19:-1] + [0.0] * 4 + values[19::-1]
    )
    assert result["ANOMALY_SCORE"].null_count() == result["ANOMALY_EXPLANATION"].null_count() == 4
    kept = result.filter(pl.col("ANOMALY_SCORE").is_not_null())
    assert kept["ANOMALY_SCORE"].to_list() == expected["ANOMALY_SCORE"].to_list()
    assert kept["ANOMALY_EXPLANATION"].to_list() == expected["ANOMALY_EXPLANATION"].to_list()
    only_bad = gaps.rows(2000, [1000, 1001], x=[None, 1.0], y=[1.0, None])
    assert only_bad["ANOMALY_SCORE"].to_list() == [None, None]


def test_explanations_name_columns_as_the_cursor_does() -> None:
    stream = Stream(forest_node(True, Systolic=SqlType(Kind.INTEGER), Level=TEXT, Diastolic=SqlType(Kind.INTEGER)))
    rng = np.random.default_rng(1)
    high, low = rng.integers(100, 120, 300).tolist(), rng.integers(60, 80, 300).tolist()
    high[-1] = 200
    result = stream.rows(1000, range(300), Systolic=high, Diastolic=low, Level=["N"] * 300)
    last = result.row(-1, named=True)
    explanation = json.loads(last["ANOMALY_EXPLANATION"])
    assert list(explanation) == ["Systolic", "Diastolic"]
    assert explanation["Systolic"]["DIRECTION"] == "HIGH"
    parts = [float(one["ATTRIBUTION_SCORE"]) for one in explanation.values()]
    assert sum(parts) == pytest.approx(last["ANOMALY_SCORE"], abs=1e-4)
    assert parts[0] > 0.8 * sum(parts)


def test_hotspots_of_each_row() -> None:
    columns = {"x": SqlType(Kind.INTEGER), "hot": TEXT, "y": SqlType(Kind.REAL)}
    stream = Stream(node("HOTSPOTS", columns, [100, 1.5, 3], {"HOTSPOTS_RESULT": TEXT}))
    result = stream.rows(1000, range(5), x=[1, 2, None, 3, 90], hot=list("abcde"), y=[0.1, 0.2, 0.3, 0.1, 0.1])
    none = '{"hotspots":[]}'
    found = '{"hotspots":[{"density":1.0,"maxValues":[3,0.2],"minValues":[1,0.1]}]}'
    assert result["HOTSPOTS_RESULT"].to_list() == [none, none, None, found, found]
    assert stream.rows(1000, [5], x=[None], hot=[None], y=[None])["HOTSPOTS_RESULT"].to_list() == [None]


def test_no_numbers_is_a_mistake() -> None:
    with pytest.raises(SqlError, match="RANDOM_CUT_FOREST needs a numeric column"):
        table_function_operator(forest_node(False, name=TEXT))
