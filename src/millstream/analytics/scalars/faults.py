"""What can fail when a scalar is computed, as expressions: a cheap mask to look at first, messages when it says so.

A fault mirrors the scalar it belongs to, so that a CASE fails only by the branch that it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """Fails where `mask` is true (NULL is not); `describe` makes the message of the values of `shown` there."""

    mask: pl.Expr
    describe: Callable[..., str]
    shown: tuple[pl.Expr, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class AnyOf:
    """Fails where one of these does; the first one speaks."""

    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Within:
    """Fails where `fault` does and `when` is true or, with `unknown`, NULL."""

    when: pl.Expr
    fault: Fault
    unknown: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Fails by the fault of the first condition that holds; the last fault is that of no condition."""

    conditions: tuple[pl.Expr, ...]
    faults: tuple[Fault | None, ...]


Fault = Check | AnyOf | Within | Choice


def any_of(faults: Sequence[Fault | None]) -> Fault | None:
    """The faults as one; None if there are none."""
    given: tuple[Fault, ...] = ()
    for fault in faults:
        if fault is not None:
            given += fault.faults if isinstance(fault, AnyOf) else (fault,)
    if not given:
        return None
    return given[0] if len(given) == 1 else AnyOf(given)


def mask(fault: Fault | None) -> pl.Expr:
    """True where the fault shows; false or NULL elsewhere."""
    match fault:
        case None:
            return pl.lit(False)
        case Check():
            return fault.mask
        case AnyOf():
            return pl.any_horizontal([mask(one) for one in fault.faults])
        case Within():
            return _holds(fault) & mask(fault.fault)
        case Choice():
            chain = mask(fault.faults[-1])
            for condition, one in zip(reversed(fault.conditions), reversed(fault.faults[:-1]), strict=True):
                chain = pl.when(condition).then(mask(one)).otherwise(chain)
            return chain


def _holds(fault: Within) -> pl.Expr:
    return fault.when.fill_null(value=True) if fault.unknown else fault.when


def messages(fault: Fault | None, frame: pl.DataFrame) -> list[str | None]:
    """Why each row of the frame fails, None where it does not."""
    made: list[str | None] = [None] * frame.height
    if fault is None or frame.is_empty():
        return made
    match fault:
        case Check():
            bad = _true(fault.mask, frame)
            shown = [_values(one, frame) for one in fault.shown]
            return [fault.describe(*(one[row] for one in shown)) if failed else None for row, failed in enumerate(bad)]
        case AnyOf():
            for one in fault.faults:
                found = messages(one, frame)
                made = [old if old is not None else new for old, new in zip(made, found, strict=True)]
            return made
        case Within():
            taken = _true(_holds(fault), frame)
            found = messages(fault.fault, frame)
            return [message if there else None for message, there in zip(found, taken, strict=True)]
        case Choice():
            open_rows = set(range(frame.height))
            for condition, result in zip((*fault.conditions, pl.lit(True)), fault.faults, strict=True):
                found, taken = messages(result, frame), _true(condition, frame)
                for row in [row for row in open_rows if taken[row]]:
                    made[row] = found[row]
                    open_rows.discard(row)
            return made


def _true(expression: pl.Expr, frame: pl.DataFrame) -> list[bool]:
    return [value is True for value in _values(expression, frame)]


def _values(expression: pl.Expr, frame: pl.DataFrame) -> list[object]:
    """One value a row, also of an expression of constants."""
    values = frame.select(expression.alias("$value")).to_series().to_list()
    return values * frame.height if len(values) == 1 else values
