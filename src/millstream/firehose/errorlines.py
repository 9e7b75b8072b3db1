"""Lines of error output, gathered while a parcel is delivered: a few in memory, the rest in scratch space.

All records of a parcel may fail, and their lines are larger than they are (base64, and a reason each): they must not be
in memory together. But for a full disk: there they are, because delivered they may make room.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from millstream.base.units import KIB
from millstream.disk import DiskFull
from millstream.firehose.engine.spool import Extent, Spool
from millstream.firehose.ports import ErrorOutput

MEMORY_BYTES_MAX = 256 * KIB
"""What is kept in memory, and how large the pieces are that are read back, unless one line is larger."""


class ErrorLines:
    """Lines in the order in which they were added. For one thread at a time; `pieces` for any number."""

    def __init__(self, scratch: Path) -> None:
        """`scratch` is the directory of scratch files."""
        self._spool = Spool(scratch)
        self._extents: list[Extent] = []
        self._tail: list[bytes] = []
        self._tail_bytes = 0
        self._tail_bytes_max = MEMORY_BYTES_MAX
        self.record_count = 0

    def add(self, line: bytes) -> None:
        """Take a line, with its newline, of one record. Raises DiskError if it cannot be kept."""
        self._tail.append(line)
        self._tail_bytes += len(line)
        self.record_count += 1
        if self._tail_bytes >= self._tail_bytes_max:
            self._relieve()

    def _relieve(self) -> None:
        """Have what is in memory in scratch space, if there is room."""
        try:
            self._extents.append(self._spool.append(self._tail))
        except DiskFull:  # there may be when so many more have come
            self._tail_bytes_max = 2 * self._tail_bytes
        else:
            self._tail, self._tail_bytes, self._tail_bytes_max = [], 0, MEMORY_BYTES_MAX

    def pieces(self) -> Iterator[bytes]:
        """Blocking. All lines, one after the other; as often as is asked for."""
        for extent in self._extents:
            yield extent.read()
        if self._tail:
            yield b"".join(self._tail)

    def outputs(self, kind: str) -> list[ErrorOutput]:
        """For a Report: the lines as error output of type `kind`, if there are any."""
        return [ErrorOutput(kind, self.pieces, self.record_count)] if self.record_count else []
