"""Doing things later as a dependency, so that every delay can be simulated."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Protocol

from millstream.base.clock import ManualClock

Cancel = Callable[[], None]


class Scheduler(Protocol):
    """Where delays come from."""

    def call_later(self, delay_ms: int, fn: Callable[[], None]) -> Cancel:
        """Call `fn` in the event loop once `delay_ms` have passed; the answer takes that back while it may."""
        ...


class LoopScheduler:
    """Delays of the running asyncio event loop."""

    def call_later(self, delay_ms: int, fn: Callable[[], None]) -> Cancel:
        return asyncio.get_running_loop().call_later(delay_ms / 1000, fn).cancel


class ManualScheduler:
    """Delays on a manual clock: time passes only in `advance`, which calls what falls due, in order of time."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._order = count()
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()

    def call_later(self, delay_ms: int, fn: Callable[[], None]) -> Cancel:
        ticket = next(self._order)
        heapq.heappush(self._waiting, (self._clock.now_ms() + delay_ms, ticket, fn))
        return lambda: self._cancelled.add(ticket)

    def advance(self, ms: int) -> None:
        """Let `ms` milliseconds pass; each call sees the clock at the moment it was due."""
        end_ms = self._clock.now_ms() + ms
        while self._waiting and self._waiting[0][0] <= end_ms:
            due_ms, ticket, fn = heapq.heappop(self._waiting)
            if ticket in self._cancelled:
                self._cancelled.discard(ticket)
                continue
            self._clock.advance(max(0, due_ms - self._clock.now_ms()))
            fn()
        self._clock.advance(end_ms - self._clock.now_ms())
