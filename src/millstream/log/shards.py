"""Where each shard of a log stands: next offset, and the segments that hold its records."""

from __future__ import annotations

from array import array


class ShardState:
    """One shard. The arrays hold an entry for each segment with records of it, in log order: 24 bytes a segment."""

    __slots__ = ("bases", "first_offsets", "last_arrivals_ms", "next_offset")

    def __init__(self, next_offset: int) -> None:
        self.next_offset = next_offset
        self.bases = array("Q")
        self.first_offsets = array("Q")
        self.last_arrivals_ms = array("Q")

    @property
    def first_offset(self) -> int:
        """The offset of the first record kept; the next offset if none is."""
        return self.first_offsets[0] if self.first_offsets else self.next_offset

    def take(self, base: int, first_offset: int, last_arrival_ms: int, next_offset: int) -> None:
        """Take note of records in the newest segment, at `base`."""
        if not self.bases or self.bases[-1] != base:
            self.last_arrivals_ms.append(last_arrival_ms)
            self.first_offsets.append(first_offset)
            self.bases.append(base)
        else:
            self.last_arrivals_ms[-1] = last_arrival_ms
        self.next_offset = next_offset

    def drop_first(self) -> None:
        """Forget the oldest segment."""
        for column in (self.bases, self.first_offsets, self.last_arrivals_ms):
            del column[0]
