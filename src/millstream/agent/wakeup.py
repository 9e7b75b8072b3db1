"""Wake-ups: the file system tells that something was written, so that nobody need look all the time.

Only a hint: files are looked at every so often whether or not anything is told, since some file systems tell nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from watchfiles import awatch

log = logging.getLogger("millstream.agent")

_DEBOUNCE_MS = 100
_STEP_MS = 10
_RETRY_S = 30.0


class Wakeup:
    """Watches directories and tells which paths in them changed."""

    def __init__(self, directories: Callable[[], Iterable[str]], changed: Callable[[list[str]], None]) -> None:
        """`directories` says what is to be watched now; `changed` is called in the event loop."""
        self._directories = directories
        self._changed = changed
        self._again = asyncio.Event()
        self._watched: frozenset[str] = frozenset()
        self._is_told = False
        self.is_watching = False
        """Whether changes are told at present."""

    def look_again(self) -> None:
        """The directories may be others now."""
        if frozenset(self._directories()) != self._watched:
            self._again.set()

    async def run(self) -> None:
        """Until cancelled. What cannot be watched is told of once: polling does without."""
        while True:
            self._again.clear()
            self._watched = frozenset(self._directories())
            if self._watched:
                await self._watch(sorted(self._watched))
            self.is_watching = False
            try:
                async with asyncio.timeout(_RETRY_S):
                    await self._again.wait()
            except TimeoutError:
                continue

    async def _watch(self, directories: list[str]) -> None:
        """Until there are other directories to watch, or the system refuses."""
        try:
            changes = awatch(
                *directories,
                watch_filter=None,
                debounce=_DEBOUNCE_MS,
                step=_STEP_MS,
                stop_event=self._again,
                recursive=False,
                ignore_permission_denied=True,
            )
            self.is_watching = True
            async for change in changes:
                self._changed([path for _, path in change])
        except OSError as error:  # no watches left, a directory that has just gone, …
            if not self._is_told:
                log.info("files are polled, as their directories cannot be watched: %s", error)
            self._is_told = True
