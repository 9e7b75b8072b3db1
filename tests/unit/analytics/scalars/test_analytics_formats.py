"""Java's date formats, patterns and regular expressions, and log lines."""

from __future__ import annotations

from datetime import date, datetime, time

import polars as pl
import pytest

from millstream.analytics.scalars.compile import Evaluator
from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.nodes import ColumnRef
from millstream.analytics.scalars.types import show, varchar
from support.scalars import failure, fn, lit, outcome, value

TEXT = ColumnRef("S.TEXT", varchar(1000))


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("yyyy-MM-dd hh:mm:ss", "2009-09-16 03:15:24", datetime(2009, 9, 16, 3, 15, 24)),
        ("yyyy-MM-dd", "2009-09-16 03:15:24", datetime(2009, 9, 16)),
        ("yyyy-mm", "2011-02-08 07:23:19", datetime(2011, 1, 1, 0, 2)),
        ("MMM dd, yyyy", "March 7, 2010", datetime(2010, 3, 7)),
        ("MMM dd,", "March 7, 2010", datetime(1970, 3, 7)),
        ("MMM dd,y", "March 7, 2010", datetime(2010, 3, 7)),
        ("MMM dd,y", "March 7, 10", datetime(10, 3, 7)),
        ("M-d", "2-8", datetime(1970, 2, 8)),
        ("MM-dd-yyyy", "06-23-2011 10:11:12", datetime(2011, 6, 23)),
        ("dd-MM-yy hh:mm:ss", "23-06-11 10:11:12", datetime(2011, 6, 23, 10, 11, 12)),
        ("MM/dd/yy hh:mm:ss", "09/16/11 03:15:24", datetime(2011, 9, 16, 3, 15, 24)),
        ("yyyy-hh-mm", "2009-09-16 03:15:24", datetime(2009, 1, 1, 9, 16)),
        ("yyyy", "09-16 03:15", datetime(9, 1, 1)),
        ("yyyy/hh", "2009/09/16 03:15:24", datetime(2009, 1, 1, 9)),
        ("yyyyMMddHHmmss", "20200102030405", datetime(2020, 1, 2, 3, 4, 5)),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSX", "2020-01-02T03:04:05.006+02:00", datetime(2020, 1, 2, 1, 4, 5, 6000)),
        ("dd/MMM/yyyy:HH:mm:ss Z", "24/May/2004:22:01:02 -0700", datetime(2004, 5, 25, 5, 1, 2)),
        ("EEE, d MMM yyyy h a z", "Wed, 1 Jan 2020 12 AM GMT", datetime(2020, 1, 1)),
        ("D yyyy", "60 2020", datetime(2020, 2, 29)),
        ("k:mm", "24:10", datetime(1970, 1, 1, 0, 10)),
        ("yyyy-MM-dd HH:mm:ss.SSS", "2020-01-02 03:04:05.006", datetime(2020, 1, 2, 3, 4, 5, 6000)),
    ],
)
def test_texts_become_times(form: str, text: str, expected: datetime) -> None:
    assert value(fn("CHAR_TO_TIMESTAMP", form, text)) == expected
    frame = pl.DataFrame({"S.TEXT": [text, text + " and more", "nonsense"] * 20})
    values, failed = outcome(fn("CHAR_TO_TIMESTAMP", form, TEXT), frame)
    assert values == [expected, expected, None] * 20
    assert len(failed) == 20


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("MM/dd/yy hh:mm:ss", "2009/09/16 03:15:24"),
        ("yyyy hh", "2009-09-16 03:15:24"),
        ("yyyy-MM-dd", "2009-02-30"),
        ("hh:mm", "13:00"),
        ("HH:mm", "24:00"),
        ("MMM", "Mai"),
        ("yyyy", ""),
        ("SSS", "1000"),
        ("yyyy", "0000"),
    ],
)
def test_a_text_out_of_range_fails(form: str, text: str) -> None:
    assert failure(fn("CHAR_TO_TIMESTAMP", form, text)) == f"CHAR_TO_TIMESTAMP: '{text}' is not like '{form}'"


def test_days_and_times_of_day() -> None:
    assert value(fn("CHAR_TO_DATE", "dd.MM.yyyy", "03.02.2001")) == date(2001, 2, 3)
    assert value(fn("CHAR_TO_TIME", "HH:mm:ss", "03:15:24")) == time(3, 15, 24)
    assert value(fn("DATE_TO_CHAR", "yyyy/DDD", date(2020, 12, 31))) == "2020/366"
    assert value(fn("TIME_TO_CHAR", "h:mm a", time(15, 4))) == "3:04 PM"


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("yyyy-MM-dd HH:mm:ss.SSS", "2026-12-31 15:04:05.067"),
        ("EEEE, d MMMM yy hh:mm a", "Thursday, 31 December 26 03:04 PM"),
        ("w W D F u k K 'o''clock' G YYYY", "1 5 365 5 4 15 3 o'clock AD 2027"),
        ("'%d' S %", "%d 67 %"),
        ("yyyy-MM-dd'T'HH:mm:ssX", "2026-12-31T15:04:05Z"),
        ("", ""),
    ],
)
def test_times_become_texts(form: str, expected: str) -> None:
    assert value(fn("TIMESTAMP_TO_CHAR", form, datetime(2026, 12, 31, 15, 4, 5, 67_000))) == expected


def test_null_is_the_text_null() -> None:
    assert value(fn("TIMESTAMP_TO_CHAR", "yyyy", None)) == "null"
    assert value(fn("DATE_TO_CHAR", "yyyy", None)) is None


@pytest.mark.parametrize(
    ("text", "pattern", "escape", "expected"),
    [
        ("a", "a", None, True),
        ("a", "A", None, False),
        ("ab", "a_", None, True),
        ("ab", "a%", None, True),
        ("ab", "a\\_", "\\", False),
        ("a_", "a\\_", "\\", True),
        ("a%", "a\\%", "\\", True),
        ("a", "a_", None, False),
        ("abcd", "a_", None, False),
        ("", "", None, True),
        ("1a", "_a", None, True),
        ("123aXYZ", "%a%", None, True),
        ("123aXYZ", "_%_a%_", None, True),
        ("a\nb", "a%b", None, True),
        ("a.c", "a.c", None, True),
        ("abc", "a.c", None, False),
    ],
)
def test_like(text: str, pattern: str, escape: str | None, expected: bool) -> None:
    more = [] if escape is None else [escape]
    assert value(fn("LIKE", text, pattern, *more)) is expected
    assert value(fn("LIKE", text, fn("||", pattern, ""), *more)) is expected
    assert value(fn("SIMILAR TO", text, pattern.replace(".", "\\."), "\\")) is expected


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("xy", "(xy)", True),
        ("abd", "[ab][bcde]d", True),
        ("abd", "[ab]d", False),
        ("cd", "[a-e]d", True),
        ("cd", "[a-e^c]d", False),
        ("yd", "[^a-e]d", True),
        ("amy", "amy|fred", True),
        ("mike", "amy|fred", False),
        ("acd", "ab*c+d", True),
        ("aabc", "ab*c+d", False),
        ("abb", "a(b{3})", False),
        ("abbbbb", "ab{3,6}", True),
        ("", "ab?", False),
        ("", "(ab)?", True),
        ("a-1", "[[:ALPHA:]]-[0-9]", True),
        ("a-1", "[[:alpha:]-]+1", True),
        ("?", "[[:digit:]^?]", False),
    ],
)
def test_similar_to(text: str, pattern: str, expected: bool) -> None:
    assert value(fn("SIMILAR TO", text, pattern)) is expected


@pytest.mark.parametrize("pattern", ["[^(a-e)]d", "(a", "a)", "*", "a{x}", "[a", "[]", "a]", "[a^b^c]"])
def test_similar_patterns_that_are_none(pattern: str) -> None:
    with pytest.raises(Mistake, match="is not valid"):
        fn("SIMILAR TO", "cd", pattern)


def test_patterns_that_are_computed() -> None:
    frame = pl.DataFrame({"S.TEXT": ["abc", "(", None, "xyz"]})
    values, failed = outcome(fn("SIMILAR TO", "xyz", TEXT), frame)
    assert values == [False, None, None, True]
    assert list(failed) == [1]


@pytest.mark.parametrize(
    "pattern", ["(?=a)", "(?<!a)b", "(?>a)", "a++", r"(a)\1", "(", "a)", "*a", "[a", r"\j", "a{", "\\"]
)
def test_regular_expressions_that_need_a_way_back_are_refused(pattern: str) -> None:
    with pytest.raises(Mistake):
        fn("REGEX_REPLACE", "a", pattern, "b")


def test_regular_expressions_that_grow_too_large_are_refused() -> None:
    scalar = fn("REGEX_REPLACE", TEXT, "((a{1000}){1000}){1000}", "b")
    with pytest.raises(Mistake, match="not possible"):
        Evaluator([scalar], ["v"])


def test_a_catastrophic_pattern_takes_no_time() -> None:
    frame = pl.DataFrame({"S.TEXT": ["a" * 900 + "!"]})
    assert outcome(fn("FIELD", fn("REGEX_LOG_PARSE", TEXT, "((a+)+)+"), "COLUMN1"), frame)[0] == [None]


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"(\w+)\s(\d+)", "abc 12", "12"),
        (r"(?i)(ABC) (?<number>\d{1,3})", "abc 12", "12"),
        (r"(\Qa.b\E)-([a-z&&[^b]]+)", "a.b-acd", "acd"),
        (r"([\p{Alpha}]+)(\p{Punct})", "abc!", "!"),
        (r"([^\s\d]+?)(\x41\u0042)", "xyAB", "AB"),
        (r"([-a-]+)([]x]+)", "a-]x", "]x"),
        (r"(.*?)([~&#]+)", "ab~&#", "~&#"),
        (r"(\D+)(\d+)", "ä12", "12"),
        (r"(\d+)([\d\D]*)", "٣12", None),
    ],
)
def test_java_regular_expressions(pattern: str, text: str, expected: str | None) -> None:
    assert value(fn("FIELD", fn("REGEX_LOG_PARSE", text, pattern), "COLUMN2")) == expected


def fields(name: str, *arguments: object) -> list[object]:
    """All fields of a record."""
    record = fn(name, *arguments)
    return [value(fn("FIELD", record, one)) for one in record.type.fields]


def test_regex_log_parse_matches_the_whole_text_or_nothing() -> None:
    assert fields("REGEX_LOG_PARSE", "ENERGY", ".*([E].).*([R].*)") == ["EN", "RGY"]
    assert fields("REGEX_LOG_PARSE", "HEALTHCARE", ".*([E].).*([R].*)") == ["EA", "RE"]
    assert fields("REGEX_LOG_PARSE", "RETAIL", "(X)(Y)") == [None, None]
    assert value(fn("IS NULL", fn("REGEX_LOG_PARSE", "a", "(b)"))) is True
    assert fields("REGEX_LOG_PARSE", "7 x", r"(\d) (.)", "n INTEGER, c VARCHAR(1)") == [7, "x"]


def test_fast_regex_never_goes_back() -> None:
    name = "FAST_REGEX_LOG_PARSER"
    mary = "Mary_had_a_little_lamb"
    assert fields(name, mary, "(.*)_(._.*)_.*") == ["Mary_had", "a_little"]
    assert fields(name, mary, "(.*)_(._.*)_.") == [None, None]
    assert fields(name, mary, "(.*)_+(._.*)") == [None, None]
    assert fields(name, "Mary____had_a_little_lamb", "(.*)_+(.*)") == ["Mary", "had_a_little_lamb"]
    assert fields(name, "Mary____had_a_little_lamb", "(.*)_+(<Alpha>.*)") == ["Mary", "had_a_little_lamb"]
    assert fields(name, "user=ann;age=42", '"user="(<Alnum>*)";age="(<0-150>)') == ["ann", "42"]
    assert fields(name, "a1", "([a-c]|[x-z])(<Digit>{1,2})") == ["a", "1"]
    for pattern in ("(", "a)", "[a", "<Nope>", '"a', "(a)|(b)", "*", "~a", "a{2,1}", "abc", ""):
        with pytest.raises(Mistake):
            fn(name, "a", pattern)


def test_sys_log_parse() -> None:
    line = "Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8"
    expected = [datetime(1970, 10, 11, 22, 14, 15), "mymachine su: 'su root' failed for lonvick on /dev/pts/8"]
    assert fields("SYS_LOG_PARSE", line) == expected
    assert fields("SYS_LOG_PARSE", f"<34>{line}") == expected
    assert fields("SYS_LOG_PARSE", "no log") == [None, None]


COMMON = '192.168.254.30 - John [24/May/2004:22:01:02 -0700] "GET /icons/apache_pb.gif HTTP/1.1" 304 -'
COMMON_FIELDS = [
    "192.168.254.30",
    "-",
    "John",
    "[24/May/2004:22:01:02 -0700]",
    "GET /icons/apache_pb.gif HTTP/1.1",
    304,
]


def test_w3c_log_parse() -> None:
    assert fields("W3C_LOG_PARSE", COMMON, "COMMON") == [*COMMON_FIELDS, None]
    assert fields("W3C_LOG_PARSE", COMMON, '%h %l %u %t \\"%r\\" %>s %b') == [*COMMON_FIELDS, None]
    bare = fields("W3C_LOG_PARSE", COMMON, '%h %l %u [%t] "%r" %>s %b')
    assert bare[3] == "24/May/2004:22:01:02 -0700"
    combined = COMMON[:-1] + '2326 "http://www.example.com/start.html" "Mozilla/4.08 [en] (\\"quoted\\")"'
    assert fields("W3C_LOG_PARSE", combined, "ncsa extended")[6:] == [
        2326,
        "http://www.example.com/start.html",
        'Mozilla/4.08 [en] (\\"quoted\\")',
    ]
    assert fields("W3C_LOG_PARSE", "http://a/b -> /c", "REFERER") == ["http://a/b", "/c"]
    assert fields("W3C_LOG_PARSE", "garbage", "COMMON") == [None] * 7


def test_variable_columns() -> None:
    name = "VARIABLE_COLUMN_LOG_PARSE"
    assert fields(name, "a,b,c", 2, ",") == ["a", "b"]
    assert fields(name, "a", "2", ",") == ["a", None]
    assert fields(name, "a\\,b,c", 2, ",", "\\") == ["a,b", "c"]
    assert fields(name, 'a,"b,c",d', 3, ",", "\\", '"') == ["a", "b,c", "d"]
    assert fields(name, "a,[b,c],d", 3, ",", "\\", "[]") == ["a", "b,c", "d"]
    described = "id TYPE INTEGER, \"at\" TYPE TIMESTAMP 'dd/MMM/yyyy:HH:mm:ss' NOT NULL, price TYPE DECIMAL(5,2)"
    assert fields(name, "7|24/May/2004:22:01:02|", described, "|") == [7, datetime(2004, 5, 24, 22, 1, 2), None]
    assert [show(one) for one in fn(name, "", described, "|").type.types] == ["INTEGER", "TIMESTAMP", "DECIMAL(5, 2)"]
    assert "cannot be cast to TIMESTAMP" in failure(fn("FIELD", fn(name, "7|soon|", described, "|"), "at"))


def test_a_delimiter_is_something() -> None:
    for columns in (2, "a TYPE INTEGER"):
        with pytest.raises(Mistake, match="needs a delimiter"):
            fn("VARIABLE_COLUMN_LOG_PARSE", "a,b", columns, "")


def test_fixed_columns() -> None:
    name = "FIXED_COLUMN_LOG_PARSE"
    described = "id TYPE INTEGER START 0 FOR 5, day TYPE DATE 'yyyyMMdd' START 5 FOR 8, rest TYPE VARCHAR(3) START 13"
    assert fields(name, "12   20040524abcdef", described) == [12, date(2004, 5, 24), "abc"]
    assert fields(name, "12", described) == [12, None, None]
    for wrong in ("id TYPE INTEGER", "", "id TYPE NOPE START 1", "a START x", "a START 1, a START 2", "(((", "a,,b"):
        with pytest.raises(Mistake):
            fn(name, lit("x"), wrong)
