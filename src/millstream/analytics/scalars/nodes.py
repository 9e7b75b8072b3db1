"""Typed scalar expressions: what the planner makes and `compile` runs. All are immutable; `sql()` prints them (in
`printing`)."""

from __future__ import annotations

from typing import NamedTuple

from millstream.analytics.language.errors import Span
from millstream.analytics.scalars.types import SqlType


class ColumnRef(NamedTuple):
    """A column of the frame that the expression runs over, by its name there."""

    name: str
    type: SqlType
    span: Span | None = None


class Literal(NamedTuple):
    """A constant: None, bool, int, float, Decimal, str, bytes, date, time, datetime (naive, UTC); int for intervals
    (ms or months)."""

    value: object
    type: SqlType
    span: Span | None = None


class Call(NamedTuple):
    """A function or operator ("+", "AND", "LIKE", "CASE", "CAST", "FIELD", "SUBSTRING", …) on arguments of the types
    that it takes.

    CASE: condition, value, condition, value, …, default. CAST: one argument, to `type`. FIELD: a record and a
    Literal with the field's name.
    """

    function: str
    arguments: tuple[Scalar, ...]
    type: SqlType
    span: Span | None = None


Scalar = ColumnRef | Literal | Call
