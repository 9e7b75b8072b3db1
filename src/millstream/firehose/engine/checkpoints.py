"""Where progress is kept: the worker's own catalog, written by one thread so that no event loop waits for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from millstream.catalog import Catalog, VersionConflict
from millstream.firehose.model import DeliveryStream
from millstream.firehose.progress import KIND, Progress

_T = TypeVar("_T")


class Checkpoints:
    """Progress documents. `open_catalog` is called in the thread that uses the catalog."""

    def __init__(self, open_catalog: Callable[[], Catalog]) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._catalog = self._thread.submit(open_catalog).result()

    async def load(self, stream: DeliveryStream, delivery: str) -> tuple[Progress | None, Saver]:
        """What was saved of a delivery, if anything was, and what saves it from now on."""
        name = f"{stream.stream_id}/{delivery}"
        document = await self._call(lambda: self._catalog.get(KIND, stream.account, stream.region, name))
        progress = None if document is None else msgspec.json.decode(document.body, type=Progress)
        return progress, Saver(self, (KIND, stream.account, stream.region, name), document.version if document else 0)

    async def forget(self, stream: DeliveryStream) -> None:
        """Delete what was saved of a delivery stream that is no more."""

        def delete() -> None:
            for document in self._catalog.list(KIND, stream.account, stream.region):
                if document.name.startswith(f"{stream.stream_id}/"):
                    self._catalog.delete(KIND, stream.account, stream.region, document.name, document.version)

        await self._call(delete)

    async def save(self, key: tuple[str, str, str, str], progress: Progress, version: int) -> int:
        """Save one progress document over its `version` (0: none); synced on return, which is the new version."""
        body = msgspec.json.encode(progress)
        return await self._call(lambda: self._catalog.put(*key, body, version))

    async def version(self, key: tuple[str, str, str, str]) -> int:
        """The version of what is saved under `key`; 0 for nothing."""
        document = await self._call(lambda: self._catalog.get(*key))
        return document.version if document else 0

    async def delete(self, key: tuple[str, str, str, str], version: int) -> None:
        """Delete one progress document at its `version`."""
        await self._call(lambda: self._catalog.delete(*key, version))

    async def _call(self, fn: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, fn)

    def close(self) -> None:
        """Finish what is being saved, and close the catalog."""
        self._thread.submit(self._catalog.close)
        self._thread.shutdown()


class Saver:
    """Saves the progress of one delivery, again and again; may be used by several tasks."""

    def __init__(self, checkpoints: Checkpoints, key: tuple[str, str, str, str], version: int) -> None:
        self._checkpoints = checkpoints
        self._key = key
        self._version: int | None = version  # None: a save failed, and may have been done all the same
        self._turn = asyncio.Lock()

    async def save(self, progress: Progress) -> None:
        """Return once `progress` is synced. Raises CatalogError; VersionConflict if somebody else saves, too."""
        async with self._turn:
            version = await self._take_version()
            try:
                self._version = await self._checkpoints.save(self._key, progress, version)
            except VersionConflict:
                self._version = version
                raise

    async def forget(self) -> None:
        """Delete what was saved, if anything was."""
        async with self._turn:
            if version := await self._take_version():
                await self._checkpoints.delete(self._key, version)
            self._version = 0

    async def _take_version(self) -> int:
        """The version that is saved; looked up where it is not known. It is not known any more afterwards."""
        version, self._version = self._version, None
        return await self._checkpoints.version(self._key) if version is None else version
