"""Checkpoints: which bytes of which files are done, in a SQLite file.

    flows   flow                                         the flows that have been started
    files   flow, device, inode, generation -> progress  see FileProgress

A file's row is written anew whenever more of it is done. The database is in WAL mode with synchronous=NORMAL: a kill
loses nothing, a power cut may lose the last transactions, and then records are sent again. `PRAGMA application_id`
tells the file from other programs' databases (the Java agent's checkpoints are one), `user_version` is the number of
the layout. A lock on `<name>.lock` is held for as long as the file is open, so that two agents never share one.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from millstream.agent.records import FileId
from millstream.agent.tail.progress import FileProgress
from millstream.base.clock import Clock, SystemClock
from millstream.base.errors import MillstreamError

log = logging.getLogger("millstream.agent")

LAYOUT = 1
_APPLICATION_ID = 0x4D53_4147  # "MSAG"
_DAY_MS = 86_400_000
_SCHEMA = f"""
CREATE TABLE flows (flow BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE files (
    flow BLOB, device INTEGER, inode INTEGER, generation INTEGER,
    path BLOB NOT NULL, done BLOB NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, fingerprint BLOB NOT NULL,
    saved_at_ms INTEGER NOT NULL,
    PRIMARY KEY (flow, device, inode, generation)
) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {LAYOUT};
"""
_COLUMNS = "device, inode, generation, path, done, size, mtime_ns, fingerprint"


class CheckpointError(MillstreamError):
    """The checkpoint file cannot be used; the text says what to do."""


class Checkpoints:
    """A checkpoint file, opened or made (mode 0600). Calls block, and may come from any thread, one at a time.

    Raises CheckpointError: the file is damaged, another program's, of a later layout, or another agent has it open.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._turn = threading.Lock()
        self._lock = _lock(path)
        try:
            self._database = _open(path)
        except BaseException:
            os.close(self._lock)
            raise

    def load(self, flow_id: str) -> dict[FileId, FileProgress] | None:
        """The flow's files. None: nothing has ever been saved for this flow, this is its first start."""
        flow = _encode(flow_id)
        with self._turn, _explained(self._path):
            if not self._database.execute("SELECT 1 FROM flows WHERE flow = ?", (flow,)).fetchone():
                return None
            rows = self._database.execute(f"SELECT {_COLUMNS} FROM files WHERE flow = ?", (flow,)).fetchall()  # noqa: S608
        found = [_progress(self._path, row) for row in rows]
        return {progress.file: progress for progress in found}

    def save(self, flow_id: str, changes: Iterable[FileProgress]) -> None:
        """Save in one transaction; also notes that the flow has been started."""
        flow = _encode(flow_id)
        now_ms = self._clock.now_ms()
        rows = [(flow, *_row(progress), now_ms) for progress in changes]
        with self._turn, _explained(self._path), self._database:
            self._database.execute("INSERT OR IGNORE INTO flows VALUES (?)", (flow,))
            self._database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        with self._turn, _explained(self._path):
            if not self._path.exists():
                self._restore()

    def expire(self, ttl_days: int) -> None:
        """Forget files that have not been saved for `ttl_days`."""
        before_ms = self._clock.now_ms() - ttl_days * _DAY_MS
        with self._turn, _explained(self._path), self._database:
            self._database.execute("DELETE FROM files WHERE saved_at_ms < ?", (before_ms,))

    def _restore(self) -> None:
        """Somebody deleted the file. What was saved is still there as long as it is open, and is written anew."""
        copy = self._path.with_name(f"{self._path.name}.new")
        copy.unlink(missing_ok=True)
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._database.execute("VACUUM INTO ?", (str(copy),))
        self._database.close()  # which deletes the files beside the old one, before the new one has the name
        copy.replace(self._path)
        self._database = _open(self._path)
        log.warning("the checkpoint file %s was deleted while the agent ran; it has been written anew", self._path)

    def close(self) -> None:
        """Close the file and let others have it."""
        with self._turn:
            self._database.close()
            os.close(self._lock)


def read_all(path: Path) -> dict[str, list[FileProgress]]:
    """Everything in a checkpoint file, by flow, whether or not an agent has it open; changes nothing.

    Raises CheckpointError, also if there is no such file.
    """
    if not path.exists():
        raise CheckpointError(f"there is no checkpoint file {path}: no agent has run with it yet")
    with _explained(path):
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            _check(path, database)
            found: dict[str, list[FileProgress]] = {
                bytes(flow).decode(errors="replace"): [] for (flow,) in database.execute("SELECT flow FROM flows")
            }
            for flow, *row in database.execute(f"SELECT flow, {_COLUMNS} FROM files"):  # noqa: S608
                found.setdefault(bytes(flow).decode(errors="replace"), []).append(_progress(path, row))
            return found
        finally:
            database.close()


def _lock(path: Path) -> int:
    lock = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CheckpointError(
            f"cannot write the checkpoint file {path}: {error.strerror}; name another place (checkpointFile)"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise CheckpointError(
            f"another agent is running with the checkpoint file {path}: stop it, or give this one a checkpointFile of"
            " its own"
        ) from error
    return descriptor


def _open(path: Path) -> sqlite3.Connection:
    with _explained(path):
        # Made before SQLite does, for its mode; SQLite gives the files beside it (-wal, -shm) the same.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        database = sqlite3.connect(path, timeout=10, check_same_thread=False)
        try:
            if _is_empty(database):
                # One transaction: a file that was made halfway would be taken for another program's.
                database.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
            _check(path, database)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            database.close()
            raise
        return database


def _is_empty(database: sqlite3.Connection) -> bool:
    marked: int = database.execute("PRAGMA application_id").fetchone()[0]
    tables: int = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return not marked and not tables


def _check(path: Path, database: sqlite3.Connection) -> None:
    if database.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
        raise CheckpointError(
            f"{path} is another program's database (the Java agent's checkpoints, perhaps): name another"
            " checkpointFile; reading then begins at initialPosition"
        )
    layout = database.execute("PRAGMA user_version").fetchone()[0]
    if layout != LAYOUT:
        raise CheckpointError(f"{path} has layout {layout}, this agent knows {LAYOUT}: run the version that wrote it")
    if (found := database.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise sqlite3.DatabaseError(found)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns SQLite's and the system's errors into CheckpointErrors."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        raise CheckpointError(
            f"cannot use the checkpoint file {path}: {error}; look at its rights and at the space on its disk"
        ) from error
    except sqlite3.Error as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, why: object) -> CheckpointError:
    return CheckpointError(
        f"the checkpoint file {path} is damaged ({why}): move it away; files are then read from initialPosition on"
    )


def _encode(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _signed(number: int) -> int:
    """Device and inode numbers have 64 bits without a sign, SQLite's with one."""
    return (number + 2**63) % 2**64 - 2**63


def _row(progress: FileProgress) -> tuple[Any, ...]:
    file = progress.file
    return (
        _signed(file.device),
        _signed(file.inode),
        file.generation,
        os.fsencode(progress.path),
        msgspec.json.encode(progress.done),
        progress.size,
        progress.mtime_ns,
        progress.fingerprint,
    )


def _progress(path: Path, row: Iterable[Any]) -> FileProgress:
    device, inode, generation, name, done, size, mtime_ns, fingerprint = row
    try:
        ranges = msgspec.json.decode(done, type=tuple[tuple[int, int], ...])
    except (msgspec.MsgspecError, TypeError) as error:
        raise _damaged(path, error) from error
    file = FileId(device % 2**64, inode % 2**64, generation)
    return FileProgress(file, os.fsdecode(name), ranges, size, mtime_ns, bytes(fingerprint))
