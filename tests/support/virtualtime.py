"""An asyncio loop in which waiting takes no time: when nothing is ready, the clock jumps to the next timer."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

_T = TypeVar("_T")


class _Jumping(selectors.DefaultSelector):
    """Never blocks: tells how long it would have."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits for something that will never come"
            self.waited_s += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop on its own clock."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.waited_s


class VirtualClock:
    """The `Clock` of a virtual loop; `start_ms` is the wall-clock time when it begins. Changing that makes it jump."""

    def __init__(self, loop: VirtualLoop, start_ms: int = 1_700_000_000_000) -> None:
        self._loop = loop
        self.start_ms = start_ms

    def now_ms(self) -> int:
        return self.start_ms + round(self._loop.time() * 1000)

    def monotonic(self) -> float:
        return self._loop.time()


class InlineExecutor(Executor):
    """Runs what it is given at once, in the caller's thread."""

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        future: Future[_T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - handed on
            future.set_exception(error)
        return future


def run_virtually(main: Callable[[VirtualClock], Coroutine[Any, Any, _T]]) -> _T:
    """Run `main` to its end in a virtual loop of its own."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main(VirtualClock(loop)))
    finally:
        loop.close()
