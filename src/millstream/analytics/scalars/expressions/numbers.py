"""Arithmetic and functions of numbers.

Whole numbers are computed in a wider type and must fit their own; DECIMALs are computed with 38 digits, rounded half
away from zero; what is not a finite REAL or DOUBLE is an error, so NaN and infinities never get into a stream.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from millstream.analytics.scalars.building import Builder, Maker, Value, failing, real_quotient
from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.expressions.times import arithmetic as time_arithmetic
from millstream.analytics.scalars.expressions.times import step as time_step
from millstream.analytics.scalars.faults import Check
from millstream.analytics.scalars.nodes import Call, Literal, Scalar
from millstream.analytics.scalars.types import (
    EXACT,
    FLOATS,
    INTEGERS,
    INTERVALS,
    TIMES,
    Kind,
    SqlType,
    digits,
    integer_range,
    show,
)

_OPERATIONS: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}
_WIDE = {Kind.BIGINT: pl.Int128()}


def wide(of: Kind) -> pl.DataType:
    """A type in which sums, differences and products of two numbers of an integer type fit."""
    return _WIDE.get(of, pl.Int64())


def unscaled(expression: pl.Expr, of: SqlType) -> pl.Expr:
    """The digits of an exact number as Int128."""
    return (expression.to_physical() if of.kind is Kind.DECIMAL else expression).cast(pl.Int128())


def exact(expression: pl.Expr, of: SqlType, scale: int) -> pl.Expr:
    """An exact number with so many digits behind the point, 38 in all."""
    return expression if of.kind is Kind.DECIMAL and of.scale == scale else expression.cast(pl.Decimal(38, scale))


def describe(call: Call) -> Callable[..., str]:
    """Says that the values of the call's arguments give something that does not fit its type."""
    name, of = call.function, show(call.type)
    if len(call.arguments) == 2 and not name[0].isalpha():
        return lambda a, b: f"{a} {name} {b} does not fit {of}"
    return lambda *values: f"{name}({', '.join(map(str, values))}) does not fit {of}"


def within(expression: pl.Expr, kind: Kind, *, least_excluded: bool = False) -> pl.Expr:
    """Whether a whole number fits an integer type."""
    least, greatest = integer_range(kind)
    return expression.is_between(least + least_excluded, greatest)


def arithmetic(builder: Builder, call: Call) -> Value:
    """+ - * / of numbers; those of times are in the module `times`."""
    kinds = {argument.type.kind for argument in call.arguments}
    if kinds & (TIMES | INTERVALS):
        return time_arithmetic(builder, call)
    if call.type.kind in INTEGERS:
        return _divide_integers(builder, call) if call.function == "/" else _integers(builder, call)
    if call.type.kind in FLOATS:
        return _floats(builder, call)
    return _divide_decimals(builder, call) if call.function == "/" else _decimals(builder, call)


def _integers(builder: Builder, call: Call) -> Value:
    a, b = builder.values(call)
    space = wide(call.type.kind)
    left, right = (_widened(value, argument, space) for value, argument in zip((a, b), call.arguments, strict=True))
    result = _OPERATIONS[call.function](left, right)
    check = Check(~within(result, call.type.kind), describe(call), (a.expr, b.expr))
    return failing(result.cast(dtype(call.type), strict=False), a.fault, b.fault, check)


def _widened(value: Value, argument: Scalar, space: pl.DataType) -> pl.Expr:
    return pl.lit(argument.value, space) if isinstance(argument, Literal) else value.expr.cast(space)


def _divide_integers(builder: Builder, call: Call) -> Value:
    """Division cuts towards zero."""
    a, b = builder.values(call)
    divisor = call.arguments[1].value if isinstance(call.arguments[1], Literal) else 0
    checks = [a.fault, b.fault]
    if divisor == 0:
        checks.append(_zero(b.expr == 0, call, a, b))
    if divisor in (0, -1):
        least = integer_range(call.type.kind)[0]
        checks.append(Check((a.expr == least) & (b.expr == -1), describe(call), (a.expr, b.expr)))
    return failing(truncated_quotient(a.expr, b.expr, call.type.kind), *checks)


def truncated_quotient(a: pl.Expr, b: pl.Expr, kind: Kind) -> pl.Expr:
    """a / b without its fraction; NULL for b = 0."""
    if kind is not Kind.BIGINT:  # a Float64 has all digits of such a quotient
        quotient = real_quotient(a.cast(pl.Float64()), b.cast(pl.Float64()))
        return quotient.cast(pl.Int64(), strict=False).cast(dtype(SqlType(kind)), strict=False)
    floor = a // b
    inexact = (floor * b != a) & ((a < 0) != (b < 0))
    return floor + inexact.cast(pl.Int64())


def _zero(mask: pl.Expr, call: Call, a: Value, b: Value) -> Check:
    return Check(
        mask & a.expr.is_not_null(), lambda x, y: f"{x} {call.function} {y}: division by zero", (a.expr, b.expr)
    )


def _floats(builder: Builder, call: Call) -> Value:
    a, b = builder.values(call)
    if call.function != "/":
        result = _OPERATIONS[call.function](a.expr, b.expr)
        return failing(result, a.fault, b.fault, Check(~result.is_finite(), describe(call), (a.expr, b.expr)))
    result = real_quotient(a.expr, b.expr)

    def said(x: float, y: float) -> str:
        return f"{x} / {y}: division by zero" if y == 0 else describe(call)(x, y)

    return failing(result, a.fault, b.fault, Check(~result.is_finite(), said, (a.expr, b.expr)))


def fitted(result: pl.Expr, call: Call, *arguments: Value) -> Value:
    """A DECIMAL of 38 digits as the call's type."""
    fits = result.cast(dtype(call.type), strict=False)
    check = Check(fits.is_null() & result.is_not_null(), describe(call), tuple(one.expr for one in arguments))
    return failing(fits, *(one.fault for one in arguments), check)


def _decimals(builder: Builder, call: Call) -> Value:
    a, b = builder.values(call)
    of_a, of_b = (argument.type for argument in call.arguments)
    (_, s1), (_, s2), (_, scale) = digits(of_a), digits(of_b), digits(call.type)
    product = call.function == "*"
    space = s1 + s2 if product else max(s1, s2)
    result = _OPERATIONS[call.function](a.expr.cast(pl.Decimal(38, space)), b.expr.cast(pl.Decimal(38, space)))
    if space > scale:
        result = result.round(scale, mode="half_away_from_zero")
    return fitted(result, call, a, b)


def _divide_decimals(builder: Builder, call: Call) -> Value:
    a, b = builder.values(call)
    of_a, of_b = (argument.type for argument in call.arguments)
    precision, scale = digits(call.type)
    shift = scale + digits(of_b)[1] - digits(of_a)[1]
    dividend = unscaled(a.expr, of_a) * pl.lit(10 ** max(shift, 0), pl.Int128())
    divisor = unscaled(b.expr, of_b) * pl.lit(10 ** max(-shift, 0), pl.Int128())
    quotient = _rounded_quotient(dividend, divisor)
    value = _scaled(quotient, precision, scale)
    overflow = Check(quotient.is_not_null() & value.is_null(), describe(call), (a.expr, b.expr))
    zero = _zero(b.expr == 0, call, a, b)
    return failing(value, a.fault, b.fault, zero, overflow)


def _rounded_quotient(dividend: pl.Expr, divisor: pl.Expr) -> pl.Expr:
    """a / b of Int128s, halves away from zero; NULL for b = 0."""
    quotient = (dividend.abs() + divisor.abs() // 2) // divisor.abs()
    return pl.when((dividend < 0) == (divisor < 0)).then(quotient).otherwise(0 - quotient)


def _scaled(unscaled_digits: pl.Expr, precision: int, scale: int) -> pl.Expr:
    """A DECIMAL of its digits; NULL where they are too many."""
    limit = pl.lit(10**precision, pl.Int128())
    fitting = pl.when(unscaled_digits.abs() < limit).then(unscaled_digits).cast(pl.Decimal(38, scale))
    unit = pl.lit(1, pl.Int64()).cast(pl.Decimal(38, scale)) / pl.lit(10**scale, pl.Int64()).cast(pl.Decimal(38, scale))
    return (fitting * unit).cast(pl.Decimal(precision, scale))


def negative(builder: Builder, call: Call) -> Value:
    """- a."""
    (a,) = builder.values(call)
    kind = call.type.kind
    if kind not in INTEGERS:
        return (
            failing(-a.expr, a.fault)
            if kind is not Kind.DECIMAL
            else failing((-a.expr).cast(dtype(call.type)), a.fault)
        )
    least = integer_range(kind)[0]
    check = Check(a.expr == least, lambda x: f"-({x}) does not fit {show(call.type)}", (a.expr,))
    return failing(-a.expr, a.fault, check)


def absolute(builder: Builder, call: Call) -> Value:
    """ABS(a)."""
    (a,) = builder.values(call)
    result = a.expr.abs().cast(dtype(call.type))
    if call.type.kind not in INTEGERS:
        return failing(result, a.fault)
    least = integer_range(call.type.kind)[0]
    return failing(result, a.fault, Check(a.expr == least, describe(call), (a.expr,)))


def _to_whole(up: bool) -> Maker:
    def made(builder: Builder, call: Call) -> Value:
        (a,) = builder.values(call)
        if call.type.kind in INTEGERS:
            return a
        result = a.expr.ceil() if up else a.expr.floor()
        if call.type.kind is Kind.DECIMAL:
            return fitted(result.cast(pl.Decimal(38, 0)), call, a)
        return failing(result, a.fault)

    return made


def _finite(make: Callable[..., pl.Expr]) -> Maker:
    """A function of DOUBLEs that is not defined everywhere."""

    def made(builder: Builder, call: Call) -> Value:
        values = builder.values(call)
        result = make(*(value.expr for value in values))
        shown = tuple(value.expr for value in values)
        check = Check(
            ~result.is_finite(), lambda *of: f"{call.function}({', '.join(map(str, of))}) is no number", shown
        )
        return failing(result, *(value.fault for value in values), check)

    return made


def modulo(builder: Builder, call: Call) -> Value:
    """MOD(a, b): what truncating division leaves, with the sign of a."""
    a, b = builder.values(call)
    kind = call.type.kind
    left, right = a.expr, b.expr
    if kind is Kind.DECIMAL:
        scale = digits(call.type)[1]
        left, right = (unscaled(one.cast(pl.Decimal(38, scale)), call.type) for one in (left, right))
    elif kind in EXACT:
        left, right = left.cast(pl.Int128()), right.cast(pl.Int128())
    rest = left.abs() % right.abs()
    signed = pl.when(left < 0).then(0 - rest).otherwise(rest)
    result = _scaled(signed, *digits(call.type)) if kind is Kind.DECIMAL else signed.cast(dtype(call.type))
    zero = Check(
        (b.expr == 0) & a.expr.is_not_null(), lambda x, y: f"MOD({x}, {y}): division by zero", (a.expr, b.expr)
    )
    return failing(result, a.fault, b.fault, zero)


def rounded(builder: Builder, call: Call) -> Value:
    """ROUND(a, digits), halves away from zero."""
    a = builder.value(call.arguments[0])
    places = call.arguments[1].value if isinstance(call.arguments[1], Literal) else 0
    assert isinstance(places, int)
    if call.type.kind in INTEGERS and places >= 0:
        return a
    if places >= 0:
        result = a.expr.round(min(places, 18), mode="half_away_from_zero")
    else:
        unit = 10.0 ** min(-places, 30)
        result = real_quotient(a.expr.cast(pl.Float64()), pl.lit(unit)).round(0, mode="half_away_from_zero") * unit
    fits = result.cast(dtype(call.type), strict=False)
    if call.type.kind in FLOATS:
        return failing(fits, a.fault)
    return failing(fits, a.fault, Check(fits.is_null() & result.is_not_null(), describe(call), (a.expr,)))


def step(builder: Builder, call: Call) -> Value:
    """STEP(a BY b): the greatest multiple of b that is not above a."""
    if call.type.kind in TIMES | INTERVALS:
        return time_step(builder, call)
    a, b = builder.values(call)
    kind = call.type.kind
    if kind is Kind.DECIMAL:
        scale = digits(call.type)[1]
        left, right = (unscaled(one.expr.cast(pl.Decimal(38, scale)), call.type) for one in (a, b))
    else:
        left, right = (one.expr.cast(wide(kind)) for one in (a, b))
    multiple = (left // right.abs()) * right.abs()
    zero = Check(
        (b.expr == 0) & a.expr.is_not_null(), lambda x, y: f"STEP({x} BY {y}): division by zero", (a.expr, b.expr)
    )
    result = (
        _scaled(multiple, *digits(call.type)) if kind is Kind.DECIMAL else multiple.cast(dtype(call.type), strict=False)
    )
    overflow = Check(multiple.is_not_null() & result.is_null(), describe(call), (a.expr, b.expr))
    return failing(result, a.fault, b.fault, zero, overflow)


MAKERS: dict[str, Maker] = {
    **dict.fromkeys(("+", "-", "*", "/"), arithmetic),
    "NEG": negative,
    "ABS": absolute,
    "CEIL": _to_whole(up=True),
    "FLOOR": _to_whole(up=False),
    "EXP": _finite(lambda a: a.exp()),
    "LN": _finite(lambda a: a.log()),
    "LOG10": _finite(lambda a: a.log10()),
    "SQRT": _finite(lambda a: a.sqrt()),
    "POWER": _finite(lambda a, b: a.pow(b)),
    "MOD": modulo,
    "ROUND": rounded,
    "STEP": step,
}
