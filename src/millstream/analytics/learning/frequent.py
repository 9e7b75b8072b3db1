"""The most frequent items: exact as long as there are at most 100,000 distinct ones, then by Space-Saving (Metwally,
Agrawal, El Abbadi: Efficient computation of frequent and top-k elements in data streams, ICDT 2005).

Beyond that a new item takes the place of the one with the lowest count (the longest known of these), and goes on from
its count: so a count may be too high, by at most the number of rows / 100,000, and never too low while the item keeps
its place. This depends on the order of the rows, and is done row by row.
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

CAPACITY = 100_000

Item = TypeVar("Item")


class Counted(NamedTuple, Generic[Item]):
    """An item; how often it came; the place at which it became known, among all items."""

    item: Item
    times: int
    known: int


class FrequentItems(Generic[Item]):
    """Counts items (hashable), up to `capacity` of them at a time."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._entries: dict[Item, list[int]] = {}  # count, known
        self._known = 0
        self._lowest: list[tuple[int, int, Item]] = []  # a heap; counts in it may be old, that is: too low

    def add(self, items: Sequence[Item], counts: Sequence[int], rows: Callable[[], Sequence[Item]]) -> None:
        """Count some rows: their distinct items in the order in which they first come, how often each comes, and the
        rows themselves, which are asked for only if there are too many items."""
        new = sum(item not in self._entries for item in items)
        if len(self._entries) + new > self._capacity:
            for item in rows():
                self._count(item)
            return
        for item, count in zip(items, counts, strict=True):
            entry = self._entries.get(item)
            if entry is None:
                self._learn(item, count)
            else:
                entry[0] += count

    def _learn(self, item: Item, count: int) -> None:
        self._entries[item] = [count, self._known]
        self._known += 1
        if self._lowest:
            heapq.heappush(self._lowest, (count, self._known - 1, item))

    def _count(self, item: Item) -> None:
        entry = self._entries.get(item)
        if entry is not None:
            entry[0] += 1
        elif len(self._entries) < self._capacity:
            self._learn(item, 1)
        else:
            self._learn(item, self._forget_lowest() + 1)

    def _forget_lowest(self) -> int:
        if not self._lowest:
            self._lowest = [(count, known, item) for item, (count, known) in self._entries.items()]
            heapq.heapify(self._lowest)
        while True:
            count, known, item = self._lowest[0]
            current = self._entries[item][0]
            if current == count:
                heapq.heappop(self._lowest)
                del self._entries[item]
                return count
            heapq.heapreplace(self._lowest, (current, known, item))

    def top(self, number: int) -> list[Counted[Item]]:
        """The most frequent items, the longest known first among equally frequent ones."""
        ranked = heapq.nsmallest(number, ((-count, known, item) for item, (count, known) in self._entries.items()))
        return [Counted(item, -count, known) for count, known, item in ranked]

    def all(self) -> list[Counted[Item]]:
        """All items that have a place, for `restore`."""
        return [Counted(item, count, known) for item, (count, known) in self._entries.items()]

    def restore(self, entries: Sequence[Counted[Item]], known: int) -> None:
        """Go on from what `all` and `known` gave."""
        self._entries = {entry.item: [entry.times, entry.known] for entry in entries}
        self._known, self._lowest = known, []

    @property
    def known(self) -> int:
        """How many items became known in all."""
        return self._known

    def state_bytes(self) -> int:
        """About how much memory this takes."""
        return 200 * len(self._entries) + sys.getsizeof(self._entries) + 100 * len(self._lowest)
