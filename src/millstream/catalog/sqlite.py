"""The catalog of one machine: a SQLite file.

    document(kind, account, region, name | version, body)        primary key (kind, account, region, name)

WAL mode with synchronous=FULL: a transaction is synced when its call returns, and after a crash SQLite rolls the file
back to the last synced one. `user_version` is the number of this layout; a file of a later layout is refused.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from millstream.catalog.port import CatalogError, Document, VersionConflict

LAYOUT = 1
_BUSY_S_MAX = 10.0  # how long a call waits for another process's transaction

_TABLE = """
CREATE TABLE IF NOT EXISTS document (
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (kind, account, region, name)
) WITHOUT ROWID
"""
_IS = "kind = ? AND account = ? AND region = ? AND name = ?"


class SqliteCatalog:
    """A `Catalog` in the SQLite file at `path` (made if missing), or in memory for ":memory:".

    With `read_only` the file must be there; another process may be writing it, and what a call returns is what was
    committed when it began. To be used from one thread, unless `any_thread`. Raises CatalogError if the file is not a
    catalog that this version understands.
    """

    def __init__(self, path: Path | str, *, read_only: bool = False, any_thread: bool = False) -> None:
        self._path = path
        with self._errors():
            if read_only:
                # not mode=ro: the first reader after a crash or a clean end has to make the shared-memory file
                uri = f"{Path(path).absolute().as_uri()}?mode=rw"
                self._db = sqlite3.connect(
                    uri, uri=True, isolation_level=None, timeout=_BUSY_S_MAX, check_same_thread=not any_thread
                )
                self._db.execute("PRAGMA query_only = ON")
            else:
                self._db = sqlite3.connect(
                    path, isolation_level=None, timeout=_BUSY_S_MAX, check_same_thread=not any_thread
                )
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
            layout = self._layout()
            if layout > LAYOUT:
                raise CatalogError(f"{path} has layout {layout}; this version of Millstream knows {LAYOUT}")
            if not read_only and layout < LAYOUT:  # one that is there is not written to: the disk may be full
                self._db.execute(_TABLE)
                self._db.execute(f"PRAGMA user_version = {LAYOUT}")
        self._is_unmade = read_only and layout == 0  # its writer has only just begun to make it

    def _layout(self) -> int:
        """The number of the file's layout; 0 as long as it has no table."""
        (layout,) = self._db.execute("PRAGMA user_version").fetchone()
        return int(layout)

    def _has_table(self) -> bool:
        if self._is_unmade:
            self._is_unmade = self._layout() == 0
        return not self._is_unmade

    def get(self, kind: str, account: str, region: str, name: str) -> Document | None:
        query = f"SELECT version, body FROM document WHERE {_IS}"  # noqa: S608 (constants)
        with self._errors():
            row = self._db.execute(query, (kind, account, region, name)).fetchone() if self._has_table() else None
        return Document(kind, account, region, name, *row) if row else None

    def put(self, kind: str, account: str, region: str, name: str, body: bytes, expected_version: int) -> int:
        key = (kind, account, region, name)
        if expected_version == 0:
            change = (
                "INSERT OR IGNORE INTO document (body, kind, account, region, name, version) VALUES (?, ?, ?, ?, ?, 1)"
            )
            self._change(change, (body, *key), key, expected_version)
        else:
            change = f"UPDATE document SET body = ?, version = version + 1 WHERE {_IS} AND version = ?"  # noqa: S608
            self._change(change, (body, *key, expected_version), key, expected_version)
        return expected_version + 1

    def delete(self, kind: str, account: str, region: str, name: str, expected_version: int) -> None:
        key = (kind, account, region, name)
        change = f"DELETE FROM document WHERE {_IS} AND version = ?"  # noqa: S608
        self._change(change, (*key, expected_version), key, expected_version)

    def delete_all(self, kind: str, account: str, region: str, prefix: str) -> None:
        change = "DELETE FROM document WHERE kind = ? AND account = ? AND region = ? AND name >= ? AND name < ?"
        with self._errors():
            self._db.execute(change, (kind, account, region, prefix, _past(prefix)))

    def list(
        self, kind: str, account: str | None = None, region: str | None = None, *, prefix: str = ""
    ) -> list[Document]:
        query = "SELECT kind, account, region, name, version, body FROM document WHERE kind = ?"
        values = [kind]
        for column, value in (("account", account), ("region", region)):
            if value is not None:
                query += f" AND {column} = ?"
                values.append(value)
        if prefix:
            query += " AND name >= ? AND name < ?"
            values += (prefix, _past(prefix))
        with self._errors():
            query += " ORDER BY account, region, name"
            rows = self._db.execute(query, values).fetchall() if self._has_table() else []
        return [Document(*row) for row in rows]

    def close(self) -> None:
        with self._errors():
            self._db.close()

    def _change(self, change: str, values: tuple[object, ...], key: tuple[str, ...], expected_version: int) -> None:
        with self._errors():
            changed = self._db.execute(change, values).rowcount
        if not changed:
            raise VersionConflict(f"{'/'.join(key)} is not at version {expected_version}")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise CatalogError(f"catalog {self._path}: {error}") from error


def _past(prefix: str) -> str:
    """What sorts after every name that starts with `prefix`."""
    return prefix + "\U0010ffff"
