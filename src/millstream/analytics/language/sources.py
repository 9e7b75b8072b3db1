"""What stands in FROM: streams, subqueries, table functions, their windows and names, and joins.

Subqueries are queries, so this module and `queries` know each other.
"""

from __future__ import annotations

from sqlglot import exp

from millstream.analytics.language import expressions, queries, windows, words
from millstream.analytics.language.cursor import Cursor, is_one_of, start_of
from millstream.analytics.language.nodes import Cursor as CursorArgument
from millstream.analytics.language.nodes import JoinedSource, SelectStream, Source, UnionAll
from millstream.analytics.language.tokens import Kind

_JOIN_WORDS = ("JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", ",")


def sources(cursor: Cursor) -> exp.Expression:
    """Reads what stands after FROM: a Source or a JoinedSource."""
    left = _joined(cursor, _source(cursor))
    while cursor.accept(","):
        right = _joined(cursor, _source(cursor))
        left = cursor.make(JoinedSource, start_of(left), left=left, right=right, kind="CROSS")
    return left


def _joined(cursor: Cursor, left: exp.Expression) -> exp.Expression:
    while (kind := _join_kind(cursor)) is not None:
        right = _source(cursor)
        on, using = (None, []) if kind == "CROSS" else _condition(cursor)
        left = cursor.make(JoinedSource, start_of(left), left=left, right=right, kind=kind, on=on, using=using)
    return left


def _join_kind(cursor: Cursor) -> str | None:
    if cursor.accept("JOIN"):
        return "INNER"
    word = cursor.accept("INNER", "LEFT", "RIGHT", "FULL", "CROSS")
    if word is None:
        if cursor.at("NATURAL"):
            raise cursor.unexpected("a join")
        return None
    if word.text in ("LEFT", "RIGHT", "FULL"):
        cursor.accept("OUTER")
    cursor.expect("JOIN")
    return word.text


def _condition(cursor: Cursor) -> tuple[exp.Expression | None, list[exp.Expression]]:
    if cursor.accept("ON"):
        return expressions.expression(cursor), []
    if not cursor.accept("USING"):
        raise cursor.unexpected("ON or USING")
    cursor.open()
    columns: list[exp.Expression] = [cursor.name("a column", alias=True)]
    while cursor.accept(","):
        columns.append(cursor.name("a column", alias=True))
    cursor.close()
    return None, columns


# --- one source


def _source(cursor: Cursor) -> exp.Expression:
    start = cursor.token.start
    if cursor.at("("):
        inner = _parenthesis(cursor)
        if not isinstance(inner, SelectStream | UnionAll):
            return inner
        return _named(cursor, inner, start)
    if cursor.at("TABLE", "LATERAL"):
        return _named(cursor, _table_function(cursor), start)
    if cursor.at("SELECT"):
        raise cursor.error(
            "a subquery in FROM stands in parentheses", cursor.token, "write FROM (SELECT STREAM …) AS s"
        )
    return _named(cursor, _stream(cursor), start)


def _stream(cursor: Cursor) -> exp.Expression:
    first = cursor.name("a stream")
    if not cursor.accept("."):
        if cursor.at("("):
            hint = "write FROM TABLE(function(CURSOR(SELECT STREAM * FROM …), …))"
            raise cursor.error("a function in FROM stands in TABLE(…)", first, hint)
        return cursor.make(exp.Table, start_of(first), this=first)
    return cursor.make(exp.Table, start_of(first), this=cursor.name("a stream", alias=True), db=first)


def _named(cursor: Cursor, inner: exp.Expression, start: int) -> Source:
    """The source with [OVER window] [[AS] name [(columns)]] [OVER window]."""
    over = windows.window(cursor) if cursor.accept("OVER") else None
    name = alias(cursor, "a stream's name")
    columns: list[exp.Expression] = []
    if name is not None and cursor.at("("):
        cursor.open()
        columns.append(cursor.name("a column", alias=True))
        while cursor.accept(","):
            columns.append(cursor.name("a column", alias=True))
        cursor.close()
    if over is None and cursor.accept("OVER"):
        over = windows.window(cursor)
    return cursor.make(Source, start, this=inner, alias=name, columns=columns, over=over)


def alias(cursor: Cursor, what: str) -> exp.Identifier | None:
    """Reads [AS] name if one comes; without AS, words that begin something else are no names."""
    if cursor.accept("AS"):
        return cursor.name(what, alias=True)
    token = cursor.token
    if token.kind is Kind.STRING:
        return cursor.name(what)
    if token.kind is Kind.WORD and (token.text in words.RESERVED or token.text in words.FOREIGN):
        return None
    if is_one_of(token, ("WINDOWED",)) and is_one_of(cursor.ahead(), ("BY",)):
        return None
    return cursor.name(what) if token.kind in (Kind.WORD, Kind.QUOTED) else None


def _parenthesis(cursor: Cursor) -> exp.Expression:
    """A query or a join in parentheses; only what follows an inner parenthesis tells which it is."""
    cursor.enter()
    cursor.open()
    start = cursor.token.start
    if cursor.at("SELECT", "VALUES"):
        found = queries.query(cursor)
    elif cursor.at("("):
        found = _parenthesis(cursor)
        if isinstance(found, SelectStream | UnionAll):
            found = queries.continued(cursor, found)
            if not cursor.at(")"):
                found = _named(cursor, found, start)
        found = _continued_join(cursor, found)
    else:
        found = sources(cursor)
    cursor.close()
    cursor.leave()
    return found


def _continued_join(cursor: Cursor, left: exp.Expression) -> exp.Expression:
    if not cursor.at(*_JOIN_WORDS):
        return left
    left = _joined(cursor, left)
    while cursor.accept(","):
        right = _joined(cursor, _source(cursor))
        left = cursor.make(JoinedSource, start_of(left), left=left, right=right, kind="CROSS")
    return left


# --- table functions


def _table_function(cursor: Cursor) -> exp.Expression:
    """TABLE(function(argument, …)), where arguments may be CURSOR(query)."""
    cursor.expect("TABLE")
    cursor.open()
    token = cursor.token
    name = cursor.name("a table function")
    cursor.open()
    arguments = [] if cursor.at(")") else [_argument(cursor)]
    while cursor.accept(","):
        arguments.append(_argument(cursor))
    cursor.close()
    function = cursor.make(exp.Anonymous, token.start, this=name.this, expressions=arguments)
    cursor.close()
    return function


def _argument(cursor: Cursor) -> exp.Expression:
    word = cursor.accept("CURSOR")
    if word is None:
        return expressions.expression(cursor)
    cursor.open()
    inner = queries.query(cursor)
    cursor.close()
    return cursor.make(CursorArgument, word.start, this=inner)
