"""Scratch space for what does not fit into memory: written once, read back, never needed after a crash.

The files have no names: a file's space returns to the file system when the last extent in it is let go, or when the
process ends, however it ends.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from millstream.base.units import MIB
from millstream.disk import DiskError, DiskFull

_FILE_BYTES_MAX = 64 * MIB
_IOV_MAX = 1024  # Linux's UIO_MAXIOV


class _SpoolFile:
    """One nameless file, closed with the last reference to it."""

    __slots__ = ("__weakref__", "fd", "size_bytes", "spool")

    def __init__(self, spool: Spool, directory: Path) -> None:
        self.spool = spool
        self.size_bytes = 0
        fd, path = tempfile.mkstemp(dir=directory)
        os.unlink(path)
        self.fd = fd

    def grow(self, size_bytes: int) -> None:
        """So many bytes were written at the end."""
        self.size_bytes += size_bytes
        self.spool.sizes[id(self)] = self.size_bytes

    def __del__(self) -> None:
        if hasattr(self, "fd"):
            os.close(self.fd)
            self.spool.sizes.pop(id(self), None)


class Extent:
    """Some bytes in a spool; they last as long as it does."""

    __slots__ = ("_file", "_position", "size_bytes")

    def __init__(self, file: _SpoolFile, position: int, size_bytes: int) -> None:
        self._file = file
        self._position = position
        self.size_bytes = size_bytes

    def read(self) -> bytes:
        """Blocking. The bytes. Raises DiskError."""
        content = os.pread(self._file.fd, self.size_bytes, self._position)
        if len(content) != self.size_bytes:
            raise DiskError("a spool file is shorter than what was written to it")
        return content


class Spool:
    """The scratch space of one delivery, in `directory`, which is made if it is not there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file: _SpoolFile | None = None
        self.sizes: dict[int, int] = {}  # of files, which end at any time in any thread: no sum is kept

    @property
    def held_bytes(self) -> int:
        """Bytes of all files that still have extents in use."""
        return sum(list(self.sizes.values()))

    def append(self, pieces: Sequence[bytes]) -> Extent:
        """Blocking. Keep the pieces, one after the other. Raises DiskFull, DiskError."""
        size_bytes = sum(map(len, pieces))
        try:
            file = self._file
            if file is None or file.size_bytes + size_bytes > _FILE_BYTES_MAX:
                self._directory.mkdir(parents=True, exist_ok=True)
                file = self._file = _SpoolFile(self, self._directory)
            position = file.size_bytes
            for first in range(0, len(pieces), _IOV_MAX):
                self._write(file, pieces[first : first + _IOV_MAX])
        except OSError as error:
            kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else DiskError
            raise kind(f"spool in {self._directory}: {error.strerror}") from error
        return Extent(file, position, size_bytes)

    def _write(self, file: _SpoolFile, pieces: Sequence[bytes]) -> None:
        written = os.pwritev(file.fd, pieces, file.size_bytes)
        file.grow(written)
        if written < sum(map(len, pieces)):  # rare: the disk just filled, and the next call says so
            left = memoryview(b"".join(pieces))[written:]
            while left:
                written = os.pwrite(file.fd, left, file.size_bytes)
                file.grow(written)
                left = left[written:]

    def rest(self) -> None:
        """Let go of the file that is being filled: nothing is buffered."""
        self._file = None
