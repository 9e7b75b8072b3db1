"""Steps of a state machine that take place by themselves, later, and again until they succeed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from millstream.base.errors import MillstreamError
from millstream.base.scheduler import Scheduler

RETRY_MS = 1_000

T = TypeVar("T")
Step = Callable[[T], Coroutine[Any, Any, None]]

_log = logging.getLogger(__name__)


class Steps(Generic[T]):
    """Runs steps of things that `holds` still knows when their time has come; `name` says what a thing is called.

    A step must come back to where it was when it is begun anew: all that it goes by is in the saved state.
    """

    def __init__(self, scheduler: Scheduler, *, holds: Callable[[T], bool], name: Callable[[T], str]) -> None:
        self._scheduler = scheduler
        self._holds = holds
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def later(self, delay_ms: int, thing: T, step: Step[T]) -> None:
        """Take a step once `delay_ms` have passed."""

        def begin() -> None:
            if not self._closed:
                task = asyncio.get_running_loop().create_task(self._run(thing, step))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

        self._scheduler.call_later(delay_ms, begin)

    async def close(self) -> None:
        """Begin nothing more, and let what has begun come to its end."""
        self._closed = True
        await asyncio.gather(*self._tasks)

    async def _run(self, thing: T, step: Step[T]) -> None:
        if not self._holds(thing):
            return
        try:
            await step(thing)
        except (MillstreamError, OSError) as error:  # a full disk, mostly: the status stays until it goes
            _log.warning("%s: %s; trying again in %d ms", self._name(thing), error, RETRY_MS)
            self.later(RETRY_MS, thing, step)
