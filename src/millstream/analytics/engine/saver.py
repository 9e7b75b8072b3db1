"""Saving checkpoints: each once the outputs have taken every result before it, while turns go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from millstream.analytics.engine.checkpoint import Checkpoint, encode_checkpoint
from millstream.analytics.engine.deliver import OutputQueue
from millstream.base.clock import Clock
from millstream.base.errors import MillstreamError

_EVERY_S = 1.0
_SHARE = 20  # encoding and writing take at most a twentieth of the time


class Thread(Protocol):
    """The thread of turns."""

    def __call__(self, work: Callable[[], tuple[int, bytes]], /) -> Awaitable[tuple[int, bytes]]:
        """Have it done there."""
        ...


class Saver:
    """Saves one checkpoint at a time. `save` blocks and raises DiskError; `tell` is told of that: (level, message)."""

    def __init__(self, save: Callable[[bytes], None], clock: Clock, tell: Callable[[str, str], None]) -> None:
        self._save = save
        self._clock = clock
        self._tell = tell
        self._task: asyncio.Task[None] | None = None
        self._tried_s = float("-inf")
        self._cost_s = 0.0
        self._is_failing = False
        self.is_dirty = False
        """Whether there is something new to save. Set by who has it."""
        self.saved_ms = 0
        """When the last one was saved; 0: none was yet."""
        self.position = 0
        """The position in the source's log of the last one that was saved."""

    @property
    def is_due(self) -> bool:
        """Whether a checkpoint should be made now. Raises what ended the saving of the last one."""
        if self._task is not None and self._task.done():
            self._task.result()
            self._task = None
        since_s = self._clock.monotonic() - self._tried_s
        return self._task is None and self.is_dirty and since_s > max(_EVERY_S, _SHARE * self._cost_s)

    async def begin(self, make: Callable[[], Checkpoint], thread: Thread, queues: Iterable[OutputQueue]) -> None:
        """Have `make` make a checkpoint now, in the thread of turns; it is saved once the queues are as far."""
        began_s = self._clock.monotonic()
        self.is_dirty = False
        marks = [(queue, queue.added) for queue in queues]
        position, content = await thread(lambda: _encoded(make()))
        self._cost_s = self._clock.monotonic() - began_s
        self._task = asyncio.create_task(self._write(position, content, marks))

    async def finish(self) -> None:
        """Return once what was begun is saved, or could not be. Raises what ended it."""
        if self._task is not None:
            await self._task

    async def close(self) -> None:
        """Begin nothing more, and leave what waits for outputs."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _write(self, position: int, content: bytes, marks: list[tuple[OutputQueue, int]]) -> None:
        for queue, mark in marks:
            await queue.taken(mark)
        self._tried_s = self._clock.monotonic()
        try:
            await asyncio.to_thread(self._save, content)
        except MillstreamError as error:  # a full disk: what is saved still holds
            self.is_dirty = True
            if not self._is_failing:
                self._tell("ERROR", f"where it is cannot be saved, it goes on: {error}")
            self._is_failing = True
        else:
            self._is_failing = False
            self.saved_ms, self.position = self._clock.now_ms(), position
        self._cost_s += self._clock.monotonic() - self._tried_s


def _encoded(checkpoint: Checkpoint) -> tuple[int, bytes]:
    return checkpoint.position, encode_checkpoint(checkpoint)
