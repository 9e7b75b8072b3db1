"""The applications that this server has: the in-memory truth, of which every change is first in the catalog.

All of it runs in the event loop's thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from millstream.analytics.model import KIND, Application
from millstream.catalog import Catalog
from millstream.wire import CallContext
from millstream.wire.faults import ResourceNotFoundException

VERSIONS_MAX = 10
"""How many versions before the present one are kept."""


class Handle:
    """One application; `application` is replaced, never changed: take it anew after every await."""

    __slots__ = ("application", "version")

    def __init__(self, application: Application, version: int) -> None:
        self.application = application
        self.version = version  # the catalog's


class Registry:
    """Finds applications and saves their changes."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._by_name: dict[tuple[str, str, str], Handle] = {}

    def __iter__(self) -> Iterator[Handle]:
        return iter(list(self._by_name.values()))

    def load(self) -> None:
        """Take up every application in the catalog."""
        for document in self._catalog.list(KIND):
            self._hold(Handle(msgspec.json.decode(document.body, type=Application), document.version))

    def add(self, application: Application) -> Handle:
        """Save a new application, whose name must be free."""
        handle = Handle(application, self._put(application, 0))
        self._hold(handle)
        return handle

    def save(self, handle: Handle, application: Application) -> None:
        """Make `application` the handle's: once this returns the catalog has it, and so has the handle.

        If the catalog cannot take it, nothing has changed.
        """
        handle.version = self._put(application, handle.version)
        handle.application = application

    def remove(self, handle: Handle) -> None:
        """Forget the application, in the catalog too; its files are gone already."""
        key = _key(handle.application)
        self._catalog.delete(KIND, *key, handle.version)
        del self._by_name[key]

    def has(self, account: str, region: str, name: str) -> bool:
        """Whether there is an application of that name, in whatever status."""
        return (account, region, name) in self._by_name

    def holds(self, handle: Handle) -> bool:
        """Whether the handle's application is still there."""
        return self._by_name.get(_key(handle.application)) is handle

    def in_region(self, account: str, region: str) -> list[Application]:
        """The applications of one account and region, by name."""
        held = sorted(self._by_name.items(), key=lambda item: item[0])
        return [handle.application for key, handle in held if key[:2] == (account, region)]

    def find(self, context: CallContext, name: str) -> Handle:
        """The application of that name in the caller's account and region. Raises ResourceNotFoundException."""
        handle = self._by_name.get((context.account, context.region, name))
        if handle is None:
            raise ResourceNotFoundException(
                f"Application {name} under account {context.account} in {context.region} not found."
            )
        return handle

    def with_id(self, application_id: str) -> Handle | None:
        """The application of that id."""
        return next((one for one in self if one.application.application_id == application_id), None)

    def _put(self, application: Application, version: int) -> int:
        return self._catalog.put(KIND, *_key(application), msgspec.json.encode(application), version)

    def _hold(self, handle: Handle) -> None:
        self._by_name[_key(handle.application)] = handle


def next_version(before: Application, now_ms: int, **changes: Any) -> Application:
    """The application with `changes`, as its next version; it keeps what it was before."""
    kept = msgspec.Raw(msgspec.json.encode(replace(before, versions=(), tags={})))
    versions = (*before.versions, kept)[-VERSIONS_MAX:]
    return replace(before, version=before.version + 1, updated_ms=now_ms, versions=versions, **changes)


def past_versions(application: Application) -> list[Application]:
    """The versions before the present one that are kept, oldest first, with the application's present status."""
    past = [msgspec.json.decode(raw, type=Application) for raw in application.versions]
    return [replace(one, status=application.status) for one in past]


def _key(application: Application) -> tuple[str, str, str]:
    return application.account, application.region, application.name
