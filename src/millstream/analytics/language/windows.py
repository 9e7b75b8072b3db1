"""Windows: OVER, WINDOW name AS (…), their frames, and WINDOWED BY."""

from __future__ import annotations

from sqlglot import exp

from millstream.analytics.language import expressions
from millstream.analytics.language.cursor import Cursor, start_of
from millstream.analytics.language.nodes import Frame, IntervalLiteral, SessionWindow, StaggerWindow, WindowDefinition
from millstream.analytics.language.tokens import Kind

_FORMS = "write RANGE INTERVAL '10' SECOND PRECEDING or ROWS 10 PRECEDING"


def window(cursor: Cursor) -> exp.Expression:
    """Reads what stands after OVER: a window's name, or its definition in parentheses."""
    return _definition(cursor) if cursor.at("(") else cursor.name("a window")


def window_clause(cursor: Cursor) -> list[exp.Expression]:
    """Reads what stands after WINDOW: name AS (…), …"""
    found: list[exp.Expression] = []
    while not found or cursor.accept(","):
        name = cursor.name("a window's name", alias=True)
        cursor.expect("AS")
        if not cursor.at("("):
            raise cursor.unexpected('"("')
        found.append(cursor.make(exp.Alias, start_of(name), this=_definition(cursor), alias=name))
    return found


def _definition(cursor: Cursor) -> WindowDefinition:
    opened = cursor.open()
    base = None
    if cursor.token.kind is Kind.QUOTED or not cursor.at("PARTITION", "ORDER", "RANGE", "ROWS", ")"):
        base = cursor.name("PARTITION BY, ORDER BY, RANGE or ROWS")
    partition = _partition(cursor)
    order = order_list(cursor) if cursor.accept_with_by("ORDER") else []
    frame = _frame(cursor) if cursor.at("RANGE", "ROWS") else None
    cursor.close()
    return cursor.make(WindowDefinition, opened.start, base=base, partition=partition, order=order, frame=frame)


def _partition(cursor: Cursor) -> list[exp.Expression]:
    return expressions.expressions(cursor) if cursor.accept_with_by("PARTITION") else []


def order_list(cursor: Cursor) -> list[exp.Expression]:
    """Reads what stands after ORDER BY: expression [ASC | DESC], …"""
    found: list[exp.Expression] = []
    while not found or cursor.accept(","):
        value = expressions.expression(cursor)
        word = cursor.accept("ASC", "DESC")
        if cursor.at_phrase("NULLS"):
            raise cursor.error("NULLS FIRST and NULLS LAST are not in this dialect", cursor.token, "leave it out")
        desc = word is not None and word.text == "DESC"
        found.append(cursor.make(exp.Ordered, start_of(value), this=value, desc=desc))
    return found


# --- frames


def _frame(cursor: Cursor) -> Frame:
    """RANGE | ROWS start, or RANGE | ROWS BETWEEN start AND end; a window ends at the current row."""
    word = cursor.advance()
    between = cursor.accept("BETWEEN") is not None
    preceding = _preceding(cursor, word.text)
    if between:
        cursor.expect("AND")
        _end(cursor, word.text)
    return cursor.make(Frame, word.start, kind=word.text, preceding=preceding)


def _preceding(cursor: Cursor, kind: str) -> exp.Expression | None:
    """The frame's first bound; None if it has none, 0 if it is the current row."""
    if cursor.accept("UNBOUNDED"):
        _direction(cursor)
        return None
    if current := cursor.accept_phrase("CURRENT", "ROW") and cursor.previous:
        return cursor.make(exp.Literal, current.start, this="0", is_string=False)
    extent = _extent(cursor, kind)
    _direction(cursor)
    return extent


def _extent(cursor: Cursor, kind: str) -> exp.Expression:
    extent = expressions.expression(cursor, expressions.SUM)
    number = isinstance(extent, exp.Literal) and not extent.is_string
    if isinstance(extent, exp.Neg) or (isinstance(extent, IntervalLiteral) and extent.this.startswith("-")):
        raise cursor.error("a window cannot reach back by less than nothing", extent, _FORMS)
    if kind == "ROWS" and not number:
        hint = "for a length of time, write RANGE" if isinstance(extent, IntervalLiteral) else _FORMS
        raise cursor.error("ROWS needs a number of rows", extent, hint)
    if kind == "RANGE" and (number or isinstance(extent, exp.Literal)) and extent.this != "0":
        hint = "for a number of rows, write ROWS" if number else _FORMS
        raise cursor.error("RANGE needs a length of time", extent, hint)
    return extent


def _direction(cursor: Cursor) -> None:
    if cursor.at("FOLLOWING"):
        hint = "rows that are still to come are not known: end the window at CURRENT ROW, and reach back from there"
        raise cursor.error("a window cannot reach forward", cursor.token, hint)
    cursor.expect("PRECEDING")


def _end(cursor: Cursor, kind: str) -> None:
    if cursor.accept_phrase("CURRENT", "ROW"):
        return
    if cursor.at("UNBOUNDED"):
        cursor.advance()
        _direction(cursor)
        raise cursor.error("a window cannot end before it begins", cursor.previous, "end it at CURRENT ROW")
    bound = _extent(cursor, kind)
    _direction(cursor)
    if not (isinstance(bound, exp.Literal) and bound.this == "0"):
        raise cursor.error("a window ends at the current row", bound, "write … AND CURRENT ROW")


# --- WINDOWED BY


def windowed_by(cursor: Cursor) -> exp.Expression:
    """Reads what stands after WINDOWED BY: STAGGER (…) or SESSION (…)."""
    word = cursor.expect("STAGGER", "SESSION")
    cursor.open()
    partition = _partition(cursor)
    if word.text == "STAGGER":
        cursor.expect("RANGE")
        age = expressions.expression(cursor, expressions.SUM)
        cursor.close()
        return cursor.make(StaggerWindow, word.start, partition=partition, age=age)
    time = expressions.expression(cursor) if cursor.accept("ON") else None
    cursor.expect("TIMEOUT")
    gap = expressions.expression(cursor, expressions.SUM)
    cursor.close()
    return cursor.make(SessionWindow, word.start, partition=partition, time=time, gap=gap)
