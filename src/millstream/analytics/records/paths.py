"""JSONPath as Kinesis Data Analytics has it: `$.a.b`, `$.a[0:]`, `$.a[0:].b`, and, of ours, `$.a[2]` and `$['a b']`.

Source: "Working with JSONPath" in the developer guide.
"""

from __future__ import annotations

import re
from typing import Final

from millstream.base.errors import MillstreamError


class InvalidSchema(MillstreamError):
    """A schema that nothing can be decoded by; the text says which part of it, and what it ought to be."""


class Every:
    """The step `[0:]`: all elements of an array."""

    def __repr__(self) -> str:
        return "[0:]"


EVERY: Final = Every()

Step = str | int | Every
Path = tuple[Step, ...]

_STEP = re.compile(
    r"""\.?(?:(?P<name>[^.\[\]'"]+)|\[\s*(?:(?P<every>0?\s*:|\*)|(?P<index>\d{1,9})|'(?P<quoted>[^']+)'|"(?P<double>[^"]+)")\s*\])"""
)


def parse_path(text: str) -> Path:
    """The steps from the root; none for "$". A path without "$" starts at the root, too. Raises InvalidSchema."""
    rest = text.strip().removeprefix("$")
    steps: list[Step] = []
    at = 0
    while at < len(rest):
        found = _STEP.match(rest, at)
        if found is None:
            raise InvalidSchema(f"{text!r} is not a path: write it like $.name, $.outer.inner or $.items[0:].name")
        steps.append(_step(found))
        at = found.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    if found["every"] is not None:
        return EVERY
    if found["index"] is not None:
        return int(found["index"])
    return found["name"] or found["quoted"] or found["double"]


def element_at(value: object, path: Path) -> object:
    """What is at `path` within a decoded JSON value; None if nothing is. `[0:]` at the end is the array itself."""
    for step in path:
        if isinstance(step, str):
            if not isinstance(value, dict):
                return None
            value = value.get(step)
        elif isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return None
            value = value[step]
    return value


def elements_at(value: object, path: Path) -> list[object]:
    """All elements at `path`, arrays at `[0:]` and at its end taken apart; what is no array is one element, null
    none."""
    if EVERY in path:
        place = path.index(EVERY)
        return [found for one in elements_at(value, path[:place]) for found in elements_at(one, path[place + 1 :])]
    found = element_at(value, path)
    if isinstance(found, list):
        return found
    return [] if found is None else [found]
