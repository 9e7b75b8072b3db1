"""OVER: what sliding windows give, where they end, and what is remembered."""

from __future__ import annotations

import math
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import pytest

from millstream.analytics.operators.over import OverOperator
from millstream.analytics.plan.nodes import Over, OverAggregate, RowFrame
from millstream.analytics.scalars.nodes import Call, Literal, Scalar
from millstream.analytics.scalars.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    TIMESTAMP,
    VARCHAR,
    Kind,
    SqlType,
    decimal,
)
from support.operatorruns import Row, Run, Table
from support.slidingruns import run_inputs, single

REAL = SqlType(Kind.REAL)
TINYINT = SqlType(Kind.TINYINT)
TEN_SECONDS = RowFrame(range_ms=10_000)
ALL = RowFrame()


def over(
    function: str,
    of: SqlType,
    to: SqlType,
    values: list[object],
    *more: Scalar,
    frame: RowFrame = ALL,
    times: list[int] | None = None,
    **how: bool,
) -> Run:
    """A call over values that come one a second."""
    table = Table(V=of)
    call = OverAggregate("A", function, (table["V"], *more), to, (), frame, **how)
    times = times or [1000 * at for at in range(len(values))]
    rows: list[Row] = [(value,) for value in values]
    return run_inputs(lambda: OverOperator(Over(table.scan, (call,))), [table], single(times, rows), times[-1])


def answers(*given: object, **how: object) -> list[object]:
    found = over(*given, **how)  # type: ignore[arg-type]
    assert not found.failures
    return [row[1] for row in found.rows]


def number(value: int) -> Literal:
    return Literal(value, INTEGER)


def test_a_range_ends_with_the_row_and_begins_exactly_its_length_before() -> None:
    assert answers("COUNT", INTEGER, BIGINT, [1] * 4, frame=TEN_SECONDS, times=[0, 10_000, 10_001, 10_001]) == [
        1,
        2,
        2,
        3,
    ]


def test_rows_n_is_n_rows_before_the_row() -> None:
    assert answers("SUM", INTEGER, BIGINT, [1, 10, 100, 1000], frame=RowFrame(rows=2)) == [1, 11, 111, 1110]


def test_partitions_and_frames_of_one_select_are_told_apart() -> None:
    table = Table(K=VARCHAR, V=INTEGER)
    calls = tuple(
        OverAggregate(name, "SUM", (table["V"],), BIGINT, partition, frame)
        for name, partition, frame in (
            ("A", (table["K"],), ALL),
            ("B", (), ALL),
            ("C", (table["K"],), RowFrame(rows=0)),
            ("D", (Call("CHAR_LENGTH", (table["K"],), INTEGER),), ALL),
        )
    )
    rows: list[Row] = [("a", 1), (None, 2), ("bb", 4), ("a", 8), (None, 16)]
    found = run_inputs(lambda: OverOperator(Over(table.scan, calls)), [table], single([0] * 5, rows), 0)
    assert [row[2:6] for row in found.rows] == [
        (1, 1, 1, 1),
        (2, 3, 2, 2),
        (4, 7, 4, 4),
        (9, 15, 8, 9),
        (18, 31, 16, 18),
    ]


@pytest.mark.parametrize(
    ("function", "of", "to", "values", "expected"),
    [
        ("SUM", DOUBLE, DOUBLE, [1e300, 1.0, -1e300], [1e300, 1e300, 1.0]),
        ("SUM", DOUBLE, DOUBLE, [None, 0.1, 0.2], [None, 0.1, 0.1 + 0.2]),
        ("SUM", DOUBLE, DOUBLE, [5e-324, -5e-324], [5e-324, 0.0]),
        ("SUM", REAL, DOUBLE, [0.5, 0.25], [0.5, 0.75]),
        ("SUM", BIGINT, BIGINT, [2**62, 2**62 - 1, -(2**62)], [2**62, 2**63 - 1, 2**62 - 1]),
        ("SUM", decimal(6, 2), decimal(18, 2), [Decimal("1.25"), Decimal("-0.30")], [Decimal("1.25"), Decimal("0.95")]),
        ("AVG", decimal(6, 2), decimal(6, 2), [Decimal("0.01"), Decimal("0.02")], [Decimal("0.01"), Decimal("0.02")]),
        ("AVG", INTEGER, INTEGER, [-1, -2], [-1, -1]),
        ("AVG", INTEGER, DOUBLE, [1, 2], [1.0, 1.5]),
        ("MIN", VARCHAR, VARCHAR, ["b", None, "a"], ["b", "b", "a"]),
        ("MAX", TIMESTAMP, TIMESTAMP, [datetime(2026, 1, 2), datetime(2026, 1, 1)], [datetime(2026, 1, 2)] * 2),
        ("MAX", BOOLEAN, BOOLEAN, [None, False, True], [None, False, True]),
        ("ANY", BOOLEAN, BOOLEAN, [None, False, True], [None, False, True]),
        ("EVERY", BOOLEAN, BOOLEAN, [True, None, False], [True, True, False]),
        ("VAR_POP", decimal(6, 2), DOUBLE, [Decimal("1.00"), Decimal("2.00")], [0.0, 0.25]),
        ("STDDEV_SAMP", DOUBLE, DOUBLE, [1.0, 3.0], [None, math.sqrt(2)]),
        ("FIRST_VALUE", VARCHAR, VARCHAR, [None, "x"], [None, None]),
        ("LAST_VALUE", decimal(4, 1), decimal(4, 1), [Decimal("0.5"), None], [Decimal("0.5"), None]),
    ],
)
@pytest.mark.parametrize("frame", [ALL, TEN_SECONDS, RowFrame(rows=5)], ids=["all", "range", "rows"])
def test_values(
    function: str, of: SqlType, to: SqlType, values: list[object], expected: list[object], frame: RowFrame
) -> None:
    assert answers(function, of, to, values, frame=frame) == expected


def test_lag_looks_back_within_the_frame_and_else_gives_the_default() -> None:
    values = ["a", None, "c", "d"]
    assert answers("LAG", VARCHAR, VARCHAR, values) == [None, "a", None, "c"]
    assert answers("LAG", VARCHAR, VARCHAR, values, ignore_nulls=True) == [None, "a", "a", "c"]
    assert answers("LAG", VARCHAR, VARCHAR, values, number(0), ignore_nulls=True) == ["a", None, "c", "d"]
    default = Literal("none", VARCHAR)
    assert answers("LAG", VARCHAR, VARCHAR, values, number(2), default) == ["none", "none", "a", None]
    assert answers("LAG", VARCHAR, VARCHAR, values, number(2), default, frame=RowFrame(rows=1)) == ["none"] * 4


def test_nth_value_counts_from_the_beginning_of_the_frame() -> None:
    values = [1, None, 3, 4]
    assert answers("NTH_VALUE", INTEGER, INTEGER, values, number(2)) == [None, None, None, None]
    assert answers("NTH_VALUE", INTEGER, INTEGER, values, number(2), ignore_nulls=True) == [None, None, 3, 3]
    assert answers("NTH_VALUE", INTEGER, INTEGER, values, number(2), frame=RowFrame(rows=1)) == [None, None, 3, 4]


def test_exp_avg_halves_a_value_every_half_life() -> None:
    half_life = Literal(10_000, SqlType(Kind.INTERVAL_DAY))
    found = answers(
        "EXP_AVG", DOUBLE, DOUBLE, [8.0, 2.0], half_life, frame=RowFrame(range_ms=30_000), times=[0, 20_000]
    )
    assert found == [8.0, pytest.approx((8 / 4 + 2) / (1 / 4 + 1))]


@pytest.mark.parametrize(
    ("function", "of", "to", "values", "message"),
    [
        ("SUM", TINYINT, TINYINT, [100, 100, -100], "SUM overflows: the result does not fit TINYINT"),
        ("SUM", BIGINT, BIGINT, [2**63 - 1, 1, -5], "SUM overflows: the result does not fit BIGINT"),
        ("SUM", DOUBLE, DOUBLE, [1.7e308, 1.7e308, -1.7e308], "SUM overflows: the result does not fit DOUBLE"),
        ("SUM", REAL, REAL, [3e38, 3e38, -3e38], "SUM overflows: the result does not fit REAL"),
    ],
)
@pytest.mark.parametrize("frame", [ALL, TEN_SECONDS], ids=["all", "range"])
def test_a_row_whose_sum_does_not_fit_fails_alone(
    function: str, of: SqlType, to: SqlType, values: list[object], message: str, frame: RowFrame
) -> None:
    found = over(function, of, to, values, frame=frame)
    assert [row[-2] for row in found.rows] == [0, 2000]
    assert [(row[-2], why) for row, why in found.failures] == [(1000, message)]


def test_a_row_whose_argument_cannot_be_computed_fails_and_counts_nowhere() -> None:
    table = Table(V=INTEGER)
    argument = Call("/", (Literal(6, INTEGER), table["V"]), INTEGER)
    node = Over(table.scan, (OverAggregate("A", "SUM", (argument,), BIGINT, (), ALL),))
    found = run_inputs(lambda: OverOperator(node), [table], single([0, 1, 2], [(1,), (0,), (3,)]), 2)
    assert [row[:2] for row in found.rows] == [(1, 6), (3, 8)]
    assert [row[0] for row, _ in found.failures] == [0]


def test_sums_of_doubles_do_not_drift() -> None:
    values: list[object] = [0.1 * (at % 7) + 1e9 * (at % 2) for at in range(3000)]
    found = answers("SUM", DOUBLE, DOUBLE, values, frame=RowFrame(rows=2))
    assert found[-1] == math.fsum(values[-3:])  # type: ignore[arg-type]


def test_partitions_without_rows_in_the_frame_are_forgotten() -> None:
    table = Table(K=VARCHAR, V=DOUBLE)
    calls = tuple(
        OverAggregate(name, name, (table["V"],), DOUBLE, (table["K"],), TEN_SECONDS, distinct)
        for name, distinct in (("AVG", False), ("MAX", False), ("SUM", True))
    )
    operator = OverOperator(Over(table.scan, calls))
    for at in range(20):
        rows: list[Row] = [(f"key {at} {index}", 1.0) for index in range(500)]
        run_inputs(lambda: operator, [table], single([20_000 * at] * 500, rows), 20_000 * at + 15_000)
    (window,) = cast(list[Any], operator.state()["windows"])
    assert len(window["partitions"]["keys"]) <= 500
    assert operator.state_bytes() < 2_000_000


def test_an_unbounded_frame_keeps_no_rows() -> None:
    table = Table(V=DOUBLE)
    calls = tuple(
        OverAggregate(name, name, (table["V"],), DOUBLE, (), ALL) for name in ("AVG", "MAX", "LAG", "FIRST_VALUE")
    )
    operator = OverOperator(Over(table.scan, calls))
    for _ in range(20):
        run_inputs(lambda: operator, [table], single([0] * 1000, [(1.0,)] * 1000), 0)
    assert operator.state_bytes() < 100_000
