"""Selectors of members of a JSON document: `$.a.b-c[0].d`; `*` stands for all members or elements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from millstream.logs.patterns.scanner import Scanner

_ALL = None
_INDEX_DIGITS_MAX = 9

Step = str | int | None
"""A member's name, an element's index, or all members or elements."""


class Selector(NamedTuple):
    """A way into a document, and how the pattern spells it."""

    text: str
    steps: tuple[Step, ...]

    @property
    def wildcards(self) -> int:
        """How many of the steps are wildcards."""
        return self.steps.count(_ALL)

    def find(self, document: Any) -> Iterable[Any]:
        """All values that it selects; without a wildcard one or none."""
        return _find(document, self.steps, 0) if _ALL in self.steps else _find_one(document, self.steps)


def _find_one(value: Any, steps: Sequence[Step]) -> tuple[Any, ...]:
    """The value that steps without wildcards lead to, if there is one."""
    found = value
    for step in steps:
        if isinstance(step, str):
            if not isinstance(found, dict) or step not in found:
                return ()
        elif step is _ALL or not isinstance(found, list) or step >= len(found):
            return ()
        found = found[step]
    return (found,)


def _find(value: Any, steps: tuple[Step, ...], at: int) -> Iterator[Any]:
    """The values that the steps from `at` on lead to, through all children at a wildcard."""
    if at == len(steps):
        yield value
        return
    step = steps[at]
    for child in _children(value) if step is _ALL else _find_one(value, (step,)):
        yield from _find(child, steps, at + 1)


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def take_selector(scanner: Scanner) -> Selector:
    """The selector that comes next. Raises PatternError."""
    scanner.expect("$", "a selector must follow: $.member")
    steps: list[Step] = []
    text = ["$"]
    while True:
        if scanner.peek() == ".":
            step, spelled = _member(scanner)
        elif scanner.peek() == "[" and steps:
            step, spelled = _element(scanner)
        else:
            break
        steps.append(step)
        text.append(spelled)
    if not steps:
        scanner.fail("a selector begins with $. and the name of a member")
    return Selector("".join(text), tuple(steps))


def _member(scanner: Scanner) -> tuple[Step, str]:
    scanner.take(".")
    if scanner.peek() == "*":
        scanner.take("*")
        return _ALL, ".*"
    name = scanner.take_while(lambda char: char.isalnum() or char in "_-")
    if not name:
        scanner.fail(f"Invalid character(s) in term '{scanner.peek()}': members are named by letters, digits, _ and -")
    return name, f".{name}"


def _element(scanner: Scanner) -> tuple[Step, str]:
    scanner.take("[")
    if scanner.take("*"):
        step: Step = _ALL
        spelled = "*"
    else:
        spelled = scanner.take_while(lambda char: char in "0123456789")
        if not spelled or len(spelled) > _INDEX_DIGITS_MAX:
            scanner.fail("the index of an element must follow, from 0, or *")
        step = int(spelled)
    scanner.expect("]", "] must follow the index of an element")
    return step, f"[{spelled}]"
