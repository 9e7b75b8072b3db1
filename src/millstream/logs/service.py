"""The service: everything that operations work with, and its life from start to close."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from millstream.base.clock import Clock
from millstream.base.errors import MillstreamError
from millstream.catalog import Catalog
from millstream.logs.events import Place
from millstream.logs.faults import ResourceAlreadyExistsException
from millstream.logs.group import OpenGroup, StreamState
from millstream.logs.lending import Files, GroupHandle
from millstream.logs.model import LogGroup
from millstream.logs.reading import TIME_MS_END, cut_at, read_page
from millstream.logs.savedindex import SavedIndexes
from millstream.logs.store import LogGroupStore
from millstream.logs.subscriptions import Destinations, Subscriptions
from millstream.logs.sweep import Found, Limits, Range

OWN_RETENTION_DAYS = 30
"""How long log groups keep events that Millstream had to make for its own."""

_IDLE_INTERVAL_S = 5.0
_TRIM_INTERVAL_S = 900.0

_log = logging.getLogger(__name__)


class LogsSettings(NamedTuple):
    """`limits_aws` False lifts AWS's quota of subscription filters of a log group."""

    limits_aws: bool = True


class LogsService:
    """CloudWatch Logs without its API, which `operations_of` gives. Everything runs in one event loop."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        files: Files,
        saved: SavedIndexes,
        destinations: Destinations,
        clock: Clock,
        settings: LogsSettings = LogsSettings(),  # noqa: B008 - immutable
    ) -> None:
        self.clock = clock
        self.settings = settings
        self.store = LogGroupStore(catalog, files, saved, clock)
        self.subscriptions = Subscriptions(catalog, self.store, destinations, clock)
        self._saved = saved
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Take up what the catalog has, and begin to deliver, to trim and to close what is idle."""
        self.store.load()
        self._saved.keep_only(handle.group.group_id for handle in self.store)
        await self.subscriptions.start()
        self._tasks = [asyncio.create_task(self._close_idle()), asyncio.create_task(self._trim())]

    async def close(self) -> None:
        """Stop what goes on by itself, let puts under way end, and close all groups."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.subscriptions.close()
        await self.store.close()
        self._saved.close()

    async def _close_idle(self) -> None:
        while True:
            await asyncio.sleep(_IDLE_INTERVAL_S)
            try:
                await self.store.close_idle()
            except MillstreamError as error:
                _log.error("closing idle log groups: %s", error)

    async def _trim(self) -> None:
        while True:
            await asyncio.sleep(_TRIM_INTERVAL_S)
            for handle in self.store:
                if handle.trim_due_s is not None and handle.trim_due_s <= self.clock.monotonic():
                    await self._trim_group(handle)

    async def _trim_group(self, handle: GroupHandle) -> None:
        try:
            await self.store.trim(handle)
        except MillstreamError as error:
            _log.warning("log group %s: its expired events are not dropped yet: %s", handle.group.name, error)

    # For the platform's own events

    async def append_own(
        self, account: str, region: str, group: str, stream: str, events: Sequence[tuple[int, str]]
    ) -> None:
        """Store events of the platform itself, (time in ms, message); group and log stream are made if missing."""
        handle = self.store.get(account, region, group)
        if handle is None:
            handle = self.store.create(
                LogGroup(
                    account=account,
                    region=region,
                    name=group,
                    group_id=uuid.uuid4().hex,
                    created_ms=self.clock.now_ms(),
                    retention_days=OWN_RETENTION_DAYS,
                )
            )
        with suppress(ResourceAlreadyExistsException):
            await self.store.create_stream(handle, stream)
        ordered = sorted(events, key=lambda event: event[0])
        times_ms = [min(max(time_ms, 0), TIME_MS_END - 1) for time_ms, _ in ordered]
        await self.store.put(handle, stream, times_ms, [message.encode("utf-8", "replace") for _, message in ordered])

    async def newest(
        self,
        account: str,
        region: str,
        group: str,
        *,
        stream: str | None = None,
        start_ms: int = 0,
        text: str = "",
        events_max: int,
    ) -> list[tuple[int, str]]:
        """The newest events, (time in ms, message), newest first, that have `text`; none where there is no group.

        Of one log stream or all, from `start_ms` on.
        """
        handle = self.store.get(account, region, group)
        if handle is None:
            return []
        oldest_ms = handle.group.oldest_ms(self.clock.now_ms())
        left: Range | None = Range(cut_at(max(start_ms, oldest_ms)), Place(TIME_MS_END, 0, 0, 0))
        found: list[Found] = []
        async with self.store.using(handle) as opened:
            while left is not None and len(found) < events_max:
                states = _streams(opened, stream)
                limits = Limits(events_max - len(found))
                page = await read_page(
                    opened, states, left, forward=False, matches=lambda message: text in message, limits=limits
                )
                found += page.events
                left = page.left
        return [(event.place.time_ms, event.message) for event in found]


def _streams(opened: OpenGroup, name: str | None) -> list[StreamState]:
    if name is None:
        return list(opened.streams.values())
    return [opened.streams[name]] if name in opened.streams else []
