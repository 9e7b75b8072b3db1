"""Scalars written shortly, and computed."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

import polars as pl

from millstream.analytics.scalars.compile import Evaluator, Moment
from millstream.analytics.scalars.nodes import Call, ColumnRef, Literal, Scalar
from millstream.analytics.scalars.signatures import call
from millstream.analytics.scalars.types import (
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    NULL,
    TIME,
    TIMESTAMP,
    SqlType,
    decimal,
    interval_type,
    varchar,
)

NOW_MS = 1_474_604_966_234  # 2016-09-23 04:29:26.234
ONE_ROW = pl.DataFrame({"$seq": [0]})
_TYPES: dict[type, SqlType] = {
    bool: BOOLEAN,
    int: INTEGER,
    float: DOUBLE,
    datetime: TIMESTAMP,
    date: DATE,
    time: TIME,
    type(None): NULL,
}


def lit(value: object, of: SqlType | None = None) -> Literal:
    """A literal, its type that of the Python value unless given."""
    if of is not None:
        return Literal(value, of)
    if isinstance(value, str):
        return Literal(value, varchar(len(value)))
    if isinstance(value, Decimal):
        sign = value.as_tuple()
        return Literal(value, decimal(max(len(sign.digits), -int(sign.exponent)), max(0, -int(sign.exponent))))
    return Literal(value, _TYPES[type(value)])


def fn(name: str, *arguments: object) -> Scalar:
    """A call; Python values stand for literals."""
    return call(name, [one if isinstance(one, Literal | Call | ColumnRef) else lit(one) for one in arguments])


def interval(ms: int, unit: str = "SECOND", to: str | None = None) -> Literal:
    """An interval of ms, or of months."""
    return Literal(ms, interval_type(unit, to))


def outcome(scalar: Scalar, frame: pl.DataFrame = ONE_ROW) -> tuple[list[object], dict[int, str]]:
    """The values, and the messages of the rows that fail."""
    values, errors = Evaluator([scalar], ["value"]).run(frame, Moment(NOW_MS))
    failed = dict(zip(errors.rows, errors.messages, strict=True)) if errors else {}
    return values.to_series().to_list(), failed


def value(scalar: Scalar) -> object:
    """The value of a scalar without columns, which must not fail."""
    values, failed = outcome(scalar)
    assert not failed, failed
    assert len(values) == 1
    return values[0]


def failure(scalar: Scalar) -> str:
    """The message of a scalar without columns, which must fail and be NULL."""
    values, failed = outcome(scalar)
    assert values == [None]
    return failed[0]
