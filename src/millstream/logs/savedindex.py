"""Where indexes of log streams are saved: a SQLite file, so that a start need not read the logs.

    stream_index(group_id, shard | stored_bytes, image)        primary key (group_id, shard)

Nothing is lost with it: what an index lacks is read from the log when its group is opened. So it is written without
being synced, and where it cannot be read or written that is told in the process's log, and all goes on. A file that is
damaged, or of another layout, is begun anew.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from millstream.logs.chunks import StreamIndex

LAYOUT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS stream_index (
    group_id TEXT NOT NULL,
    shard INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    image BLOB NOT NULL,
    PRIMARY KEY (group_id, shard)
) WITHOUT ROWID;
"""

_log = logging.getLogger(__name__)

Saved = tuple[int, int, bytes]
"""Shard, stored bytes, image."""


class SavedIndexes:
    """The saved indexes in the file at `path`, which is made if missing. May be used from any thread; blocking."""

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._db = self._open(path)
        except sqlite3.OperationalError as error:  # a full disk, mostly
            _log.warning("%s cannot be used, indexes of log groups are not saved: %s", path, error)
            self._db = self._open(":memory:")
        except sqlite3.DatabaseError as error:
            _log.warning("%s is begun anew, log groups are read to make it: %s", path, error)
            for name in (str(path), f"{path}-wal", f"{path}-shm"):
                Path(name).unlink(missing_ok=True)
            self._db = self._open(path)

    def _open(self, path: Path | str) -> sqlite3.Connection:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        (layout,) = db.execute("PRAGMA user_version").fetchone()
        if layout not in (0, LAYOUT):
            db.close()
            raise sqlite3.DatabaseError(f"it has layout {layout}; this version of Millstream knows {LAYOUT}")
        if layout == 0:
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {LAYOUT}; COMMIT;")
        return db

    def load(self, group_id: str) -> dict[int, StreamIndex]:
        """The saved indexes of a group by shard; those that cannot be had are left out."""
        query = "SELECT shard, image FROM stream_index WHERE group_id = ?"
        rows = []
        with self._told():
            rows = self._db.execute(query, (group_id,)).fetchall()
        indexes = {}
        for shard, image in rows:
            try:
                indexes[shard] = StreamIndex.from_image(shard, image)
            except ValueError as error:
                _log.warning("the index of log stream %d of %s is made anew: %s", shard, group_id, error)
        return indexes

    def stored_bytes(self, group_id: str) -> int:
        """What the log streams of a group stored, as far as it is saved."""
        query = "SELECT total(stored_bytes) FROM stream_index WHERE group_id = ?"
        size_bytes = 0
        with self._told():
            (size_bytes,) = self._db.execute(query, (group_id,)).fetchone()
        return int(size_bytes)

    def save(self, group_id: str, indexes: Iterable[Saved]) -> None:
        """Save indexes of a group, all or none."""
        change = "INSERT OR REPLACE INTO stream_index (group_id, shard, stored_bytes, image) VALUES (?, ?, ?, ?)"
        self._transact(change, [(group_id, *saved) for saved in indexes])

    def forget(self, group_id: str, shard: int | None = None) -> None:
        """Forget the index of a log stream, or all of a group."""
        change = "DELETE FROM stream_index WHERE group_id = ?"
        if shard is None:
            self._transact(change, [(group_id,)])
        else:
            self._transact(f"{change} AND shard = ?", [(group_id, shard)])

    def keep_only(self, group_ids: Iterable[str]) -> None:
        """Forget the indexes of all other groups."""
        rows = []
        with self._told():
            rows = self._db.execute("SELECT DISTINCT group_id FROM stream_index").fetchall()
        for group_id in {row[0] for row in rows} - set(group_ids):
            self.forget(group_id)

    def close(self) -> None:
        """Let go of the file."""
        with self._told():
            self._db.close()

    def _transact(self, change: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._told():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(change, rows)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            _log.warning("%s: %s", self._path, error)
