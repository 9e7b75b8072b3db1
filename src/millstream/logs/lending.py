"""Log groups open and close: a group's log is opened when it is first needed, and closed when it has been idle.

So thousands of groups cost what is used of them: an open one has files open, and the indexes of its log streams in
memory. It stays open as long as somebody is `using` it. Closing saves its indexes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec

from millstream.base.clock import Clock
from millstream.catalog import Catalog
from millstream.log import LogFollower, RecordLog
from millstream.logs.faults import no_group
from millstream.logs.group import UNSAVED_BYTES_MAX, OpenGroup
from millstream.logs.model import STREAM_KIND, LogGroup, LogStream, stream_document_name
from millstream.logs.pieces import PieceCache
from millstream.logs.savedindex import SavedIndexes

IDLE_S_MAX = 60.0
OPEN_MAX = 128
"""Groups that are open at a time, unless more are in use at once."""


class Files(Protocol):
    """What log groups keep on disk, a directory each, named by the group's id."""

    def open_log(self, group_id: str) -> RecordLog:
        """Blocking. Open, or make, the log of a group."""
        ...

    def follower(self, group_id: str) -> LogFollower:
        """Who reads a group's log from front to back, once it publishes its end."""
        ...

    def delete(self, group_id: str) -> None:
        """Blocking. Delete all that there is of a group, whose log is closed."""
        ...

    def group_ids(self) -> list[str]:
        """The ids of which there is a directory."""
        ...


class GroupHandle:
    """One log group; `group` is replaced, never changed: take it anew after every await."""

    __slots__ = ("group", "is_deleted", "lock", "opened", "trim_due_s", "used_s", "users", "version")

    def __init__(self, group: LogGroup, version: int) -> None:
        self.group = group
        self.version = version
        self.is_deleted = False
        self.opened: OpenGroup | None = None
        self.lock = asyncio.Lock()  # held while the group opens or closes
        self.users = 0
        self.used_s = 0.0
        self.trim_due_s: float | None = None  # when there may be space to be given back; None: not before a change


class OpenGroups:
    """The groups that are open. Runs in the event loop's thread, and opens and closes in others."""

    def __init__(self, catalog: Catalog, files: Files, saved: SavedIndexes, clock: Clock) -> None:
        self._catalog = catalog
        self._files = files
        self._saved = saved
        self._clock = clock
        self._cache = PieceCache()
        self._open: set[GroupHandle] = set()
        self._opening: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def using(self, handle: GroupHandle) -> AsyncIterator[OpenGroup]:
        """The group, open for as long as the block runs. Raises ResourceNotFoundException if it was deleted."""
        while (opened := handle.opened) is None:
            await self._have_open(handle)
        handle.users += 1
        try:
            yield opened
        finally:
            handle.users -= 1
            handle.used_s = self._clock.monotonic()

    async def _have_open(self, handle: GroupHandle) -> None:
        """Open the group if it is not. It is opened in full also when the caller is cancelled: never twice at once."""
        opening = asyncio.create_task(self._open_group(handle))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        await asyncio.shield(opening)

    async def _open_group(self, handle: GroupHandle) -> None:
        async with handle.lock:
            if handle.is_deleted:
                raise no_group()
            if handle.opened is None:
                group = handle.group
                prefix = stream_document_name(group.group_id, "")
                documents = self._catalog.list(STREAM_KIND, group.account, group.region, prefix=prefix)
                streams = [
                    (msgspec.json.decode(document.body, type=LogStream), document.version) for document in documents
                ]
                handle.opened = await asyncio.to_thread(self._open_log, group, streams)
                self._open.add(handle)
                if handle.opened.has_deleted:
                    handle.trim_due_s = self._clock.monotonic()

    def _open_log(self, group: LogGroup, streams: list[tuple[LogStream, int]]) -> OpenGroup:
        log, follower = self._files.open_log(group.group_id), self._files.follower(group.group_id)
        opened = OpenGroup(log, follower, streams, self._saved.load(group.group_id), self._cache)
        opened.catch_up()
        return opened

    def _take_back(self, handle: GroupHandle) -> OpenGroup | None:
        """The open group, which nobody gets any more."""
        opened, handle.opened = handle.opened, None
        self._open.discard(handle)
        return opened

    async def close_idle(self) -> None:
        """Close groups that have been idle, and the longest idle of too many; save indexes of others now and then."""
        now_s = self._clock.monotonic()
        idle = sorted((handle for handle in self._open if not handle.users), key=lambda handle: handle.used_s)
        excess = len(self._open) - OPEN_MAX
        for place, handle in enumerate(idle):
            if place < excess or now_s - handle.used_s > IDLE_S_MAX:
                await self._close(handle)
        for handle in tuple(self._open):
            if handle.opened is not None and handle.opened.unsaved_bytes >= UNSAVED_BYTES_MAX:
                await self._save_indexes(handle, handle.opened)

    async def _close(self, handle: GroupHandle) -> None:
        async with handle.lock:
            if handle.users or handle.opened is None:
                return
            opened = handle.opened
            self._take_back(handle)
            await self._save_indexes(handle, opened)
            await opened.close()

    async def _save_indexes(self, handle: GroupHandle, opened: OpenGroup) -> None:
        await asyncio.to_thread(self._saved.save, handle.group.group_id, opened.take_unsaved())

    async def close_for_good(self, handle: GroupHandle) -> None:
        """Close a group that was deleted, and delete its files."""
        async with handle.lock:
            opened = self._take_back(handle)
            if opened is not None:
                await opened.close()
            await asyncio.to_thread(self._remove_files, handle.group.group_id)

    def _remove_files(self, group_id: str) -> None:
        self._files.delete(group_id)
        self._saved.forget(group_id)

    async def close(self) -> None:
        """Close all groups."""
        await asyncio.gather(*self._opening, return_exceptions=True)
        for handle in tuple(self._open):
            opened = self._take_back(handle)
            if opened is not None:
                await self._save_indexes(handle, opened)
                await opened.close()
