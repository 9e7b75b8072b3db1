"""Batches of entries as large as a request takes, each with the deliveries that it settles. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from millstream.client.puts import Entry

Origin = TypeVar("Origin", bound=Hashable)


class Batch(Generic[Origin]):
    """Entries for one request; `tags` has, for each origin, its deliveries that they are made of."""

    __slots__ = ("began_s", "entries", "size_bytes", "tags")

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s
        self.entries: list[Entry] = []
        self.tags: dict[Origin, list[int]] = {}
        self.size_bytes = 0


class Batcher(Generic[Origin]):
    """Gathers entries. A batch is due when it is full, or `linger_s` after its first entry."""

    def __init__(self, entries_max: int, bytes_max: int, linger_s: float) -> None:
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._linger_s = linger_s
        self._full: deque[Batch[Origin]] = deque()
        self._open: Batch[Origin] | None = None

    def add(self, entry: Entry, size_bytes: int, origin: Origin, tag: int, now_s: float) -> bool:
        """Add an entry, whose data and key have so many bytes. Whether something changed for who waits for batches."""
        batch = self._open
        changed = False
        if batch is not None and batch.size_bytes + size_bytes > self._bytes_max:
            self._full.append(batch)
            batch = None
            changed = True
        if batch is None:
            batch = self._open = Batch(now_s)
            changed = True
        batch.entries.append(entry)
        batch.size_bytes += size_bytes
        tags = batch.tags.get(origin)
        if tags is None:
            tags = batch.tags[origin] = []
        tags.append(tag)
        if len(batch.entries) == self._entries_max:
            self._full.append(batch)
            self._open = None
            changed = True
        return changed

    def take(self, now_s: float, *, flush: bool = False) -> Batch[Origin] | None:
        """The oldest batch that is due; with `flush`, also one that is not."""
        if self._full:
            return self._full.popleft()
        batch = self._open
        if batch is None or not (flush or now_s >= batch.began_s + self._linger_s):
            return None
        self._open = None
        return batch

    @property
    def due_s(self) -> float | None:
        """When the next batch will be due, if no entry comes; None while there is nothing."""
        if self._full:
            return self._full[0].began_s
        return None if self._open is None else self._open.began_s + self._linger_s
