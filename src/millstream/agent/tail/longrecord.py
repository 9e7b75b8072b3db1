"""Finding the end of a record that is too long to be held: block by block, over several looks."""

from __future__ import annotations

import io
import os

from millstream.agent.tail.splitting import Splitter
from millstream.base.units import KIB, MIB

_BLOCK_BYTES = 256 * KIB
_TURN_BYTES = 64 * MIB
"""How much is looked through before other files get their turn."""


class LongRecord:
    """The search for the end of the record that begins at `start`; it keeps its place, and no bytes."""

    __slots__ = ("_at", "_in_line", "is_waiting", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self._at = start
        self._in_line = True
        self.is_waiting = False
        """Whether the search has seen all that is there (and not only used up its turn)."""

    def find_end(self, descriptor: int, splitter: Splitter, limit: int) -> int | None:
        """Where the record ends; None if not before `limit`, or not found in this turn: call again."""
        turn_end = self._at + _TURN_BYTES
        while self._in_line or splitter.is_multi_line:
            block = os.pread(descriptor, min(_BLOCK_BYTES, max(0, limit - self._at)), self._at)
            before = self._at
            if self._in_line:
                self._leave_line(block)
            elif self._pass_lines(block, splitter):
                return self._at
            self.is_waiting = self._at == before or self._at >= limit
            if self.is_waiting or self._at >= turn_end:
                return None
        return self._at

    def has_whole_lines(self, end: int) -> bool:
        """Whether what was looked at, up to `end`, ends with a line end."""
        return self.is_waiting and not self._in_line and self._at == end

    def _leave_line(self, block: bytes) -> None:
        end = block.find(b"\n") + 1
        self._in_line = not end
        self._at += end or len(block)

    def _pass_lines(self, block: bytes, splitter: Splitter) -> bool:
        """Whether the record ends at the line that the search has come to."""
        for line in io.BytesIO(block).readlines():
            is_whole = line.endswith(b"\n")
            # The beginning of a line tells nothing, unless it is a block long: that much has to do.
            if not is_whole and len(line) < _BLOCK_BYTES:
                return False
            if splitter.ends_record(line):
                return True
            self._at += len(line)
            self._in_line = not is_whole
        return False
