"""The machine's own file system below one directory."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from millstream.disk.port import Buffer, DiskError, DiskFull

_IOV_MAX = 1024  # Linux's UIO_MAXIOV
_NUMBER_BYTES = 8


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else DiskError
        raise kind(f"{path}: {error.strerror or error}") from error


class RealFile:
    """A file descriptor; closed with the last reference, so that a reader never loses it under its feet."""

    def __init__(self, path: Path, flags: int) -> None:
        self._path = path
        self._fd = -1
        with _translated(path):
            self._fd = os.open(path, flags | os.O_CLOEXEC, 0o600)

    def pread(self, size_bytes: int, position: int) -> bytes:
        with _translated(self._path):
            chunk = os.pread(self._fd, size_bytes, position)
            if len(chunk) == size_bytes or not chunk:
                return chunk
            parts = [chunk]
            got = len(chunk)
            while got < size_bytes and (chunk := os.pread(self._fd, size_bytes - got, position + got)):
                parts.append(chunk)
                got += len(chunk)
            return b"".join(parts)

    def write(self, buffers: Sequence[Buffer], position: int) -> None:
        with _translated(self._path):
            for start in range(0, len(buffers), _IOV_MAX):
                position = self._write_all(buffers[start : start + _IOV_MAX], position)

    def _write_all(self, buffers: Sequence[Buffer], position: int) -> int:
        total = sum(map(len, buffers))
        written = os.pwritev(self._fd, buffers, position)
        while written < total:  # rare: a signal, or the disk just filled (the next call then says so)
            rest = memoryview(b"".join(buffers))[written:]
            written += os.pwrite(self._fd, rest, position + written)
        return position + total

    def sync(self) -> None:
        with _translated(self._path):
            os.fdatasync(self._fd)

    def truncate(self, size_bytes: int) -> None:
        with _translated(self._path):
            os.ftruncate(self._fd, size_bytes)

    def allocate(self, size_bytes: int) -> None:
        with _translated(self._path):
            os.posix_fallocate(self._fd, 0, size_bytes)

    def size(self) -> int:
        with _translated(self._path):
            return os.fstat(self._fd).st_size

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()


class RealSharedNumber:
    """Eight bytes of a file, mapped into memory: a store or a load is one instruction, and never a system call."""

    def __init__(self, path: Path, *, create: bool) -> None:
        with _translated(path):
            fd = os.open(path, (os.O_RDWR | os.O_CREAT if create else os.O_RDONLY) | os.O_CLOEXEC, 0o600)
            try:
                if create:
                    os.ftruncate(fd, _NUMBER_BYTES)
                elif os.fstat(fd).st_size < _NUMBER_BYTES:
                    raise DiskError(f"{path}: too short to hold a number")
                access = mmap.ACCESS_WRITE if create else mmap.ACCESS_READ
                self._number = memoryview(mmap.mmap(fd, _NUMBER_BYTES, access=access)).cast("Q")
            finally:
                os.close(fd)

    def store(self, value: int) -> None:
        self._number[0] = value

    def load(self) -> int:
        return int(self._number[0])


class RealDisk:
    """The tree below `root`, which is made if it is not there."""

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)
        with _translated(self._root):
            self._root.mkdir(parents=True, exist_ok=True)

    def open(self, path: str, *, create: bool = False, read_only: bool = False) -> RealFile:
        access = os.O_RDONLY if read_only else os.O_RDWR
        return RealFile(self._root / path, access | (os.O_CREAT | os.O_EXCL if create else 0))

    def share_number(self, path: str, *, create: bool = False) -> RealSharedNumber:
        return RealSharedNumber(self._root / path, create=create)

    def exists(self, path: str) -> bool:
        return (self._root / path).exists()

    def list(self, path: str) -> list[str]:
        directory = self._root / path
        if not directory.is_dir():
            return []
        with _translated(directory):
            return sorted(os.listdir(directory))

    def make_directory(self, path: str) -> None:
        directory = self._root / path
        missing = [directory, *directory.parents]
        missing = missing[: next(i for i, parent in enumerate(missing) if parent.exists())]
        with _translated(directory):
            for new in reversed(missing):
                new.mkdir(exist_ok=True)
                _sync_directory(new.parent)

    def rename(self, source: str, target: str) -> None:
        with _translated(self._root / source):
            os.replace(self._root / source, self._root / target)

    def remove(self, path: str) -> None:
        with _translated(self._root / path):
            os.unlink(self._root / path)

    def remove_tree(self, path: str) -> None:
        with _translated(self._root / path):
            shutil.rmtree(self._root / path, ignore_errors=not (self._root / path).exists())

    def sync_directory(self, path: str) -> None:
        with _translated(self._root / path):
            _sync_directory(self._root / path)


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
