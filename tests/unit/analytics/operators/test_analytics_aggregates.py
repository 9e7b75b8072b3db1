"""Aggregate functions: their values, types, nulls and limits."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from millstream.analytics.operators.tumble import TumbleOperator
from millstream.analytics.plan.nodes import Aggregate, TimeKey, TimeStep, Tumble
from millstream.analytics.scalars.nodes import Literal, Scalar
from millstream.analytics.scalars.types import BIGINT, BOOLEAN, DATE, DOUBLE, INTEGER, VARCHAR, Kind, SqlType, decimal
from support.operatorruns import History, Row, Run, Table, run

REAL = SqlType(Kind.REAL)
TINYINT = SqlType(Kind.TINYINT)
MINUTE = TimeKey("T", "rowtime", TimeStep(60_000), None, SqlType(Kind.TIMESTAMP))


def aggregated(
    function: str, of: SqlType, to: SqlType, values: list[object], *more: int, distinct: bool = False, step_ms: int = 1
) -> Run:
    table = Table(V=of)
    arguments: tuple[Scalar, ...] = (table["V"], *(Literal(number, BIGINT) for number in more))
    call = Aggregate("A", function, () if function == "COUNT(*)" else arguments, to, distinct)
    node = Tumble(table.scan, (MINUTE,), (), (call,))
    times = [step_ms * index for index in range(len(values))]
    rows: list[Row] = [(value,) for value in values]
    # parts of one row and of many must add up to the same
    found = run(lambda: TumbleOperator(node), table, History(times, rows, 60_000))
    assert run(lambda: TumbleOperator(node), table, History(times, rows, 60_000), cuts=range(len(values))) == found
    return found


def value(function: str, of: SqlType, to: SqlType, values: list[object], *more: int, distinct: bool = False) -> object:
    found = aggregated(function, of, to, values, *more, distinct=distinct)
    assert not found.failures
    return found.rows[0][1]


@pytest.mark.parametrize(
    ("function", "of", "to", "values", "expected"),
    [
        ("COUNT(*)", INTEGER, BIGINT, [1, None, 2], 3),
        ("COUNT", INTEGER, BIGINT, [1, None, 2], 2),
        ("COUNT", VARCHAR, BIGINT, [None, None], 0),
        ("SUM", INTEGER, BIGINT, [2**31 - 1, 2**31 - 1, None], 2**32 - 2),
        ("SUM", BIGINT, BIGINT, [2**63 - 1, 1, -5], 2**63 - 5),  # may leave the range on the way
        ("SUM", BIGINT, BIGINT, [None], None),
        ("SUM", DOUBLE, DOUBLE, [0.1] * 10, 1.0),
        ("SUM", DOUBLE, DOUBLE, [1e300, 1.0, -1e300, 1e-300], 1.0),
        ("SUM", DOUBLE, DOUBLE, [5e-324, 5e-324], 1e-323),
        ("SUM", REAL, DOUBLE, [0.5, 0.25], 0.75),
        ("SUM", decimal(6, 2), decimal(18, 2), [Decimal("1.25"), Decimal("-0.30")], Decimal("0.95")),
        ("SUM", decimal(6, 2), decimal(18, 1), [Decimal("1.25")], Decimal("1.3")),
        ("SUM", SqlType(Kind.INTERVAL_DAY), SqlType(Kind.INTERVAL_DAY), [1000, 500], 1500),
        ("AVG", INTEGER, INTEGER, [1, 2, None, 2], 1),
        ("AVG", INTEGER, INTEGER, [-1, -2], -1),
        ("AVG", INTEGER, DOUBLE, [1, 2], 1.5),
        (
            "AVG",
            decimal(6, 2),
            decimal(18, 6),
            [Decimal("0.01"), Decimal("0.01"), Decimal("0.00")],
            Decimal("0.006667"),
        ),
        ("AVG", decimal(6, 2), DOUBLE, [Decimal("1.50"), Decimal("2.50")], 2.0),
        ("AVG", DOUBLE, DOUBLE, [None], None),
        ("MIN", VARCHAR, VARCHAR, ["b", None, "a"], "a"),
        ("MAX", VARCHAR, VARCHAR, ["b", None, "a"], "b"),
        ("MIN", DATE, DATE, [date(2024, 2, 29), date(2024, 1, 31)], date(2024, 1, 31)),
        ("MAX", decimal(6, 2), decimal(6, 2), [Decimal("9.00"), Decimal("10.00")], Decimal("10.00")),
        ("MAX", BOOLEAN, BOOLEAN, [False, True], True),
        ("ANY", BOOLEAN, BOOLEAN, [False, None, True], True),
        ("ANY", BOOLEAN, BOOLEAN, [None, None], None),
        ("EVERY", BOOLEAN, BOOLEAN, [True, None], True),
        ("EVERY", BOOLEAN, BOOLEAN, [True, False], False),
        ("FIRST_VALUE", VARCHAR, VARCHAR, [None, "a", "b"], None),
        ("LAST_VALUE", VARCHAR, VARCHAR, ["a", "b"], "b"),
        ("VAR_POP", INTEGER, DOUBLE, [1, 2, 3, 4], 1.25),
        ("VAR_SAMP", INTEGER, DOUBLE, [1, 3], 2.0),
        ("VAR_SAMP", INTEGER, DOUBLE, [1], None),
        ("STDDEV_POP", DOUBLE, DOUBLE, [1.0, 3.0], 1.0),
        ("STDDEV_SAMP", decimal(6, 2), DOUBLE, [Decimal("1.00"), Decimal("3.00"), Decimal("5.00")], 2.0),
        ("VAR_POP", DOUBLE, DOUBLE, [1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16], 22.5),  # where textbook formulas fail
        ("VAR_POP", BIGINT, DOUBLE, [2**62, 2**62 + 2], 1.0),
        ("VAR_POP", DOUBLE, DOUBLE, [1e-170, 1e-170], 0.0),
    ],
)
def test_values(function: str, of: SqlType, to: SqlType, values: list[object], expected: object) -> None:
    assert value(function, of, to, values) == expected


@pytest.mark.parametrize(("n", "expected"), [(1, "a"), (2, None), (3, "c"), (4, None)])
def test_the_nth_row_counts_nulls(n: int, expected: object) -> None:
    assert value("NTH_VALUE", VARCHAR, VARCHAR, ["a", None, "c"], n) == expected


@pytest.mark.parametrize(
    ("function", "to", "expected"),
    [("COUNT", BIGINT, 2), ("SUM", BIGINT, 5), ("AVG", DOUBLE, 2.5), ("MAX", INTEGER, 4)],
)
def test_distinct_counts_a_value_once(function: str, to: SqlType, expected: object) -> None:
    assert value(function, INTEGER, to, [1, 4, 1, None, 4], distinct=True) == expected


@pytest.mark.parametrize("to", [BIGINT, DOUBLE])
def test_distinct_of_no_values(to: SqlType) -> None:
    assert value("COUNT", DOUBLE, BIGINT, [None], distinct=True) == 0
    assert value("SUM", DOUBLE, DOUBLE, [None], distinct=True) is None


def test_distinct_texts() -> None:
    assert value("COUNT", VARCHAR, BIGINT, ["a", "b", "a", None], distinct=True) == 2


def test_sums_of_doubles_are_rounded_once() -> None:
    values = [math.sin(index) * 10.0 ** (index % 40 - 20) for index in range(500)]
    assert value("SUM", DOUBLE, DOUBLE, list(values)) == math.fsum(values)
    mean = sum(map(Fraction, values)) / len(values)
    assert value("VAR_POP", DOUBLE, DOUBLE, list(values)) == float(
        sum((Fraction(one) - mean) ** 2 for one in values) / len(values)
    )


def test_the_exponential_average_halves_weights() -> None:
    found = aggregated("EXP_AVG", DOUBLE, DOUBLE, [8.0, 2.0, None], 10_000, step_ms=10_000)
    assert found.rows[0][1] == pytest.approx((8.0 * 0.5 + 2.0) / 1.5, rel=1e-15)


def test_the_exponential_average_of_rows_that_are_far_apart() -> None:
    found = aggregated("EXP_AVG", INTEGER, DOUBLE, [5, 7], 1, step_ms=50_000)
    assert found.rows[0][1] == 7.0
    assert aggregated("EXP_AVG", INTEGER, DOUBLE, [None], 1).rows[0][1] is None


@pytest.mark.parametrize(
    ("function", "of", "to", "values"),
    [
        ("SUM", BIGINT, BIGINT, [2**63 - 1, 1]),
        ("SUM", TINYINT, TINYINT, [100, 100]),
        ("SUM", DOUBLE, DOUBLE, [1.5e308, 1.5e308]),
        ("SUM", REAL, REAL, [3e38, 3e38]),
        ("SUM", decimal(18, 0), decimal(18, 0), [Decimal(10**18 - 1), Decimal(1)]),
        ("VAR_POP", DOUBLE, DOUBLE, [1e300, -1e300]),
    ],
)
def test_what_does_not_fit_is_an_error_of_the_row(
    function: str, of: SqlType, to: SqlType, values: list[object]
) -> None:
    found = aggregated(function, of, to, values)
    assert found.rows == []
    [(row, why)] = found.failures
    assert row[-2:] == (60_000, 2 * len(values))
    assert why.startswith(f"{function} overflows: the result does not fit ")
