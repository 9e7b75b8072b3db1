"""What is wrong with a value expression, before anyone knows its place in the program."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class Mistake(Exception):
    """A type, call or pattern that does not fit: the message, and a hint. The planner makes an SqlError with the place
    of it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known names, or nothing."""
    near = difflib.get_close_matches(name.upper(), list(known), n=2, cutoff=0.7)
    return f"did you mean {' or '.join(near)}?" if near else ""
