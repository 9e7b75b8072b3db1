"""CAST, types, and which types become which."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

import pytest

from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.nodes import Literal, Scalar
from millstream.analytics.scalars.signatures import call, cast, common_type
from millstream.analytics.scalars.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    TIME,
    TIMESTAMP,
    VARCHAR,
    Kind,
    SqlType,
    decimal,
    parse_type,
    show,
    varchar,
)
from support.scalars import failure, fn, interval, lit, value

REAL = SqlType(Kind.REAL)
TINYINT = SqlType(Kind.TINYINT)


def computed(text: str) -> Scalar:
    """A text that planning does not know."""
    return fn("||", text, "")


def later(number: object) -> Scalar:
    """A number that planning does not know."""
    return fn("COALESCE", number, number)


@pytest.mark.parametrize(
    ("scalar", "to", "expected"),
    [
        (computed(" 12 "), INTEGER, 12),
        (computed("-12.5"), INTEGER, -13),
        (computed("1e3"), BIGINT, 1000),
        (computed("9007199254740993"), BIGINT, 9007199254740993),
        (computed("1.255"), decimal(5, 2), Decimal("1.26")),
        (computed("-0.5"), DOUBLE, -0.5),
        (computed("TRUE"), BOOLEAN, True),
        (computed("unknown"), BOOLEAN, None),
        (computed("2008-8-3"), DATE, date(2008, 8, 3)),
        (computed("3:15:24.5"), TIME, time(3, 15, 24, 500_000)),
        (computed("2009-09-16 03:15:24"), TIMESTAMP, datetime(2009, 9, 16, 3, 15, 24)),
        (computed("2009-09-16T03:15:24.123456Z"), TIMESTAMP, datetime(2009, 9, 16, 3, 15, 24, 123_000)),
        (computed("2009-09-16T03:15:24+02:00"), TIMESTAMP, datetime(2009, 9, 16, 1, 15, 24)),
        (computed("2009-09-16"), TIMESTAMP, datetime(2009, 9, 16)),
        (computed("abcdef"), varchar(3), "abc"),
        (computed("ab"), SqlType(Kind.CHAR, 4), "ab  "),
        (later(-1.5), INTEGER, -2),
        (later(Decimal("2.5")), INTEGER, 3),
        (later(Decimal("2.45")), decimal(5, 1), Decimal("2.5")),
        (later(1.005), decimal(5, 3), Decimal("1.005")),
        (later(12.5), varchar(10), "12.5"),
        (later(Decimal("1.50")), varchar(10), "1.50"),
        (later(7), varchar(10), "7"),
        (lit(date(2008, 8, 23)), varchar(10), "2008-08-23"),
        (lit(date(2008, 8, 23)), SqlType(Kind.CHAR, 12), "2008-08-23  "),
        (lit(datetime(2008, 8, 23, 1, 2, 3)), varchar(30), "2008-08-23 01:02:03.000"),
        (lit(datetime(2008, 8, 23, 1, 2, 3)), varchar(19), "2008-08-23 01:02:03"),
        (lit(time(1, 2, 3)), varchar(8), "01:02:03"),
        (lit(value=True), varchar(5), "TRUE"),
        (lit(datetime(2008, 8, 23, 1, 2, 3)), DATE, date(2008, 8, 23)),
        (lit(datetime(2008, 8, 23, 1, 2, 3)), TIME, time(1, 2, 3)),
        (lit(date(2008, 8, 23)), TIMESTAMP, datetime(2008, 8, 23)),
        (lit(time(1, 2, 3)), TIMESTAMP, datetime(2016, 9, 23, 1, 2, 3)),
        (interval(371_000, "MINUTE", "SECOND"), varchar(8), "+6:11"),
        (interval(371_000), varchar(8), "+371"),
        (interval(-52 * 3_600_000, "DAY", "HOUR"), varchar(10), "-2 04"),
        (interval(40, "YEAR", "MONTH"), varchar(10), "+3-04"),
        (interval(1_500), varchar(10), "+1.500"),
        (interval(90_000, "MINUTE"), INTEGER, 1),
        (interval(-1_500), BIGINT, -1),
        (interval(1_500), decimal(5, 1), Decimal("1.5")),
    ],
)
def test_casts(scalar: Scalar, to: SqlType, expected: object) -> None:
    assert value(cast(scalar, to)) == expected


@pytest.mark.parametrize(
    ("scalar", "to"),
    [
        (computed("abc"), INTEGER),
        (computed(""), INTEGER),
        (computed("1_000"), INTEGER),
        (computed("200"), TINYINT),
        (computed("9223372036854775808"), BIGINT),
        (computed("nan"), DOUBLE),
        (computed("inf"), DOUBLE),
        (computed("1e400"), DOUBLE),
        (computed("12345.6"), decimal(5, 1)),
        (computed("maybe"), BOOLEAN),
        (computed("2009-02-30"), DATE),
        (computed("25:00:00"), TIME),
        (computed("yesterday"), TIMESTAMP),
        (later(300), TINYINT),
        (later(1e10), INTEGER),
        (later(1e300), REAL),
        (later(1e30), decimal(18, 2)),
        (later(Decimal("123.4")), decimal(3, 1)),
        (later(12345), varchar(4)),
        (lit(date(2008, 8, 23)), varchar(9)),
    ],
)
def test_a_cast_that_is_not_possible_fails_its_row(scalar: Scalar, to: SqlType) -> None:
    assert show(to).split("(")[0] in failure(cast(scalar, to))


def test_literals_are_cast_while_planning() -> None:
    assert cast(lit("2009-09-16"), DATE) == Literal(date(2009, 9, 16), DATE)
    assert cast(lit("12.5"), INTEGER) == Literal(13, INTEGER)
    assert cast(lit("abcdef"), varchar(2)) == Literal("ab", varchar(2))
    for literal, to in ((lit("soon"), TIMESTAMP), (lit(128), TINYINT), (lit("x"), DOUBLE), (lit(1e30), BIGINT)):
        with pytest.raises(Mistake):
            cast(literal, to)


def test_an_assignment_does_less_than_a_cast() -> None:
    assert cast(later(1), TINYINT, implicit=True).type == TINYINT
    assert cast(lit("2009-09-16"), DATE, implicit=True).type == DATE
    for scalar, to in ((computed("1"), INTEGER), (later(1), VARCHAR), (computed("2009-09-16"), DATE)):
        with pytest.raises(Mistake) as mistake:
            cast(scalar, to, implicit=True)
        assert f"CAST(… AS {show(to)})" in mistake.value.hint
    with pytest.raises(Mistake, match="BOOLEAN cannot become INTEGER"):
        cast(lit(value=True), INTEGER)


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (["INTEGER", "BIGINT", "SMALLINT"], "BIGINT"),
        (["INTEGER", "DECIMAL(5,2)"], "DECIMAL(12, 2)"),
        (["REAL", "INTEGER"], "REAL"),
        (["REAL", "DECIMAL(5,2)"], "DOUBLE"),
        (["CHAR(3)", "VARCHAR(5)"], "VARCHAR(5)"),
        (["DATE", "TIMESTAMP"], "TIMESTAMP"),
        (["BOOLEAN"], "BOOLEAN"),
    ],
)
def test_types_meet(types: list[str], expected: str) -> None:
    assert show(common_type([parse_type(one) for one in types])) == expected
    with pytest.raises(Mistake, match="no common type"):
        common_type([INTEGER, *(parse_type(one) for one in types), VARCHAR, DATE])


def test_types_are_read_as_people_write_them() -> None:
    written = {
        "varchar(16)": "VARCHAR(16)",
        " Double   Precision ": "DOUBLE",
        "INT": "INTEGER",
        "NUMERIC(10 , 2)": "DECIMAL(10, 2)",
        "dec": "DECIMAL(18, 0)",
        "CHARACTER VARYING(3)": "VARCHAR(3)",
        "char": "CHAR(1)",
        "TIMESTAMP(3)": "TIMESTAMP",
    }
    assert {text: show(parse_type(text)) for text in written} == written
    for text in (
        "TEXT",
        "VARCHAR(0)",
        "VARCHAR(70000)",
        "INTEGER(4)",
        "DECIMAL(19)",
        "DECIMAL(3,4)",
        "",
        "(",
        "INTERVAL",
    ):
        with pytest.raises(Mistake):
            parse_type(text)
    with pytest.raises(Mistake) as mistake:
        parse_type("VARCHR(4)")
    assert mistake.value.hint == "did you mean VARCHAR?"


@pytest.mark.parametrize(
    ("name", "arguments", "words", "hint"),
    [
        ("SUBSTRNG", ["a"], "no function SUBSTRNG", "did you mean SUBSTRING?"),
        ("ABS", [1, 2], "ABS takes 1 argument, not 2", ""),
        ("UPPER", [1], "UPPER takes a text here, not INTEGER", "CAST"),
        ("+", ["a", 1], "is not possible", "||"),
        ("=", ["a", 1], "no common type", "CAST"),
        ("-", [datetime(2020, 1, 1), datetime(2020, 1, 2)], "is not possible", "SECOND"),
        ("AND", [1, True], "INTEGER is not a condition", ""),
        ("EXTRACT", ["CENTURY", date(2020, 1, 1)], "CENTURY is not a unit", "YEAR"),
        ("CHAR_TO_DATE", ["bbb", "x"], "b means nothing in the format", "quote"),
        ("LIKE", ["a", "a\\", "\\"], "ends with its escape", ""),
        ("SIMILAR TO", ["a", "(a"], "a ( without its )", ""),
        ("REGEX_REPLACE", ["a", "(?=a)", "b"], "looks around", ""),
        ("REGEX_LOG_PARSE", ["a", "abc"], "has no groups", "( )"),
        ("W3C_LOG_PARSE", ["a", "NONSENSE"], "not a W3C format", "COMMON"),
        ("CURRENT_DATE", [1], "takes no arguments", ""),
    ],
)
def test_a_call_that_does_not_fit_says_what_to_do(name: str, arguments: list[object], words: str, hint: str) -> None:
    with pytest.raises(Mistake) as mistake:
        call(name, [lit(one) for one in arguments])
    assert words in mistake.value.message
    assert hint in mistake.value.hint
