"""The platform's own log events: from the outbox that other processes write into the log groups that everybody reads.

    worker, applications ─► logs.db (outbox) ─► OwnLogs ─► log groups: GetLogEvents, GetDeliveryErrors, …

An event is taken out of the outbox once its log group has it, so a crash between the two repeats a few.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from millstream.base.errors import MillstreamError
from millstream.logs import LogsService
from millstream.telemetry import Outbox, OutgoingEvent

INTERVAL_S = 1.0
_EVENTS_MAX = 1_000
_WARNING_S = 60.0

_log = logging.getLogger("millstream.server")


class OwnLogs:
    """Moves events; to be used from the event loop that runs `logs`. The outbox at `path` need not be there yet."""

    def __init__(self, path: Path, logs: LogsService) -> None:
        self._path = path
        self._logs = logs
        self._outbox: Outbox | None = None
        self._moved: set[int] = set()  # sequences of events that their log groups have and the outbox, too
        self._lock = asyncio.Lock()
        self._moving: asyncio.Task[None] | None = None
        self._warned_s: dict[str, float] = {}

    def start(self) -> None:
        """Move events from now on, every second.

        Makes the outbox: on a disk that records have filled by the time the first worker starts, nobody could.
        """
        try:
            self._outbox = Outbox(self._path)
        except MillstreamError as error:
            self._warn(f"the platform's own log events wait: {error}")
        self._moving = asyncio.create_task(self._move_on())

    async def close(self) -> None:
        """Move what is left, and let go of the outbox."""
        if self._moving is not None:
            self._moving.cancel()
            await asyncio.gather(self._moving, return_exceptions=True)
        await self.move()
        if self._outbox is not None:
            with suppress(MillstreamError):
                self._outbox.close()

    async def newest(
        self, account: str, region: str, group: str, *, stream: str | None, start_ms: int, text: str, events_max: int
    ) -> list[tuple[int, str]]:
        """The newest events (time in ms, message) of a log group that have `text`, those under way included."""
        await self.move()
        return await self._logs.newest(
            account, region, group, stream=stream, start_ms=start_ms, text=text, events_max=events_max
        )

    async def move(self) -> None:
        """Move what is in the outbox now. Raises nothing: what cannot be moved stays there."""
        async with self._lock:
            try:
                after: int | None = 0
                while after is not None:
                    after = await self._move_some(after)
            except MillstreamError as error:
                self._warn(f"log events wait for their log groups: {error}")

    async def _move_on(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            await self.move()

    async def _move_some(self, after: int) -> int | None:
        """Move some events whose sequence is above `after`; the last one's sequence, None if there are no more."""
        if self._outbox is None:
            if not self._path.exists():
                return None
            self._outbox = await asyncio.to_thread(Outbox, self._path)
        events = await asyncio.to_thread(self._outbox.take, after=after, events_max=_EVENTS_MAX)
        waiting = sorted((event for event in events if event.sequence not in self._moved), key=_target)
        for target, some in groupby(waiting, key=_target):
            await self._append(target, list(some))
        if self._moved:
            await asyncio.to_thread(self._outbox.forget, self._moved)
            self._moved.clear()
        return events[-1].sequence if len(events) == _EVENTS_MAX else None

    async def _append(self, target: tuple[str, str, str, str], events: list[OutgoingEvent]) -> None:
        """Give a log stream its events; where it cannot take them now they stay, and others' are moved all the same."""
        try:
            await self._logs.append_own(*target, [(event.time_ms, event.message) for event in events])
        except MillstreamError as error:
            self._warn(f"log events wait for the log group {target[2]}: {error}")
        else:
            self._moved.update(event.sequence for event in events)

    def _warn(self, text: str) -> None:
        """Say it, but the same thing only once a minute."""
        now_s = time.monotonic()
        self._warned_s = {said: at_s for said, at_s in self._warned_s.items() if now_s - at_s < _WARNING_S}
        if self._warned_s.setdefault(text, now_s) == now_s:
            _log.warning("%s", text)


def _target(event: OutgoingEvent) -> tuple[str, str, str, str]:
    return event.account, event.region, event.log_group, event.log_stream
