"""Syntax trees in one line, for tests to compare."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from millstream.analytics.language import nodes

_OPERATORS: dict[type[exp.Expression], str] = {
    exp.And: "AND",
    exp.Or: "OR",
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.DPipe: "||",
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.Is: "IS",
    exp.Like: "LIKE",
    exp.SimilarTo: "SIMILAR",
    exp.Escape: "ESCAPE",
    exp.NullSafeEQ: "SAME",
    exp.NullSafeNEQ: "DIFFERS",
    exp.Dot: ".",
}


def compact(node: Any) -> str:
    """The tree as text: operators before their operands, names as written, calls as NAME(arguments), other nodes as
    Class(key=value …) without what is empty."""
    if isinstance(node, list):
        return f"[{' '.join(map(compact, node))}]"
    if not isinstance(node, exp.Expression):
        return str(node)
    if type(node) in _OPERATORS:
        return f"({_OPERATORS[type(node)]} {compact(node.this)} {compact(node.expression)})"
    if type(node) in _LEAVES:
        return _LEAVES[type(node)](node)
    parts = [f"{key}={compact(value)}" for key, value in node.args.items() if value not in (None, False, [])]
    return f"{type(node).__name__}({' '.join(parts)})"


def _column(node: exp.Expression) -> str:
    table = node.args.get("table")
    return f"{compact(table)}.{compact(node.this)}" if table else compact(node.this)


def _table(node: exp.Expression) -> str:
    schema = node.args.get("db")
    return f"{compact(schema)}.{compact(node.this)}" if schema else compact(node.this)


def _interval(node: exp.Expression) -> str:
    to = node.args.get("to")
    return f"INTERVAL'{node.this}'{node.args['unit']}{f'-{to}' if to else ''}"


def _type(node: exp.Expression) -> str:
    parameters = node.args.get("parameters")
    return f"{node.this}({','.join(map(str, parameters))})" if parameters else str(node.this)


_LEAVES: dict[type[exp.Expression], Callable[[exp.Expression], str]] = {
    exp.Identifier: lambda node: f'"{node.this}"' if node.args["quoted"] else str(node.this),
    exp.Column: _column,
    exp.Table: _table,
    exp.Literal: lambda node: repr(node.this) if node.is_string else str(node.this),
    exp.Null: lambda node: "NULL",
    exp.Boolean: lambda node: str(node.this).upper(),
    exp.Star: lambda node: "*",
    exp.Paren: lambda node: f"<{compact(node.this)}>",
    exp.Neg: lambda node: f"(neg {compact(node.this)})",
    exp.Not: lambda node: f"(NOT {compact(node.this)})",
    exp.Alias: lambda node: f"{compact(node.this)}:{compact(node.args['alias'])}",
    exp.Ordered: lambda node: f"{compact(node.this)}{' DESC' if node.args.get('desc') else ''}",
    exp.Anonymous: lambda node: f"{node.this}({', '.join(map(compact, node.expressions))})",
    exp.Tuple: lambda node: f"PERIOD({', '.join(map(compact, node.expressions))})",
    nodes.IntervalLiteral: _interval,
    nodes.TypeName: _type,
    nodes.TemporalLiteral: lambda node: f"{node.args['kind']}'{node.this}'",
}
