"""SQL's types, and how their values lie in a batch.

BOOLEAN Boolean | TINYINT Int8 | SMALLINT Int16 | INTEGER Int32 | BIGINT Int64 | DECIMAL(p, s) Decimal(p, s), p to 18
REAL Float32 | DOUBLE Float64 | CHAR, VARCHAR(n) String | BINARY, VARBINARY(n) Binary | DATE Date | TIME Time
TIMESTAMP Datetime("ms"), without time zone (UTC) | INTERVAL DAY TO SECOND Int64 ms | INTERVAL YEAR TO MONTH Int64
months
RECORD Struct of Strings

Strings without a length hold 65,535 characters, CHAR without one holds 1, DECIMAL without precision is DECIMAL(18, 0).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from millstream.analytics.scalars.mistakes import Mistake, did_you_mean


class Kind(StrEnum):
    """What a value is."""

    BOOLEAN = "BOOLEAN"
    TINYINT = "TINYINT"
    SMALLINT = "SMALLINT"
    INTEGER = "INTEGER"
    BIGINT = "BIGINT"
    DECIMAL = "DECIMAL"
    REAL = "REAL"
    DOUBLE = "DOUBLE"
    CHAR = "CHAR"
    VARCHAR = "VARCHAR"
    BINARY = "BINARY"
    VARBINARY = "VARBINARY"
    DATE = "DATE"
    TIME = "TIME"
    TIMESTAMP = "TIMESTAMP"
    INTERVAL_DAY = "INTERVAL DAY TO SECOND"
    INTERVAL_YEAR = "INTERVAL YEAR TO MONTH"
    RECORD = "RECORD"
    NULL = "NULL"  # of the literal NULL, until something says what it is


class SqlType(NamedTuple):
    """A type: `size` is the length of strings (characters, bytes) or the precision of DECIMAL, `scale` of DECIMAL;
    `fields` of RECORD; of an interval: its first and last unit where it has them ("MINUTE", "SECOND").

    `types` are those of a RECORD's fields, which lie in it as text that FIELD casts; empty: VARCHAR(1024) each.
    """

    kind: Kind
    size: int | None = None
    scale: int | None = None
    fields: tuple[str, ...] = ()
    types: tuple[SqlType, ...] = ()


LENGTH_MAX = 65_535
PRECISION_MAX = 18

BOOLEAN = SqlType(Kind.BOOLEAN)
INTEGER = SqlType(Kind.INTEGER)
BIGINT = SqlType(Kind.BIGINT)
DOUBLE = SqlType(Kind.DOUBLE)
DATE = SqlType(Kind.DATE)
TIME = SqlType(Kind.TIME)
TIMESTAMP = SqlType(Kind.TIMESTAMP)
VARCHAR = SqlType(Kind.VARCHAR, LENGTH_MAX)
NULL = SqlType(Kind.NULL)

INTEGER_BITS = {Kind.TINYINT: 8, Kind.SMALLINT: 16, Kind.INTEGER: 32, Kind.BIGINT: 64}
INTEGER_DIGITS = {Kind.TINYINT: 3, Kind.SMALLINT: 5, Kind.INTEGER: 10, Kind.BIGINT: 19}
INTEGERS = frozenset(INTEGER_BITS)
EXACT = INTEGERS | {Kind.DECIMAL}
FLOATS = frozenset({Kind.REAL, Kind.DOUBLE})
NUMBERS = EXACT | FLOATS
TEXTS = frozenset({Kind.CHAR, Kind.VARCHAR})
BINARIES = frozenset({Kind.BINARY, Kind.VARBINARY})
TIMES = frozenset({Kind.DATE, Kind.TIME, Kind.TIMESTAMP})
INTERVALS = frozenset({Kind.INTERVAL_DAY, Kind.INTERVAL_YEAR})

UNIT_MS = {"DAY": 86_400_000, "HOUR": 3_600_000, "MINUTE": 60_000, "SECOND": 1000, "MILLISECOND": 1}
UNIT_MONTHS = {"YEAR": 12, "QUARTER": 3, "MONTH": 1}

_SYNONYMS = {
    "INT": Kind.INTEGER,
    "DEC": Kind.DECIMAL,
    "NUMERIC": Kind.DECIMAL,
    "FLOAT": Kind.DOUBLE,
    "DOUBLE PRECISION": Kind.DOUBLE,
    "CHARACTER": Kind.CHAR,
    "CHAR VARYING": Kind.VARCHAR,
    "CHARACTER VARYING": Kind.VARCHAR,
    "BINARY VARYING": Kind.VARBINARY,
}
_NAMED = {str(kind): kind for kind in Kind if kind not in INTERVALS | {Kind.RECORD, Kind.NULL}} | _SYNONYMS
_LENGTHS = {Kind.CHAR: 1, Kind.VARCHAR: LENGTH_MAX, Kind.BINARY: 1, Kind.VARBINARY: LENGTH_MAX}
_TEXT = re.compile(r"\s*([A-Za-z]+(?:\s+[A-Za-z]+)*)\s*(?:\(\s*(\d{1,9})\s*(?:,\s*(\d{1,9})\s*)?\))?\s*")


def sql_type(name: str, parameters: Sequence[int] = ()) -> SqlType:
    """The type of a name ("DOUBLE", "VARCHAR") and the numbers behind it. Raises Mistake."""
    upper = " ".join(name.upper().split())
    kind = _NAMED.get(upper)
    if kind is None:
        hint = (
            did_you_mean(upper, _NAMED) or "types are VARCHAR(n), INTEGER, BIGINT, DOUBLE, DECIMAL(p, s), TIMESTAMP, …"
        )
        raise Mistake(f"There is no type {name}", hint)
    if kind in _LENGTHS:
        return _sized(kind, parameters)
    if kind is Kind.DECIMAL:
        return _decimal(parameters)
    # TIMESTAMP(3), FLOAT(24): a precision that says nothing new
    if parameters and (len(parameters) > 1 or kind not in TIMES | FLOATS):
        raise Mistake(f"{upper} takes no length", f"write {upper}")
    return SqlType(kind)


def parse_type(text: str) -> SqlType:
    """The type that a text like "VARCHAR(16)", "DECIMAL(10,2)", "DOUBLE PRECISION" names. Raises Mistake."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise Mistake(f"{text!r} is not a type", "for example VARCHAR(16), DECIMAL(10, 2), TIMESTAMP")
    return sql_type(match[1], [int(number) for number in match.groups()[1:] if number is not None])


def decimal(precision: int, scale: int) -> SqlType:
    """DECIMAL(precision, scale), each cut to what DECIMAL has."""
    capped = min(PRECISION_MAX, max(1, precision))
    return SqlType(Kind.DECIMAL, capped, min(capped, scale))


def varchar(length: int | None) -> SqlType:
    """VARCHAR of so many characters, cut to what VARCHAR has; None: as many as it has."""
    return SqlType(Kind.VARCHAR, LENGTH_MAX if length is None else max(1, min(length, LENGTH_MAX)))


def interval_type(unit: str, to: str | None = None) -> SqlType:
    """The type of an interval in a unit, or from a unit to a smaller one. Raises Mistake."""
    for word in (unit, to):
        if word is not None and word not in UNIT_MS and word not in UNIT_MONTHS:
            raise Mistake(f"{word} is not a unit of intervals", "units are YEAR, MONTH, DAY, HOUR, MINUTE and SECOND")
    if to is not None and (unit in UNIT_MONTHS) != (to in UNIT_MONTHS):
        raise Mistake(f"An interval cannot be {unit} TO {to}", "months and days are different things")
    kind = Kind.INTERVAL_YEAR if unit in UNIT_MONTHS else Kind.INTERVAL_DAY
    return SqlType(kind, fields=(unit, to or unit))


def record(fields: Iterable[str], types: Iterable[SqlType] = ()) -> SqlType:
    """RECORD of these fields."""
    return SqlType(Kind.RECORD, fields=tuple(fields), types=tuple(types))


def digits(of: SqlType) -> tuple[int, int]:
    """Precision and scale of an exact number's type."""
    if of.kind is Kind.DECIMAL:
        return of.size or PRECISION_MAX, of.scale or 0
    return INTEGER_DIGITS[of.kind], 0


def integer_range(kind: Kind) -> tuple[int, int]:
    """The least and the greatest value of an integer type."""
    half = 1 << (INTEGER_BITS[kind] - 1)
    return -half, half - 1


def show(of: SqlType) -> str:
    """The type as SQL writes it."""
    if of.kind in INTERVALS and of.fields:
        first, last = of.fields[0], of.fields[-1]
        return f"INTERVAL {first}" if first == last else f"INTERVAL {first} TO {last}"
    if of.kind is Kind.DECIMAL:
        return "DECIMAL({}, {})".format(*digits(of))
    return f"{of.kind}({of.size})" if of.kind in _LENGTHS and of.size is not None else str(of.kind)


def _sized(kind: Kind, parameters: Sequence[int]) -> SqlType:
    length = parameters[0] if parameters else _LENGTHS[kind]
    if len(parameters) > 1 or not 1 <= length <= LENGTH_MAX:
        raise Mistake(f"{kind} takes one length from 1 to {LENGTH_MAX}", f"for example {kind}(16)")
    return SqlType(kind, length)


def _decimal(parameters: Sequence[int]) -> SqlType:
    precision, scale = (*parameters, 0)[:2] if parameters else (PRECISION_MAX, 0)
    if len(parameters) > 2 or not 1 <= precision <= PRECISION_MAX or scale > precision:
        raise Mistake(
            f"DECIMAL takes a precision from 1 to {PRECISION_MAX} and a scale up to it", "for example DECIMAL(10, 2)"
        )
    return SqlType(Kind.DECIMAL, precision, scale)
