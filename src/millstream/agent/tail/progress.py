"""How far a file is done: ranges of bytes, and what is saved of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from millstream.agent.records import FileId


class FileProgress(NamedTuple):
    """What is known of a file after a restart."""

    file: FileId
    path: str
    done: tuple[tuple[int, int], ...]
    """Disjoint ranges [start, end) of bytes, ascending; what reading began after is in the first."""
    size: int
    mtime_ns: int
    fingerprint: bytes
    """Tells whether a file is still this one: see `tail.fingerprint`."""


class Ranges:
    """A set of offsets, as disjoint ranges; those that touch are one."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in ranges:
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        """Add [start, end); what is in already stays."""
        if end <= start:
            return
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def hole(self, offset: int) -> tuple[int, int | None]:
        """The first hole at or after `offset`: where it begins, and where it ends (None: never)."""
        i = bisect_right(self._ends, offset)
        if i < len(self._starts) and self._starts[i] <= offset:
            offset, i = self._ends[i], i + 1
        return offset, self._starts[i] if i < len(self._starts) else None

    @property
    def end(self) -> int:
        """Where the last range ends."""
        return self._ends[-1] if self._ends else 0

    def clipped(self, size: int) -> Ranges:
        """The part below `size`."""
        return Ranges((start, min(end, size)) for start, end in self if start < size)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._starts, self._ends, strict=True))

    def __len__(self) -> int:
        return len(self._starts)
