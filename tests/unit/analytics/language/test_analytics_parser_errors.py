"""Mistakes in programs: what the error says, and the place that it points to."""

from __future__ import annotations

import pytest

from millstream.analytics.language.errors import SqlError
from millstream.analytics.language.parser import parse_program

# program, line:column, the offending text, what the error says among other things
MISTAKES = [
    # statements
    ('CREATE OR REPLACE STRAEM "X" (a INT)', "1:19", "STRAEM", "did you mean STREAM?"),
    ('CREATE OR REPLACE "X" (a INT)', "1:19", '"X"', 'write CREATE OR REPLACE STREAM "X"'),
    ("CREATE x (a INT)", "1:8", "x", "expected STREAM, PUMP, FUNCTION or VIEW, but found a name"),
    ("CREATE PMUP p AS INSERT INTO x SELECT STREAM a FROM b", "1:8", "PMUP", "did you mean PUMP?"),
    ("CREATE TABLE x (a INT)", "1:8", "TABLE", "write CREATE STREAM"),
    ("CREATE STREAM IF NOT EXISTS x (a INT)", "1:15", "IF", "write CREATE OR REPLACE STREAM"),
    ("CREATE STREAM a.b (c INT)", "1:15", "a", "one schema"),
    ("CREATE STREAM x", "1:15", "x", 'the program ends where "(" and the columns is expected'),
    ("CREATE PUMP p AS SELECT STREAM a FROM b", "1:18", "SELECT", "a pump inserts into a stream"),
    ("CREATE PUMP p INSERT INTO x SELECT STREAM a FROM b", "1:15", "INSERT", "expected AS, but found INSERT"),
    ("CREATE PUMP p AS INSERT x SELECT STREAM a FROM b", "1:25", "x", "expected INTO"),
    ("CREATE PUMP p AS INSERT INTO 'x' SELECT STREAM a FROM b", "1:30", "'x'", 'with double quotes: "x"'),
    ('CREATE STREAM x (a INT) DESCRIPTION "x"', "1:37", '"x"', "with single quotes: 'x'"),
    ("CREATE STREAM x (a INT)\n  CREATE STREAM y (b INT)", "2:3", "CREATE", 'a ";" is missing before CREATE'),
    ("SELECT STREAM a FROM b\n\nINSERT INTO x SELECT STREAM a FROM b", "3:1", "INSERT", 'a ";" is missing'),
    ("INSERT INTO x VALUES (1)", "1:15", "VALUES", "VALUES is not in this dialect"),
    ("SELCT STREAM a FROM b", "1:1", "SELCT", "did you mean SELECT?"),
    ("UPDATE x SET a = 1", "1:1", "UPDATE", "rows do not change"),
    ("WITH x AS (SELECT a FROM b) SELECT a FROM x", "1:1", "WITH", "put the subquery into FROM"),
    ("ALTER PUMP x", "1:12", "x", "where START or STOP is expected"),
    ("ALTER PUMP x STRAT", "1:14", "STRAT", "did you mean START?"),
    ("ALTER STREAM x", "1:7", "STREAM", "write CREATE OR REPLACE STREAM"),
    ("DROP TABLE x", "1:6", "TABLE", "expected STREAM, PUMP, FUNCTION or VIEW"),
    ("EXPLAIN EXPLAIN SELECT a FROM b", "1:9", "EXPLAIN", "EXPLAIN cannot be explained"),
    ("CREATE FUNCTION f(a INT) RETURNS INT LANGUAGE JAVA", "1:47", "JAVA", "in SQL only"),
    ("CREATE FUNCTION f(a INT) RETURNS INT", "1:34", "INT", "where RETURN expression is expected"),
    ("CREATE FUNCTION f(a INT) RETURNS INT NOT RETURN a", "1:38", "NOT", "expected RETURN expression"),
    # columns and types
    ("CREATE STREAM x (a)", "1:18", "a", "this column has no type"),
    ("CREATE STREAM x (a INT, )", "1:25", ")", "expected a column's name"),
    ("CREATE STREAM x (group INT)", "1:18", "group", 'quote it: "GROUP"'),
    ("CREATE STREAM x (a STRING)", "1:20", "STRING", "write VARCHAR(length)"),
    ("CREATE STREAM x (a VARCAHR(3))", "1:20", "VARCAHR", "did you mean VARCHAR?"),
    ("CREATE STREAM x (a BIGINT(3))", "1:26", "(", "BIGINT takes no length"),
    ("CREATE STREAM x (a VARCHAR(x))", "1:28", "x", "expected a number"),
    ("CREATE STREAM x (a VARCHAR(1.5))", "1:28", "1.5", "expected a whole number"),
    ("CREATE STREAM x (a DECIMAL(1, 2, 3))", "1:32", ",", 'the "(" at line 1, column 27 is still open'),
    ("CREATE STREAM x (a INT DEFAULT 3)", "1:24", "DEFAULT", "a column is: name type [NOT NULL]"),
    ("CREATE STREAM x (a INTERVAL DAY)", "1:20", "INTERVAL", "columns cannot be intervals"),
    ("CREATE STREAM x (a TIMESTAMP WITH TIME ZONE)", "1:30", "WITH", "times are in UTC"),
    # parentheses, quotes, comments, signs
    ("CREATE STREAM x (a INT", "1:17", "(", 'this "(" is never closed'),
    ("SELECT STREAM a FROM (SELECT STREAM b FROM c; SELECT STREAM d FROM e", "1:22", "(", "is never closed"),
    ("SELECT STREAM a\nFROM b WHERE (c = (d", "2:19", "(", "is never closed"),
    ("SELECT STREAM a) FROM b", "1:16", ")", 'no "(" is open here'),
    ("SELECT STREAM f(a b) FROM c", "1:19", "b", 'the "(" at line 1, column 16 is still open'),
    ("SELECT STREAM a,\n 'abc FROM b\nWHERE c", "2:2", "'abc FROM b", "this string is never closed"),
    ('SELECT STREAM "a FROM b', "1:15", '"a FROM b', "this quoted name is never closed"),
    ("SELECT STREAM a /* b\n FROM c", "1:17", "/* b", "this comment is never closed"),
    ('SELECT STREAM "" FROM b', "1:15", '""', "a name cannot be empty"),
    (f"SELECT STREAM {'x' * 129} FROM b", "1:15", "x" * 129, "at most 128 characters"),
    ('SELECT STREAM "a\nFROM "b"', "1:15", '"a', "this quoted name is never closed"),
    ('SELECT STREAM "a\tb" FROM c', "1:15", '"a\tb"', "control characters"),
    ("SELECT STREAM 'a,\n'b' FROM c", "2:3", "' FROM c", "or is it the string at line 1, column 15"),
    ("SELECT STREAM \u2018a\u2019 FROM b", "1:15", "\u2018", "typographic quote"),
    ("SELECT STREAM a \u2013 b FROM c", "1:17", "\u2013", "typographic dash"),
    ("SELECT STREAM a$b FROM c", "1:16", "$", "the sign $ is not expected"),
    ("SELECT STREAM `a` FROM b", "1:15", "`", 'with double quotes: "name"'),
    ("SELECT STREAM [a] FROM b", "1:15", "[", 'with double quotes: "name"'),
    ("SELECT STREAM 12abc FROM c", "1:15", "12abc", 'quoted: "12abc"'),
    ("SELECT STREAM 1e FROM c", "1:15", "1e", "this is not a number"),
    (r"SELECT STREAM u&'\00' FROM b", "1:15", r"u&'\00'", "not followed by a character's code"),
    (r"SELECT STREAM u&'\d800' FROM b", "1:15", r"u&'\d800'", "not followed by a character's code"),
    ("SELECT STREAM u&'a' UESCAPE 'xy' FROM b", "1:29", "'xy'", "cannot be an escape character"),
    ("SELECT STREAM 'a' UESCAPE '!' FROM b", "1:27", "'!'", "UESCAPE follows no U&'…' literal"),
    ("SELECT STREAM x'abc' FROM b", "1:15", "x'abc'", "an even number of digits"),
    # what is selected
    ("SELECT STRAEM a FROM b", "1:8", "STRAEM", "did you mean STREAM?"),
    ("SELECT DISTINCT STREAM a FROM b", "1:17", "STREAM", "STREAM comes first"),
    ("SELECT STREAM a, FROM b", "1:18", "FROM", "a comma too many"),
    ("SELECT STREAM FROM b", "1:15", "FROM", "expected an expression, but found FROM"),
    ("SELECT STREAM group FROM b", "1:15", "group", 'quote it: "GROUP"'),
    ("SELECT STREAM a b c FROM d", "1:19", "c", "expected the end of the statement"),
    ("SELECT STREAM a AS 'x' FROM b", "1:20", "'x'", 'with double quotes: "x"'),
    ("SELECT STREAM a 'x' FROM b", "1:17", "'x'", 'with double quotes: "x"'),
    ("SELECT STREAM a AS order FROM b", "1:20", "order", 'quote it: "ORDER"'),
    ("SELECT STREAM a.end FROM b", "1:17", "end", 'quote it: "END"'),
    ("SELECT STREAM a.b.c.d FROM c", "1:21", "d", "at most three parts"),
    # clauses
    ("SELECT STREAM a FORM b", "1:17", "FORM", "did you mean FROM?"),
    ("SELECT STREAM a FROM b WEHRE c = 1", "1:24", "WEHRE", "did you mean WHERE?"),
    ("SELECT STREAM a FROM b GRUOP BY c", "1:24", "GRUOP", "did you mean GROUP?"),
    ("SELECT STREAM a FROM b GROUP c", "1:30", "c", "expected BY"),
    ("SELECT STREAM a FROM", "1:17", "FROM", "the program ends where a stream is expected"),
    ("SELECT STREAM a FROM b WHERE", "1:24", "WHERE", "the program ends where an expression is expected"),
    ("SELECT STREAM a FROM b GROUP BY c WHERE d = 1", "1:35", "WHERE", "WHERE comes too late"),
    ("SELECT STREAM a FROM b WHERE c = 1 WHERE d = 1", "1:36", "WHERE", "has a WHERE already"),
    ("SELECT STREAM a FROM b LIMIT 5", "1:24", "LIMIT", "LIMIT is not in this dialect"),
    ("SELECT STREAM a FROM b ORDER BY a OFFSET 5", "1:35", "OFFSET", "OFFSET is not in this dialect"),
    ("SELECT STREAM a FROM b ORDER BY a NULLS LAST", "1:35", "NULLS", "NULLS LAST"),
    ("SELECT STREAM a FROM b UNION SELECT STREAM c FROM d", "1:24", "UNION", "write UNION ALL"),
    ("SELECT STREAM a FROM b INTERSECT SELECT STREAM c FROM d", "1:24", "INTERSECT", "not in this dialect"),
    ("(SELECT STREAM a FROM b ORDER BY a) ORDER BY b", "1:37", "ORDER", "has an ORDER BY already"),
    ("SELECT STREAM a FROM b GROUP BY ROLLUP (c)", "1:33", "ROLLUP", "one pump for each grouping"),
    # sources
    ("SELECT STREAM a FROM SELECT STREAM b FROM c", "1:22", "SELECT", "stands in parentheses"),
    ("SELECT STREAM a FROM f(1)", "1:22", "f", "stands in TABLE(…)"),
    ("SELECT STREAM a FROM LATERAL TABLE(f(1))", "1:22", "LATERAL", "without LATERAL"),
    ("SELECT STREAM a FROM b JOIN c", "1:29", "c", "where ON or USING is expected"),
    ("SELECT STREAM a FROM b NATURAL JOIN c", "1:24", "NATURAL", "JOIN … USING (column)"),
    ("SELECT STREAM a FROM b LEFT c ON 1 = 1", "1:29", "c", "expected JOIN"),
    ("SELECT STREAM a FROM 'b'", "1:22", "'b'", 'with double quotes: "b"'),
    ("SELECT STREAM a FROM TABLE(f(SELECT STREAM a FROM b))", "1:30", "SELECT", "SELECT cannot be a value"),
    ("SELECT STREAM CURSOR(SELECT a FROM b) FROM b", "1:15", "CURSOR", "an argument of a table function"),
    # expressions
    ("SELECT STREAM a FROM b WHERE c == 1", "1:32", "==", "write = to compare"),
    ("SELECT STREAM a FROM b WHERE c => 1", "1:32", "=", "there is no operator =>"),
    ("SELECT STREAM a FROM b WHERE c = 1 && d = 2", "1:36", "&&", "write AND"),
    ("SELECT STREAM a FROM b WHERE c % 2 = 1", "1:32", "%", "write MOD(a, b)"),
    ("SELECT STREAM a FROM b WHERE !c", "1:30", "!", "write NOT"),
    ("SELECT STREAM a::int FROM b", "1:16", "::", "write CAST(value AS type)"),
    ("SELECT STREAM a FROM b WHERE a = b = c", "1:36", "=", "cannot be chained"),
    ('SELECT STREAM a FROM b WHERE c LIKE "%x%"', "1:37", '"%x%"', "with single quotes: '%x%'"),
    ("SELECT STREAM a FROM b WHERE c LIEK 'x'", "1:32", "LIEK", "did you mean LIKE?"),
    ("SELECT STREAM a FROM b WHERE c IS 1", "1:35", "1", "expected NULL or TRUE or FALSE"),
    ("SELECT STREAM a FROM b WHERE c NOT 1", "1:36", "1", "expected BETWEEN, IN, LIKE or SIMILAR TO"),
    ("SELECT STREAM a FROM b WHERE c BETWEEN 1", "1:40", "1", "where AND is expected"),
    ("SELECT STREAM a FROM b WHERE c IN (SELECT d FROM e)", "1:36", "SELECT", "not a subquery"),
    ("SELECT STREAM a FROM b WHERE EXISTS (SELECT d FROM e)", "1:30", "EXISTS", "join with it instead"),
    ("SELECT STREAM (SELECT d FROM e) FROM b", "1:16", "SELECT", "a subquery cannot be a value"),
    ("SELECT STREAM (a, b) FROM c", "1:15", "(a, b)", "a list of values is not a value"),
    ("SELECT STREAM COUNT(* FROM b", "1:21", "*", "* is not a value"),
    ("SELECT STREAM CASE a WHEN 1 THEN 2 FROM c", "1:36", "FROM", "expected END"),
    ("SELECT STREAM CAST(a INT) FROM c", "1:22", "INT", "expected AS"),
    ("SELECT STREAM STEP(ROWTIME, INTERVAL '1' MINUTE) FROM b", "1:27", ",", "write STEP(ROWTIME BY INTERVAL"),
    ("SELECT STREAM FLOOR(a TO MINUTES) FROM b", "1:26", "MINUTES", "write MINUTE"),
    ("SELECT STREAM EXTRACT(a, b) FROM b", "1:24", ",", "expected FROM"),
    ("SELECT STREAM INTERVAL 10 SECOND FROM b", "1:24", "10", "INTERVAL '10'"),
    ("SELECT STREAM INTERVAL '10' SECONDS FROM b", "1:29", "SECONDS", "write SECOND"),
    ("SELECT STREAM INTERVAL 'x' SECOND FROM b", "1:24", "'x'", "not the text of an interval SECOND"),
    ("SELECT STREAM INTERVAL '1' DAY TO SECOND FROM b", "1:24", "'1'", "INTERVAL '1 12:30:15' DAY TO SECOND"),
    ('SELECT STREAM INTERVAL "10" SECOND FROM b', "1:24", '"10"', "with single quotes: '10'"),
    # windows
    ("SELECT STREAM SUM(a) OVER (ROWS 10 FOLLOWING) FROM b", "1:36", "FOLLOWING", "cannot reach forward"),
    (
        "SELECT STREAM SUM(a) OVER (ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) FROM b",
        *("1:67", "FOLLOWING", "cannot reach forward"),
    ),
    (
        "SELECT STREAM SUM(a) OVER (ROWS BETWEEN 10 PRECEDING AND 5 PRECEDING) FROM b",
        *("1:58", "5", "a window ends at the current row"),
    ),
    ("SELECT STREAM SUM(a) OVER (ROWS -4 PRECEDING) FROM b", "1:33", "-4", "less than nothing"),
    (
        "SELECT STREAM SUM(a) OVER (ROWS INTERVAL '1' SECOND PRECEDING) FROM b",
        *("1:33", "INTERVAL '1' SECOND", "for a length of time, write RANGE"),
    ),
    ("SELECT STREAM SUM(a) OVER (RANGE 10 PRECEDING) FROM b", "1:34", "10", "for a number of rows, write ROWS"),
    ("SELECT STREAM SUM(a) OVER (PARTITION a) FROM b", "1:38", "a", "expected BY"),
    ("SELECT STREAM SUM(a) FILTER (WHERE a > 1) FROM b", "1:22", "FILTER", "use CASE in the argument"),
    ("SELECT STREAM LAG(a) IGNORE NULLS FROM b", "1:22", "IGNORE", "IGNORE NULLS needs a window"),
    ("SELECT STREAM a FROM b WINDOW w (PARTITION BY c)", "1:33", "(", "expected AS"),
    ("SELECT STREAM a FROM b WINDOWED BY TUMBLE (c)", "1:36", "TUMBLE", "expected STAGGER or SESSION"),
    ("SELECT STREAM a FROM b WINDOWED BY STAGGER (PARTITION BY c)", "1:59", ")", "expected RANGE"),
    ("SELECT STREAM a FROM b WINDOWED BY SESSION (PARTITION BY c RANGE d)", "1:60", "RANGE", "expected TIMEOUT"),
]


@pytest.mark.parametrize(("program", "place", "offending", "says"), MISTAKES)
def test_mistakes(program: str, place: str, offending: str, says: str) -> None:
    with pytest.raises(SqlError) as raised:
        parse_program(program)
    span = raised.value.span
    assert span is not None
    assert f"{span.line}:{span.column}" == place
    assert raised.value.offending == offending
    assert says in f"{raised.value.message} ({raised.value.hint})"


def test_the_place_counts_every_kind_of_line_break() -> None:
    with pytest.raises(SqlError) as raised:
        parse_program("SELECT STREAM a\r\n, b\rFROM\n\n  WHERE")
    assert (raised.value.span, raised.value.offending) == ((29, 34, 5, 3), "WHERE")


def test_a_report_shows_the_place() -> None:
    with pytest.raises(SqlError) as raised:
        parse_program("SELECT STREAM a\nFROM b\nWEHRE c = 1")
    assert raised.value.report() == (
        "3:1: expected the end of the statement, but found WEHRE\n"
        "  3 | WEHRE c = 1\n"
        "    | ^^^^^\n"
        "  hint: did you mean WHERE?"
    )


def test_a_mistake_in_a_later_statement() -> None:
    with pytest.raises(SqlError, match="line 3, column 29") as raised:
        parse_program("CREATE STREAM x (a INT);\n-- two\nSELECT STREAM a FROM x WHERE;")
    assert raised.value.offending == ";"
