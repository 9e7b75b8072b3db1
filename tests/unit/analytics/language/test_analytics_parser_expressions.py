"""Expressions: precedence, literals, and functions that are written with words."""

from __future__ import annotations

import pytest
from sqlglot import exp

from millstream.analytics.language.errors import SqlError
from millstream.analytics.language.nodes import span_of
from millstream.analytics.language.parser import parse_program
from support.sqltrees import compact


def parsed(text: str) -> exp.Expression:
    (statement,) = parse_program(f"SELECT STREAM {text} FROM s")
    (item,) = statement.args["items"]
    assert isinstance(item, exp.Expression)
    return item


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        # precedence and associativity
        ("a OR b AND NOT c = d", "(OR A (AND B (NOT (= C D))))"),
        ("NOT a IS NULL", "(NOT (IS A NULL))"),
        ("NOT NOT a", "(NOT (NOT A))"),
        ("a = b IS NOT TRUE", "(NOT (IS (= A B) TRUE))"),
        ("a + b = c * d", "(= (+ A B) (* C D))"),
        ("a - b - c", "(- (- A B) C)"),
        ("a / b * c", "(* (/ A B) C)"),
        ("-a * b", "(* (neg A) B)"),
        ("- - a", "(neg (neg A))"),
        ("+a - +1", "(- A 1)"),
        ("a || b || c = d", "(= (|| (|| A B) C) D)"),
        ("a + b BETWEEN c AND d + e AND f", "(AND Between(this=(+ A B) low=C high=(+ D E)) F)"),
        ("a NOT LIKE b || '%' OR c", "(OR (NOT (LIKE A (|| B '%'))) C)"),
        ("a LIKE b ESCAPE '!' AND c", "(AND (ESCAPE (LIKE A B) '!') C)"),
        ("a SIMILAR TO b", "(SIMILAR A B)"),
        ("a IN (1, b + 1) IS UNKNOWN", "(IS In(this=A expressions=[1 (+ B 1)]) NULL)"),
        ("a IS NOT DISTINCT FROM b + 1 AND c", "(AND (SAME A (+ B 1)) C)"),
        ("a <> b", "(<> A B)"),
        ("a != b", "(<> A B)"),
        ("(a = b) = c", "(= <(= A B)> C)"),
        ("(NOT a) = b", "(= <(NOT A)> B)"),
        # names
        ('t."c"', 'T."c"'),
        ('"T".rec.column1', '(. "T".REC COLUMN1)'),
        ("value", "VALUE"),
        ("date", "DATE"),
        ("timestamp - time", "(- TIMESTAMP TIME)"),
        ("second", "SECOND"),
        ("contains", "CONTAINS"),
        ("a contains", "A:CONTAINS"),
        ("a leads", "A:LEADS"),
        # literals
        ("1.", "1."),
        (".5", "0.5"),
        ("1e-3", "1E-3"),
        ("'it''s'", '"it\'s"'),
        ("''", "''"),
        (r"u&'\0041\+01F600\\'", "'A\U0001f600\\\\'"),
        ("U&'!0041''\\' uescape '!'", '"A\'\\\\"'),
        ("X'0aFF'", "HexString(this=0aFF)"),
        ("N'x'", "'x'"),
        ("TRUE", "TRUE"),
        ("unknown", "NULL"),
        ("DATE '2020-01-31'", "DATE'2020-01-31'"),
        ("TIMESTAMP '2020-01-31 12:00:00.5'", "TIMESTAMP'2020-01-31 12:00:00.5'"),
        ("INTERVAL '10' SECOND(3)", "INTERVAL'10'SECOND"),
        ("INTERVAL '10.5' SECOND(2, 1)", "INTERVAL'10.5'SECOND"),
        ("INTERVAL '-1' DAY", "INTERVAL'-1'DAY"),
        ("INTERVAL - '1' DAY", "INTERVAL'-1'DAY"),
        ("INTERVAL - '-1' DAY", "INTERVAL'1'DAY"),
        ("INTERVAL '1 2' DAY(3) TO HOUR", "INTERVAL'1 2'DAY-HOUR"),
        ("INTERVAL '1:30' MINUTE TO SECOND", "INTERVAL'1:30'MINUTE-SECOND"),
        ("INTERVAL '1-6' YEAR TO MONTH", "INTERVAL'1-6'YEAR-MONTH"),
        # differences
        ("(a - b) SECOND", "IntervalCast(this=(- A B) unit=SECOND)"),
        ("(a - b) DAY TO SECOND / 2", "(/ IntervalCast(this=(- A B) unit=DAY to=SECOND) 2)"),
        # functions
        ("f()", "F()"),
        ('"f"(a)', "f(A)"),
        ("COUNT(*)", "COUNT(*)"),
        ("COUNT(DISTINCT a, b)", "COUNT(Distinct(expressions=[A B]))"),
        ("SUM(ALL a)", "SUM(A)"),
        ("count + any(a) + left(b, 1)", "(+ (+ COUNT ANY(A)) LEFT(B, 1))"),
        ("CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP()"),
        ("LOCALTIME(0)", "LOCALTIME(0)"),
        ("CURRENT_ROW_TIMESTAMP()", "CURRENT_ROW_TIMESTAMP()"),
        ("SUBSTRING(a FROM 1)", "SUBSTRING(A, 1)"),
        ("SUBSTRING(a, 1, 2)", "SUBSTRING(A, 1, 2)"),
        ("POSITION('a' IN b)", "POSITION('a', B)"),
        ("TRIM(TRAILING FROM a)", "TRIM('TRAILING', ' ', A)"),
        ("OVERLAY(a PLACING b FROM 1)", "OVERLAY(A, B, 1)"),
        ("EXTRACT(year FROM a)", "EXTRACT('YEAR', A)"),
        ("FLOOR(a)", "FLOOR(A)"),
        ("CEILING(a)", "CEIL(A)"),
        ("CEILING(a TO HOUR)", "FloorTo(this=A unit=HOUR up=True)"),
        ("STEP(a BY 5)", "StepBy(this=A step=5)"),
        ("CAST(a AS DOUBLE PRECISION)", "TypeCast(this=A to=DOUBLE)"),
        ("CAST(NULL AS INTERVAL DAY(2) TO SECOND(3))", "TypeCast(this=NULL to=INTERVAL DAY TO SECOND)"),
        ("CASE a WHEN 1 THEN 2 END", "Case(this=A ifs=[If(this=1 true=2)])"),
        # windows
        ("SUM(a) OVER w", "OverCall(this=SUM(A) over=W)"),
        ("SUM(a) OVER ()", "OverCall(this=SUM(A) over=WindowDefinition())"),
        (
            "SUM(a) OVER (ROWS CURRENT ROW)",
            "OverCall(this=SUM(A) over=WindowDefinition(frame=Frame(kind=ROWS preceding=0)))",
        ),
        (
            "SUM(a) OVER (RANGE BETWEEN UNBOUNDED PRECEDING AND 0 PRECEDING)",
            "OverCall(this=SUM(A) over=WindowDefinition(frame=Frame(kind=RANGE)))",
        ),
        ("LAG(a IGNORE NULLS) OVER w", "OverCall(this=LAG(A) over=W ignore_nulls=True)"),
        ("LAG(a) RESPECT NULLS OVER w", "OverCall(this=LAG(A) over=W)"),
    ],
)
def test_trees(text: str, tree: str) -> None:
    assert compact(parsed(text)) == tree


@pytest.mark.parametrize(
    ("text", "left", "right"),
    [
        ("(a, b) OVERLAPS (c, d)", "PERIOD(A, B)", "PERIOD(C, D)"),
        ("PERIOD(a, b) CONTAINS (c)", "PERIOD(A, B)", "<C>"),
        ("(a, b) CONTAINS c + INTERVAL '1' DAY", "PERIOD(A, B)", "(+ C INTERVAL'1'DAY)"),
        ("(a, INTERVAL '1' DAY) STRICTLY SUCCEEDS (c, d)", "PERIOD(A, INTERVAL'1'DAY)", "PERIOD(C, D)"),
    ],
)
def test_periods(text: str, left: str, right: str) -> None:
    predicate = parsed(text)
    assert (compact(predicate.args["left"]), compact(predicate.args["right"])) == (left, right)


def test_floor_of_a_difference_keeps_its_unit() -> None:
    assert compact(parsed("FLOOR((a - b) SECOND / 10 TO SECOND)")) == (
        "FloorTo(this=(/ IntervalCast(this=(- A B) unit=SECOND) 10) unit=SECOND)"
    )


def test_spans_are_the_text_of_the_node() -> None:
    text = "SELECT STREAM a + SUM(b) OVER (ROWS 2 PRECEDING) AS c FROM s"
    (statement,) = parse_program(text)
    found = set()
    for node in statement.walk():
        assert isinstance(node, exp.Expression)
        span = span_of(node)
        assert span is not None
        found.add(text[span.start : span.end])
    assert {"a + SUM(b) OVER (ROWS 2 PRECEDING)", "SUM(b)", "(ROWS 2 PRECEDING)", "ROWS 2 PRECEDING", "2", "c"} <= found


@pytest.mark.parametrize("operator", ["AND", "OR", "||", "+", "*"])
def test_long_chains_stay_shallow(operator: str) -> None:
    names = [f"c{index}" for index in range(2000)]
    tree = parsed(f" {operator} ".join(names))
    leaves = [node.name for node in tree.find_all(exp.Column)]
    assert sorted(leaves) == sorted(name.upper() for name in names)
    assert _height(tree) < 20


def _height(tree: exp.Expression) -> int:
    level, height = [tree], 0
    while level:
        level = [child for node in level for child in node.iter_expressions() if isinstance(child, exp.Expression)]
        height += 1
    return height


def test_chains_that_cannot_be_regrouped_keep_their_order_and_have_a_bound() -> None:
    tree = parsed(" - ".join(["a"] * 150))
    assert isinstance(tree, exp.Sub)
    assert compact(tree.expression) == "A"
    with pytest.raises(SqlError, match="more than 200 operations deep"):
        parsed(" - ".join(["a"] * 1000))


NESTINGS = {
    "parentheses": ("(", "1", ")"),
    "negations": ("NOT ", "a", ""),
    "minuses": ("- ", "a", ""),
    "calls": ("f(", "1", ")"),
    "cases": ("CASE WHEN ", "a", " THEN 1 END"),
    "casts": ("CAST(", "1", " AS INT)"),
}


@pytest.mark.parametrize("nesting", NESTINGS)
def test_deep_nesting_is_an_error(nesting: str) -> None:
    start, inner, end = NESTINGS[nesting]
    parsed(start * 30 + inner + end * 30)
    with pytest.raises(SqlError, match="nested more than 64 levels deep"):
        parsed(start * 10_000)


@pytest.mark.parametrize("nesting", ["SELECT a FROM (", "(", "SELECT a FROM TABLE(f(CURSOR("])
def test_deeply_nested_queries_are_an_error(nesting: str) -> None:
    with pytest.raises(SqlError, match="nested more than 64 levels deep"):
        parse_program(nesting * 2_000)
