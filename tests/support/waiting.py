"""Waiting for a condition, so that no test sleeps for a fixed time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def wait_for(condition: Callable[[], T | None], what: str, *, timeout_s: float = 15.0, interval_s: float = 0.02) -> T:
    """Return the first true value of `condition`; fail, naming `what` was awaited, after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:g} s in vain for {what}")
        time.sleep(interval_s)
    return value
