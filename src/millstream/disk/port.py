"""The file-system port: just what an append-only log needs, and nothing that it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from millstream.base.errors import MillstreamError

Buffer = bytes | bytearray | memoryview


class DiskError(MillstreamError):
    """The file system failed; the text names the path and the system's reason."""


class DiskFull(DiskError):
    """No space (or quota) left: the operation may succeed once space returns."""


class File(Protocol):
    """An open file, read and written at explicit positions; safe to read from several threads."""

    def pread(self, size_bytes: int, position: int) -> bytes:
        """Up to `size_bytes` from `position`; shorter only at the end of the file."""
        ...

    def write(self, buffers: Sequence[Buffer], position: int) -> None:
        """Write all buffers one after the other from `position`. On an error any part may have been written."""
        ...

    def sync(self) -> None:
        """Return once everything written is on stable storage. After an error, trust nothing unsynced."""
        ...

    def truncate(self, size_bytes: int) -> None:
        """Cut (or extend with zeros) to `size_bytes`."""
        ...

    def allocate(self, size_bytes: int) -> None:
        """Reserve space so that writes below `size_bytes` cannot run out of it; the file grows with zeros."""
        ...

    def size(self) -> int:
        """The file's size in bytes."""
        ...

    def close(self) -> None:
        """Release the file; twice is harmless."""
        ...


class SharedNumber(Protocol):
    """A number from 0 to 2^64 - 1 that one process writes and others see at once. Kept in a file, but never synced."""

    def store(self, value: int) -> None:
        """Let everybody see `value`."""
        ...

    def load(self) -> int:
        """The value that was stored last; 0 at first."""
        ...


class Disk(Protocol):
    """A tree of directories and files."""

    def open(self, path: str, *, create: bool = False, read_only: bool = False) -> File:
        """Open for reading and, unless `read_only`, writing; `create` makes the file, which must not exist."""
        ...

    def share_number(self, path: str, *, create: bool = False) -> SharedNumber:
        """The shared number in the file at `path`; without `create` it must be there, and is only read."""
        ...

    def exists(self, path: str) -> bool:
        """Whether a file or directory is there."""
        ...

    def list(self, path: str) -> list[str]:
        """Sorted names in a directory; empty if there is no such directory."""
        ...

    def make_directory(self, path: str) -> None:
        """Make a directory and its parents durably; an existing one is fine."""
        ...

    def rename(self, source: str, target: str) -> None:
        """Move atomically, replacing `target`; durable after `sync_directory`."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file; durable after `sync_directory`."""
        ...

    def remove_tree(self, path: str) -> None:
        """Remove a directory with all that it holds; one that is not there is fine."""
        ...

    def sync_directory(self, path: str) -> None:
        """Return once the directory's names are on stable storage."""
        ...


def write_atomically(disk: Disk, path: str, content: bytes) -> None:
    """Replace the file at `path` so that a crash leaves the old content or the new, never a mix."""
    temporary = path + ".tmp"
    if disk.exists(temporary):
        disk.remove(temporary)
    file = disk.open(temporary, create=True)
    try:
        file.write([content], 0)
        file.sync()
    finally:
        file.close()
    disk.rename(temporary, path)
    disk.sync_directory(path.rpartition("/")[0])


def read_whole(disk: Disk, path: str) -> bytes:
    """The content of a small file."""
    file = disk.open(path, read_only=True)
    try:
        return file.pread(file.size(), 0)
    finally:
        file.close()
