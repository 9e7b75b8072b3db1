"""Calls of functions, also those that SQL writes with words inside, with what may follow: IGNORE NULLS, OVER.

The grammar is recursive (a function's arguments are expressions), so this module and `expressions` know each other.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from millstream.analytics.language import expressions, literals, windows, words
from millstream.analytics.language.cursor import Cursor, is_one_of, start_of
from millstream.analytics.language.nodes import FloorTo, OverCall, StepBy, TypeCast
from millstream.analytics.language.tokens import Kind, Token

_SYNONYMS = {"CEILING": "CEIL"}


def callable_word(word: str) -> bool:
    """Whether the word before a parenthesis is a function's name."""
    return word not in words.RESERVED or word in words.CALLABLE or word in _FORMS


def niladic(cursor: Cursor) -> exp.Expression:
    """Reads CURRENT_TIMESTAMP [(precision)] and its like."""
    token = cursor.advance()
    arguments: list[exp.Expression] = []
    if cursor.accept_phrase("(", ")"):
        pass
    elif cursor.at("("):
        cursor.open()
        arguments.append(expressions.expression(cursor))
        cursor.close()
    return cursor.make(exp.Anonymous, token.start, this=token.text, expressions=arguments)


def call(cursor: Cursor) -> exp.Expression:
    """Reads name(arguments) and what follows it."""
    token = cursor.advance()
    form = _FORMS.get(token.text) if token.kind is Kind.WORD else None
    if form is not None:
        return form(cursor, token)
    name = _SYNONYMS.get(token.text, token.text) if token.kind is Kind.WORD else token.text
    cursor.open()
    arguments = _arguments(cursor)
    nulls = _null_treatment(cursor)
    cursor.close()
    function = cursor.make(exp.Anonymous, token.start, this=name, expressions=arguments)
    return _followed(cursor, function, nulls)


def _followed(cursor: Cursor, function: exp.Anonymous, nulls: Token | None) -> exp.Expression:
    """The call with FROM FIRST | LAST, IGNORE | RESPECT NULLS, OVER window."""
    from_last = _from_last(cursor)
    nulls = nulls or _null_treatment(cursor)
    over = cursor.accept("OVER")
    if over is None:
        if nulls is not None:
            raise cursor.error(f"{nulls.text} NULLS needs a window", nulls, "write … OVER (PARTITION BY … )")
        if is_one_of(cursor.token, ("FILTER",)) and is_one_of(cursor.ahead(), ("(",)):
            raise cursor.unexpected("OVER")
        return function
    return cursor.make(
        OverCall,
        start_of(function),
        this=function,
        over=windows.window(cursor),
        ignore_nulls=nulls is not None and nulls.text == "IGNORE",
        from_last=from_last,
    )


def _from_last(cursor: Cursor) -> bool:
    """NTH_VALUE's direction; FIRST and LAST may also be streams, after which no OVER or NULLS comes."""
    word, following = cursor.ahead(1), cursor.ahead(2)
    if not (cursor.at("FROM") and is_one_of(word, ("FIRST", "LAST")) and is_one_of(following, _AFTER_DIRECTION)):
        return False
    cursor.advance()
    return cursor.advance().text == "LAST"


_AFTER_DIRECTION = ("OVER", "IGNORE", "RESPECT")


def _null_treatment(cursor: Cursor) -> Token | None:
    if not is_one_of(cursor.ahead(), ("NULLS",)) or not cursor.at("IGNORE", "RESPECT"):
        return None
    word = cursor.advance()
    cursor.advance()
    return word


def _arguments(cursor: Cursor) -> list[exp.Expression]:
    """Reads what stands between the parentheses of an ordinary call."""
    if cursor.at(")"):
        return []
    if cursor.at("*") and is_one_of(cursor.ahead(), (")",)):
        return [cursor.make(exp.Star, cursor.advance().start)]
    distinct = cursor.accept("DISTINCT")
    if distinct is not None:
        return [cursor.make(exp.Distinct, distinct.start, expressions=expressions.expressions(cursor))]
    cursor.accept("ALL")
    return expressions.expressions(cursor)


# --- functions that are written with words inside


def _anonymous(cursor: Cursor, token: Token, arguments: list[exp.Expression]) -> exp.Expression:
    cursor.close()
    function = cursor.make(exp.Anonymous, token.start, this=token.text, expressions=arguments)
    return _followed(cursor, function, None)


def _substring(cursor: Cursor, token: Token) -> exp.Expression:
    cursor.open()
    arguments = [expressions.expression(cursor)]
    while len(arguments) < 3 and cursor.accept(",", ("FROM", "FOR")[len(arguments) - 1]):
        arguments.append(expressions.expression(cursor))
    return _anonymous(cursor, token, arguments)


def _position(cursor: Cursor, token: Token) -> exp.Expression:
    cursor.open()
    part = expressions.expression(cursor, expressions.SUM)
    cursor.expect("IN", ",")
    return _anonymous(cursor, token, [part, expressions.expression(cursor)])


def _trim(cursor: Cursor, token: Token) -> exp.Expression:
    cursor.open()
    word = cursor.accept("BOTH", "LEADING", "TRAILING")
    side = cursor.make(
        exp.Literal, (word or token).start, end=(word or token).end, this=word.text if word else "BOTH", is_string=True
    )
    blank = cursor.make(exp.Literal, token.start, end=token.end, this=" ", is_string=True)
    if word is not None and cursor.accept("FROM"):
        return _anonymous(cursor, token, [side, blank, expressions.expression(cursor)])
    first = expressions.expression(cursor)
    if word is None and cursor.at(")"):
        return _anonymous(cursor, token, [side, blank, first])
    cursor.expect("FROM")
    return _anonymous(cursor, token, [side, first, expressions.expression(cursor)])


def _overlay(cursor: Cursor, token: Token) -> exp.Expression:
    cursor.open()
    arguments = [expressions.expression(cursor)]
    cursor.expect("PLACING", ",")
    arguments.append(expressions.expression(cursor))
    cursor.expect("FROM", ",")
    arguments.append(expressions.expression(cursor))
    if cursor.accept("FOR", ","):
        arguments.append(expressions.expression(cursor))
    return _anonymous(cursor, token, arguments)


def _extract(cursor: Cursor, token: Token) -> exp.Expression:
    cursor.open()
    unit = cursor.token
    if unit.kind is not Kind.WORD or unit.text in words.RESERVED:
        raise cursor.unexpected("a unit of time")
    cursor.advance()
    literal = cursor.make(exp.Literal, unit.start, this=unit.text, is_string=True)
    cursor.expect("FROM")
    return _anonymous(cursor, token, [literal, expressions.expression(cursor)])


def _floor(cursor: Cursor, token: Token) -> exp.Expression:
    cursor.open()
    value = expressions.expression(cursor)
    if not cursor.accept("TO"):
        arguments = [value]
        while cursor.accept(","):
            arguments.append(expressions.expression(cursor))
        return _anonymous(cursor, token._replace(text=_SYNONYMS.get(token.text, token.text)), arguments)
    unit = literals.unit_of_time(cursor)
    cursor.close()
    return cursor.make(FloorTo, token.start, this=value, unit=unit, up=token.text != "FLOOR")


def _step(cursor: Cursor, token: Token) -> exp.Expression:
    cursor.open()
    value = expressions.expression(cursor)
    if cursor.at(","):
        raise cursor.error(
            "expected BY, but found a comma", cursor.token, "write STEP(ROWTIME BY INTERVAL '60' SECOND)"
        )
    cursor.expect("BY")
    step = expressions.expression(cursor)
    cursor.close()
    return cursor.make(StepBy, token.start, this=value, step=step)


def _cast(cursor: Cursor, token: Token) -> exp.Expression:
    cursor.open()
    value = expressions.expression(cursor)
    cursor.expect("AS")
    to = literals.type_name(cursor, interval=True)
    cursor.close()
    return cursor.make(TypeCast, token.start, this=value, to=to)


_FORMS: dict[str, Callable[[Cursor, Token], exp.Expression]] = {
    "SUBSTRING": _substring,
    "POSITION": _position,
    "TRIM": _trim,
    "OVERLAY": _overlay,
    "EXTRACT": _extract,
    "FLOOR": _floor,
    "CEIL": _floor,
    "CEILING": _floor,
    "STEP": _step,
    "CAST": _cast,
}


def case(cursor: Cursor) -> exp.Expression:
    """Reads CASE [value] WHEN … THEN … [ELSE …] END."""
    word = cursor.advance()
    value = None if cursor.at("WHEN") else expressions.expression(cursor)
    branches: list[exp.Expression] = []
    while when := cursor.expect("WHEN") if not branches else cursor.accept("WHEN"):
        condition = expressions.expression(cursor)
        cursor.expect("THEN")
        result = expressions.expression(cursor)
        branches.append(cursor.make(exp.If, when.start, this=condition, true=result))
    default = expressions.expression(cursor) if cursor.accept("ELSE") else None
    cursor.expect("END")
    return cursor.make(exp.Case, word.start, this=value, ifs=branches, default=default)
