"""The log groups that this server has, and the way to each one's events.

A group is found by one look-up; its log is opened when it is first needed and closed when it has been idle, so that
thousands of groups cost what is used of them: an open one has files open, and indexes of its log streams in memory.
All runs in the event loop's thread but what is said to block.

For whoever follows a group (subscriptions):

    unwatch = store.watch(group.group_id, wake)      # wake() in the event loop after each PutLogEvents that stored
    position = await store.end_position(handle)      # a log position: follow from here, only what comes from now on
    followed = await store.follow(handle, position, bytes_max=4 * MIB)
    followed.runs                                    # list[EventRun], in the order of commits; may be empty
    followed.position                                # where to go on; save this once all runs are delivered
    store.on_deleted.append(callback)                # callback(group: LogGroup), in the event loop
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import msgspec

from millstream.base.clock import Clock
from millstream.catalog import Catalog
from millstream.log import Placement
from millstream.logs.events import SHARDS_MAX
from millstream.logs.faults import ResourceAlreadyExistsException, no_group
from millstream.logs.following import EventRun, Followed, follow
from millstream.logs.group import OpenGroup
from millstream.logs.lending import Files, GroupHandle, OpenGroups
from millstream.logs.model import GROUP_KIND, STREAM_KIND, LogGroup, LogStream, stream_document_name
from millstream.logs.savedindex import SavedIndexes
from millstream.wire import CallContext
from millstream.wire.faults import LimitExceededException

_TRIM_HOURS_MAX = 24
_ARN_HEAD = "arn:aws:logs:{region}:{account}:log-group:"

T = TypeVar("T")

__all__ = ["EventRun", "Files", "Followed", "GroupHandle", "LogGroupStore"]


class LogGroupStore:
    """Finds log groups, changes them, and lends them open. Iterating gives all handles, in no order.

    Every change is in the catalog before it is here. Methods raise CatalogError, and `using` what opening a log raises.
    """

    def __init__(self, catalog: Catalog, files: Files, saved: SavedIndexes, clock: Clock) -> None:
        self.on_deleted: list[Callable[[LogGroup], None]] = []
        self._catalog = catalog
        self._files = files
        self._saved = saved
        self._clock = clock
        self._by_name: dict[tuple[str, str, str], GroupHandle] = {}
        self._by_id: dict[str, GroupHandle] = {}
        self._opened = OpenGroups(catalog, files, saved, clock)
        self._under_way: set[asyncio.Task[Any]] = set()
        self._watchers: dict[str, set[Callable[[], None]]] = {}

    def __iter__(self) -> Iterator[GroupHandle]:
        return iter(list(self._by_id.values()))

    def load(self) -> None:
        """Blocking. Take up every group in the catalog, and finish deleting what a stop interrupted."""
        for document in self._catalog.list(GROUP_KIND):
            handle = GroupHandle(msgspec.json.decode(document.body, type=LogGroup), document.version)
            self._hold(handle)
            self._plan_trim(handle, 0.0)
        for group_id in self._files.group_ids():
            if group_id not in self._by_id:
                self._files.delete(group_id)

    def _hold(self, handle: GroupHandle) -> None:
        group = handle.group
        self._by_name[group.account, group.region, group.name] = handle
        self._by_id[group.group_id] = handle

    # Groups

    def get(self, account: str, region: str, name: str) -> GroupHandle | None:
        """The log group of that name; None if there is none."""
        return self._by_name.get((account, region, name))

    def get_by_id(self, group_id: str) -> GroupHandle | None:
        """The log group of that id; None if it was deleted."""
        return self._by_id.get(group_id)

    def find(self, context: CallContext, name: str) -> GroupHandle:
        """The log group of that name in the caller's account and region. Raises ResourceNotFoundException."""
        handle = self.get(context.account, context.region, name)
        if handle is None:
            raise no_group()
        return handle

    def find_by_arn(self, context: CallContext, arn: str) -> GroupHandle:
        """The log group of that ARN, with `:*` or not, as `find` does."""
        head = _ARN_HEAD.format(region=context.region, account=context.account)
        if not arn.startswith(head):
            raise no_group()
        return self.find(context, arn.removeprefix(head).removesuffix(":*"))

    def in_region(self, account: str, region: str) -> list[GroupHandle]:
        """The log groups of one account and region, by name."""
        held = [(key[2], handle) for key, handle in self._by_name.items() if key[:2] == (account, region)]
        return [handle for _, handle in sorted(held, key=lambda item: item[0])]

    def create(self, group: LogGroup) -> GroupHandle:
        """Make a log group. Raises ResourceAlreadyExistsException."""
        if self.get(group.account, group.region, group.name) is not None:
            raise ResourceAlreadyExistsException("The specified log group already exists")
        version = self._catalog.put(GROUP_KIND, group.account, group.region, group.name, msgspec.json.encode(group), 0)
        handle = GroupHandle(group, version)
        self._hold(handle)
        return handle

    def save(self, handle: GroupHandle, **changes: Any) -> None:
        """Change members of the handle's group: once this returns the catalog has the change, and so has the handle."""
        group = msgspec.structs.replace(handle.group, **changes)
        body = msgspec.json.encode(group)
        handle.version = self._catalog.put(GROUP_KIND, group.account, group.region, group.name, body, handle.version)
        handle.group = group
        if "retention_days" in changes:
            self._plan_trim(handle, 0.0)

    async def delete(self, handle: GroupHandle) -> None:
        """Delete a log group with all that is in it. What a crash leaves of it the next start removes."""
        group = handle.group
        self._catalog.delete_all(STREAM_KIND, group.account, group.region, stream_document_name(group.group_id, ""))
        self._catalog.delete(GROUP_KIND, group.account, group.region, group.name, handle.version)
        del self._by_name[group.account, group.region, group.name], self._by_id[group.group_id]
        handle.is_deleted = True
        for tell in self.on_deleted:
            tell(group)
        await self._opened.close_for_good(handle)

    # Log streams

    async def create_stream(self, handle: GroupHandle, name: str) -> None:
        """Make a log stream. Raises ResourceAlreadyExistsException, LimitExceededException."""
        async with self.using(handle) as opened:
            if name in opened.streams:
                raise ResourceAlreadyExistsException("The specified log stream already exists")
            shard = opened.free_shard()
            if shard >= SHARDS_MAX:
                raise LimitExceededException(f"A log group cannot have had more than {SHARDS_MAX} log streams.")
            group = handle.group
            stream = LogStream(name=name, shard=shard, created_ms=self._clock.now_ms())
            document_name = stream_document_name(group.group_id, name)
            body = msgspec.json.encode(stream)
            version = self._catalog.put(STREAM_KIND, group.account, group.region, document_name, body, 0)
            opened.add(stream, version)

    async def delete_stream(self, handle: GroupHandle, name: str) -> None:
        """Delete a log stream with its events. Raises ResourceNotFoundException."""
        async with self.using(handle) as opened:
            state = opened.stream(name)
            group = handle.group
            document_name = stream_document_name(group.group_id, name)
            self._catalog.delete(STREAM_KIND, group.account, group.region, document_name, state.version)
            opened.remove(state)
            handle.trim_due_s = self._clock.monotonic()
            await asyncio.to_thread(self._saved.forget, group.group_id, state.stream.shard)

    # Events

    async def put(self, handle: GroupHandle, stream: str, times_ms: Sequence[int], messages: list[bytes]) -> Placement:
        """Store events of a log stream, in their order: once this returns they are synced and visible.

        Also when the caller is cancelled they are stored, or not, as a whole. Raises ResourceNotFoundException, and
        what RecordLog.append raises.
        """
        return await self._to_the_end(self._put(handle, stream, times_ms, messages))

    async def _to_the_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Do what must not stop halfway when its caller is cancelled, because another thread has the group's files."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _put(self, handle: GroupHandle, name: str, times_ms: Sequence[int], messages: list[bytes]) -> Placement:
        async with self.using(handle) as opened:
            placement = await opened.put(opened.stream(name), times_ms, messages)
        for wake in tuple(self._watchers.get(handle.group.group_id, ())):
            wake()
        return placement

    def stored_bytes(self, handle: GroupHandle) -> int:
        """Blocking, shortly. About what the events of a group take; of a group that is closed, as it was saved."""
        if handle.opened is not None:
            return handle.opened.stored_bytes
        return self._saved.stored_bytes(handle.group.group_id)

    # Following

    def watch(self, group_id: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Have `wake` called in the event loop each time that a group has new events; returns what ends that."""
        self._watchers.setdefault(group_id, set()).add(wake)

        def unwatch() -> None:
            watchers = self._watchers.get(group_id, set())
            watchers.discard(wake)
            if not watchers:
                self._watchers.pop(group_id, None)

        return unwatch

    async def end_position(self, handle: GroupHandle) -> int:
        """The position in the group's log from where only what comes from now on is met."""
        async with self.using(handle) as opened:
            return opened.log.end_position()

    async def follow(self, handle: GroupHandle, position: int, *, bytes_max: int) -> Followed:
        """The events from a position in the group's log on, about `bytes_max` of them; none at the log's end.

        Where retention has passed the position, reading goes on at what is kept. Raises ResourceNotFoundException for
        a group that was deleted, and what reading a log raises.
        """
        return await self._to_the_end(self._follow(handle, position, bytes_max))

    async def _follow(self, handle: GroupHandle, position: int, bytes_max: int) -> Followed:
        async with self.using(handle) as opened:
            return await follow(opened, position, bytes_max)

    # Open and closed

    def using(self, handle: GroupHandle) -> AbstractAsyncContextManager[OpenGroup]:
        """The group, open for as long as the block runs. Raises ResourceNotFoundException if it was deleted."""
        return self._opened.using(handle)

    async def close_idle(self) -> None:
        """Close groups that have been idle, or longest where too many are open; save indexes now and then."""
        await self._to_the_end(self._opened.close_idle())

    async def trim(self, handle: GroupHandle) -> None:
        """Drop what has expired or was deleted, as far as whole segments of the log have."""
        await self._to_the_end(self._trim(handle))

    async def _trim(self, handle: GroupHandle) -> None:
        self._plan_trim(handle, handle.group.retention_days or 0)
        oldest_ms = handle.group.oldest_ms(self._clock.now_ms())
        async with self.using(handle) as opened:
            if oldest_ms or opened.has_deleted:
                await asyncio.to_thread(opened.trim, oldest_ms)
                opened.drop(oldest_ms)

    def _plan_trim(self, handle: GroupHandle, in_hours: float) -> None:
        """Have a group trimmed again after a 24th of its retention, or after less."""
        in_s = min(in_hours, _TRIM_HOURS_MAX) * 3600
        expires = handle.group.retention_days is not None
        handle.trim_due_s = self._clock.monotonic() + in_s if expires else None

    async def close(self) -> None:
        """Let what is under way come to its end, and close all groups."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._opened.close()
