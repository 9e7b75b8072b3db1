"""Open descriptors of followed files: kept, so that a file's end can be read after it was deleted; bounded."""

from __future__ import annotations

import os
import stat

from millstream.agent.tail.file import TailedFile

KEPT_MAX = 256
"""Descriptors of files that have a name. What is closed for want of room is opened again to be read."""
GONE_MAX = 512
"""Descriptors of files without a name, which could not be opened again."""


class Descriptors:
    """Which files are open, the one used last at the end."""

    def __init__(self) -> None:
        self._open: dict[TailedFile, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def of(self, file: TailedFile) -> int:
        """The file's descriptor, opened if it is not yet. Raises OSError; Moved."""
        if file.descriptor is None:
            file.descriptor = _open(file)
            self._make_room()
        self._open.pop(file, None)
        self._open[file] = None
        return file.descriptor

    def close(self, file: TailedFile) -> None:
        """Close it, if it is open."""
        if file.descriptor is not None:
            os.close(file.descriptor)
            file.descriptor = None
            self._open.pop(file, None)

    def close_all(self) -> None:
        """Close all."""
        for file in list(self._open):
            self.close(file)

    def excess(self) -> list[TailedFile]:
        """Files without a name that are more than may be held, those first that were used least recently."""
        gone = [file for file in self._open if file.gone]
        return gone[: max(0, len(gone) - GONE_MAX)]

    def _make_room(self) -> None:
        if len(self._open) < KEPT_MAX:
            return
        named = [file for file in self._open if not file.gone]
        if len(named) >= KEPT_MAX:
            # Those that are read to their end first: of these nothing is lost if they are deleted meanwhile.
            # A quarter at once, so that the search is paid for by many openings.
            named.sort(key=lambda file: file.pending_bytes > 0)
            for file in named[: KEPT_MAX // 4]:
                self.close(file)


class Moved(Exception):
    """The name belongs to another file by now, or is no regular file's."""


def _open(file: TailedFile) -> int:
    # Without O_NONBLOCK a FIFO that has taken the name would stop everything.
    descriptor = os.open(file.real_path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) != file.id[:2] or not stat.S_ISREG(found.st_mode):
            raise Moved
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
