"""A disk that fails when it is told to: for tests and simulations of what storage does then."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from millstream.disk.port import Buffer, Disk, DiskError, File, SharedNumber

Decide = Callable[[str, str], DiskError | None]
"""(operation, path) -> the error to raise, or None to go on.

Operations are the port's method names, and `create` for an `open` that makes the file.
"""


class FaultyDisk:
    """`inner`, with `decide` asked before every operation. A failing write leaves its first half written."""

    def __init__(self, inner: Disk, decide: Decide) -> None:
        self._inner = inner
        self._decide = decide

    def _check(self, operation: str, path: str) -> None:
        if (error := self._decide(operation, path)) is not None:
            raise error

    def open(self, path: str, *, create: bool = False, read_only: bool = False) -> File:
        self._check("create" if create else "open", path)
        return _FaultyFile(self._inner.open(path, create=create, read_only=read_only), path, self._decide)

    def share_number(self, path: str, *, create: bool = False) -> SharedNumber:
        self._check("share_number", path)
        return self._inner.share_number(path, create=create)

    def exists(self, path: str) -> bool:
        return self._inner.exists(path)

    def list(self, path: str) -> list[str]:
        return self._inner.list(path)

    def make_directory(self, path: str) -> None:
        self._check("make_directory", path)
        self._inner.make_directory(path)

    def rename(self, source: str, target: str) -> None:
        self._check("rename", source)
        self._inner.rename(source, target)

    def remove(self, path: str) -> None:
        self._check("remove", path)
        self._inner.remove(path)

    def remove_tree(self, path: str) -> None:
        self._check("remove_tree", path)
        self._inner.remove_tree(path)

    def sync_directory(self, path: str) -> None:
        self._check("sync_directory", path)
        self._inner.sync_directory(path)


class _FaultyFile:
    def __init__(self, inner: File, path: str, decide: Decide) -> None:
        self._inner = inner
        self._path = path
        self._decide = decide

    def _check(self, operation: str) -> None:
        if (error := self._decide(operation, self._path)) is not None:
            raise error

    def pread(self, size_bytes: int, position: int) -> bytes:
        self._check("pread")
        return self._inner.pread(size_bytes, position)

    def write(self, buffers: Sequence[Buffer], position: int) -> None:
        if (error := self._decide("write", self._path)) is not None:
            whole = b"".join(buffers)
            self._inner.write([whole[: len(whole) // 2]], position)
            raise error
        self._inner.write(buffers, position)

    def sync(self) -> None:
        self._check("sync")
        self._inner.sync()

    def truncate(self, size_bytes: int) -> None:
        self._check("truncate")
        self._inner.truncate(size_bytes)

    def allocate(self, size_bytes: int) -> None:
        self._check("allocate")
        self._inner.allocate(size_bytes)

    def size(self) -> int:
        return self._inner.size()

    def close(self) -> None:
        self._inner.close()
