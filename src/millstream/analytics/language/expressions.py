"""Expressions: operators by their precedence, predicates, names, literals, parentheses.

From loose to tight: OR, AND, NOT, IS, predicates (comparisons, BETWEEN, IN, LIKE, SIMILAR TO, OVERLAPS …), + and -,
then * / and ||, unary minus.
The grammar is recursive (a function's arguments are expressions), so this module and `functions` know each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlglot import exp

from millstream.analytics.language import functions, literals, words
from millstream.analytics.language.cursor import Cursor, end_of, is_one_of, start_of
from millstream.analytics.language.nodes import IntervalCast, TemporalPredicate
from millstream.analytics.language.tokens import Kind, Token

OR, AND, NOT, TRUTH, PREDICATE, SUM, PRODUCT, UNARY = range(1, 9)

# Longer chains of one associative operator become balanced trees, so that thousands of terms stay shallow.
_LEFT_DEEP_MAX = 16

_CHAINS: dict[str, tuple[int, type[exp.Expression]]] = {
    "OR": (OR, exp.Or),
    "AND": (AND, exp.And),
    "+": (SUM, exp.Add),
    "-": (SUM, exp.Sub),
    "*": (PRODUCT, exp.Mul),
    "/": (PRODUCT, exp.Div),
    "||": (PRODUCT, exp.DPipe),
}
_ASSOCIATIVE = (exp.Or, exp.And, exp.Add, exp.Mul, exp.DPipe)
_COMPARISONS: dict[str, type[exp.Expression]] = {
    "=": exp.EQ,
    "<>": exp.NEQ,
    "!=": exp.NEQ,
    "<": exp.LT,
    "<=": exp.LTE,
    ">": exp.GT,
    ">=": exp.GTE,
}
_TEMPORAL_WORDS = sorted({phrase.split()[0] for phrase in words.TEMPORAL_OPERATORS})
_NO_SUBQUERY = (
    "join with it instead: … FROM a JOIN (SELECT STREAM …) OVER (RANGE INTERVAL '1' MINUTE PRECEDING) AS b ON …"
)


def expression(cursor: Cursor, power: int = OR) -> exp.Expression:
    """Reads an expression whose operators bind at least as tightly as `power` says."""
    cursor.enter()
    negation = cursor.accept("NOT") if power <= NOT else None
    if negation is not None:
        left: exp.Expression = cursor.make(exp.Not, negation.start, this=expression(cursor, NOT))
    else:
        left = _operand(cursor)
    left = _continued(cursor, left, power)
    cursor.leave()
    return left


def expressions(cursor: Cursor) -> list[exp.Expression]:
    """Reads expressions with commas between them, at least one."""
    found = [expression(cursor)]
    while cursor.accept(","):
        found.append(expression(cursor))
    return found


def _continued(cursor: Cursor, left: exp.Expression, power: int) -> exp.Expression:
    while True:
        rule = _INFIX.get(cursor.token.text) if cursor.token.kind in (Kind.WORD, Kind.SYMBOL) else None
        if rule is None or rule.power < power:
            cursor.at(*_INFIX_WORDS)
            return left
        read = rule.read(cursor, left)
        if read is None:
            return left
        left = read


def _chain(cursor: Cursor, left: exp.Expression) -> exp.Expression:
    power = _CHAINS[cursor.token.text][0]
    operands, kinds = [left], []
    while cursor.token.kind in (Kind.WORD, Kind.SYMBOL):
        found = _CHAINS.get(cursor.token.text)
        if found is None or found[0] != power:
            break
        cursor.advance()
        kinds.append(found[1])
        operands.append(expression(cursor, power + 1))
    if len(operands) > _LEFT_DEEP_MAX and kinds[0] in _ASSOCIATIVE and len(set(kinds)) == 1:
        return _balanced(cursor, kinds[0], operands)
    tree = left
    for kind, operand in zip(kinds, operands[1:], strict=True):
        tree = _binary(cursor, kind, tree, operand)
    return tree


def _balanced(cursor: Cursor, kind: type[exp.Expression], operands: list[exp.Expression]) -> exp.Expression:
    while len(operands) > 1:
        pairs = zip(operands[::2], operands[1::2], strict=False)
        rest = operands[-1:] if len(operands) % 2 else []
        operands = [_binary(cursor, kind, left, right) for left, right in pairs] + rest
    return operands[0]


def _binary(cursor: Cursor, kind: type[exp.Expression], left: exp.Expression, right: exp.Expression) -> exp.Expression:
    return cursor.make(kind, start_of(left), end=end_of(right), this=left, expression=right)


# --- predicates


def _comparison(cursor: Cursor, left: exp.Expression) -> exp.Expression:
    sign = cursor.advance()
    if isinstance(left, tuple(_COMPARISONS.values())):
        raise cursor.error("comparisons cannot be chained", sign, "write a < b AND b < c, or use parentheses")
    _reject_misread_equals(cursor, sign)
    return _binary(cursor, _COMPARISONS[sign.text], left, expression(cursor, SUM))


def _reject_misread_equals(cursor: Cursor, sign: Token) -> None:
    if cursor.token.kind is Kind.SYMBOL and cursor.token.text in ("=", ">", "<") and cursor.token.start == sign.end:
        raise cursor.error(f"there is no operator {sign.text}{cursor.token.text}", sign, "write >=, <= or <>")


def _between(cursor: Cursor, left: exp.Expression) -> exp.Expression:
    cursor.expect("BETWEEN")
    low = expression(cursor, SUM)
    cursor.expect("AND")
    return cursor.make(exp.Between, start_of(left), this=left, low=low, high=expression(cursor, SUM))


def _in(cursor: Cursor, left: exp.Expression) -> exp.Expression:
    cursor.expect("IN")
    cursor.open()
    if cursor.at("SELECT"):
        raise cursor.error("IN takes a list of values, not a subquery", cursor.token, _NO_SUBQUERY)
    items = expressions(cursor)
    cursor.close()
    return cursor.make(exp.In, start_of(left), this=left, expressions=items)


def _like(cursor: Cursor, left: exp.Expression) -> exp.Expression:
    return _pattern(cursor, exp.Like, left, cursor.expect("LIKE"))


def _similar(cursor: Cursor, left: exp.Expression) -> exp.Expression:
    word = cursor.expect("SIMILAR")
    cursor.expect("TO")
    return _pattern(cursor, exp.SimilarTo, left, word)


def _pattern(cursor: Cursor, kind: type[exp.Expression], left: exp.Expression, word: Token) -> exp.Expression:
    if cursor.token.kind is Kind.QUOTED and "%" in cursor.token.text:
        cursor.string(f"a pattern after {word.text}")
    match = _binary(cursor, kind, left, expression(cursor, SUM))
    if not cursor.accept("ESCAPE"):
        return match
    token = cursor.string("the escape character")
    escape = literals.string_literal(cursor, token)
    return cursor.make(exp.Escape, start_of(left), this=match, expression=escape)


def _negated(cursor: Cursor, left: exp.Expression) -> exp.Expression:
    cursor.expect("NOT")
    cursor.at(*_NEGATABLE)
    read = _NEGATABLE.get(cursor.token.text) if cursor.token.kind is Kind.WORD else None
    if read is None:
        raise cursor.unexpected("BETWEEN, IN, LIKE or SIMILAR TO")
    return cursor.make(exp.Not, start_of(left), this=read(cursor, left))


def _is(cursor: Cursor, left: exp.Expression) -> exp.Expression:
    cursor.expect("IS")
    negated = cursor.accept("NOT") is not None
    if cursor.accept("DISTINCT"):
        cursor.expect("FROM")
        kind: type[exp.Expression] = exp.NullSafeEQ if negated else exp.NullSafeNEQ
        return _binary(cursor, kind, left, expression(cursor, SUM))
    word = cursor.expect("NULL", "TRUE", "FALSE", "UNKNOWN", "DISTINCT FROM")
    found = _binary(cursor, exp.Is, left, literals.truth_value(cursor, word))
    return cursor.make(exp.Not, start_of(left), this=found) if negated else found


def _temporal(cursor: Cursor, left: exp.Expression) -> exp.Expression | None:
    """(a, b) OVERLAPS (c, d); None if the word is a name here, because no period stands before it."""
    if not isinstance(left, exp.Tuple):
        return None
    first = cursor.advance().text
    if first in ("IMMEDIATELY", "STRICTLY"):
        options = [phrase.split()[1] for phrase in sorted(words.TEMPORAL_OPERATORS) if phrase.startswith(first)]
        first = f"{first} {cursor.expect(*options).text}"
    cursor.accept("PERIOD")
    right = _parenthesis(cursor, closing=True) if cursor.at("(") else _operand(cursor)
    right = _continued(cursor, right, SUM)
    return cursor.make(TemporalPredicate, start_of(left), left=left, operator=first, right=right)


class _Infix(NamedTuple):
    power: int
    read: Callable[[Cursor, exp.Expression], exp.Expression | None]


_NEGATABLE = {"BETWEEN": _between, "IN": _in, "LIKE": _like, "SIMILAR": _similar}
_INFIX = {
    **{text: _Infix(power, _chain) for text, (power, _) in _CHAINS.items()},
    **{text: _Infix(PREDICATE, _comparison) for text in _COMPARISONS},
    **{text: _Infix(PREDICATE, read) for text, read in _NEGATABLE.items()},
    "NOT": _Infix(PREDICATE, _negated),
    "IS": _Infix(TRUTH, _is),
    **{word: _Infix(PREDICATE, _temporal) for word in _TEMPORAL_WORDS},
}
_INFIX_WORDS = ("AND", "OR", "BETWEEN", "IN", "LIKE", "SIMILAR", "IS", "NOT")


# --- operands


def _operand(cursor: Cursor) -> exp.Expression:
    sign = cursor.accept("-", "+")
    if sign is not None:
        inner = expression(cursor, UNARY)
        return cursor.make(exp.Neg, sign.start, this=inner) if sign.text == "-" else inner
    token = cursor.token
    if token.kind is Kind.WORD:
        return _word(cursor, token)
    if token.kind is Kind.QUOTED:
        return functions.call(cursor) if is_one_of(cursor.ahead(), ("(",)) else _column(cursor)
    if token.kind in literals.LITERALS:
        return literals.literal(cursor)
    if is_one_of(token, ("(",)):
        return _parenthesis(cursor)
    if is_one_of(token, ("*",)):
        raise cursor.error("* is not a value", token, "it stands alone in SELECT, or in COUNT(*)")
    raise cursor.unexpected("an expression")


def _word(cursor: Cursor, token: Token) -> exp.Expression:
    following = cursor.ahead()
    if token.text in literals.PREFIXES and (found := literals.prefixed(cursor)) is not None:
        return found
    if token.text in words.NILADIC:
        return functions.niladic(cursor)
    if token.text in _REFUSED:
        raise cursor.error(*_REFUSED[token.text](token))
    if token.text == "PERIOD" and is_one_of(following, ("(",)):
        cursor.advance()
        return _parenthesis(cursor)
    if is_one_of(following, ("(",)) and functions.callable_word(token.text):
        return functions.call(cursor)
    if token.text == "CASE":
        return functions.case(cursor)
    if token.text in words.RESERVED:
        raise cursor.unexpected("an expression")
    return _column(cursor)


def _column(cursor: Cursor) -> exp.Expression:
    """name, table.name, table.record.field (or record.field, which looks like table.name)."""
    parts = [cursor.name("a column")]
    while cursor.accept("."):
        if cursor.at("*"):
            raise cursor.error("* is not a value", cursor.token, "it stands alone in SELECT, or in COUNT(*)")
        parts.append(cursor.name("a name after the dot", alias=True))
    start = start_of(parts[0])
    if len(parts) > 3:
        raise cursor.error("a name has at most three parts", parts[3], "write stream.column, or stream.record.field")
    if len(parts) == 1:
        return cursor.make(exp.Column, start, this=parts[0])
    column = cursor.make(exp.Column, start, end=end_of(parts[1]), this=parts[1], table=parts[0])
    return column if len(parts) == 2 else cursor.make(exp.Dot, start, this=column, expression=parts[2])


def _parenthesis(cursor: Cursor, *, closing: bool = False) -> exp.Expression:
    """(a), (a - b) SECOND, or the period (a, b), which stands before a temporal predicate or, `closing`, after it."""
    opened = cursor.open()
    if cursor.at("SELECT"):
        raise cursor.error("a subquery cannot be a value", cursor.token, _NO_SUBQUERY)
    items = expressions(cursor)
    cursor.close()
    if len(items) == 1:
        inner = cursor.make(exp.Paren, opened.start, this=items[0])
        return _interval_cast(cursor, inner) if cursor.at(*words.UNITS) else inner
    period = cursor.make(exp.Tuple, opened.start, expressions=items)
    if len(items) != 2 or not (closing or cursor.at(*_TEMPORAL_WORDS)):
        hint = "lists stand after IN; a period, (start, end), stands beside OVERLAPS and its like"
        raise cursor.error("a list of values is not a value", period, hint)
    return period


def _interval_cast(cursor: Cursor, inner: exp.Paren) -> exp.Expression:
    unit, to = literals.interval_range(cursor)
    return cursor.make(IntervalCast, start_of(inner), this=inner.this, unit=unit, to=to)


def _refused_query(token: Token) -> tuple[str, Token, str]:
    return f"{token.text} cannot be a value", token, _NO_SUBQUERY


def _refused_cursor(token: Token) -> tuple[str, Token, str]:
    return "CURSOR is not a value", token, "it is an argument of a table function: FROM TABLE(f(CURSOR(SELECT …), …))"


_REFUSED: dict[str, Callable[[Token], tuple[str, Token, str]]] = {
    "EXISTS": _refused_query,
    "SELECT": _refused_query,
    "CURSOR": _refused_cursor,
}
