"""Working with scalars as trees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from millstream.analytics.scalars import signatures
from millstream.analytics.scalars.nodes import Call, ColumnRef, Literal, Scalar
from millstream.analytics.scalars.types import BIGINT, TIMESTAMP, interval_type

_TIME = ColumnRef("$time", BIGINT)

ROW_TIME = Call("TO_TIMESTAMP", (_TIME,), TIMESTAMP)
"""The ROWTIME of the row at hand, whatever columns it has: out of the frame's system column."""


def bare(scalar: Scalar) -> Scalar:
    """Without places: equal trees are equal values."""
    if isinstance(scalar, Call):
        return scalar._replace(arguments=tuple(bare(one) for one in scalar.arguments), span=None)
    return scalar._replace(span=None)


def rewrite(scalar: Scalar, change: Callable[[Scalar], Scalar | None]) -> Scalar:
    """The tree with what `change` gives in the place of every part that it gives something for, from the top."""
    changed = change(scalar)
    if changed is not None:
        return changed
    if isinstance(scalar, Call):
        return scalar._replace(arguments=tuple(rewrite(one, change) for one in scalar.arguments))
    return scalar


def substitute(scalar: Scalar, values: Mapping[str, Scalar]) -> Scalar:
    """The tree with values in the place of columns."""
    return rewrite(scalar, lambda part: values.get(part.name) if isinstance(part, ColumnRef) else None)


def replace(scalar: Scalar, old: Scalar, new: Scalar) -> Scalar:
    """The tree with `new` wherever it has `old`."""
    wanted = bare(old)
    return rewrite(scalar, lambda part: new if bare(part) == wanted else None)


def parts(scalar: Scalar) -> Iterator[Scalar]:
    """The tree's parts, from the top."""
    yield scalar
    if isinstance(scalar, Call):
        for argument in scalar.arguments:
            yield from parts(argument)


def columns_of(*scalars: Scalar | None) -> set[str]:
    """The columns that these look at; not the system column of ROW_TIME."""
    names = {part.name for one in scalars if one is not None for part in parts(one) if isinstance(part, ColumnRef)}
    return names - {_TIME.name}


def is_row_time(scalar: Scalar) -> bool:
    """True of the ROWTIME of a row or of one relation of a join."""
    is_column = isinstance(scalar, ColumnRef) and scalar.name.partition(".")[2] == "ROWTIME"
    return is_column or bare(scalar) == ROW_TIME


def has_row_time(scalar: Scalar) -> bool:
    """True if it looks at the row's ROWTIME, whatever columns it has."""
    return any(bare(part) == _TIME for part in parts(scalar))


def is_constant(scalar: Scalar) -> bool:
    """True if it is the same for every row."""
    return not any(isinstance(part, ColumnRef) for part in parts(scalar))


def is_of_time(scalar: Scalar) -> bool:
    """True if it follows from the row's ROWTIME alone, and not from the time at which it is computed."""
    of_moments = any(isinstance(part, Call) and not part.arguments for part in parts(scalar))
    return has_row_time(scalar) and not columns_of(scalar) and not of_moments


def conjuncts(predicate: Scalar) -> list[Scalar]:
    """What must all be true for the predicate to be."""
    if isinstance(predicate, Call) and predicate.function == "AND":
        return [part for argument in predicate.arguments for part in conjuncts(argument)]
    return [predicate]


def conjunction(predicates: list[Scalar]) -> Scalar | None:
    """One predicate of many; None of none."""
    return signatures.call("AND", predicates) if len(predicates) > 1 else predicates[0] if predicates else None


def earlier(scalar: Scalar, ms: int) -> Scalar:
    """A TIMESTAMP's value some milliseconds before."""
    return signatures.call("-", (scalar, Literal(ms, interval_type("SECOND"))))
