"""Room for progress on a disk that is full: taken before the first record can be put, and kept.

What fills a disk may be the very records that wait for their delivery: it must be possible to save on a full one that
they are delivered, or they would never go. So the worker's catalog is made to take the space that its saves will need
as long as there is some. The api process does it, which also has the catalog open from then on: a worker needs longer
to start than clients need to fill a disk, and when the last user of a catalog goes, SQLite deletes what it had taken.
"""

from __future__ import annotations

from pathlib import Path

from millstream.base.units import MIB
from millstream.catalog import SqliteCatalog
from millstream.firehose.progress import KIND

_ROOM_BYTES = 5 * MIB  # more than SQLite's write-ahead log grows to before it is used from its start again
_GROWTH_BYTES = 2 * MIB  # of the documents themselves, which are small
_KIND = "room"
_KEY = (_KIND, "", "", "")


class Room:
    """The room of the worker's catalog at `path`. To be used from one thread."""

    def __init__(self, path: Path) -> None:
        self.is_taken = False
        self._path = path
        self._catalog: SqliteCatalog | None = None

    def take(self) -> None:
        """Blocking. Have the catalog's files take the room, unless they have it. Raises CatalogError, OSError.

        If there is not enough space, what there is of it is kept, and may be taken more of later.
        """
        if self._catalog is None:
            self._catalog = SqliteCatalog(self._path)
        catalog = self._catalog
        if (left := catalog.get(*_KEY)) is not None:  # by a crash
            catalog.delete(*_KEY, left.version)
        if not self._is_there(catalog):
            catalog.delete(*_KEY, catalog.put(*_KEY, bytes(_ROOM_BYTES), 0))
        self.is_taken = True

    def _is_there(self, catalog: SqliteCatalog) -> bool:
        ahead = self._path.with_name(f"{self._path.name}-wal")
        used = sum(len(document.body) for document in catalog.list(KIND))
        return ahead.stat().st_size >= _ROOM_BYTES and self._path.stat().st_size - used >= _GROWTH_BYTES

    def close(self) -> None:
        """Let go of the catalog, and of the room if nobody else has the catalog open."""
        if self._catalog is not None:
            self._catalog.close()
