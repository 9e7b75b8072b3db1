"""What is written out in a program: numbers, texts, times, intervals, types."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal

from sqlglot import exp

from millstream.analytics.language.nodes import IntervalLiteral, TemporalLiteral, TypeName
from millstream.analytics.plan.problems import place_of, placed, problem
from millstream.analytics.scalars import literals as texts
from millstream.analytics.scalars.nodes import Literal
from millstream.analytics.scalars.types import (
    BIGINT,
    DOUBLE,
    INTEGER,
    PRECISION_MAX,
    UNIT_MONTHS,
    UNIT_MS,
    Kind,
    SqlType,
    decimal,
    interval_type,
    sql_type,
)

_INTEGER_MAX = 2**31 - 1
_BIGINT_MAX = 2**63 - 1
_DAY_UNITS = ("DAY", "HOUR", "MINUTE", "SECOND")
_DATE_LAST_MS = 366 * 9999 * UNIT_MS["DAY"]


def number(node: exp.Literal) -> Literal:
    """INTEGER or BIGINT without a point, DECIMAL with one, DOUBLE with an exponent or too many digits."""
    text, span = str(node.this), place_of(node)
    if re.fullmatch(r"[0-9]+", text):
        digits = text.lstrip("0") or "0"
        value = int(digits) if len(digits) <= len(str(_BIGINT_MAX)) else _BIGINT_MAX + 1
        if value > _BIGINT_MAX:
            raise problem(node, f"The number {text[:40]} is too large for a BIGINT", "write it with an exponent: 1e20")
        return Literal(value, INTEGER if value <= _INTEGER_MAX else BIGINT, span)
    if re.fullmatch(r"[0-9]*\.[0-9]*", text) and 2 <= len(text) <= PRECISION_MAX + 1:
        whole, _, fraction = text.partition(".")
        digits = whole.lstrip("0") + fraction
        return Literal(Decimal(f"{whole or 0}.{fraction or 0}"), decimal(len(digits), len(fraction)), span)
    try:
        approximate = float(text)
    except ValueError:
        raise problem(node, f"{text[:40]} is not a number") from None
    if abs(approximate) == float("inf"):
        raise problem(node, f"The number {text[:40]} is too large for a DOUBLE")
    return Literal(approximate, DOUBLE, span)


def string(node: exp.Literal) -> Literal:
    """CHAR of the text's length."""
    text = str(node.this)
    return Literal(text, SqlType(Kind.CHAR, max(1, len(text))), place_of(node))


def binary(node: exp.HexString) -> Literal:
    """BINARY of the bytes' number."""
    value = bytes.fromhex(str(node.this))
    return Literal(value, SqlType(Kind.BINARY, max(1, len(value))), place_of(node))


_TEMPORAL: dict[str, tuple[Callable[[str], date | time | datetime], str]] = {
    "DATE": (texts.parse_date, "2026-01-31"),
    "TIME": (texts.parse_time, "13:30:00"),
    "TIMESTAMP": (texts.parse_timestamp, "2026-01-31 13:30:00"),
}


def temporal(node: TemporalLiteral) -> Literal:
    """DATE, TIME or TIMESTAMP, cut to milliseconds."""
    kind, text = str(node.args["kind"]).upper(), str(node.this)
    parse, example = _TEMPORAL[kind]
    try:
        return Literal(parse(text), SqlType(Kind(kind)), place_of(node))
    except (ValueError, OverflowError):
        raise problem(node, f"'{text[:40]}' is not a {kind}", f"write it like '{example}'") from None


def interval(node: IntervalLiteral) -> Literal:
    """ms or months."""
    text, unit = str(node.this).strip(), str(node.args["unit"]).upper()
    to = str(node.args["to"]).upper() if node.args.get("to") else unit
    with placed(node):
        type_ = interval_type(unit, to)
    sign, body = (-1 if text.startswith("-") else 1), text.lstrip("+-").strip()
    amount = _months(body, unit, to) if unit in UNIT_MONTHS else _milliseconds(body, unit, to)
    if amount is None or amount > _DATE_LAST_MS:
        like = f"INTERVAL '{'1-6' if to != unit else '10'}' {unit}{f' TO {to}' if to != unit else ''}"
        hint = (
            f"write it like {like}" if unit in UNIT_MONTHS or to == unit else "write it like '1 02:03:04' DAY TO SECOND"
        )
        raise problem(node, f"'{text[:40]}' is not an interval in {unit}{f' TO {to}' if to != unit else ''}", hint)
    return Literal(sign * amount, type_, place_of(node))


def _months(text: str, unit: str, to: str) -> int | None:
    if unit == to and re.fullmatch(r"[0-9]{1,6}", text):
        return int(text) * UNIT_MONTHS[unit]
    both = re.fullmatch(r"([0-9]{1,6})-([0-9]{1,2})", text) if (unit, to) == ("YEAR", "MONTH") else None
    return int(both[1]) * 12 + int(both[2]) if both is not None else None


def _milliseconds(text: str, unit: str, to: str) -> int | None:
    units = _DAY_UNITS[_DAY_UNITS.index(unit) : _DAY_UNITS.index(to) + 1] if unit in _DAY_UNITS else ()
    if not units or to not in _DAY_UNITS:
        return None
    pattern = r"([0-9]{1,12})"
    for word in units[1:]:
        pattern += (r"\s+" if word == "HOUR" else ":") + r"([0-9]{1,2})"
    found = re.fullmatch(pattern + (r"(\.[0-9]{1,9})?" if to == "SECOND" else "()"), text)
    if found is None:
        return None
    *amounts, fraction = found.groups()
    whole = sum(int(amount) * UNIT_MS[word] for amount, word in zip(amounts, units, strict=True))
    return whole + (int(Decimal(fraction) * 1000) if fraction else 0)


def type_of(name: TypeName) -> SqlType:
    """The type that is written."""
    with placed(name):
        return sql_type(str(name.this), [int(size) for size in name.args.get("parameters") or []])
