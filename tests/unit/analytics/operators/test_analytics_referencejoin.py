"""Joins with a reference table."""

from __future__ import annotations

import random
from decimal import Decimal

import polars as pl
import pytest

from millstream.analytics.operators.referencejoin import ReferenceJoinOperator
from millstream.analytics.plan.nodes import ReferenceJoin
from millstream.analytics.scalars.nodes import Call, ColumnRef, Scalar
from millstream.analytics.scalars.types import BIGINT, BOOLEAN, VARCHAR, SqlType, decimal
from support.operatorruns import Row, Run, Table
from support.slidingruns import run_inputs, single

STREAM, COMPANIES = Table(K=VARCHAR, N=BIGINT), Table(TK=VARCHAR, TN=BIGINT, NAME=VARCHAR)
BY_KEY = ((STREAM["K"], COMPANIES["TK"]),)
BY_BOTH = (*BY_KEY, (STREAM["N"], COMPANIES["TN"]))
LESS = Call("<", (STREAM["N"], COMPANIES["TN"]), BOOLEAN)
ROWS: list[Row] = [("A", 1), ("B", 1), (None, 1), ("A", None), ("C", 2)]
TABLE: list[Row] = [("B", 2, "b"), ("A", 1, "a1"), (None, 1, "none"), ("A", 2, "a2"), ("A", 1, "a3")]


def rows_of(table: list[Row]) -> pl.DataFrame:
    return COMPANIES.frame(table, [0] * len(table), 0).drop("$time", "$seq")


def operator(kind: str, equal: tuple[tuple[Scalar, Scalar], ...], residual: Scalar | None) -> ReferenceJoinOperator:
    node = ReferenceJoin(STREAM.scan, "COMPANIES", COMPANIES.scan.columns, kind, equal, residual)
    return ReferenceJoinOperator(node, rows_of(TABLE))


def joined(made: ReferenceJoinOperator, rows: list[Row]) -> Run:
    return run_inputs(lambda: made, [STREAM], single(list(range(len(rows))), rows), len(rows))


@pytest.mark.parametrize("kind", ["INNER", "LEFT"])
@pytest.mark.parametrize("residual", [None, LESS], ids=["", "less"])
@pytest.mark.parametrize("equal", [(), BY_KEY, BY_BOTH], ids=["", "key", "both"])
def test_each_row_meets_what_fits_in_the_order_of_the_table(
    kind: str, equal: tuple[tuple[Scalar, Scalar], ...], residual: Scalar | None
) -> None:
    expected: list[Row] = []
    for at, (key, number) in enumerate(ROWS):
        found = [
            other
            for other in TABLE
            if (len(equal) < 1 or (key is not None and key == other[0]))
            and (len(equal) < 2 or (number is not None and number == other[1]))
            and (residual is None or (number is not None and number < other[1]))  # type: ignore[operator]
        ]
        if kind == "LEFT" and not found:
            found = [(None, None, None)]
        expected += [(key, number, *other, at, 2 * at + 1) for other in found]
    assert joined(operator(kind, equal, residual), ROWS).rows == expected


def test_another_table_counts_from_the_next_row_on() -> None:
    made = operator("LEFT", BY_KEY, None)
    made.replace_table(rows_of([("A", 9, "new")]))
    assert [row[4] for row in joined(made, ROWS).rows] == ["new", None, None, "new", None]
    made.replace_table(rows_of([]))
    assert [row[4] for row in joined(made, ROWS).rows] == [None] * 5


def test_large_tables_and_batches_are_what_small_ones_are() -> None:
    generator = random.Random(613)
    table: list[Row] = [(f"k{generator.randrange(900)}", generator.randrange(3), str(at)) for at in range(2000)]
    rows: list[Row] = [(f"k{generator.randrange(1200)}", generator.randrange(3)) for _ in range(1500)]
    made = operator("INNER", BY_BOTH, None)
    made.replace_table(rows_of(table))
    expected = [(*row, *other) for row in rows for other in table if row == other[:2]]
    assert [row[:5] for row in joined(made, rows).rows] == expected


@pytest.mark.parametrize(
    ("of", "values"),
    [(decimal(8, 2), [Decimal("1.00"), Decimal("1.01")]), (BOOLEAN, [False, True])],
    ids=["decimal", "boolean"],
)
def test_keys_of_other_types(of: SqlType, values: list[object]) -> None:
    stream, table = Table(V=of), Table(TV=of)
    node = ReferenceJoin(stream.scan, "T", table.scan.columns, "LEFT", ((stream["V"], table["TV"]),), None)
    made = ReferenceJoinOperator(node, table.frame([(values[1],)], [0], 0).drop("$time", "$seq"))
    found = run_inputs(lambda: made, [stream], single([0, 1], [(value,) for value in values]), 1)
    assert [row[1] for row in found.rows] == [None, values[1]]


def test_a_key_that_cannot_be_computed_fails_in_the_stream_and_is_not_found_in_the_table() -> None:
    ratio = Call("/", (STREAM["N"], STREAM["N"]), BIGINT)
    table_ratio = Call("/", (COMPANIES["TN"], ColumnRef("TN", BIGINT)), BIGINT)
    made = operator("INNER", ((ratio, table_ratio),), None)
    made.replace_table(rows_of([("x", 0, "zero"), ("y", 5, "one")]))
    found = joined(made, [("A", 0), ("B", 3)])
    assert [row[0] for row in found.rows] == ["B"]
    assert [row[4] for row in found.rows] == ["one"]
    assert [row[0] for row, _ in found.failures] == ["A"]
