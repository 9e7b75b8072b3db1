"""Dates, times, intervals, and their texts by formats.

Times are of the years 1 to 9999; what leaves them is an error. Months are counted by the calendar: a day that a month
does not have becomes its last.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from millstream.analytics.scalars.building import Builder, Maker, Value, failing, plain, real_quotient
from millstream.analytics.scalars.dateformat import DateFormat
from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.expressions.formats import FormatReader, FormatWriter
from millstream.analytics.scalars.faults import Check
from millstream.analytics.scalars.nodes import Call, Literal
from millstream.analytics.scalars.types import (
    FLOATS,
    INTEGERS,
    INTERVALS,
    TIMESTAMP,
    UNIT_MONTHS,
    UNIT_MS,
    Kind,
    show,
)

STAMP = pl.Datetime("ms")
_DTYPES: dict[Kind, pl.DataType] = {Kind.DATE: pl.Date(), Kind.TIMESTAMP: STAMP}
DAY_MS = UNIT_MS["DAY"]
WEEK_MS = 7 * DAY_MS
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999
_SUNDAY_MS = 3 * DAY_MS  # 1970-01-04: weeks begin on Sunday


def in_range(ms: pl.Expr) -> pl.Expr:
    """Whether it is a time of the years 1 to 9999."""
    return ms.is_between(_FIRST_MS, _LAST_MS)


def from_ms(ms: pl.Expr, kind: Kind) -> pl.Expr:
    """A time of ms since 1970; NULL where there is none. Of TIME, the time of the day."""
    if kind is Kind.TIME:
        return ((ms % DAY_MS) * 1_000_000).cast(pl.Time())
    stamp = pl.when(in_range(ms)).then(ms).cast(STAMP)
    return stamp.cast(pl.Date()) if kind is Kind.DATE else stamp


def to_ms(value: pl.Expr, kind: Kind) -> pl.Expr:
    """ms since 1970; of TIME, since midnight."""
    if kind is Kind.TIME:
        return value.cast(pl.Int64()) // 1_000_000
    return value.cast(STAMP).cast(pl.Int64()) if kind is Kind.DATE else value.cast(pl.Int64())


def arithmetic(builder: Builder, call: Call) -> Value:
    """time ± interval, interval ± interval, interval * number, interval / number."""
    if call.type.kind not in INTERVALS:
        return _moved(builder, call)
    if call.arguments[1].type.kind in INTERVALS:
        return _added(builder, call)
    return _multiplied(builder, call)


def _moved(builder: Builder, call: Call) -> Value:
    a, b = builder.values(call)
    kind, interval = call.type.kind, call.arguments[1].type.kind
    by = b.expr if call.function == "+" else -b.expr
    if interval is Kind.INTERVAL_YEAR:
        ms = _months_later(a.expr.cast(STAMP), by).cast(pl.Int64())
    else:
        ms = to_ms(a.expr, kind) + by
    if kind is Kind.TIME:
        return failing(from_ms(ms, kind), a.fault, b.fault)
    check = Check(
        ~in_range(ms), lambda x, y: f"{x} {call.function} {y} does not fit {show(call.type)}", (a.expr, b.expr)
    )
    return failing(from_ms(ms, kind), a.fault, b.fault, check)


def _months_later(stamp: pl.Expr, months: pl.Expr) -> pl.Expr:
    """By the calendar; in ms that are out of range where the year is."""
    total = stamp.dt.year().cast(pl.Int64()) * 12 + stamp.dt.month().cast(pl.Int64()) - 1 + months
    known = total.is_between(12, 9999 * 12 + 11)
    safe = pl.when(known).then(months).otherwise(pl.when(months.is_not_null()).then(0))
    later = stamp.dt.offset_by(safe.cast(pl.String()) + "mo").cast(pl.Int64())
    return pl.when(known).then(later).otherwise(pl.when(total.is_not_null()).then(_LAST_MS + 1))


def _added(builder: Builder, call: Call) -> Value:
    a, b = builder.values(call)
    total = a.expr + b.expr if call.function == "+" else a.expr - b.expr
    return failing(total, a.fault, b.fault, _too_long(total, call, a, b))


def _too_long(total: pl.Expr, call: Call, a: Value, b: Value) -> Check:
    """No interval is longer than all times there are, so that sums of two never overflow."""
    limit = _LAST_MS - _FIRST_MS
    fits = total.is_between(-limit, limit)
    return Check(~fits, lambda x, y: f"{x} {call.function} {y} does not fit {show(call.type)}", (a.expr, b.expr))


def _multiplied(builder: Builder, call: Call) -> Value:
    a, b = builder.values(call)
    of = call.arguments[1].type.kind
    divides = call.function == "/"
    if of in INTEGERS:
        left, right = a.expr.cast(pl.Int128()), b.expr.cast(pl.Int128())
        quotient = left.abs() // right.abs()
        divided = pl.when((left < 0) == (right < 0)).then(quotient).otherwise(0 - quotient)
        total = divided if divides else left * right
    else:
        left, right = a.expr.cast(pl.Float64()), b.expr.cast(pl.Float64())
        real = real_quotient(left, right) if divides else left * right
        total = pl.when(real.is_finite()).then(real.round(0)).cast(pl.Int64(), strict=False)
    checks = [_too_long(total, call, a, b)]
    if divides:
        zero = (b.expr == 0) & a.expr.is_not_null()
        checks.insert(0, Check(zero, lambda x, y: f"{x} / {y}: division by zero", (a.expr, b.expr)))
    if of in FLOATS | {Kind.DECIMAL}:
        lost = total.is_null() & a.expr.is_not_null() & b.expr.is_not_null()
        checks.append(Check(lost, lambda x, y: f"{x} {call.function} {y} is no interval", (a.expr, b.expr)))
    return failing(total.cast(pl.Int64(), strict=False), a.fault, b.fault, *checks)


def interval_of(builder: Builder, call: Call) -> Value:
    """(a - b) unit: in ms, or whole months."""
    a, b = builder.values(call)
    kind = call.arguments[0].type.kind
    if call.type.kind is Kind.INTERVAL_DAY:
        return failing(to_ms(a.expr, kind) - to_ms(b.expr, kind), a.fault, b.fault)
    return failing(_months_between(a.expr, b.expr), a.fault, b.fault)


def _months_between(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    def months(of: pl.Expr) -> pl.Expr:
        return of.dt.year().cast(pl.Int64()) * 12 + of.dt.month().cast(pl.Int64())

    def within(of: pl.Expr) -> pl.Expr:
        return of.cast(pl.Int64()) - of.dt.truncate("1mo").cast(pl.Int64())

    whole = months(a) - months(b)
    short, long = (whole > 0) & (within(a) < within(b)), (whole < 0) & (within(a) > within(b))
    return whole - short.cast(pl.Int64()) + long.cast(pl.Int64())


def stepped(value: pl.Expr, kind: Kind, step: pl.Expr, *, months: bool, origin_ms: int = 0) -> pl.Expr:
    """A time cut down to a multiple of steps of ms, or of months, since 1970."""
    if not months:
        ms = to_ms(value, kind)
        cut = ms - (ms - origin_ms if origin_ms else ms) % step
        return from_ms(cut, kind) if kind is Kind.TIME else cut.clip(_FIRST_MS).cast(STAMP).cast(_DTYPES[kind])
    stamp = value.cast(STAMP)
    total = (stamp.dt.year().cast(pl.Int64()) - 1970) * 12 + stamp.dt.month().cast(pl.Int64()) - 1
    cut = total - total % step
    begin = pl.datetime(cut // 12 + 1970, cut % 12 + 1, 1, time_unit="ms")
    return begin.cast(pl.Date()) if kind is Kind.DATE else begin


def step(builder: Builder, call: Call) -> Value:
    """STEP(time BY interval), STEP(interval BY interval)."""
    a, b = builder.values(call)
    by = call.arguments[1]
    width = b.expr.abs()
    known = isinstance(by, Literal) and bool(by.value)
    safe = width if known else pl.when(width > 0).then(width)
    if call.type.kind in INTERVALS:
        result = a.expr - a.expr % safe
    else:
        result = stepped(a.expr, call.type.kind, safe, months=by.type.kind is Kind.INTERVAL_YEAR)
    if known:
        return failing(result, a.fault)
    zero = (b.expr == 0) & a.expr.is_not_null()
    check = Check(zero, lambda x: f"STEP({x} BY INTERVAL '0'): a step has a length", (a.expr,))
    return failing(result, a.fault, b.fault, check)


def floor_to(builder: Builder, call: Call) -> Value:
    """FLOOR(a TO unit)."""
    a = builder.value(call.arguments[0])
    return failing(_floor(a.expr, call.type.kind, _unit(call, 1)), a.fault)


def ceil_to(builder: Builder, call: Call) -> Value:
    """CEIL(a TO unit)."""
    a = builder.value(call.arguments[0])
    kind, unit = call.type.kind, _unit(call, 1)
    floor = _floor(a.expr, kind, unit)
    if kind in INTERVALS:
        above = floor + _width(unit, kind)
    elif unit in UNIT_MONTHS:
        above = from_ms(_months_later(floor.cast(STAMP), pl.lit(UNIT_MONTHS[unit], pl.Int64())).cast(pl.Int64()), kind)
    else:
        above = from_ms(to_ms(floor, kind) + _width(unit, kind), kind)
    result = pl.when(floor == a.expr).then(a.expr).otherwise(above)
    check = Check(result.is_null() & a.expr.is_not_null(), lambda x: f"CEIL({x} TO {unit}) is out of range", (a.expr,))
    return failing(result, a.fault, check)


def _unit(call: Call, at: int) -> str:
    argument = call.arguments[at]
    assert isinstance(argument, Literal)
    return str(argument.value)


def _width(unit: str, kind: Kind) -> int:
    """The unit in ms, or months of an interval of months; of DATE, a day at least."""
    if kind is Kind.INTERVAL_YEAR:
        return UNIT_MONTHS.get(unit, 1)
    width = WEEK_MS if unit == "WEEK" else UNIT_MS.get(unit, DAY_MS)
    return max(width, DAY_MS) if kind is Kind.DATE else width


def _floor(value: pl.Expr, kind: Kind, unit: str) -> pl.Expr:
    width = pl.lit(_width(unit, kind), pl.Int64())
    if kind in INTERVALS:
        return value - value % width
    if kind is not Kind.TIME and unit in UNIT_MONTHS:
        return stepped(value, kind, pl.lit(UNIT_MONTHS[unit], pl.Int64()), months=True)
    return stepped(value, kind, width, months=False, origin_ms=_SUNDAY_MS if unit == "WEEK" else 0)


_PARTS: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "YEAR": lambda a: a.dt.year(),
    "QUARTER": lambda a: a.dt.quarter(),
    "MONTH": lambda a: a.dt.month(),
    "WEEK": lambda a: a.dt.week(),
    "DAY": lambda a: a.dt.day(),
    "DOY": lambda a: a.dt.ordinal_day(),
    "DOW": lambda a: a.dt.weekday() % 7 + 1,
    "HOUR": lambda a: a.dt.hour(),
    "MINUTE": lambda a: a.dt.minute(),
    "MILLISECOND": lambda a: a.cast(pl.Int64()) % 60_000,
}
_LIMITS = {"HOUR": 24, "MINUTE": 60, "MONTH": 12}


def extract(builder: Builder, call: Call) -> Value:
    """EXTRACT(unit FROM a): SECOND is DECIMAL(5, 3), what an interval has more of its first unit stays there."""
    a = builder.value(call.arguments[1])
    kind, unit = call.arguments[1].type.kind, _unit(call, 0)
    if kind in INTERVALS:
        return failing(_part_of_interval(a.expr, kind, unit, call), a.fault)
    stamp = from_ms(to_ms(a.expr, kind), Kind.TIMESTAMP) if kind is Kind.TIME else a.expr.cast(STAMP)
    if unit == "SECOND":
        return failing(_seconds(stamp.cast(pl.Int64()) % 60_000), a.fault)
    return failing(_PARTS[unit](stamp).cast(pl.Int64()), a.fault)


def _seconds(ms: pl.Expr) -> pl.Expr:
    thousand = pl.lit(1000, pl.Int64()).cast(pl.Decimal(38, 3))
    return (ms.cast(pl.Decimal(38, 3)) / thousand).cast(pl.Decimal(5, 3))


def _part_of_interval(value: pl.Expr, kind: Kind, unit: str, call: Call) -> pl.Expr:
    """The field of the interval, with the interval's sign."""
    sizes = UNIT_MONTHS if kind is Kind.INTERVAL_YEAR else UNIT_MS
    if unit == "SECOND" and kind is Kind.INTERVAL_DAY:
        part = value.abs() % 60_000
        return _seconds(pl.when(value < 0).then(-part).otherwise(part))
    part = (
        value.abs() // sizes.get(unit, 1) if unit in sizes else pl.when(value.is_not_null()).then(pl.lit(0, pl.Int64()))
    )
    fields = call.arguments[1].type.fields
    if unit in _LIMITS and (not fields or fields[0] != unit):
        part = part % _LIMITS[unit]
    if unit == "MILLISECOND":
        part = part % 60_000
    return pl.when(value < 0).then(-part).otherwise(part).cast(dtype(call.type))


def to_timestamp(builder: Builder, call: Call) -> Value:
    """TO_TIMESTAMP(ms since 1970)."""
    (a,) = builder.values(call)
    check = Check(~in_range(a.expr), lambda x: f"TO_TIMESTAMP({x}) is out of range", (a.expr,))
    return failing(from_ms(a.expr, Kind.TIMESTAMP), a.fault, check)


def _now(kind: Kind) -> Maker:
    def made(builder: Builder, _call: Call) -> Value:
        now = builder.now()
        return Value({Kind.DATE: now.dt.date(), Kind.TIME: now.dt.time()}.get(kind, now))

    return made


def _read(kind: Kind) -> Maker:
    """CHAR_TO_DATE, CHAR_TO_TIME, CHAR_TO_TIMESTAMP."""

    def made(builder: Builder, call: Call) -> Value:
        text = builder.value(call.arguments[1])
        form = _unit(call, 0)
        stamp = builder.share(builder.spread(text.expr).map_batches(FormatReader(DateFormat(form)), return_dtype=STAMP))
        result = from_ms(to_ms(stamp, Kind.TIMESTAMP), kind)
        bad = stamp.is_null() & text.expr.is_not_null()
        check = Check(bad, lambda x: f"{call.function}: '{x}' is not like '{form}'", (text.expr,))
        return failing(result, text.fault, check)

    return made


def _written(builder: Builder, call: Call) -> Value:
    """DATE_TO_CHAR, TIME_TO_CHAR, TIMESTAMP_TO_CHAR; the last says "null" for NULL, as the reference has it."""
    value = builder.value(call.arguments[1])
    kind = call.arguments[1].type.kind
    form = DateFormat(_unit(call, 0))
    stamp = from_ms(to_ms(value.expr, kind), Kind.TIMESTAMP) if kind is Kind.TIME else value.expr.cast(STAMP)
    words = form.strftime()
    if words is not None:
        result = stamp.dt.strftime(words) if words else pl.when(stamp.is_not_null()).then(pl.lit(""))
    else:
        result = builder.share(builder.spread(stamp).map_batches(FormatWriter(form), return_dtype=pl.String()))
    if call.arguments[1].type == TIMESTAMP and call.function == "TIMESTAMP_TO_CHAR":
        result = result.fill_null("null")
    return failing(result, value.fault)


MAKERS: dict[str, Maker] = {
    "INTERVAL OF": interval_of,
    "FLOOR TO": floor_to,
    "CEIL TO": ceil_to,
    "EXTRACT": extract,
    "TO_TIMESTAMP": to_timestamp,
    "UNIX_TIMESTAMP": plain(lambda a: a.cast(pl.Int64())),
    "TSDIFF": plain(lambda a, b: a.cast(pl.Int64()) - b.cast(pl.Int64())),
    "CURRENT_DATE": _now(Kind.DATE),
    "CURRENT_TIME": _now(Kind.TIME),
    "CURRENT_TIMESTAMP": _now(Kind.TIMESTAMP),
    "CHAR_TO_DATE": _read(Kind.DATE),
    "CHAR_TO_TIME": _read(Kind.TIME),
    "CHAR_TO_TIMESTAMP": _read(Kind.TIMESTAMP),
    "DATE_TO_CHAR": _written,
    "TIME_TO_CHAR": _written,
    "TIMESTAMP_TO_CHAR": _written,
}
