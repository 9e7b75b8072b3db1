"""Queries: SELECT with its clauses, UNION ALL, ORDER BY."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Any

from sqlglot import exp

from millstream.analytics.language import expressions, sources, windows, words
from millstream.analytics.language.cursor import Cursor, end_of, is_one_of, start_of
from millstream.analytics.language.nodes import SelectStream, UnionAll
from millstream.analytics.language.tokens import Kind, Token

_CLOSE = 0.8


def query(cursor: Cursor) -> exp.Expression:
    """Reads SELECT … [UNION ALL SELECT … …] [ORDER BY …]: a SelectStream or UnionAll."""
    cursor.enter()
    found = continued(cursor, _term(cursor))
    cursor.leave()
    return found


def continued(cursor: Cursor, first: exp.Expression) -> exp.Expression:
    """The query that begins with `first`, which was just read: with UNION ALL and ORDER BY, if they follow."""
    queries = [first]
    while union := cursor.accept("UNION"):
        if not cursor.accept("ALL"):
            hint = "write UNION ALL; SELECT DISTINCT over a window drops what comes twice"
            raise cursor.error("UNION without ALL is not in this dialect: a stream has no end", union, hint)
        queries.append(_term(cursor))
    whole = first if len(queries) == 1 else cursor.make(UnionAll, start_of(first), queries=queries)
    word = cursor.token
    if cursor.accept_with_by("ORDER"):
        whole = _ordered(cursor, whole, word)
    _reject_set_operators(cursor)
    return whole


def _ordered(cursor: Cursor, whole: exp.Expression, word: Token) -> exp.Expression:
    if whole.args.get("order"):
        raise cursor.error("this query has an ORDER BY already", word, "leave one of them out")
    # Made anew rather than changed: the span and the height count the ORDER BY, too.
    return cursor.make(type(whole), start_of(whole), **{**whole.args, "order": windows.order_list(cursor)})


def _reject_set_operators(cursor: Cursor) -> None:
    if cursor.at("INTERSECT", "EXCEPT"):
        raise cursor.unexpected("the end of the query")


def _term(cursor: Cursor) -> exp.Expression:
    if cursor.at("("):
        cursor.open()
        inner = query(cursor)
        cursor.close()
        return inner
    if cursor.at("VALUES", "TABLE"):
        advice = words.FOREIGN_STATEMENTS["VALUES"]
        raise cursor.error(advice.message.replace("VALUES", cursor.token.text), cursor.token, advice.hint)
    return _select(cursor)


def _select(cursor: Cursor) -> SelectStream:
    word = cursor.expect("SELECT")
    stream = cursor.accept("STREAM") is not None
    quantifier = cursor.accept("DISTINCT", "ALL")
    if not stream and quantifier is not None and cursor.at("STREAM"):
        raise cursor.error("STREAM comes first", cursor.token, f"write SELECT STREAM {quantifier.text}")
    items = [_item(cursor)]
    if not stream:
        _reject_misspelt_stream(cursor, items[0])
    while cursor.accept(","):
        items.append(_item(cursor))
    clauses = _clauses(cursor)
    return cursor.make(
        SelectStream,
        word.start,
        stream=stream,
        distinct=quantifier is not None and quantifier.text == "DISTINCT",
        items=items,
        **clauses,
    )


def _reject_misspelt_stream(cursor: Cursor, item: exp.Expression) -> None:
    """SELECT STRAEM x would be the column STRAEM under the name x."""
    column = item.this if isinstance(item, exp.Alias) else None
    if not isinstance(column, exp.Column) or column.args.get("table") or column.this.args["quoted"]:
        return
    name, between = column.this.this, cursor.source.text[end_of(column) : start_of(item.args["alias"])]
    close = SequenceMatcher(None, name, "STREAM").ratio() > _CLOSE and "STREAM" not in name
    if close and not between.strip():
        raise cursor.error(f"expected STREAM, but found {name}", column, "did you mean STREAM?")


def _clauses(cursor: Cursor) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if cursor.accept("FROM"):
        found["source"] = sources.sources(cursor)
    if cursor.accept("WHERE"):
        found["where"] = expressions.expression(cursor)
    if cursor.accept_phrase("WINDOWED", "BY"):
        found["windowed_by"] = windows.windowed_by(cursor)
    if cursor.accept_with_by("GROUP"):
        found["group"] = _group(cursor)
    if "windowed_by" not in found and cursor.accept_phrase("WINDOWED", "BY"):
        found["windowed_by"] = windows.windowed_by(cursor)
    if cursor.accept("HAVING"):
        found["having"] = expressions.expression(cursor)
    if cursor.accept("WINDOW"):
        found["windows"] = windows.window_clause(cursor)
    _reject_late_clause(cursor, found)
    return found


def _reject_late_clause(cursor: Cursor, found: dict[str, Any]) -> None:
    """A clause that may come, but not here. What may still come is UNION and ORDER BY."""
    token = cursor.token
    if token.kind is not Kind.WORD or token.text not in words.CLAUSES or token.text == "ORDER":
        return
    if token.text in ("GROUP", "WINDOWED") and not is_one_of(cursor.ahead(), ("BY",)):
        return
    clause = f"{token.text} BY" if token.text in ("GROUP", "WINDOWED") else token.text
    key = {"FROM": "source", "GROUP": "group", "WINDOWED": "windowed_by", "WINDOW": "windows"}
    if found.get(key.get(token.text, token.text.lower())):
        raise cursor.error(f"this query has a {clause} already", token, _twice_hint(token))
    hint = "the order is FROM, WHERE, GROUP BY, WINDOWED BY, HAVING, WINDOW, ORDER BY"
    raise cursor.error(f"{clause} comes too late", token, hint)


def _twice_hint(token: Token) -> str:
    return "join the conditions with AND" if token.text in ("WHERE", "HAVING") else "separate its parts with commas"


def _group(cursor: Cursor) -> list[exp.Expression]:
    for word in ("ROLLUP", "CUBE", "GROUPING"):
        if cursor.token.text == word and is_one_of(cursor.ahead(), ("(", "SETS")):
            hint = "write one pump for each grouping"
            raise cursor.error(f"GROUP BY {word} is not in this dialect", cursor.token, hint)
    return expressions.expressions(cursor)


# --- what is selected


def _item(cursor: Cursor) -> exp.Expression:
    """*, source.*, or expression [[AS] name]."""
    if cursor.at("*"):
        return cursor.make(exp.Star, cursor.advance().start)
    if (starred := _starred(cursor)) is not None:
        return starred
    value = expressions.expression(cursor)
    name = alias(cursor, "a column's name")
    return value if name is None else cursor.make(exp.Alias, start_of(value), this=value, alias=name)


def _starred(cursor: Cursor) -> exp.Expression | None:
    named = cursor.token.kind in (Kind.WORD, Kind.QUOTED)
    if not (named and is_one_of(cursor.ahead(1), (".",)) and is_one_of(cursor.ahead(2), ("*",))):
        return None
    table = cursor.name("a stream", alias=True)
    cursor.advance()
    star = cursor.make(exp.Star, cursor.advance().start)
    return cursor.make(exp.Column, start_of(table), this=star, table=table)


def alias(cursor: Cursor, what: str) -> exp.Identifier | None:
    """Reads [AS] name if one comes; without AS, words that begin something else are no names."""
    return sources.alias(cursor, what)
