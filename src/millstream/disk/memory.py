"""A file system in memory that knows what a crash would keep.

Every file holds its durable bytes and, in order, the changes since the last sync; every name likewise. `crash_clone`
builds what a machine could find after power loss: all that was synced, and of the rest any part (whole writes, torn
writes in sectors of 512 bytes, names that did or did not make it), chosen by a seeded generator.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from millstream.disk.port import Buffer, DiskError

_SECTOR_BYTES = 512


class _Inode:
    """One file's bytes now, its durable bytes, and the changes between the two."""

    def __init__(self, content: bytes = b"") -> None:
        self.now = bytearray(content)
        self.durable = bytearray(content)
        self.pending: list[tuple[int, bytes | None]] = []  # (position, bytes), or (size, None) for a resize

    def write(self, position: int, content: bytes) -> None:
        _apply(self.now, position, content)
        self.pending.append((position, content))

    def resize(self, size_bytes: int) -> None:
        _apply(self.now, size_bytes, None)
        self.pending.append((size_bytes, None))

    def sync(self) -> None:
        for position, content in self.pending:
            _apply(self.durable, position, content)
        self.pending.clear()

    def crash_clone(self, generator: random.Random) -> _Inode:
        content = bytearray(self.durable)
        for position, change in self.pending:
            fate = generator.random()
            if fate < 0.4:  # never reached the disk
                continue
            if fate < 0.7 or change is None:
                _apply(content, position, change)
            else:
                _apply_torn(content, position, change, generator)
        return _Inode(bytes(content))


def _apply(content: bytearray, position: int, change: bytes | None) -> None:
    if change is None:  # a resize: `position` is the size
        del content[position:]
        content.extend(bytes(position - len(content)))
        return
    if len(content) < position:
        content.extend(bytes(position - len(content)))
    content[position : position + len(change)] = change


def _apply_torn(content: bytearray, position: int, change: bytes, generator: random.Random) -> None:
    cut = position
    end = position + len(change)
    while cut < end:
        sector_end = min(end, (cut // _SECTOR_BYTES + 1) * _SECTOR_BYTES)
        if generator.random() < 0.5:
            _apply(content, cut, change[cut - position : sector_end - position])
        cut = sector_end


class _MemoryFile:
    def __init__(self, inode: _Inode, *, read_only: bool) -> None:
        self._inode = inode
        self._read_only = read_only

    def pread(self, size_bytes: int, position: int) -> bytes:
        return bytes(self._inode.now[position : position + size_bytes])

    def write(self, buffers: Sequence[Buffer], position: int) -> None:
        self._check_writable()
        self._inode.write(position, b"".join(buffers))

    def sync(self) -> None:
        self._inode.sync()

    def truncate(self, size_bytes: int) -> None:
        self._check_writable()
        self._inode.resize(size_bytes)

    def allocate(self, size_bytes: int) -> None:
        self._check_writable()
        if size_bytes > len(self._inode.now):
            self._inode.resize(size_bytes)

    def _check_writable(self) -> None:
        if self._read_only:
            raise DiskError("Bad file descriptor")

    def size(self) -> int:
        return len(self._inode.now)

    def close(self) -> None:
        pass


class _MemoryNumber:
    def __init__(self) -> None:
        self._value = 0

    def store(self, value: int) -> None:
        self._value = value

    def load(self) -> int:
        return self._value


class MemoryDisk:
    """Files and directories in memory, with names as durable as `sync_directory` made them."""

    def __init__(self) -> None:
        self._names: dict[str, _Inode] = {}
        self._durable_names: dict[str, _Inode] = {}
        self._directories = {""}
        self._numbers: dict[str, _MemoryNumber] = {}  # a crash loses them

    def open(self, path: str, *, create: bool = False, read_only: bool = False) -> _MemoryFile:
        if create:
            if path in self._names:
                raise DiskError(f"{path}: File exists")
            if _parent(path) not in self._directories:
                raise DiskError(f"{path}: No such file or directory")
            self._names[path] = _Inode()
        elif path not in self._names:
            raise DiskError(f"{path}: No such file or directory")
        return _MemoryFile(self._names[path], read_only=read_only)

    def share_number(self, path: str, *, create: bool = False) -> _MemoryNumber:
        if path not in self._numbers:
            if not create:
                raise DiskError(f"{path}: No such file or directory")
            self._numbers[path] = _MemoryNumber()
        return self._numbers[path]

    def exists(self, path: str) -> bool:
        return path in self._names or path in self._directories

    def list(self, path: str) -> list[str]:
        everything = (*self._names, *self._directories)
        return sorted(name.rpartition("/")[2] for name in everything if name and _parent(name) == path)

    def make_directory(self, path: str) -> None:
        parts = path.split("/")
        self._directories.update("/".join(parts[: i + 1]) for i in range(len(parts)))

    def rename(self, source: str, target: str) -> None:
        if source not in self._names:
            raise DiskError(f"{source}: No such file or directory")
        self._names[target] = self._names.pop(source)

    def remove(self, path: str) -> None:
        if path not in self._names:
            raise DiskError(f"{path}: No such file or directory")
        del self._names[path]

    def remove_tree(self, path: str) -> None:
        self._names = {k: v for k, v in self._names.items() if not k.startswith(path + "/")}
        self._durable_names = {k: v for k, v in self._durable_names.items() if not k.startswith(path + "/")}
        self._directories = {d for d in self._directories if d != path and not d.startswith(path + "/")}

    def sync_directory(self, path: str) -> None:
        for name in [n for n in self._durable_names if _parent(n) == path and n not in self._names]:
            del self._durable_names[name]
        self._durable_names.update({n: inode for n, inode in self._names.items() if _parent(n) == path})

    def crash_clone(self, generator: random.Random) -> MemoryDisk:
        """A disk as a crash right now could leave this one; this one is not changed."""
        clone = MemoryDisk()
        clone._directories = set(self._directories)
        for name in sorted({*self._names, *self._durable_names}):
            now, durable = self._names.get(name), self._durable_names.get(name)
            survivor = now if now is durable or generator.random() < 0.5 else durable
            if survivor is not None:
                clone._names[name] = survivor.crash_clone(generator)
        clone._durable_names = dict(clone._names)
        return clone


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
