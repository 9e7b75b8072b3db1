"""A scratch file that goes on in memory when the disk is full.

What fills a disk may be the very records that are being delivered: they must not need room on it to go.
"""

from __future__ import annotations

import errno
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from millstream.base.units import MIB

_PIECE_BYTES = MIB
_FULL = (errno.ENOSPC, errno.EDQUOT)


class ScratchFile:
    """A file without a name in `directory`: written, then read. For one thread at a time; every method is blocking."""

    def __init__(self, directory: Path) -> None:
        self.size_bytes = 0
        self._file: IO[bytes]
        try:
            self._file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._file = io.BytesIO()

    def write(self, data: bytes) -> None:
        """Take all of the bytes."""
        left = memoryview(data)
        while left:
            try:
                written = self._file.write(left)
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                self._move_to_memory()
            else:
                self.size_bytes += written
                left = left[written:]

    def _move_to_memory(self) -> None:
        memory = io.BytesIO(b"".join(self.pieces()))
        memory.seek(0, os.SEEK_END)
        self._file.close()
        self._file = memory

    def clear(self) -> None:
        """Forget what was written."""
        self._file.seek(0)
        self._file.truncate()
        self.size_bytes = 0

    def pieces(self) -> Iterator[bytes]:
        """What was written, from the start; as often as is asked for."""
        self._file.seek(0)
        while piece := self._file.read(_PIECE_BYTES):
            yield piece

    def close(self) -> None:
        """Let go of it."""
        self._file.close()
