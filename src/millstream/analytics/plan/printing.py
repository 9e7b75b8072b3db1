"""Scalars and durations as people write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time

from millstream.analytics.plan.suggestions import written
from millstream.analytics.plan.trees import ROW_TIME, bare
from millstream.analytics.scalars.nodes import Call, ColumnRef, Literal, Scalar
from millstream.analytics.scalars.types import Kind, show

_INFIX = frozenset(
    {"+", "-", "*", "/", "||", "=", "<>", "<", "<=", ">", ">=", "AND", "OR", "LIKE", "SIMILAR TO"}
    | {"IS DISTINCT FROM", "IS NOT DISTINCT FROM"}
)
_PLAIN = re.compile(r"[\w$]+")
_UNITS_MS = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000))
_TEMPORAL = {Kind.DATE: "DATE", Kind.TIME: "TIME", Kind.TIMESTAMP: "TIMESTAMP"}


def duration_text(ms: int) -> str:
    """60000 is 1 min."""
    for unit, size in _UNITS_MS:
        if ms and ms % size == 0:
            return f"{ms // size} {unit}"
    return f"{ms} ms"


def column_text(name: str) -> str:
    """A column of a frame: NAME or ALIAS.NAME."""
    return ".".join(part if _PLAIN.fullmatch(part) else written(part) for part in name.split(".", 1))


def sql(scalar: Scalar) -> str:
    """A scalar in SQL, columns by their names in the frame."""
    if isinstance(scalar, ColumnRef):
        return column_text(scalar.name)
    if bare(scalar) == ROW_TIME:
        return "ROWTIME"
    if isinstance(scalar, Literal):
        return _literal(scalar)
    return _call(scalar)


def _literal(literal: Literal) -> str:
    value = literal.value
    if value is None or isinstance(value, bool):
        return "NULL" if value is None else str(value).upper()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    if isinstance(value, date | time | datetime):
        return f"{_TEMPORAL.get(literal.type.kind, '')} '{str(value).replace('T', ' ')}'"
    if literal.type.kind == Kind.INTERVAL_DAY and isinstance(value, int):
        return duration_text(value)
    return f"{value} months" if literal.type.kind == Kind.INTERVAL_YEAR else str(value)


def _call(call: Call) -> str:
    arguments = [sql(one) for one in call.arguments]
    write = _FORMS.get((call.function, len(arguments))) or _FORMS.get((call.function, 0))
    if write is not None:
        return write(call, arguments)
    if call.function in _INFIX and len(arguments) > 1:
        return f"({f' {call.function} '.join(arguments)})"
    return f"{call.function}({', '.join(arguments)})" if arguments else call.function


def _case(_: Call, arguments: list[str]) -> str:
    pairs = zip(arguments[::2], arguments[1::2], strict=False)
    branches = " ".join(f"WHEN {condition} THEN {value}" for condition, value in pairs)
    default = f" ELSE {arguments[-1]}" if len(arguments) % 2 else ""
    return f"CASE {branches}{default} END"


def _word(call: Call) -> str:
    """The word in the second argument: a unit of time, a field."""
    word = call.arguments[1]
    return str(word.value) if isinstance(word, Literal) else sql(word)


def _interval_of(call: Call, arguments: list[str]) -> str:
    return f"({arguments[0]} - {arguments[1]}) {show(call.type).removeprefix('INTERVAL ')}"


def _is(call: Call, arguments: list[str]) -> str:
    return f"{arguments[0]} {call.function}"


_FORMS: dict[tuple[str, int], Callable[[Call, list[str]], str]] = {
    ("CAST", 1): lambda call, given: f"CAST({given[0]} AS {show(call.type)})",
    ("CASE", 0): _case,
    ("FIELD", 2): lambda call, given: f"{given[0]}.{_word(call)}",
    ("FLOOR TO", 2): lambda call, given: f"FLOOR({given[0]} TO {_word(call)})",
    ("CEIL TO", 2): lambda call, given: f"CEIL({given[0]} TO {_word(call)})",
    ("STEP", 2): lambda _, given: f"STEP({given[0]} BY {given[1]})",
    ("INTERVAL OF", 2): _interval_of,
    ("IN", 0): lambda _, given: f"({given[0]} IN ({', '.join(given[1:])}))",
    ("BETWEEN", 3): lambda _, given: f"({given[0]} BETWEEN {given[1]} AND {given[2]})",
    ("LIKE", 3): lambda _, given: f"({given[0]} LIKE {given[1]} ESCAPE {given[2]})",
    ("SIMILAR TO", 3): lambda _, given: f"({given[0]} SIMILAR TO {given[1]} ESCAPE {given[2]})",
    ("NOT", 1): lambda _, given: f"NOT {given[0]}",
    ("NEG", 1): lambda _, given: f"-{given[0]}",
    **{(f"IS {word}", 1): _is for word in ("NULL", "NOT NULL", "TRUE", "FALSE", "UNKNOWN")},
}
