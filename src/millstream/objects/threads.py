"""Blocking work in a thread of its own, which is told to stop when nobody waits for it any more.

Not a pool: a store that hangs would fill one, and then nothing else that shares the pool would move.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

T = TypeVar("T")

GRACE_S = 2.0
"""How long a cancelled caller still waits for its thread, so that nothing is read after it has gone."""


class Stopped(Exception):
    """The work was told to stop."""


async def in_thread(work: Callable[[threading.Event], T]) -> T:
    """Do `work(stop)` in a new thread and return what it returns; `stop` is set when the caller is cancelled."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()
    stop = threading.Event()
    threading.Thread(target=_run, args=(work, stop, loop, outcome), name="objects", daemon=True).start()
    try:
        return await asyncio.shield(outcome)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([outcome], timeout=GRACE_S)
        if outcome.done() and not outcome.cancelled():
            outcome.exception()  # looked at, so that asyncio does not complain
        raise


def until(stop: threading.Event, pieces: Iterable[T]) -> Iterator[T]:
    """The pieces; raises Stopped at the next one once `stop` is set."""
    for piece in pieces:
        if stop.is_set():
            raise Stopped
        yield piece


def _run(
    work: Callable[[threading.Event], T],
    stop: threading.Event,
    loop: asyncio.AbstractEventLoop,
    outcome: asyncio.Future[T],
) -> None:
    settle: Callable[[], None]
    try:
        settle = partial(_succeed, outcome, work(stop))
    except BaseException as error:  # noqa: BLE001  whatever it is, it is the caller's
        settle = partial(_fail, outcome, error)
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
        loop.call_soon_threadsafe(settle)


def _succeed(outcome: asyncio.Future[T], result: T) -> None:
    if not outcome.done():
        outcome.set_result(result)


def _fail(outcome: asyncio.Future[T], error: BaseException) -> None:
    if not outcome.done():
        outcome.set_exception(error)
