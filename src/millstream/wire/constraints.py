"""The constraints of shapes, in AWS's words, and the collection of what breaks them.

Wording and order are as recorded from AWS by the tests of kinesalite and dynalite and as quoted in bug reports:
a value that breaks several constraints is reported once for each, and a reply lists at most ten violations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from millstream.wire.faults import ValidationException
from millstream.wire.model import ShapeModel

NOT_NULL = "Member must not be null"

_VIOLATIONS_MAX = 10

_SHOWN_CHARACTERS_MAX = 65_536
"""Of a value that is quoted in a message. AWS quotes all of it; a reply of many MiB would help nobody."""

_ENUM_ORDERS = {
    frozenset({"AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"}): (
        "AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON"
    ),
}
"""Enums whose order in AWS's messages was observed and is not the model's."""


_UNICODE_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{P}": r"!-/:-@\[-`{-~\u00a1-\u00bf\u2010-\u2027\u3001-\u3003",
    r"\p{Z}": r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}
"""Classes of characters that Java has and Python has not. They occur in patterns of tags, beside an underscore,
and of Glue's transactions, which are ignored."""


_SURROGATES = (r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")
"""Characters beyond the first 65,536, as Java's UTF-16 has them, and as Python has them; in patterns of Glue."""


class Constraint(NamedTuple):
    """A rule for a value that is not null: how AWS words it and whether a value keeps it."""

    text: str
    holds: Callable[[Any], bool]


class Violations:
    """What is wrong with a request, collected member by member."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, path: str, shown: str | None, text: str) -> None:
        """Note that the value at `path`, shown as `shown` (None: null), breaks the rule worded `text`.

        Raises the ValidationException at once when there are as many as a reply holds.
        """
        value = "null" if shown is None else f"'{clip(shown)}'"
        self._add(f"Value {value} at '{path}' failed to satisfy constraint: {text}")

    def add_sensitive(self, path: str, text: str) -> None:
        """As `add`, for a value that is not to be shown. AWS leaves it out of the sentence."""
        self._add(f"Value at '{path}' failed to satisfy constraint: {text}")

    def _add(self, text: str) -> None:
        self._texts.append(text)
        if len(self._texts) == _VIOLATIONS_MAX:
            self.settle()

    def settle(self) -> None:
        """Raise a ValidationException if anything was added."""
        if count := len(self._texts):
            errors = "error" if count == 1 else "errors"
            raise ValidationException(f"{count} validation {errors} detected: {'; '.join(self._texts)}")


def constraints_of(shape: ShapeModel) -> tuple[Constraint, ...]:
    """The constraints of a shape, in the order in which AWS reports them for a member."""
    found: list[Constraint] = []
    if shape.enum is not None:
        found.append(_enum(shape.enum))
    if shape.pattern is not None:
        found.append(_pattern(shape.pattern, shape.max))
    is_number = shape.type in ("integer", "long", "float", "double")
    if shape.min is not None and (is_number or shape.min > 0):
        found.append(_at_least(shape.min, is_number))
    if shape.max is not None:
        found.append(_at_most(shape.max, is_number))
    return tuple(found)


def joined_constraints(shape: ShapeModel) -> str:
    """The constraints of a list's or map's elements in one text: AWS reports them on the whole list or map.

    There the lower bound on a length is spelled out even if it is 0, and the upper bound comes first.
    """
    texts = []
    if shape.max is not None:
        texts.append(_at_most(shape.max, is_number=False).text)
    if shape.min is not None:
        texts.append(_at_least(shape.min, is_number=False).text)
    if shape.pattern is not None:
        texts.append(_pattern(shape.pattern, shape.max).text)
    if shape.enum is not None:
        texts.append(_enum(shape.enum).text)
    return f"[{', '.join(texts or [NOT_NULL])}]"


def anchored(pattern: str) -> str:
    r"""A model's pattern as a Python pattern for the whole value that takes time linear in the value.

    `.*:` occurs in patterns of ARNs, whose parts hold no colon; as it stands, a crafted ARN can make the match
    backtrack for a quarter of a second. `\d` and `\S` mean ASCII, as in Java.
    """
    bounded = pattern.replace(".*:", "[^:]*:").replace(*_SURROGATES)
    if r"\p{" in bounded:
        for java, python in _UNICODE_CLASSES.items():
            bounded = bounded.replace(java, python)
        return rf"\A(?:{bounded})\Z"
    return rf"(?a:\A(?:{bounded})\Z)"


def clip(text: str) -> str:
    """`text`, cut where a message gets unreasonably long."""
    return text if len(text) <= _SHOWN_CHARACTERS_MAX else f"{text[:_SHOWN_CHARACTERS_MAX]}..."


def join_clipped(parts: Iterable[str]) -> str:
    """The parts joined by commas; stops taking parts where a message gets unreasonably long."""
    taken: list[str] = []
    room = _SHOWN_CHARACTERS_MAX
    for part in parts:
        taken.append(part)
        room -= len(part) + 2
        if room < 0:
            break
    return ", ".join(taken)


def _enum(values: list[str]) -> Constraint:
    members = frozenset(values)
    order = _ENUM_ORDERS.get(members, ", ".join(values))
    return Constraint(f"Member must satisfy enum value set: [{order}]", members.__contains__)


def _pattern(pattern: str, length_max: float | None) -> Constraint:
    match = re.compile(anchored(pattern)).search
    text = f"Member must satisfy regular expression pattern: {pattern}"
    if length_max is None:
        return Constraint(text, lambda value: match(value) is not None)
    # A value that is too long is reported for that alone: its length is not bounded, so matching it is not cheap.
    return Constraint(text, lambda value: len(value) > length_max or match(value) is not None)


def _at_least(least: float, is_number: bool) -> Constraint:
    if is_number:
        return Constraint(f"Member must have value greater than or equal to {least}", lambda value: value >= least)
    return Constraint(f"Member must have length greater than or equal to {least}", lambda value: len(value) >= least)


def _at_most(most: float, is_number: bool) -> Constraint:
    if is_number:
        return Constraint(f"Member must have value less than or equal to {most}", lambda value: value <= most)
    return Constraint(f"Member must have length less than or equal to {most}", lambda value: len(value) <= most)
