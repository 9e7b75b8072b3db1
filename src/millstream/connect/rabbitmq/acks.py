"""Which deliveries of a channel can be acknowledged, and with how few frames. No I/O.

A channel numbers its deliveries 1, 2, 3, …; an acknowledgement of n with `multiple` is one of all up to n. So all that
is settled below the first delivery that is not can go in one frame. What is settled above waits a little: mostly the
rest follows at once. What has waited for a turn of `overdue` is acknowledged one by one, so that a record that is
refused for long holds up neither the prefetch window nor, after a crash, many others.
"""

from __future__ import annotations

from collections.abc import Sequence


class Deliveries:
    """The deliveries of one channel that are not acknowledged yet."""

    def __init__(self) -> None:
        self.settled_count = 0
        self._below = 1  # all before it are acknowledged
        self._settled: set[int] = set()
        self._acknowledged: set[int] = set()  # one by one, ahead of `_below`
        self._pieces: dict[int, int] = {}
        self._overdue: set[int] = set()

    def expect(self, tag: int, pieces: int) -> None:
        """This delivery is settled only when `settle` has been told of it so many times."""
        self._pieces[tag] = pieces

    def settle(self, tags: Sequence[int]) -> int | None:
        """These are done with. The delivery up to which all can be acknowledged at once, if there are new ones."""
        if self._pieces:
            tags = [tag for tag in tags if self._is_last_piece(tag)]
        settled, below = self._settled, self._below
        settled.update(tags)
        self.settled_count += len(tags)
        new = 0
        while True:
            if below in settled:
                settled.remove(below)
                new = below
            elif below in self._acknowledged:
                self._acknowledged.remove(below)
            else:
                break
            below += 1
        self._below = below
        return new or None

    def answered(self, tag: int) -> int | None:
        """This delivery was rejected: it needs no acknowledgement. Otherwise as `settle`."""
        self._acknowledged.add(tag)
        return self.settle(())

    def overdue(self) -> list[int]:
        """Deliveries to be acknowledged one by one: those that were settled before the last call, too."""
        due = sorted(self._overdue & self._settled)
        self._settled.difference_update(due)
        self._acknowledged.update(due)
        self._overdue = set(self._settled)
        return due

    def _is_last_piece(self, tag: int) -> bool:
        left = self._pieces.get(tag, 1) - 1
        if not left:
            self._pieces.pop(tag, None)
            return True
        self._pieces[tag] = left
        return False
