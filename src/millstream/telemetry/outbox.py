"""The outbox of log events: a SQLite file that some processes write and one takes events out of.

    log_stream(id | account, region, log_group, name, events, size_bytes)
    event(sequence | stream_id, time_ms, size_bytes, message)

WAL mode with synchronous=NORMAL: an event is with the kernel when the call returns, so it survives the process, not a
power loss. `user_version` is the number of this layout; a file of a later layout is refused.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
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


class OutboxError(MillstreamError):
    """The log events could not be written or read; nothing changed."""


class OutgoingEvent(NamedTuple):
    """An event on its way to a log group; `sequence` is its place among all in the outbox."""

    sequence: int
    account: str
    region: str
    log_group: str
    log_stream: str
    time_ms: int
    message: str


class Outbox:
    """Log events in the file at `path` (made if missing). May be used from any thread; blocking.

    Every method may raise OutboxError.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._lock = threading.Lock()
        with self._errors():
            self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            (layout,) = self._db.execute("PRAGMA user_version").fetchone()
            if layout > LAYOUT:
                raise OutboxError(f"{path} has layout {layout}; this version of Millstream knows {LAYOUT}")
            if layout < LAYOUT:
                self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {LAYOUT}; COMMIT;")

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

    def take(self, *, after: int, events_max: int) -> list[OutgoingEvent]:
        """The oldest events whose sequence is above `after`, in the order in which they came; they stay."""
        query = (
            "SELECT sequence, account, region, log_group, name, time_ms, message "
            "FROM event JOIN log_stream ON stream_id = id WHERE sequence > ? ORDER BY sequence LIMIT ?"
        )
        with self._errors(), self._lock:
            rows = self._db.execute(query, (after, events_max)).fetchall()
        return [OutgoingEvent(*row) for row in rows]

    def forget(self, sequences: Iterable[int]) -> None:
        """Forget events: they are where they were to go."""
        with self._errors(), self._lock, self._transaction():
            self._db.executemany("DELETE FROM event WHERE sequence = ?", [(sequence,) for sequence in sequences])
            self._db.execute(
                "UPDATE log_stream SET events = (SELECT count(*) FROM event WHERE stream_id = id), "
                "size_bytes = (SELECT total(size_bytes) FROM event WHERE stream_id = id)"
            )
            self._db.execute("DELETE FROM log_stream WHERE events = 0")

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
            raise OutboxError(f"log events {self._path}: {error}") from error


def _cut(message: str) -> str:
    """The message, as text that SQLite takes (no lone surrogates), and not too long."""
    encoded = message.encode("utf-8", "backslashreplace")
    return encoded[:MESSAGE_BYTES_MAX].decode("utf-8", "ignore")


def _size_bytes(message: str) -> int:
    return len(message.encode()) + EVENT_OVERHEAD_BYTES
