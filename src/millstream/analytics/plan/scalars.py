"""Expressions of the syntax tree as typed scalars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import islice
from typing import Protocol

from sqlglot import exp

from millstream.analytics.language.nodes import (
    FloorTo,
    IntervalCast,
    IntervalLiteral,
    OverCall,
    StepBy,
    TemporalLiteral,
    TemporalPredicate,
    TypeCast,
)
from millstream.analytics.plan import literals
from millstream.analytics.plan.environment import Environment, Function
from millstream.analytics.plan.names import AGGREGATES, OVER_ONLY, TABLE_FUNCTIONS
from millstream.analytics.plan.problems import place_of, placed, problem
from millstream.analytics.plan.scopes import Scope
from millstream.analytics.plan.suggestions import did_you_mean, written
from millstream.analytics.plan.trees import ROW_TIME, parts, substitute
from millstream.analytics.scalars import signatures
from millstream.analytics.scalars.nodes import Literal, Scalar
from millstream.analytics.scalars.types import BOOLEAN, NULL, Kind, SqlType

_BINARY: dict[type[exp.Expression], str] = {
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.DPipe: "||", exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<",
    exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=", exp.And: "AND", exp.Or: "OR",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM", exp.NullSafeNEQ: "IS DISTINCT FROM",
}  # fmt: skip

_PARTS_MAX = 20_000
"""Functions of functions grow without bound; this is more than anybody writes."""


class Calls(Protocol):
    """What becomes of the calls that are more than scalars. Each gives the scalar that stands for the result."""

    def aggregate(self, call: exp.Anonymous) -> Scalar: ...

    def over(self, call: OverCall) -> Scalar: ...

    def monotonic(self, call: exp.Anonymous, value: Scalar) -> Scalar: ...


class NoCalls:
    """Where only scalars may stand; `clause` is how people call that place."""

    def __init__(self, clause: str) -> None:
        self._clause = clause

    def aggregate(self, call: exp.Anonymous) -> Scalar:
        """Refused."""
        hint = "conditions on groups stand in HAVING" if self._clause == "WHERE" else ""
        raise problem(call, f"Aggregate {call.this} cannot be used in {self._clause}", hint)

    def over(self, call: OverCall) -> Scalar:
        """Refused."""
        hint = "compute it in a subquery: FROM (SELECT STREAM …, f(…) OVER (…) AS x FROM …)"
        raise problem(call, f"A function OVER a window cannot be used in {self._clause}", hint)

    def monotonic(self, call: exp.Anonymous, value: Scalar) -> Scalar:  # noqa: ARG002 (the protocol's)
        """Refused."""
        raise problem(call, f"MONOTONIC cannot be used in {self._clause}")


class Translator:
    """Makes scalars of expressions over one scope."""

    def __init__(self, environment: Environment, scope: Scope, calls: Calls) -> None:
        self._environment = environment
        self._scope = scope
        self._calls = calls

    def scalar(self, node: exp.Expression) -> Scalar:
        """The typed scalar. Raises SqlError."""
        make = _TRANSLATIONS.get(type(node))
        if make is not None:
            return make(self, node)
        if isinstance(node, exp.Star):
            raise problem(node, "* can only stand for the columns of a SELECT, or in COUNT(*)")
        if isinstance(node, exp.Subquery | exp.Query) or type(node).__name__ in ("SelectStream", "UnionAll"):
            raise problem(node, "A query cannot be used as a value", "join with it in FROM")
        raise problem(node, f"{node.sql()[:60] or type(node).__name__} is not supported here")

    def predicate(self, node: exp.Expression, clause: str) -> Scalar:
        """A BOOLEAN."""
        value = self.scalar(node)
        if value.type.kind not in (Kind.BOOLEAN, Kind.NULL):
            raise problem(node, f"{clause} needs a condition, not a {value.type.kind.value}", "compare it: … = …")
        return value

    def call(self, node: exp.Expression, function: str, arguments: Sequence[Scalar]) -> Scalar:
        """A typed call, at the place of a node."""
        with placed(node):
            return signatures.call(function, arguments, place_of(node))

    def cast(self, node: exp.Expression, value: Scalar, to: SqlType, *, implicit: bool = False) -> Scalar:
        """A typed cast, at the place of a node."""
        with placed(node):
            return signatures.cast(value, to, place_of(node), implicit=implicit)

    def _column(self, node: exp.Column) -> Scalar:
        if isinstance(node.this, exp.Star):
            raise problem(node, "* can only stand for the columns of a SELECT, or in COUNT(*)")
        value, rest = self._scope.resolve(node)
        return self._field(node, value, rest) if rest is not None else value._replace(span=place_of(node))

    def _dot(self, node: exp.Dot) -> Scalar:
        return self._field(node, self.scalar(node.this), node.expression.name)

    def _field(self, node: exp.Expression, record: Scalar, name: str) -> Scalar:
        return self.call(node, "FIELD", (record, Literal(name, SqlType(Kind.VARCHAR, max(1, len(name))))))

    def _literal(self, node: exp.Literal) -> Scalar:
        return literals.string(node) if node.is_string else literals.number(node)

    def _binary(self, node: exp.Expression) -> Scalar:
        return self.call(node, _BINARY[type(node)], self._chain(node))

    def _chain(self, node: exp.Expression) -> list[Scalar]:
        """The operands; a AND b AND c is one call, so that long conditions do not nest."""
        if not isinstance(node, exp.And | exp.Or):
            return [self.scalar(node.this), self.scalar(node.expression)]
        operands: list[exp.Expression] = []
        rest: list[exp.Expression] = [node]
        while rest:
            last = rest.pop()
            if type(last) is type(node):
                rest += [last.this, last.expression]
            else:
                operands.append(last)
        return [self.scalar(operand) for operand in reversed(operands)]

    def _negated(self, node: exp.Not) -> Scalar:
        inner = node.this.unnest()
        if isinstance(inner, exp.Is):
            return self._is(inner, negated=True)
        return self.call(node, "NOT", (self.scalar(node.this),))

    def _is(self, node: exp.Is, negated: bool = False) -> Scalar:
        value, what = self.scalar(node.this), node.expression
        word = "NULL" if isinstance(what, exp.Null) else "TRUE" if what.this else "FALSE"
        return self.call(node, f"IS {'NOT ' if negated else ''}{word}", (value,))

    def _between(self, node: exp.Between) -> Scalar:
        return self.call(node, "BETWEEN", [self.scalar(node.args[part]) for part in ("this", "low", "high")])

    def _in(self, node: exp.In) -> Scalar:
        if not node.expressions:
            raise problem(node, "IN needs a list of values", "for the rows of a query use a join")
        return self.call(node, "IN", [self.scalar(one) for one in [node.this, *node.expressions]])

    def _like(self, node: exp.Expression, escape: exp.Expression | None = None) -> Scalar:
        function = "LIKE" if isinstance(node, exp.Like) else "SIMILAR TO"
        operands = [node.this, node.expression, *([escape] if escape is not None else [])]
        return self.call(node, function, [self.scalar(operand) for operand in operands])

    def _escape(self, node: exp.Escape) -> Scalar:
        if not isinstance(node.this, exp.Like | exp.SimilarTo):
            raise problem(node, "ESCAPE belongs to LIKE or SIMILAR TO")
        return self._like(node.this, node.expression)

    def _case(self, node: exp.Case) -> Scalar:
        subject = self.scalar(node.this) if node.this is not None else None
        arguments: list[Scalar] = []
        for branch in node.args["ifs"]:
            arguments += [self._condition(branch.this, subject), self.scalar(branch.args["true"])]
        default = node.args.get("default")
        if default is not None:
            arguments.append(self.scalar(default))
        return self.call(node, "CASE", arguments)

    def _condition(self, node: exp.Expression, subject: Scalar | None) -> Scalar:
        if subject is None:
            return self.predicate(node, "WHEN")
        return self.call(node, "=", (subject, self.scalar(node)))

    def _type_cast(self, node: TypeCast) -> Scalar:
        return self.cast(node, self.scalar(node.this), literals.type_of(node.args["to"]))

    def _interval_cast(self, node: IntervalCast) -> Scalar:
        inner = node.this.unnest()
        if not isinstance(inner, exp.Sub):
            raise problem(node, "An interval is the difference of two times", "write (a - b) SECOND")
        words = [str(node.args[part]).upper() for part in ("unit", "to") if node.args.get(part)]
        units = [Literal(word, SqlType(Kind.CHAR, len(word))) for word in words]
        return self.call(node, "INTERVAL OF", [self.scalar(inner.this), self.scalar(inner.expression), *units])

    def _step(self, node: StepBy) -> Scalar:
        return self.call(node, "STEP", (self.scalar(node.this), self.scalar(node.args["step"])))

    def _floor(self, node: FloorTo) -> Scalar:
        unit = str(node.args["unit"]).upper()
        function = "CEIL TO" if node.args.get("up") else "FLOOR TO"
        return self.call(node, function, (self.scalar(node.this), Literal(unit, SqlType(Kind.CHAR, len(unit)))))

    def _temporal_predicate(self, node: TemporalPredicate) -> Scalar:
        sides = [node.args["left"], node.args["right"]]
        ends = [end for side in sides for end in (side.expressions if isinstance(side, exp.Tuple) else [side])]
        return self.call(node, str(node.args["operator"]).upper(), [self.scalar(end) for end in ends])

    def _anonymous(self, node: exp.Anonymous) -> Scalar:
        name = str(node.this)
        if name in self._environment.functions:
            return self._own_function(node, self._environment.functions[name])
        if name == "CURRENT_ROW_TIMESTAMP" and not node.expressions:
            return ROW_TIME._replace(span=place_of(node))
        if name in AGGREGATES:
            return self._calls.aggregate(node)
        if name == "MONOTONIC":
            return self._monotonic(node)
        if name in OVER_ONLY:
            raise problem(node, f"{name} needs a window", f"write {name}(…) OVER (ROWS 10 PRECEDING)")
        if name in TABLE_FUNCTIONS:
            hint = f"it stands in FROM TABLE({name}(CURSOR(SELECT STREAM …), …))"
            raise problem(node, f"{name} gives a table, not a value", hint)
        if name not in signatures.SCALAR_FUNCTIONS:
            known = [*signatures.SCALAR_FUNCTIONS, *self._environment.functions, *AGGREGATES, *OVER_ONLY]
            raise problem(node, f"There is no function {written(name)}", did_you_mean(name, known))
        return self.call(node, name, [self.scalar(argument) for argument in node.expressions])

    def _monotonic(self, node: exp.Anonymous) -> Scalar:
        if len(node.expressions) != 1:
            raise problem(node, "MONOTONIC takes one argument")
        return self._calls.monotonic(node, self.scalar(node.expressions[0]))

    def _own_function(self, node: exp.Anonymous, function: Function) -> Scalar:
        if len(node.expressions) != len(function.parameters):
            count = len(function.parameters)
            message = f"{written(function.name)} takes {count} argument{'' if count == 1 else 's'}"
            raise problem(node, f"{message}, not {len(node.expressions)}")
        values = {
            parameter.name: self.cast(argument, self.scalar(argument), parameter.type, implicit=True)
            for parameter, argument in zip(function.parameters, node.expressions, strict=True)
        }
        value = substitute(function.value, values)
        if len(list(islice(parts(value), _PARTS_MAX + 1))) > _PARTS_MAX:
            raise problem(node, f"{written(function.name)} makes an expression that is too large", "use a subquery")
        return value._replace(span=place_of(node))

    def _over(self, node: OverCall) -> Scalar:
        return self._calls.over(node)

    def _paren(self, node: exp.Paren) -> Scalar:
        return self.scalar(node.this)

    def _binary_literal(self, node: exp.HexString) -> Scalar:
        return literals.binary(node)

    def _boolean(self, node: exp.Boolean) -> Scalar:
        return Literal(bool(node.this), BOOLEAN, place_of(node))

    def _null(self, node: exp.Null) -> Scalar:
        return Literal(None, NULL, place_of(node))

    def _temporal(self, node: TemporalLiteral) -> Scalar:
        return literals.temporal(node)

    def _interval(self, node: IntervalLiteral) -> Scalar:
        return literals.interval(node)

    def _negative(self, node: exp.Neg) -> Scalar:
        value = self.scalar(node.this)
        is_number = isinstance(value, Literal) and isinstance(value.value, int | float | Decimal)
        if is_number and isinstance(value, Literal) and not isinstance(value.value, bool):
            return value._replace(value=-value.value, span=place_of(node))  # type: ignore[operator]
        return self.call(node, "NEG", (value,))


_TRANSLATIONS: dict[type[exp.Expression], Callable[..., Scalar]] = {
    **dict.fromkeys(_BINARY, Translator._binary),
    exp.Column: Translator._column,
    exp.Dot: Translator._dot,
    exp.Literal: Translator._literal,
    exp.HexString: Translator._binary_literal,
    exp.Boolean: Translator._boolean,
    exp.Null: Translator._null,
    exp.Paren: Translator._paren,
    exp.Neg: Translator._negative,
    exp.Not: Translator._negated,
    exp.Is: Translator._is,
    exp.Between: Translator._between,
    exp.In: Translator._in,
    exp.Like: Translator._like,
    exp.SimilarTo: Translator._like,
    exp.Escape: Translator._escape,
    exp.Case: Translator._case,
    exp.Anonymous: Translator._anonymous,
    TypeCast: Translator._type_cast,
    TemporalLiteral: Translator._temporal,
    IntervalLiteral: Translator._interval,
    IntervalCast: Translator._interval_cast,
    StepBy: Translator._step,
    FloorTo: Translator._floor,
    TemporalPredicate: Translator._temporal_predicate,
    OverCall: Translator._over,
}
