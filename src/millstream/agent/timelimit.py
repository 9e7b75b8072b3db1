"""A limit to the time that a user's regular expression takes on one record.

An expression such as `(a+)+b` backtracks for ever on a record that nearly matches, and the agent would stand still. A
timer of the process ticks every TICK_S of its CPU time; a call that is under way at two ticks is stopped. That costs a
call next to nothing, and works because the matching engine lets signals in. Only the main thread can be stopped so:
calls that are made limited elsewhere are not limited.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any, TypeVar

TICK_S = 0.2
"""A call is stopped after one to two of these."""

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class TooSlow(Exception):
    """The call took too long, and was stopped."""


class _Watch:
    """Which call is under way, and which was at the last tick."""

    def __init__(self) -> None:
        self.call = 0
        self.is_under_way = False
        self._seen = 0
        self._is_ticking = False

    def start(self) -> bool:
        """Let it tick, if this thread can be stopped; whether it does."""
        if threading.current_thread() is not threading.main_thread():
            return False
        if not self._is_ticking:
            signal.signal(signal.SIGVTALRM, self._tick)
            signal.setitimer(signal.ITIMER_VIRTUAL, TICK_S, TICK_S)
            self._is_ticking = True
        return True

    def _tick(self, *_: Any) -> None:
        if not self.is_under_way:
            return
        if self._seen == self.call:
            self.is_under_way = False
            raise TooSlow
        self._seen = self.call


_watch = _Watch()


def limited(call: Callable[[Argument], Result]) -> Callable[[Argument], Result]:
    """`call`, which raises TooSlow instead of going on for longer than two ticks. It must not keep state."""
    watch = _watch
    if not watch.start():
        return call

    def run(argument: Argument) -> Result:
        watch.call += 1
        watch.is_under_way = True
        try:
            return call(argument)
        finally:
            watch.is_under_way = False

    return run
