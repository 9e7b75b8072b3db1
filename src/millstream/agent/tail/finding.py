"""Which files there are: names and inodes of a pattern's files, with as few calls of the system as can be."""

from __future__ import annotations

import logging
import os
import stat
from typing import NamedTuple

from millstream.agent.tail.pattern import FilePattern, is_compressed

log = logging.getLogger(__name__)

Key = tuple[int, int]
"""Device and inode."""
_WARNED_MAX = 10_000


class Place(NamedTuple):
    """A name of a file: as the pattern finds it, and with symbolic links resolved."""

    path: str
    real_path: str


class Warnings:
    """Log lines that are written once a path, until it is well again."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, path: str, problem: str) -> None:
        """Warn of a path, unless that has been done."""
        if path not in self._told:
            if len(self._told) >= _WARNED_MAX:
                self._told.clear()
            self._told.add(path)
            log.warning("%s: %s; it is skipped and tried again", path, problem)

    def well(self, path: str) -> None:
        """The path is well: what comes next is news."""
        self._told.discard(path)


class Finder:
    """Finds a pattern's files. What it found is remembered: a name that still has its inode costs no stat."""

    def __init__(self, pattern: str, warnings: Warnings) -> None:
        self.pattern = FilePattern(pattern, warnings.tell)
        self._warnings = warnings
        self._before: dict[str, tuple[int, Key, Place]] = {}
        self._listings: dict[str, list[tuple[int, str]]] = {}

    def find(self) -> dict[Key, Place]:
        """All files of the pattern; of several names of one file that which is no link, then the first."""
        self._listings.clear()
        now: dict[str, tuple[int, Key, Place]] = {}
        for directory in self.pattern.directories():
            for entry in self.pattern.entries(directory):
                if self.pattern.names(entry.name) and (seen := self._look_at(entry)) is not None:
                    now[entry.path] = seen
        self._before = now
        found: dict[Key, Place] = {}
        for _, key, place in sorted(now.values(), key=lambda seen: (seen[2].path != seen[2].real_path, seen[2].path)):
            found.setdefault(key, place)
        return found

    def find_inode(self, directory: str, inode: int) -> str | None:
        """The name, of the pattern or not, that a file has in a directory now."""
        return next((path for found, path in self._listing(directory) if found == inode), None)

    def find_others(self, path: str) -> list[str]:
        """Names of uncompressed files in the directory of `path` that are not of the pattern."""
        names = [found for _, found in self._listing(os.path.dirname(path))]
        return [name for name in names if not self.is_of_pattern(name) and not is_compressed(name)]

    def key_of(self, path: str) -> Key | None:
        """Which file has the name now."""
        try:
            found = os.stat(path)
        except OSError:
            return None
        return (found.st_dev, found.st_ino)

    def is_of_pattern(self, path: str) -> bool:
        """Whether a name beside the pattern's files is of the pattern."""
        return self.pattern.names(os.path.basename(path))

    def _look_at(self, entry: os.DirEntry[str]) -> tuple[int, Key, Place] | None:
        try:
            is_link = entry.is_symlink()
            inode = entry.inode()
            before = self._before.get(entry.path)
            if before is not None and before[0] == inode and not is_link:
                return before
            found = entry.stat()
            if self.pattern.is_recursive and stat.S_ISDIR(found.st_mode):
                return None  # its files are found
            if not stat.S_ISREG(found.st_mode):
                self._warnings.tell(entry.path, f"is a {_kind(found.st_mode)}, not a file")
                return None
            real_path = os.path.realpath(entry.path) if is_link else entry.path
        except FileNotFoundError:
            return None  # gone meanwhile, or a link to nothing
        except OSError as error:
            self._warnings.tell(entry.path, f"cannot be looked at ({error.strerror})")
            return None
        self._warnings.well(entry.path)
        return inode, (found.st_dev, found.st_ino), Place(entry.path, real_path)

    def _listing(self, directory: str) -> list[tuple[int, str]]:
        if directory not in self._listings:
            self._listings[directory] = [
                (entry.inode(), entry.path)
                for entry in self.pattern.entries(directory)
                if entry.is_file(follow_symlinks=False)
            ]
        return self._listings[directory]


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "directory", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
    return kinds.get(stat.S_IFMT(mode), "device")
