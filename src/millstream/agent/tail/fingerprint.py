"""Whether a file is still the one that was read: by its beginning, and by what stood before the place reached.

An inode does not tell: it is reused, and a file may be truncated and written anew beyond the old place between two
looks. The beginning does not tell where files begin with the same long header; what stands before the place reached
does.
"""

from __future__ import annotations

import os
import struct
from hashlib import blake2b

from millstream.base.units import KIB

HEAD_BYTES = KIB
MARK_BYTES = 256
_FORM = struct.Struct(">H16sQ16s")


class Fingerprint:
    """Digests of the first KiB (of less, while no more was read) and of up to 256 bytes before an offset: the mark."""

    __slots__ = ("_head", "_head_length", "_mark", "mark_offset")

    def __init__(self, saved: bytes = b"") -> None:
        """`saved`: what `encode` gave. Anything else gives a fingerprint that every file matches."""
        self._head_length, self._head, self.mark_offset, self._mark = 0, b"", 0, b""
        if len(saved) == _FORM.size:
            self._head_length, self._head, self.mark_offset, self._mark = _FORM.unpack(saved)

    def encode(self) -> bytes:
        """For a checkpoint."""
        return _FORM.pack(self._head_length, self._head, self.mark_offset, self._mark)

    @property
    def is_blank(self) -> bool:
        """Whether nothing is known: every file matches."""
        return not self._head_length

    def matches(self, descriptor: int) -> bool:
        """Whether the file still has what it had."""
        if self.is_blank:
            return True
        return self.begins(descriptor) and _before(descriptor, self.mark_offset) == self._mark

    def begins(self, descriptor: int) -> bool:
        """Whether the file has the same beginning."""
        return _digest(os.pread(descriptor, self._head_length, 0)) == self._head

    def length_before(self, offset: int) -> int:
        """How many bytes before `offset` `has_before` needs to see; 0: the mark is elsewhere."""
        return min(offset, MARK_BYTES) if offset == self.mark_offset else 0

    def has_before(self, before: bytes) -> bool:
        """Whether these are the bytes before the mark."""
        return _digest(before) == self._mark

    def take_from(self, descriptor: int, offset: int, before: bytes = b"") -> None:
        """Move the mark to `offset`, up to where the file has been read; the head grows while it is shorter than a KiB.

        `before`: bytes that were read before `offset`, if there are enough of them.
        """
        if self._head_length < HEAD_BYTES:
            head = os.pread(descriptor, min(HEAD_BYTES, offset), 0)
            self._head_length, self._head = len(head), _digest(head)
        is_enough = len(before) == min(offset, MARK_BYTES)
        self.mark_offset, self._mark = offset, _digest(before) if is_enough else _before(descriptor, offset)

    def moved_to(self, descriptor: int, offset: int, before: bytes) -> Fingerprint:
        """The same with the mark at `offset`; as `take_from`."""
        moved = Fingerprint()
        moved._head_length, moved._head = self._head_length, self._head
        moved.take_from(descriptor, offset, before)
        return moved


def _before(descriptor: int, offset: int) -> bytes:
    start = max(0, offset - MARK_BYTES)
    return _digest(os.pread(descriptor, offset - start, start))


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()
