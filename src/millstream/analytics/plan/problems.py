"""Mistakes told with their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlglot import exp

from millstream.analytics.language.errors import Span, SqlError
from millstream.analytics.language.nodes import span_of
from millstream.analytics.plan.suggestions import written
from millstream.analytics.scalars.mistakes import Mistake


def place_of(node: exp.Expression | None) -> Span | None:
    """Where a node stands; if it does not know, where the first of its parts does, or what it is a part of."""
    if node is None:
        return None
    for part in node.walk():
        if isinstance(part, exp.Expression) and (span := span_of(part)) is not None:
            return span
    return place_of(node.parent) if isinstance(node.parent, exp.Expression) else None


def problem(node: exp.Expression | None, message: str, hint: str = "") -> SqlError:
    """The error to raise for a node."""
    return SqlError(message, place_of(node), hint=hint)


@contextmanager
def placed(node: exp.Expression | None) -> Iterator[None]:
    """Mistakes made within are those of this node."""
    try:
        yield
    except Mistake as mistake:
        raise problem(node, mistake.message, mistake.hint) from None


def check_names(names: Sequence[exp.Identifier], what: str) -> None:
    """Columns have different names that do not begin like the system's. Raises SqlError."""
    seen: set[str] = set()
    for name in names:
        if name.this in seen:
            raise problem(name, f"{what} {written(name.this)} is there twice")
        if name.this.startswith("$"):
            raise problem(name, f"{what} {written(name.this)}: names that begin with $ are the system's")
        seen.add(name.this)


def with_source(error: SqlError, text: str) -> SqlError:
    """The same error, knowing the program that it is about."""
    return SqlError(error.message, error.span, text=text, hint=error.hint)
