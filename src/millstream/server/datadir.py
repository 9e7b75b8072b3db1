"""The data directory and who owns it.

    lock          held (flock) for as long as the server lives; its text is the owner's process id
    catalog.db    streams and everything else that is configured (SQLite)
    root.key      32 random bytes, mode 0600: wraps the keys that encrypt logs and seals tokens
    progress.db   how far delivery has come (SQLite): written by the worker
    logs.db       the platform's own log events on their way to their log groups (SQLite): written by the worker
    logindex.db   where events are in the logs of log groups, by time (SQLite): made again if it is lost
    logs/ID/      the log of the log group with that id
    worker.lock   held (flock) for as long as the worker lives
    streams/ID/   the log of the stream with that id
    firehose/ID/  what belongs to the delivery stream with that id: `log` is what waits for its delivery, `processed`
                  what its function has made of that
    applications/ID/   the checkpoint of the SQL application with that id, and a lock that its process holds
    objects/      the buckets of the local object store
    spool/        scratch space of the worker: files without names
    warehouse.duckdb   the warehouse of `duckdb:` cluster URLs without a path
    tls/          the self-signed certificate and its key, if one was asked for

Whoever loses `root.key` loses every encrypted stream: back it up with the rest.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path

from millstream.base.errors import MillstreamError

ROOT_KEY_BYTES = 32
APPLICATIONS = "applications"


class DataDirectoryError(MillstreamError):
    """The data directory cannot be used; the text says why."""


class DataPaths:
    """Where things are in a data directory; whoever holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def catalog_path(self) -> Path:
        """Where the catalog is."""
        return self.path / "catalog.db"

    @property
    def progress_path(self) -> Path:
        """Where the worker keeps how far delivery has come."""
        return self.path / "progress.db"

    @property
    def logs_path(self) -> Path:
        """Where log events of our own wait for their log groups."""
        return self.path / "logs.db"

    @property
    def log_index_path(self) -> Path:
        """Where the indexes of log groups are saved."""
        return self.path / "logindex.db"

    @property
    def objects_path(self) -> Path:
        """Where the buckets of the local object store are."""
        return self.path / "objects"

    @property
    def scratch_path(self) -> Path:
        """Where the worker's scratch files are."""
        return self.path / "spool"

    @property
    def tls_path(self) -> Path:
        """Where the self-signed certificate is."""
        return self.path / "tls"

    def application_path(self, application_id: str) -> Path:
        """Where what belongs to a SQL application is."""
        return self.path / application_directory(application_id)

    def read_root_key(self) -> bytes:
        """The root key, which must be there. Raises DataDirectoryError."""
        path = self.path / "root.key"
        try:
            key = path.read_bytes()
        except OSError as error:
            raise DataDirectoryError(f"{path}: {error.strerror}") from error
        if len(key) != ROOT_KEY_BYTES:
            raise DataDirectoryError(f"{path} has {len(key)} bytes, not {ROOT_KEY_BYTES}: restore it from a backup")
        return key


class DataDirectory(DataPaths):
    """An exclusively held data directory; made if it is not there."""

    def __init__(self, path: Path) -> None:
        """Take hold of the directory. Raises DataDirectoryError if another process has it or it cannot be written."""
        super().__init__(path)
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataDirectoryError(f"data directory {self.path}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(self._lock, 32, 0).decode("ascii", "replace").strip()
            os.close(self._lock)
            raise DataDirectoryError(self._why_not_locked(error, owner)) from error
        with suppress(OSError):  # it only informs, and on a full disk a server must still start
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def _why_not_locked(self, error: OSError, owner: str) -> str:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            return f"data directory {self.path} cannot be locked: {error.strerror}"
        return (
            f"data directory {self.path} is in use by another server (process {owner or 'unknown'}): "
            "stop it, or choose another with --data-dir"
        )

    def root_key(self) -> bytes:
        """The root key, made on first use and on disk before it is returned. Raises DataDirectoryError."""
        path = self.path / "root.key"
        try:
            if not path.exists():
                write_private(path, secrets.token_bytes(ROOT_KEY_BYTES))
        except OSError as error:
            raise DataDirectoryError(f"{path}: {error.strerror}") from error
        return self.read_root_key()

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self._lock)


def stream_log_directory(stream_id: str) -> str:
    """Where the log of a data stream is, within the data directory."""
    return f"streams/{stream_id}"


def application_directory(application_id: str) -> str:
    """Where what belongs to a SQL application is, within the data directory."""
    return f"{APPLICATIONS}/{application_id}"


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all, and durably."""
    partial = path.with_name(path.name + ".new")
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, content)
        os.fsync(fd)
    finally:
        os.close(fd)
    partial.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
