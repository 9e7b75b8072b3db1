"""Constants computed while planning: window sizes, arguments of table functions, offsets of LAG."""

from __future__ import annotations

from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.nodes import Call, Literal, Scalar

_OF_THE_MOMENT = frozenset({"CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP"})


def is_constant(scalar: Scalar) -> bool:
    """Whether the value is the same for all rows and at all times."""
    if isinstance(scalar, Call):
        return scalar.function not in _OF_THE_MOMENT and all(is_constant(one) for one in scalar.arguments)
    return isinstance(scalar, Literal)


def constant(scalar: Scalar) -> object:
    """The value of a constant, as `Literal` has it. Raises Mistake if it is none, or cannot be computed."""
    if isinstance(scalar, Literal):
        return scalar.value
    if not is_constant(scalar):
        raise Mistake("The value must be a constant", "write it as a number or an interval")
    import polars as pl  # noqa: PLC0415  (the api process plans, but has no Polars until a program computes constants)

    from millstream.analytics.scalars.compile import Evaluator, Moment  # noqa: PLC0415

    values, errors = Evaluator([scalar], ["value"]).run(pl.DataFrame({"$seq": [0]}), Moment(0))
    if errors is not None:
        raise Mistake(errors.messages[0])
    return values.item()
