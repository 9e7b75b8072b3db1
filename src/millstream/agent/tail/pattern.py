"""File patterns: which files of which directories a flow follows."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from millstream.base.errors import MillstreamError

_COMPRESSED = re.compile(r"\.(?:gz|tgz|zip|bz2|tbz2?|xz|txz|lzma|zst|lz4|lzo|br|7z|Z)(?:\.\d+)?$")
_MAGIC = re.compile(r"[*?\[{]")
_DEPTH_MAX = 64

Refused = Callable[[str, str], None]
"""Takes a directory, and what is the matter with it."""


class PatternError(MillstreamError):
    """A file pattern that makes no sense."""


class FilePattern:
    """A glob: `*`, `?`, `[...]`, `{a,b}` in any component; a component `**` is any number of directories, none
    included.

    Wildcards do not match a leading dot, `**` does not descend into directories that begin with one or are symbolic
    links.
    """

    def __init__(self, pattern: str, refused: Refused | None = None) -> None:
        """`refused` is told of directories that are there and cannot be looked into. Raises PatternError."""
        path = Path(os.path.expanduser(pattern))
        if not pattern or pattern.endswith("/") or path.name in ("", "**", ".."):
            raise PatternError(
                f"filePattern {pattern!r} names no files: it must end in a file's name, wildcards allowed"
            )
        parts = path.absolute().parts
        fixed = next((i for i, part in enumerate(parts[:-1]) if _MAGIC.search(part) or part == "**"), len(parts) - 1)
        self._root = os.path.join(*parts[:fixed])
        self._directories = [None if part == "**" else translate(part) for part in parts[fixed:-1]]
        self._name = translate(parts[-1])
        self.is_recursive = None in self._directories
        self._refused = refused

    def directories(self) -> list[str]:
        """The directories that exist now and may hold files of the pattern, without doubles."""
        found = [self._root] if self._is_there(self._root) else []
        for part in self._directories:
            if part is None:
                found = [below for directory in found for below in self._walk(directory, 0)]
            else:
                found = [
                    entry.path for directory in found for entry in self._below(directory) if part.match(entry.name)
                ]
        return list(dict.fromkeys(found))

    def covers(self, path: str) -> bool:
        """Whether a file of this absolute path, which need not be there yet, is of the pattern."""
        directory, name = os.path.split(path)
        below = os.path.relpath(directory, self._root)
        parts = [] if below == "." else below.split(os.sep)
        return ".." not in parts and self.names(name) and _lead_to(parts, self._directories)

    def entries(self, directory: str) -> list[os.DirEntry[str]]:
        """What is in a directory; nothing if it cannot be read or is gone."""
        try:
            with os.scandir(directory) as found:
                return list(found)
        except OSError as error:
            self._tell(directory, error)
            return []

    def names(self, name: str) -> bool:
        """Whether a file of this name, in one of the directories, is of the pattern; compressed files are not."""
        return self._name.match(name) is not None and not is_compressed(name)

    def _below(self, directory: str) -> list[os.DirEntry[str]]:
        return [entry for entry in self.entries(directory) if _is_directory(entry, follow=True)]

    def _walk(self, directory: str, depth: int) -> Iterator[str]:
        yield directory
        if depth < _DEPTH_MAX:
            for entry in self.entries(directory):
                if not entry.name.startswith(".") and _is_directory(entry, follow=False):
                    yield from self._walk(entry.path, depth + 1)

    def _is_there(self, directory: str) -> bool:
        try:
            return stat.S_ISDIR(os.stat(directory).st_mode)
        except OSError as error:
            self._tell(directory, error)
            return False

    def _tell(self, directory: str, error: OSError) -> None:
        if self._refused is not None and not isinstance(error, FileNotFoundError | NotADirectoryError):
            self._refused(directory, f"cannot be looked into ({error.strerror})")


def _lead_to(parts: list[str], patterns: list[re.Pattern[str] | None]) -> bool:
    """Whether directories below one another are what the components of a pattern stand for."""
    if not patterns:
        return not parts
    first, *others = patterns
    if first is not None:
        return bool(parts) and first.match(parts[0]) is not None and _lead_to(parts[1:], others)
    return _lead_to(parts, others) or (bool(parts) and not parts[0].startswith(".") and _lead_to(parts[1:], patterns))


def is_compressed(name: str) -> bool:
    """Whether a file's name says that it is a compressed rotation."""
    return _COMPRESSED.search(name) is not None


def translate(glob: str) -> re.Pattern[str]:
    """A component of a glob as a regular expression for the whole name. Raises PatternError."""
    hidden = "" if glob.startswith((".", "{", "[")) else r"(?!\.)"
    try:
        return re.compile(f"(?s:{hidden}{''.join(_pieces(glob))})\\Z")
    except re.error as error:
        raise PatternError(f"{glob!r} in a filePattern is no glob: {error}") from error


_TOKEN = re.compile(r"\\(?P<quoted>.)|\[(?P<no>[!^])?(?P<set>\]?[^\]]*)\]|(?P<other>.)", re.DOTALL)


def _pieces(glob: str) -> Iterator[str]:
    depth = 0
    wild = {"*": "[^/]*", "?": "[^/]"}
    for token in _TOKEN.finditer(glob):
        other = token["other"]
        if token["set"] is not None:
            yield f"[{'^' if token['no'] else ''}{_set(token['set'])}]"
        elif other == "{" and "}" in glob[token.end() :]:
            depth += 1
            yield "(?:"
        elif depth and other in ("}", ","):
            depth -= other == "}"
            yield ")" if other == "}" else "|"
        elif other in wild:
            yield wild[other]
        else:
            yield re.escape(token["quoted"] or other)


def _set(members: str) -> str:
    return re.sub(r"([\\\[\]^&~|])", r"\\\1", members)


def _is_directory(entry: os.DirEntry[str], *, follow: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow)
    except OSError:
        return False
