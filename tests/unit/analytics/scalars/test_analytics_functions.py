"""Every function and operator by its documented examples and its edges."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

import pytest

from millstream.analytics.scalars.nodes import Scalar
from millstream.analytics.scalars.signatures import SCALAR_FUNCTIONS, cast
from millstream.analytics.scalars.types import BIGINT, NULL, Kind, SqlType, show, varchar
from support.scalars import fn, interval, lit, value

STAMP = lit(datetime(2004, 9, 30, 13, 48, 23))
LONG = interval(((2 * 24 + 3) * 60 + 4) * 60_000 + 5678, "DAY", "SECOND")
D = Decimal
Example = tuple[Scalar, object, str | None]

NUMBERS: list[Example] = [
    (fn("+", 1, 1), 2, "INTEGER"),
    (fn("+", D("2.0"), D("2.0")), D("4.0"), "DECIMAL(3, 1)"),
    (fn("+", D("3.0"), 2), D("5.0"), "DECIMAL(12, 1)"),
    (fn("/", 5, 2), 2, "INTEGER"),
    (fn("/", -5, 2), -2, "INTEGER"),
    (fn("/", D("5.0"), 2), D("2.500000000000"), "DECIMAL(13, 12)"),
    (fn("/", D("-2.00"), 3), D("-0.6666666666667"), "DECIMAL(14, 13)"),
    (fn("*", D("1.5"), D("-0.25")), D("-0.375"), "DECIMAL(4, 3)"),
    (fn("+", fn("*", 5, 2), 2), 12, "INTEGER"),
    (fn("+", lit(1.5, SqlType(Kind.REAL)), 1), 2.5, "REAL"),
    (fn("*", lit(1.5, SqlType(Kind.REAL)), D("2.0")), 3.0, "DOUBLE"),
    (fn("/", lit(-(2**62), BIGINT), 3), -1537228672809129301, "BIGINT"),
    (fn("NEG", fn("+", 3, 4)), -7, "INTEGER"),
    (fn("ABS", -3), 3, "INTEGER"),
    (fn("ABS", D("-2.50")), D("2.50"), "DECIMAL(3, 2)"),
    (fn("CEIL", D("5.2")), D(6), "DECIMAL(2, 0)"),
    (fn("CEILING", -3.3), -3.0, "DOUBLE"),
    (fn("FLOOR", D("2.0")), D(2), "DECIMAL(2, 0)"),
    (fn("FLOOR", D("-3.3")), D(-4), "DECIMAL(2, 0)"),
    (fn("FLOOR", 7), 7, "INTEGER"),
    (fn("MOD", 4, 2), 0, "INTEGER"),
    (fn("MOD", -7, 3), -1, "INTEGER"),
    (fn("MOD", D("7.5"), 2), D("1.5"), "DECIMAL(11, 1)"),
    (fn("POWER", 3, 2), 9.0, "DOUBLE"),
    (fn("EXP", 0), 1.0, "DOUBLE"),
    (fn("LN", 1), 0.0, "DOUBLE"),
    (fn("LOG10", 100), 2.0, "DOUBLE"),
    (fn("SQRT", 16), 4.0, "DOUBLE"),
    (fn("ROUND", D("-2.675"), 2), D("-2.680"), "DECIMAL(4, 3)"),
    (fn("ROUND", 1250, -2), 1300, "INTEGER"),
    (fn("STEP", 23, 5), 20, "INTEGER"),
    (fn("STEP", 30, 10), 30, "INTEGER"),
    (fn("STEP", -1, 5), -5, "INTEGER"),
    (fn("STEP", D("2.7"), D("0.5")), D("2.5"), "DECIMAL(2, 1)"),
    (fn("+", None, 1), None, "INTEGER"),
    (fn("GREATEST", 1, 3, 2), 3, "INTEGER"),
    (fn("LEAST", 1, None, 2), None, "INTEGER"),
]

TIMES: list[Example] = [
    (fn("+", STAMP, interval(86_400_000, "DAY")), datetime(2004, 10, 1, 13, 48, 23), "TIMESTAMP"),
    (fn("+", interval(1000), STAMP), datetime(2004, 9, 30, 13, 48, 24), "TIMESTAMP"),
    (fn("-", STAMP, interval(7, "MONTH")), datetime(2004, 2, 29, 13, 48, 23), "TIMESTAMP"),
    (fn("+", date(2020, 1, 31), interval(1, "MONTH")), date(2020, 2, 29), "DATE"),
    (fn("+", time(23, 59), interval(120_000)), time(0, 1), "TIME"),
    (fn("*", interval(3000), 2), 6000, "INTERVAL SECOND"),
    (fn("/", interval(76 * 3_600_000, "DAY", "HOUR"), 2), 38 * 3_600_000, "INTERVAL DAY TO HOUR"),
    (fn("-", interval(86_400_000, "DAY"), interval(76 * 3_600_000, "DAY", "HOUR")), -52 * 3_600_000, None),
    (fn("*", interval(1000), D("1.5")), 1500, "INTERVAL SECOND"),
    (fn("INTERVAL OF", STAMP, datetime(2004, 9, 30), "HOUR"), 49_703_000, "INTERVAL HOUR"),
    (fn("INTERVAL OF", datetime(2021, 3, 1), datetime(2020, 1, 31), "MONTH"), 13, "INTERVAL MONTH"),
    (fn("INTERVAL OF", datetime(2020, 1, 31), datetime(2021, 3, 1), "MONTH"), -13, "INTERVAL MONTH"),
    (fn("STEP", STAMP, interval(10_000)), datetime(2004, 9, 30, 13, 48, 20), "TIMESTAMP"),
    (fn("STEP", STAMP, interval(2 * 3_600_000, "HOUR")), datetime(2004, 9, 30, 12), "TIMESTAMP"),
    (fn("STEP", STAMP, interval(5, "MONTH")), datetime(2004, 8, 1), "TIMESTAMP"),
    (fn("STEP", time(13, 48, 23), interval(300_000)), time(13, 45), "TIME"),
    (fn("FLOOR TO", STAMP, "HOUR"), datetime(2004, 9, 30, 13), "TIMESTAMP"),
    (fn("FLOOR TO", STAMP, "MINUTE"), datetime(2004, 9, 30, 13, 48), "TIMESTAMP"),
    (fn("FLOOR TO", STAMP, "DAY"), datetime(2004, 9, 30), "TIMESTAMP"),
    (fn("FLOOR TO", STAMP, "YEAR"), datetime(2004, 1, 1), "TIMESTAMP"),
    (fn("FLOOR TO", STAMP, "QUARTER"), datetime(2004, 7, 1), "TIMESTAMP"),
    (fn("FLOOR TO", datetime(1969, 12, 31, 23, 59, 59), "HOUR"), datetime(1969, 12, 31, 23), "TIMESTAMP"),
    (fn("CEIL TO", STAMP, "HOUR"), datetime(2004, 9, 30, 14), "TIMESTAMP"),
    (fn("CEIL TO", STAMP, "MONTH"), datetime(2004, 10, 1), "TIMESTAMP"),
    (fn("CEIL TO", datetime(2004, 10, 1), "MONTH"), datetime(2004, 10, 1), "TIMESTAMP"),
    (fn("EXTRACT", "DAY", LONG), 2, "BIGINT"),
    (fn("EXTRACT", "HOUR", LONG), 3, "BIGINT"),
    (fn("EXTRACT", "MINUTE", LONG), 4, "BIGINT"),
    (fn("EXTRACT", "SECOND", LONG), D("5.678"), "DECIMAL(5, 3)"),
    (fn("EXTRACT", "MINUTE", fn("CURRENT_TIMESTAMP")), 29, "BIGINT"),
    (fn("EXTRACT", "SECOND", fn("LOCALTIMESTAMP")), D("26.234"), "DECIMAL(5, 3)"),
    (fn("EXTRACT", "YEAR", date(2009, 2, 3)), 2009, "BIGINT"),
    (fn("EXTRACT", "HOUR", time(4, 5)), 4, "BIGINT"),
    (fn("TO_TIMESTAMP", lit(1_000_000_000_000, BIGINT)), datetime(2001, 9, 9, 1, 46, 40), "TIMESTAMP"),
    (fn("UNIX_TIMESTAMP", datetime(2001, 9, 9, 1, 46, 40)), 1_000_000_000_000, "BIGINT"),
    (fn("TSDIFF", datetime(2004, 9, 30, 13, 48, 24), STAMP), 1000, "BIGINT"),
    (fn("TSDIFF", lit(3, BIGINT), lit(1, BIGINT)), 2, "BIGINT"),
    (fn("CURRENT_DATE"), date(2016, 9, 23), "DATE"),
    (fn("CURRENT_TIME"), time(4, 29, 26, 234_000), "TIME"),
    (fn("CURRENT_TIMESTAMP"), datetime(2016, 9, 23, 4, 29, 26, 234_000), "TIMESTAMP"),
    (fn("CURRENT_ROW_TIMESTAMP", STAMP), datetime(2004, 9, 30, 13, 48, 23), "TIMESTAMP"),
]

TEXTS: list[Example] = [
    (fn("||", "SQL", "stream"), "SQLstream", "VARCHAR(9)"),
    (fn("||", "SQL", "", "stream"), "SQLstream", None),
    (fn("||", "a", None), None, None),
    (fn("CHAR_LENGTH", "äöü"), 3, "INTEGER"),
    (fn("CHARACTER_LENGTH", ""), 0, "INTEGER"),
    (fn("INITCAP", "each FIRST letter"), "Each First Letter", "VARCHAR(17)"),
    (fn("LOWER", "ABC"), "abc", "VARCHAR(3)"),
    (fn("UPPER", "abc"), "ABC", "VARCHAR(3)"),
    (fn("OVERLAY", "12345", "foo", 1), "foo45", None),
    (fn("OVERLAY", "12345", "foo", 0), "foo345", None),
    (fn("OVERLAY", "12345", "foo", -2), "foo12345", None),
    (fn("OVERLAY", "12345", "foo", 4), "123foo", None),
    (fn("OVERLAY", "12345", "foo", 17), "12345foo", None),
    (fn("OVERLAY", "12345", "foo", 2, 0), "1foo2345", None),
    (fn("OVERLAY", "12345", "foo", 2, 2), "1foo45", None),
    (fn("OVERLAY", "12345", "foo", 2, 9), "1foo", None),
    (fn("OVERLAY", "12345", None, 2, 9), None, None),
    (fn("POSITION", "foo", "xfoo"), 2, "INTEGER"),
    (fn("POSITION", "ü", "äöü"), 3, "INTEGER"),
    (fn("POSITION", "x", "abc"), 0, "INTEGER"),
    (fn("POSITION", "", "abc"), 1, "INTEGER"),
    (fn("POSITION", "a", None), None, "INTEGER"),
    (fn("SUBSTRING", "123456789", 3, 4), "3456", "VARCHAR(9)"),
    (fn("SUBSTRING", "123456789", 17, 4), "", None),
    (fn("SUBSTRING", "123456789", -1, 4), "12", None),
    (fn("SUBSTRING", "123456789", 6, 0), "", None),
    (fn("SUBSTRING", "123456789", 8, 4), "89", None),
    (fn("SUBSTRING", "äöü", 2), "öü", None),
    (fn("SUBSTRING", "abc", None), None, None),
    (fn("SUBSTRING", "TECHNOLOGY", "L[A-Z]*"), "LOGY", None),
    (fn("SUBSTRING", "TECHNOLOGY", "FOO"), None, None),
    (fn("SUBSTRING", "TECHNOLOGY", "O[A-Z]"), "OL", None),
    (fn("SUBSTRING", "123456789", '23#"456#"78', "#"), "456", None),
    (fn("SUBSTRING", "TECHNOLOGY", 'TECH%"NOLO%"GY', "%"), "NOLO", None),
    (fn("TRIM", "BOTH", " ", "  a b "), "a b", "VARCHAR(6)"),
    (fn("TRIM", "LEADING", "x", "xxaxx"), "axx", None),
    (fn("TRIM", "TRAILING", "ax", "bxxaxx"), "b", None),
    (fn("REGEX_REPLACE", "TECHNOLOGY", "TECHNOLOGY", "INFORMATION TECHNOLOGY", 1, 0), "INFORMATION TECHNOLOGY", None),
    (fn("REGEX_REPLACE", "a1b22c3", r"(\d+)", "<$1>"), "a<1>b<22>c<3>", None),
    (fn("REGEX_REPLACE", "a1b22c3", r"(\d+)", "<$1>", 3, 0), "a1b<22>c<3>", None),
    (fn("REGEX_REPLACE", "a1b22c3", r"(\d+)", "<$1>", 1, 2), "a1b<22>c3", None),
    (fn("REGEX_REPLACE", "aaa", "a+", "x", 1, 2), "aaa", None),
    (fn("REGEX_REPLACE", "abc", "b", "x", 9, 1), "abc", None),
    (fn("REGEX_REPLACE", "a.b", r"\.", r"\$"), "a$b", None),
]

CHOICES: list[Example] = [
    (fn("COALESCE", None, 2, 3), 2, "INTEGER"),
    (fn("COALESCE", "a", "bcd"), "a", "VARCHAR(3)"),
    (fn("NULLIF", 4, 4), None, "INTEGER"),
    (fn("NULLIF", 4, 5), 4, "INTEGER"),
    (fn("NULLIF", 4, None), 4, "INTEGER"),
    (fn("CASE", lit(value=False), 1, lit(None, NULL), 2), None, "INTEGER"),
    (fn("CASE", lit(value=True), 1, D("2.5")), D("1.0"), "DECIMAL(11, 1)"),
    (fn("IN", 1, 2, 3, 1), True, "BOOLEAN"),
    (fn("IN", 1, 2, 3, None), None, "BOOLEAN"),
    (fn("NOT IN", "x", "a", "b", "c"), True, "BOOLEAN"),
    (fn("IN", D("1.00"), 1, 2), True, "BOOLEAN"),
    (fn("BETWEEN", 5, 1, 9), True, "BOOLEAN"),
    (fn("NOT BETWEEN", 5, 1, None), None, "BOOLEAN"),
    (fn("=", 1, D("1.0")), True, "BOOLEAN"),
    (fn("<", STAMP, "2004-10-01 00:00:00"), True, "BOOLEAN"),
    (fn("=", date(2004, 9, 30), datetime(2004, 9, 30)), True, "BOOLEAN"),
    (fn("IS DISTINCT FROM", 1, None), True, "BOOLEAN"),
    (fn("IS NOT DISTINCT FROM", None, lit(None, BIGINT)), True, "BOOLEAN"),
    (fn("IS TRUE", lit(None, NULL)), False, "BOOLEAN"),
    (fn("IS NOT FALSE", lit(None, NULL)), True, "BOOLEAN"),
    (fn("IS UNKNOWN", lit(None, NULL)), True, "BOOLEAN"),
    (fn("OR", lit(None, NULL), lit(value=True)), True, "BOOLEAN"),
    (fn("AND", lit(None, NULL), lit(value=True)), None, "BOOLEAN"),
    (fn("NOT", lit(None, NULL)), None, "BOOLEAN"),
]


@pytest.mark.parametrize(("scalar", "expected", "of"), NUMBERS + TIMES + TEXTS + CHOICES)
def test_a_call_gives_the_value_and_the_type_of_the_reference(scalar: Scalar, expected: object, of: str | None) -> None:
    assert value(scalar) == expected
    assert of is None or show(scalar.type) == of


def at(hour: int) -> datetime:
    return datetime(2020, 1, 1, hour)


@pytest.mark.parametrize(
    ("name", "first", "second", "expected"),
    [
        ("OVERLAPS", (1, 3), (2, 4), True),
        ("OVERLAPS", (1, 2), (2, 4), False),
        ("CONTAINS", (1, 4), (1, 3), True),
        ("STRICTLY CONTAINS", (1, 4), (1, 3), False),
        ("EQUALS", (1, 4), (1, 4), True),
        ("PRECEDES", (1, 2), (2, 3), True),
        ("STRICTLY PRECEDES", (1, 2), (2, 3), False),
        ("IMMEDIATELY PRECEDES", (1, 2), (2, 3), True),
        ("SUCCEEDS", (2, 3), (1, 2), True),
        ("IMMEDIATELY SUCCEEDS", (3, 4), (1, 2), False),
        ("LEADS", (1, 3), (2, 3), True),
        ("STRICTLY LEADS", (1, 3), (2, 3), False),
        ("LAGS", (1, 5), (1, 4), True),
        ("IMMEDIATELY LAGS", (1, 5), (1, 4), True),
    ],
)
def test_periods(name: str, first: tuple[int, int], second: tuple[int, int], expected: bool) -> None:
    assert value(fn(name, *(at(hour) for hour in (*first, *second)))) is expected


def test_a_period_may_end_after_an_interval_and_contain_a_time() -> None:
    hour = interval(3_600_000, "HOUR")
    assert value(fn("OVERLAPS", at(1), hour, at(1), hour)) is True
    assert value(fn("CONTAINS", at(1), at(2), at(1))) is True
    assert value(fn("CONTAINS", at(1), at(2), at(2))) is False


def test_char_compares_without_the_spaces_at_its_end() -> None:
    padded = cast(fn("||", "a", "b"), SqlType(Kind.CHAR, 5))
    assert value(padded) == "ab   "
    assert value(fn("=", padded, "ab")) is True
    assert value(fn("=", fn("||", "a", "b "), "ab")) is False


def test_the_idiom_of_tumbling_windows_counts_steps_since_1970() -> None:
    since = fn("INTERVAL OF", STAMP, datetime(1970, 1, 1), "SECOND")
    window = fn("FLOOR TO", fn("/", since, 10), "SECOND")
    assert value(cast(window, BIGINT)) == 1_096_552_103 // 10


def test_all_documented_functions_are_there() -> None:
    assert {"ABS", "CEILING", "REGEX_REPLACE", "SYS_LOG_PARSE", "TSDIFF", "UNIX_TIMESTAMP"} <= SCALAR_FUNCTIONS
    assert {"+", "CASE", "LIKE", "FLOOR TO", "OVERLAPS"}.isdisjoint(SCALAR_FUNCTIONS)


def test_nothing_comes_of_null() -> None:
    null = lit(None, NULL)
    for name in ("ABS", "LOWER", "CHAR_LENGTH", "TO_TIMESTAMP", "EXP", "INITCAP"):
        assert value(fn(name, null)) is None
    assert value(fn("LIKE", null, "a%")) is None
    assert value(fn("EXTRACT", "YEAR", null)) is None
    assert value(cast(null, varchar(3))) is None
