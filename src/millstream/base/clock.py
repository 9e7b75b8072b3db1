"""Time as a dependency, so that everything that waits or stamps can be simulated."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def now_ms(self) -> int:
        """Wall-clock time, milliseconds since the epoch (UTC)."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; only differences mean anything."""
        ...


def monotonic_ms(clock: Clock) -> int:
    """`clock.monotonic()` in whole milliseconds."""
    return round(clock.monotonic() * 1000)


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told to: for tests and simulations."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self._set_ms = 0

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return (self._now_ms - self._set_ms) / 1000

    def advance(self, ms: int) -> None:
        """Move time forward by `ms` milliseconds."""
        self._now_ms += ms

    def set_forward(self, ms: int) -> None:
        """Set the wall clock forward, or back, while no time passes."""
        self._now_ms += ms
        self._set_ms += ms
