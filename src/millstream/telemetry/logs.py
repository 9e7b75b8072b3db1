"""Log groups, log streams and their events: a SQLite file that one process writes and another reads.

    log_stream(id | account, region, log_group, name, events, size_bytes)
    event(sequence | stream_id, time_ms, message)                 in order of (time_ms, sequence)

WAL mode with synchronous=NORMAL: an event is with the kernel when the call returns, so it survives the process, not a
power loss. `user_version` is the number of this layout; a file of a later layout is refused.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from millstream.base.errors import MillstreamError
from millstream.base.units import KIB, MIB

LAYOUT = 1
EVENTS_MAX = 10_000
STREAM_BYTES_MAX = 16 * MIB
MESSAGE_BYTES_MAX = 256 * KIB
EVENT_OVERHEAD_BYTES = 26  # as CloudWatch counts them

_BUSY_S = 5.0
_DROP_EVENTS = 500  # at a time, at least: so that not every append of a full log stream has to drop

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log_stream (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    log_group TEXT NOT NULL,
    name TEXT NOT NULL,
    events INTEGER NOT NULL DEFAULT 0,
    size_bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account, region, log_group, name)
);
CREATE TABLE IF NOT EXISTS event (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    stream_id INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS event_by_time ON event (stream_id, time_ms, sequence);
"""


class LogsError(MillstreamError):
    """The log events could not be written or read; nothing changed."""


class LogEvent(NamedTuple):
    """An event. (`time_ms`, `sequence`) is its place among all events, and names it for the next page."""

    log_group: str
    log_stream: str
    time_ms: int
    sequence: int
    message: str


class LogGroups:
    """Log events in the file at `path` (made if missing). May be used from any thread.

    With `read_only`, for the process that does not write, `append` is refused. Every method may raise LogsError.
    """

    def __init__(self, path: Path | str, *, read_only: bool = False) -> None:
        self._path = path
        self._lock = threading.Lock()
        with self._errors():
            self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            (layout,) = self._db.execute("PRAGMA user_version").fetchone()
            if layout > LAYOUT:
                raise LogsError(f"{path} has layout {layout}; this version of Millstream knows {LAYOUT}")
            if layout < LAYOUT:
                self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {LAYOUT}; COMMIT;")
            if read_only:
                self._db.execute("PRAGMA query_only = ON")

    def append(
        self, account: str, region: str, log_group: str, log_stream: str, events: Sequence[tuple[int, str]]
    ) -> None:
        """Append events (time in ms, message) to a log stream, which is made if missing; long messages are cut."""
        rows = [(time_ms, _cut(message)) for time_ms, message in events]
        with self._errors(), self._lock, self._transaction():
            stream_id = self._stream_id(account, region, log_group, log_stream)
            sized = [(stream_id, time_ms, _size_bytes(message), message) for time_ms, message in rows]
            self._db.executemany(
                "INSERT INTO event (stream_id, time_ms, size_bytes, message) VALUES (?, ?, ?, ?)", sized
            )
            self._count(stream_id, len(sized), sum(size for _, _, size, _ in sized))
            self._make_room(stream_id)

    def read(
        self,
        account: str,
        region: str,
        log_group: str,
        *,
        log_stream: str | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        text: str | None = None,
        newest: bool = True,
        beyond: tuple[int, int] | None = None,
        events_max: int = 100,
    ) -> list[LogEvent]:
        """A page of events: the newest ones first, or with `newest` False the oldest ones first.

        Of one log stream or all, from `start_ms` on and before `end_ms`, those whose message has `text`. `beyond` is
        the (time_ms, sequence) of the last event of the page before.
        """
        conditions = ["account = ?", "region = ?", "log_group = ?"]
        values: list[object] = [account, region, log_group]
        bounds: list[tuple[str, object | None]] = [
            ("name = ?", log_stream),
            ("time_ms >= ?", start_ms),
            ("time_ms < ?", end_ms),
            ("instr(message, ?) > 0", text),
        ]
        for condition, value in bounds:
            if value is not None:
                conditions.append(condition)
                values.append(value)
        if beyond is not None:
            conditions.append(f"(time_ms, sequence) {'<' if newest else '>'} (?, ?)")
            values += beyond
        order = "DESC" if newest else "ASC"
        query = (
            "SELECT log_group, name, time_ms, sequence, message FROM event JOIN log_stream ON stream_id = id "  # noqa: S608 (constants)
            f"WHERE {' AND '.join(conditions)} ORDER BY time_ms {order}, sequence {order} LIMIT ?"
        )
        with self._errors(), self._lock:
            rows = self._db.execute(query, [*values, events_max]).fetchall()
        return [LogEvent(*row) for row in rows]

    def close(self) -> None:
        """Let go of the file."""
        with self._errors(), self._lock:
            self._db.close()

    def _stream_id(self, account: str, region: str, log_group: str, log_stream: str) -> int:
        key = (account, region, log_group, log_stream)
        self._db.execute("INSERT OR IGNORE INTO log_stream (account, region, log_group, name) VALUES (?, ?, ?, ?)", key)
        query = "SELECT id FROM log_stream WHERE account = ? AND region = ? AND log_group = ? AND name = ?"
        return int(self._db.execute(query, key).fetchone()[0])

    def _count(self, stream_id: int, events: int, size_bytes: int) -> None:
        self._db.execute(
            "UPDATE log_stream SET events = events + ?, size_bytes = size_bytes + ? WHERE id = ?",
            (events, size_bytes, stream_id),
        )

    def _make_room(self, stream_id: int) -> None:
        """Drop the oldest events until the log stream is within its bounds."""
        totals = "SELECT events, size_bytes FROM log_stream WHERE id = ?"
        oldest = "SELECT sequence, size_bytes FROM event WHERE stream_id = ? ORDER BY time_ms, sequence LIMIT ?"
        while True:
            events, size_bytes = self._db.execute(totals, (stream_id,)).fetchone()
            if events <= EVENTS_MAX and size_bytes <= STREAM_BYTES_MAX:
                return
            drop = max(min(_DROP_EVENTS, events // 10), 1, events - EVENTS_MAX)
            rows = self._db.execute(oldest, (stream_id, drop)).fetchall()
            self._db.executemany("DELETE FROM event WHERE sequence = ?", [(sequence,) for sequence, _ in rows])
            self._count(stream_id, -len(rows), -sum(size for _, size in rows))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LogsError(f"log events {self._path}: {error}") from error


def _cut(message: str) -> str:
    """The message, as text that SQLite takes (no lone surrogates), and not too long."""
    encoded = message.encode("utf-8", "backslashreplace")
    return encoded[:MESSAGE_BYTES_MAX].decode("utf-8", "ignore")


def _size_bytes(message: str) -> int:
    return len(message.encode()) + EVENT_OVERHEAD_BYTES
