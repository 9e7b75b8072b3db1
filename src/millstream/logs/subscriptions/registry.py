"""All subscription filters of the server: their documents and their feeds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from millstream.base.clock import Clock
from millstream.catalog import Catalog, CatalogError
from millstream.logs.model import LogGroup
from millstream.logs.patterns import PatternError
from millstream.logs.subscriptions.feed import Feed
from millstream.logs.subscriptions.model import FILTER_KIND, SubscriptionFilter
from millstream.logs.subscriptions.ports import Destination, Destinations, Groups, Outcome
from millstream.logs.subscriptions.records import control_record

SAVE_INTERVAL_S = 1.0
SAVES_MAX = 20
"""Positions that are saved in an interval: each is a transaction, in the event loop."""

TURNS_MAX = 4

_log = logging.getLogger(__name__)


class _Entry:
    """A filter, the version of its document, and its feed while it runs."""

    __slots__ = ("feed", "filter", "position", "version")

    def __init__(self, wanted: SubscriptionFilter, version: int) -> None:
        self.filter = wanted
        self.version = version
        self.position = wanted.position
        self.feed: asyncio.Task[None] | None = None


class Subscriptions:
    """The filters of all log groups. Everything runs in one event loop. Raises CatalogErrors as they come."""

    def __init__(self, catalog: Catalog, groups: Groups, destinations: Destinations, clock: Clock) -> None:
        self._catalog = catalog
        self._groups = groups
        self._destinations = destinations
        self._clock = clock
        self._entries: dict[str, dict[str, _Entry]] = {}  # by group and name
        self._turns = asyncio.Semaphore(TURNS_MAX)
        self._unsaved: dict[_Entry, None] = {}
        self._saving: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        groups.on_deleted.append(self._group_deleted)

    async def start(self) -> None:
        """Take up every filter of the catalog where it was; those of groups that are gone are deleted."""
        for document in self._catalog.list(FILTER_KIND):
            wanted = msgspec.json.decode(document.body, type=SubscriptionFilter)
            entry = _Entry(wanted, document.version)
            if self._groups.get_by_id(wanted.group_id) is None:
                self._delete_document(entry)
            else:
                self._add(entry)

    async def close(self) -> None:
        """End all feeds and save how far they have come."""
        entries = list(self._all())
        for entry in entries:
            self._end_feed(entry)
        await asyncio.gather(*self._ending, return_exceptions=True)
        if self._saving is not None:
            self._saving.cancel()
        self._save_positions(len(entries))

    def of_group(self, group_id: str) -> list[SubscriptionFilter]:
        """The group's filters, by name."""
        return [entry.filter for _, entry in sorted(self._entries.get(group_id, {}).items())]

    async def check(self, destination: Destination) -> Outcome:
        """Put a control message, as CloudWatch Logs does before it takes a filter."""
        record = control_record(destination.kind, self._clock.now_ms())
        return await self._destinations.put(destination, [record])

    def put(self, wanted: SubscriptionFilter) -> None:
        """Make the filter, or change it: then it goes on where it was, and its position is not looked at."""
        former = self._entries.get(wanted.group_id, {}).get(wanted.name)
        if former is not None:
            wanted = replace(wanted, position=former.position, created_ms=former.filter.created_ms)
        entry = _Entry(wanted, former.version if former is not None else 0)
        self._save(entry)
        if former is not None:
            self._forget(former)
        self._add(entry)

    def delete(self, group_id: str, name: str) -> bool:
        """Delete the filter; False if there is none of that name."""
        entry = self._entries.get(group_id, {}).get(name)
        if entry is None:
            return False
        self._delete_document(entry)
        self._forget(entry)
        return True

    def _group_deleted(self, group: LogGroup) -> None:
        for entry in list(self._entries.get(group.group_id, {}).values()):
            self._forget(entry)
            try:
                self._delete_document(entry)
            except CatalogError as error:  # the next start deletes it
                _log.warning("subscription filter %s was not deleted with its group: %s", entry.filter.name, error)

    def _all(self) -> Iterator[_Entry]:
        for entries in self._entries.values():
            yield from entries.values()

    def _add(self, entry: _Entry) -> None:
        wanted = entry.filter
        self._entries.setdefault(wanted.group_id, {})[wanted.name] = entry

        def advanced(position: int) -> None:
            self._advance(entry, position)

        try:
            feed = Feed(wanted, self._groups, self._destinations, self._turns, advanced)
        except PatternError as error:  # another version of Millstream took it
            _log.error("subscription filter %s of log group %s stands still: %s", wanted.name, wanted.group_name, error)
            return
        entry.feed = asyncio.create_task(feed.run(), name=f"subscription filter {wanted.document_name}")

    def _forget(self, entry: _Entry) -> None:
        self._end_feed(entry)
        self._unsaved.pop(entry, None)
        entries = self._entries[entry.filter.group_id]
        del entries[entry.filter.name]
        if not entries:
            del self._entries[entry.filter.group_id]

    def _end_feed(self, entry: _Entry) -> None:
        if entry.feed is not None:
            entry.feed.cancel()
            self._ending.add(entry.feed)
            entry.feed.add_done_callback(self._ending.discard)
            entry.feed = None

    def _advance(self, entry: _Entry, position: int) -> None:
        """Note how far a feed has come; saved soon."""
        entry.position = position
        self._unsaved[entry] = None
        if self._saving is None:
            self._saving = asyncio.get_running_loop().call_later(SAVE_INTERVAL_S, self._save_soon)

    def _save_soon(self) -> None:
        self._saving = None
        self._save_positions(SAVES_MAX)
        if self._unsaved:
            self._saving = asyncio.get_running_loop().call_later(SAVE_INTERVAL_S, self._save_soon)

    def _save_positions(self, count_max: int) -> None:
        """Save positions, those first that have waited longest. What cannot be saved would only be delivered again."""
        for entry in list(self._unsaved)[:count_max]:
            entry.filter = replace(entry.filter, position=entry.position)
            del self._unsaved[entry]
            try:
                self._save(entry)
            except CatalogError as error:
                _log.warning("the position of subscription filter %s was not saved: %s", entry.filter.name, error)
                self._unsaved[entry] = None  # the last in line: others' need not wait for it
                return

    def _save(self, entry: _Entry) -> None:
        wanted = entry.filter
        body = msgspec.json.encode(wanted)
        place = (FILTER_KIND, wanted.account, wanted.region, wanted.document_name)
        entry.version = self._catalog.put(*place, body, entry.version)

    def _delete_document(self, entry: _Entry) -> None:
        wanted = entry.filter
        self._catalog.delete(FILTER_KIND, wanted.account, wanted.region, wanted.document_name, entry.version)
