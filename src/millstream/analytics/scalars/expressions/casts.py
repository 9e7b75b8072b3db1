"""CAST. A text is cut to the length of its type; anything else that becomes a text must fit."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from millstream.analytics.scalars.building import Builder, Maker, Value, failing, real_quotient
from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.expressions.numbers import exact
from millstream.analytics.scalars.expressions.readers import TextReader
from millstream.analytics.scalars.expressions.times import DAY_MS, STAMP, from_ms, to_ms
from millstream.analytics.scalars.faults import Check
from millstream.analytics.scalars.nodes import Call
from millstream.analytics.scalars.types import (
    BINARIES,
    EXACT,
    FLOATS,
    INTEGER_BITS,
    INTEGER_DIGITS,
    INTEGERS,
    INTERVALS,
    NUMBERS,
    TEXTS,
    UNIT_MONTHS,
    UNIT_MS,
    Kind,
    SqlType,
    digits,
    show,
)

_LONG_STAMP = 23  # 2009-09-16 03:15:24.123; without the fraction where there is no room for it
_WIDTHS = {
    **{kind: count + 1 for kind, count in INTEGER_DIGITS.items()},
    Kind.BOOLEAN: 5,
    Kind.DATE: 10,
    Kind.TIME: 8,
    Kind.TIMESTAMP: 19,
    Kind.DECIMAL: 20,
}


def cast(builder: Builder, call: Call) -> Value:
    """CAST(a AS type)."""
    return converted(builder, builder.value(call.arguments[0]), call.arguments[0].type, call.type)


def converted(builder: Builder, value: Value, source: SqlType, to: SqlType) -> Value:
    """A value of a type as one of another."""
    if source.kind is Kind.NULL:
        return failing(value.expr.cast(dtype(to)), value.fault)
    if to.kind in TEXTS:
        return _to_text(value, source, to)
    if source.kind in TEXTS:
        made = builder.share(builder.spread(value.expr).map_batches(TextReader(to), return_dtype=dtype(to)))
        return _checked(made, value, to)
    if source.kind in INTERVALS:
        return _from_interval(value, source, to)
    if to.kind in NUMBERS:
        return _to_number(value, source, to)
    if to.kind in BINARIES:
        return failing(value.expr.bin.slice(0, to.size), value.fault)
    return _to_time(builder, value, source.kind, to.kind)


def _checked(made: pl.Expr, value: Value, to: SqlType) -> Value:
    bad = made.is_null() & value.expr.is_not_null()
    if to.kind is Kind.BOOLEAN:  # the word for NULL
        bad = bad & (value.expr.str.strip_chars().str.to_lowercase() != "unknown")
    check = Check(bad, lambda given: f"'{given}' cannot be cast to {show(to)}", (value.expr,))
    return failing(made, value.fault, check)


def _to_number(value: Value, source: SqlType, to: SqlType) -> Value:
    if to.kind in FLOATS:
        made = value.expr.cast(dtype(to))
        if source.kind is not Kind.DOUBLE or to.kind is not Kind.REAL:
            return failing(made, value.fault)
        check = Check(~made.is_finite(), lambda given: f"{given} does not fit REAL", (value.expr,))
        return failing(made, value.fault, check)
    if source.kind in INTEGERS and to.kind in INTEGERS and INTEGER_BITS[source.kind] <= INTEGER_BITS[to.kind]:
        return failing(value.expr.cast(dtype(to)), value.fault)
    made = _to_integer(value.expr, source) if to.kind in INTEGERS else _to_decimal(value.expr, source, to)
    return _checked(made.cast(dtype(to), strict=False), value, to)


def _to_integer(value: pl.Expr, source: SqlType) -> pl.Expr:
    """Rounded, halves away from zero; NULL beyond BIGINT."""
    if source.kind in INTEGERS:
        return value
    return value.round(0, mode="half_away_from_zero").cast(pl.Int64(), strict=False)


def _to_decimal(value: pl.Expr, source: SqlType, to: SqlType) -> pl.Expr:
    """With the scale of the type and 38 digits; NULL beyond its range (Polars would stop at a float beyond)."""
    precision, scale = digits(to)
    if source.kind in FLOATS:
        real = value.cast(pl.Float64())
        fits = real.abs() < 10.0 ** (precision - scale)
        return pl.when(fits).then(real.round(scale, mode="half_away_from_zero")).cast(pl.Decimal(38, scale))
    own = digits(source)[1]
    made = exact(value, source, own)
    rounded = made.round(scale, mode="half_away_from_zero") if own > scale else made
    return rounded.cast(pl.Decimal(38, scale))


def _to_text(value: Value, source: SqlType, to: SqlType) -> Value:
    size = to.size or 1
    if source.kind in TEXTS:
        fits = source.size is not None and source.size <= size
        cut = value.expr if fits else value.expr.str.slice(0, size)
        return failing(cut.str.pad_end(size) if to.kind is Kind.CHAR else cut, value.fault)
    text = _shown(value.expr, source, size)
    padded = text.str.pad_end(size) if to.kind is Kind.CHAR else text
    if _WIDTHS.get(source.kind, size + 1) <= size:
        return failing(padded, value.fault)
    check = Check(text.str.len_chars() > size, lambda given: f"{given} is too long for {show(to)}", (text,))
    return failing(padded, value.fault, check)


def _shown(value: pl.Expr, source: SqlType, size: int) -> pl.Expr:
    if source.kind is Kind.BOOLEAN:
        return pl.when(value).then(pl.lit("TRUE")).when(~value).then(pl.lit("FALSE"))
    if source.kind in INTERVALS:
        return _interval_text(value, source)
    forms = {
        Kind.DATE: "%Y-%m-%d",
        Kind.TIME: "%H:%M:%S",
        Kind.TIMESTAMP: "%Y-%m-%d %H:%M:%S%.3f" if size >= _LONG_STAMP else "%Y-%m-%d %H:%M:%S",
    }
    return value.dt.strftime(forms[source.kind]) if source.kind in forms else value.cast(pl.String())


def _interval_text(value: pl.Expr, source: SqlType) -> pl.Expr:
    """+4 04:00:00, +6:11, +371: a sign, the first unit in full, two digits of each other."""
    sizes = UNIT_MONTHS if source.kind is Kind.INTERVAL_YEAR else UNIT_MS
    whole = ("YEAR", "MONTH") if source.kind is Kind.INTERVAL_YEAR else ("DAY", "HOUR", "MINUTE", "SECOND")
    first, last = (source.fields[0], source.fields[-1]) if source.fields else (whole[0], whole[-1])
    units = [unit for unit in whole if sizes[first] >= sizes[unit] >= sizes[last]] or [first]
    marks = {"MONTH": "-", "HOUR": " ", "MINUTE": ":", "SECOND": ":"}
    rest = value.abs()
    parts: list[pl.Expr] = [pl.when(value < 0).then(pl.lit("-")).when(value >= 0).then(pl.lit("+"))]
    for unit in units:
        count = (rest // sizes[unit]).cast(pl.String())
        parts += [count] if unit == units[0] else [pl.lit(marks[unit]), count.str.zfill(2)]
        rest = rest % sizes[unit]
    if units[-1] == "SECOND":
        fraction = pl.lit(".") + rest.cast(pl.String()).str.zfill(3)
        parts.append(pl.when(rest > 0).then(fraction).otherwise(pl.lit("")))
    return pl.concat_str(parts)


def _from_interval(value: Value, source: SqlType, to: SqlType) -> Value:
    """As a number of its smallest unit (SECOND or MONTH where it has none), cut towards zero."""
    if to.kind not in EXACT:
        return value
    months = source.kind is Kind.INTERVAL_YEAR
    unit = source.fields[-1] if source.fields else "MONTH" if months else "SECOND"
    size = (UNIT_MONTHS if months else UNIT_MS)[unit]
    if to.kind is Kind.DECIMAL:
        divided = real_quotient(value.expr.cast(pl.Float64()), pl.lit(float(size)))
        return _checked(_to_decimal(divided, SqlType(Kind.DOUBLE), to).cast(dtype(to), strict=False), value, to)
    count = value.expr.abs() // size
    signed = pl.when(value.expr < 0).then(-count).otherwise(count)
    return _checked(signed.cast(dtype(to), strict=False), value, to)


def _to_time(builder: Builder, value: Value, source: Kind, to: Kind) -> Value:
    if source is to or to in INTERVALS:
        return value
    if source is Kind.TIME:  # of the current day
        midnight = builder.now().cast(pl.Int64()) // DAY_MS * DAY_MS
        return failing(from_ms(midnight + to_ms(value.expr, source), to), value.fault)
    converters: dict[Kind, Callable[[pl.Expr], pl.Expr]] = {
        Kind.TIMESTAMP: lambda of: of.cast(STAMP),
        Kind.DATE: lambda of: of.dt.date(),
        Kind.TIME: lambda of: of.dt.time(),
    }
    return failing(converters[to](value.expr), value.fault)


MAKERS: dict[str, Maker] = {"CAST": cast}
