"""Trying again: exponential backoff with jitter, for as long as is documented, or for ever."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

from millstream.base.clock import Clock

FIRST_PAUSE_S = 1.0
PAUSE_S_MAX = 120.0
_JITTER = 0.15


def pause_s(attempt: int, generator: random.Random, first_s: float = FIRST_PAUSE_S) -> float:
    """How long to wait after the `attempt`th failure (from 1): doubling, at most two minutes, 15 % either way."""
    pause = min(PAUSE_S_MAX, first_s * 2.0 ** min(attempt - 1, 20))
    return pause * generator.uniform(1 - _JITTER, 1 + _JITTER)


async def attempts(
    clock: Clock, generator: random.Random, duration_s: float | None, first_s: float = FIRST_PAUSE_S
) -> AsyncIterator[int]:
    """Count attempts from 1, with pauses between them, until `duration_s` have passed (None: for ever).

    There is always a first attempt; the last one begins when the time is just up.
    """
    began_s = clock.monotonic()
    attempt = 1
    while True:
        yield attempt
        left_s = None if duration_s is None else duration_s - (clock.monotonic() - began_s)
        if left_s is not None and left_s <= 0:
            return
        pause = pause_s(attempt, generator, first_s)
        await asyncio.sleep(pause if left_s is None else min(pause, left_s))
        attempt += 1
