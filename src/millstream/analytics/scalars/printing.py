"""Scalars as SQL, for EXPLAIN."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

from millstream.analytics.scalars.nodes import Call, ColumnRef, Literal, Scalar
from millstream.analytics.scalars.types import INTERVALS, TEXTS, UNIT_MS, Kind, SqlType
from millstream.analytics.scalars.types import show as show_type

_INFIX = frozenset(
    {"+", "-", "*", "/", "||", "=", "<>", "<", "<=", ">", ">=", "AND", "OR", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"}
)
_POSTFIX = frozenset({"IS NULL", "IS NOT NULL", "IS TRUE", "IS FALSE", "IS UNKNOWN"})
_TEMPLATES = {
    "NEG": "-{0}",
    "NOT": "NOT {0}",
    "BETWEEN": "{0} BETWEEN {1} AND {2}",
    "STEP": "STEP({0} BY {1})",
    "POSITION": "POSITION({0} IN {1})",
}
_UNITS = {"FLOOR TO": "FLOOR({0} TO {1})", "CEIL TO": "CEIL({0} TO {1})", "EXTRACT": "EXTRACT({0} FROM {1})"}


def show(scalar: Scalar) -> str:
    """The scalar as SQL in one line."""
    if isinstance(scalar, ColumnRef):
        return scalar.name
    if isinstance(scalar, Literal):
        return _literal(scalar.value, scalar.type)
    return _call(scalar)


def _literal(value: object, of: SqlType) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if of.kind in INTERVALS and isinstance(value, int):
        return _interval(value, of)
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.isoformat(' ', 'auto')[:23]}'"
    if isinstance(value, date | time):
        return f"{of.kind} '{value.isoformat()}'"
    if isinstance(value, bytes):
        return f"X'{value.hex().upper()}'"
    if of.kind in TEXTS:
        return "'" + str(value).replace("'", "''") + "'"
    return str(value)


def _interval(value: int, of: SqlType) -> str:
    if of.kind is Kind.INTERVAL_YEAR:
        count, unit = (value // 12, "YEAR") if value % 12 == 0 else (value, "MONTH")
        return f"INTERVAL '{count}' {unit}"
    own = of.fields[0] if of.fields and of.fields[0] == of.fields[-1] else None
    units = [own] if own else ["DAY", "HOUR", "MINUTE", "SECOND"]
    unit = next((one for one in units if value and value % UNIT_MS[one] == 0), "SECOND")
    return f"INTERVAL '{(Decimal(value) / UNIT_MS[unit]).normalize():f}' {unit}"


def _call(call: Call) -> str:
    name = call.function
    bare = [str(one.value) if isinstance(one, Literal) and one.type.kind in TEXTS else "" for one in call.arguments]
    shown = [show(one) for one in call.arguments]
    inner = [_nested(one, text) for one, text in zip(call.arguments, shown, strict=True)]
    if name in _INFIX:
        return f" {name} ".join(inner)
    if name in _POSTFIX:
        return f"{inner[0]} {name}"
    if name in _TEMPLATES:
        return _TEMPLATES[name].format(*inner)
    if name in _UNITS:
        return _UNITS[name].format(*(text or one for text, one in zip(bare, shown, strict=True)))
    if name == "CAST":
        return f"CAST({shown[0]} AS {show_type(call.type)})"
    if name == "CASE":
        return _case(shown)
    return _worded(call, shown, inner, bare)


def _worded(call: Call, shown: list[str], inner: list[str], bare: list[str]) -> str:
    name = call.function
    if name in ("LIKE", "SIMILAR TO"):
        return f"{inner[0]} {name} {inner[1]}" + (f" ESCAPE {inner[2]}" if len(inner) > 2 else "")
    if name == "IN":
        return f"{inner[0]} IN ({', '.join(shown[1:])})"
    if name == "FIELD":
        return f"{inner[0]}.{bare[1]}"
    if name == "TRIM":
        return f"TRIM({bare[0]} {shown[1]} FROM {shown[2]})"
    if name == "INTERVAL OF":
        return f"({inner[0]} - {inner[1]}) {show_type(call.type).removeprefix('INTERVAL ')}"
    if " " in name or name in ("OVERLAPS", "CONTAINS", "EQUALS", "PRECEDES", "SUCCEEDS", "LEADS", "LAGS"):
        second = f"({', '.join(shown[2:])})" if len(shown) > 3 else shown[2]
        return f"({shown[0]}, {shown[1]}) {name} {second}"
    if not shown and name.startswith("CURRENT"):
        return name
    return f"{name}({', '.join(shown)})"


def _case(shown: list[str]) -> str:
    pairs = zip(shown[:-1:2], shown[1:-1:2], strict=True)
    branches = " ".join(f"WHEN {condition} THEN {value}" for condition, value in pairs)
    return f"CASE {branches} ELSE {shown[-1]} END"


def _nested(scalar: Scalar, text: str) -> str:
    """In parentheses where it is an operator within another."""
    operator = isinstance(scalar, Call) and (
        scalar.function in _INFIX | _POSTFIX or scalar.function in ("NOT", "NEG", "BETWEEN", "IN", "LIKE", "SIMILAR TO")
    )
    return f"({text})" if operator else text
