"""Scalars as Polars expressions: what the modules of `expressions` build on."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.faults import Fault, any_of
from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.nodes import Call, ColumnRef, Literal, Scalar
from millstream.analytics.scalars.types import Kind, SqlType

NOW = "$now"
_DEPTH_MAX = 50
_FAILING_DEPTH_MAX = 12


class Value(NamedTuple):
    """A scalar as an expression, and what can fail in it."""

    expr: pl.Expr
    fault: Fault | None = None


Maker = Callable[["Builder", Call], Value]


class _Known(NamedTuple):
    """A scalar that has been built: its number among different calls, and how deep its expression is."""

    number: int
    value: Value
    depth: int


class Builder:
    """Builds the expressions of scalars that are computed together; equal ones are built once.

    `stages` are columns to be added to the frame before, in this order of levels: what costs too much to be computed
    both for the value and for its mask, or several times. `uses_now`: the column $now (TIMESTAMP) has to be there.
    """

    def __init__(self, makers: dict[str, Maker]) -> None:
        self._makers = makers
        self._known: dict[object, _Known] = {}
        self._by_identity: dict[int, _Known] = {}
        self._levels: dict[str, int] = {}
        self._roots: list[Scalar] = []  # kept, so that no two have one identity
        self.stages: list[list[pl.Expr]] = []
        self.uses_now = False

    def value(self, scalar: Scalar) -> Value:
        """The expression of a scalar. Raises Mistake."""
        if id(scalar) not in self._by_identity:
            self._roots.append(scalar)
            for node in _bottom_up(scalar):
                self._by_identity[id(node)] = self._find(node)
        return self._by_identity[id(scalar)].value

    def _find(self, scalar: Scalar) -> _Known:
        """What an equal scalar became, or what this one becomes; its arguments are known."""
        if isinstance(scalar, ColumnRef):
            return _Known(-1, Value(pl.col(scalar.name)), 0)
        if isinstance(scalar, Literal):
            return _Known(-1, Value(literal(scalar.value, scalar.type)), 0)
        key = (scalar.function, scalar.type, *(self._name(argument) for argument in scalar.arguments))
        if key not in self._known:
            self._known[key] = self._make(scalar, len(self._known))
        return self._known[key]

    def _name(self, scalar: Scalar) -> object:
        if isinstance(scalar, ColumnRef):
            return scalar.name
        if isinstance(scalar, Literal):
            return (scalar.type, type(scalar.value), str(scalar.value))
        return self._by_identity[id(scalar)].number

    def _make(self, call: Call, number: int) -> _Known:
        """Masks repeat what they look at: long chains are computed in pieces, or their cost would be squared."""
        made = self._makers[call.function](self, call)
        depth = 1 + max((self._by_identity[id(argument)].depth for argument in call.arguments), default=0)
        if depth < (_DEPTH_MAX if made.fault is None else _FAILING_DEPTH_MAX) or call.type.kind is Kind.RECORD:
            return _Known(number, made, depth)
        return _Known(number, Value(self.share(made.expr), made.fault), 0)

    def values(self, call: Call) -> list[Value]:
        """The expressions of a call's arguments."""
        return [self.value(argument) for argument in call.arguments]

    def share(self, expression: pl.Expr) -> pl.Expr:
        """The expression, computed once, before those that refer to what this gives."""
        level = 1 + max((self._levels.get(name, -1) for name in expression.meta.root_names()), default=-1)
        name = f"$shared{len(self._levels)}"
        self._levels[name] = level
        while len(self.stages) <= level:
            self.stages.append([])
        self.stages[level].append(expression.alias(name))
        return pl.col(name)

    def spread(self, expression: pl.Expr) -> pl.Expr:
        """The expression with a value for each row, for functions of Polars that take constants for one row."""
        return expression if expression.meta.root_names() else self.share(expression)

    def now(self) -> pl.Expr:
        """The statement's time as TIMESTAMP."""
        self.uses_now = True
        return pl.col(NOW)


def _bottom_up(scalar: Scalar) -> list[Scalar]:
    """The scalar and all below it, arguments before calls."""
    found: list[Scalar] = []
    waiting = [scalar]
    while waiting:
        node = waiting.pop()
        found.append(node)
        if isinstance(node, Call):
            waiting.extend(node.arguments)
    return found[::-1]


def literal(value: object, of: SqlType) -> pl.Expr:
    """A constant of a type."""
    return pl.lit(value, dtype(of))


def plain(make: Callable[..., pl.Expr]) -> Maker:
    """The maker of a function that cannot fail itself, from the expressions of its arguments."""

    def made(builder: Builder, call: Call) -> Value:
        values = builder.values(call)
        return Value(make(*(value.expr for value in values)), any_of([value.fault for value in values]))

    return made


def failing(value: pl.Expr, *faults: Fault | None) -> Value:
    """A value with what can fail in it and in its arguments."""
    return Value(value, any_of(faults))


def real_quotient(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    """a / b of floats, correctly rounded. By one number Polars multiplies with its reciprocal, and 49 / 49 is below
    1; so the divisor is made a column."""
    return a / (b + a * 0.0)


def check_regex(text: str) -> str:
    """The regular expression, if Rust takes it. Raises Mistake."""
    try:
        pl.Series([""]).str.contains(text)
    except pl.exceptions.PolarsError as error:
        reason = str(error).strip().splitlines()[-1]
        raise Mistake(f"The regular expression is not possible: {reason}", "make it smaller") from None
    return text
