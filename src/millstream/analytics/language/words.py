"""The dialect's words: which ones cannot be names, and what to say about words of other dialects."""

from __future__ import annotations

from typing import NamedTuple

# Kinesis reserves some 340 words. Only these must be quoted here, because a name spelt like one of them could be
# taken for something else: programs that ran there run here, and VALUE, COUNT, YEAR or TIMESTAMP may be names, too.
RESERVED = frozenset(
    """
    ALL ALTER AND ANY AS BETWEEN BY CASE CAST CREATE CROSS CURRENT_DATE CURRENT_ROW_TIMESTAMP CURRENT_TIME
    CURRENT_TIMESTAMP CURSOR DELETE DISTINCT DROP ELSE END ESCAPE EXCEPT EXISTS EXPLAIN FALSE FETCH FROM FULL GROUP
    HAVING IN INNER INSERT INTERSECT INTERVAL INTO IS JOIN LATERAL LEFT LIKE LOCALTIME LOCALTIMESTAMP MERGE NATURAL
    NOT NULL ON OR ORDER OUTER OVER PARTITION RANGE RIGHT ROWS SELECT SIMILAR STREAM TABLE THEN TO TRUE UNION UNKNOWN
    UPDATE USING VALUES WHEN WHERE WINDOW WITH
    """.split()  # noqa: SIM905 - a table of words reads better so
)

# Reserved words that name functions when a parenthesis follows.
CALLABLE = frozenset({"ANY", "LEFT", "RIGHT"})

# Functions that are written without parentheses.
NILADIC = frozenset(
    {"CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_ROW_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP"}
)

# From large to small; intervals keep to one of the two families.
UNITS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")
YEAR_UNITS = frozenset({"YEAR", "MONTH"})

# The clauses of SELECT in their order.
CLAUSES = ("FROM", "WHERE", "GROUP", "WINDOWED", "HAVING", "WINDOW", "ORDER")

STATEMENTS = frozenset({"ALTER", "CREATE", "DROP", "EXPLAIN", "INSERT", "SELECT"})

TEMPORAL_OPERATORS = frozenset(
    {
        *("CONTAINS", "OVERLAPS", "EQUALS", "PRECEDES", "SUCCEEDS", "LEADS", "LAGS"),
        *("IMMEDIATELY PRECEDES", "IMMEDIATELY SUCCEEDS", "IMMEDIATELY LEADS", "IMMEDIATELY LAGS"),
        *("STRICTLY CONTAINS", "STRICTLY OVERLAPS", "STRICTLY PRECEDES", "STRICTLY SUCCEEDS"),
        *("STRICTLY LEADS", "STRICTLY LAGS"),
    }
)


class Advice(NamedTuple):
    """What is wrong with a word or sign of another dialect, and what to write instead."""

    message: str
    hint: str


def _absent(what: str, hint: str) -> Advice:
    return Advice(f"{what} is not in this dialect", hint)


_NO_END = "a stream has no end: filter with WHERE, or use TOP_K_ITEMS_TUMBLING for the most frequent values"

# Words that begin something that this dialect has not. None of them may be an alias without AS.
FOREIGN = {
    "LIMIT": _absent("LIMIT", _NO_END),
    "OFFSET": _absent("OFFSET", _NO_END),
    "FETCH": _absent("FETCH FIRST", _NO_END),
    "WITH": _absent("WITH", "put the subquery into FROM, or insert its rows into a stream of their own with a pump"),
    "QUALIFY": _absent("QUALIFY", "select the window's result in a subquery in FROM, and filter it with WHERE"),
    "EMIT": _absent("EMIT", "windows give their rows when they close"),
    "TABLESAMPLE": _absent("TABLESAMPLE", "filter with WHERE"),
    "INTERSECT": _absent("INTERSECT", "join the two streams over windows"),
    "EXCEPT": _absent("EXCEPT", "use a LEFT JOIN over a window and WHERE … IS NULL"),
    "NATURAL": _absent("NATURAL JOIN", "name the columns: JOIN … USING (column)"),
    "LATERAL": _absent("LATERAL", "write TABLE(function(CURSOR(SELECT STREAM …))) without LATERAL"),
    "FILTER": _absent("FILTER", "use CASE in the argument: SUM(CASE WHEN condition THEN value END)"),
    "COLLATE": _absent("COLLATE", "compare UPPER(text) or LOWER(text)"),
}

# The first words of statements that this dialect has not.
FOREIGN_STATEMENTS = {
    "WITH": FOREIGN["WITH"],
    "UPDATE": _absent("UPDATE", "a stream's rows do not change: insert what is new with a pump"),
    "DELETE": _absent("DELETE", "a stream's rows do not change: select the rows to keep with a pump"),
    "MERGE": _absent("MERGE", "a stream's rows do not change: insert what is new with a pump"),
    "TRUNCATE": _absent("TRUNCATE", "CREATE OR REPLACE STREAM starts a stream anew"),
    "SET": _absent("SET", "an application has no settings in SQL, and one schema"),
    "USE": _absent("USE", "an application has one schema"),
    "VALUES": _absent("VALUES", "rows come from streams: INSERT INTO … SELECT STREAM … FROM …"),
    "SHOW": _absent("SHOW", "DescribeApplication tells an application's inputs and outputs"),
    "DESCRIBE": _absent("DESCRIBE", "DescribeApplication tells an application's inputs and outputs"),
}

SYMBOLS = {
    "==": "write = to compare",
    "&&": "write AND",
    "!": "write NOT",
    "%": "write MOD(a, b) for the remainder",
    "^": "write POWER(a, b) for a power",
    "::": "write CAST(value AS type)",
    "|": "write || to join strings, OR between conditions",
    "&": "write || to join strings, AND between conditions",
    "`": 'names are quoted with double quotes: "name"',
    "[": 'names are quoted with double quotes: "name"',
    "#": "comments begin with --",
    "?": "an application's code has no parameters",
    "@": "an application's code has no variables",
    ")": 'no "(" is open here',
}
