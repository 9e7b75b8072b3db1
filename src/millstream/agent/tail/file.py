"""One followed file: where reading has come to, and the reading of its next records."""

from __future__ import annotations

import os
import re
from enum import IntEnum
from itertools import islice
from typing import NamedTuple

from millstream.agent.records import FileId
from millstream.agent.tail.fingerprint import HEAD_BYTES, MARK_BYTES, Fingerprint
from millstream.agent.tail.longrecord import LongRecord
from millstream.agent.tail.progress import FileProgress, Ranges
from millstream.agent.tail.splitting import Split, Splitter
from millstream.base.units import KIB

BLOCK_BYTES = 120 * KIB
"""How much is read at once. From 128 KiB on, glibc maps and unmaps every block, which costs more than the copying."""
_PARTIAL_BYTES_MAX = 64 * KIB


class Rewritten(Exception):
    """The file at this inode no longer begins as the one that was read."""


class Flush(IntEnum):
    """What becomes of what stands at the end of a file and may yet go on."""

    NOTHING = 0
    LINES = 1
    """An open multi-line record is taken for whole, if it ends with a line end."""
    ALL = 2
    """A partial last line, too."""


class FileStatus(NamedTuple):
    """For people."""

    path: str
    size: int
    position: int
    done_bytes: int
    is_gone: bool


class TailedFile:
    """A file's state. It holds no content but, once there is one, a short partial last line.

    `position` is always where a record begins; what is after it is read again until it is a record. So a thousand files
    cost no buffers. `gone`: no name is known any more, only the descriptor.
    """

    __slots__ = (
        "changed_at",
        "descriptor",
        "done",
        "fingerprint",
        "gone",
        "id",
        "interval_s",
        "is_queued",
        "is_renamed",
        "is_stuck",
        "is_to_check",
        "long_record",
        "look_at",
        "mtime_ns",
        "partial",
        "path",
        "position",
        "real_path",
        "size",
        "skip_lines",
        "skipped_to",
        "waits_from",
    )

    def __init__(self, file: FileId, path: str, real_path: str, skip_lines: int) -> None:
        """`real_path`: `path` with symbolic links resolved. `skip_lines`: how many header lines it has."""
        self.id = file
        self.path = path
        self.real_path = real_path
        self.skip_lines = skip_lines
        self.descriptor: int | None = None
        self.look_at = self.changed_at = self.interval_s = 0.0
        self.gone = self.is_renamed = self.is_queued = False
        self.waits_from: float | None = None
        """Since when it may be a copy about to be made: nothing is read of it."""
        self.start_over(file)

    def start_over(self, file: FileId) -> None:
        """The inode's content is another: a new file, as far as anybody can tell."""
        self.id = file
        self.size = self.position = self.mtime_ns = 0
        self.done = Ranges()
        self.fingerprint = Fingerprint()
        self.skipped_to = (0, 0)
        self.long_record: LongRecord | None = None
        self.partial = b""
        self.is_stuck = False
        self.is_to_check = True
        """Whether the file has changed since it was last found to be the same."""

    def go_on_from(self, done: Ranges, fingerprint: Fingerprint) -> None:
        """What was known of it before a restart."""
        self.done = done
        self.fingerprint = fingerprint
        self.position = done.hole(0)[0]

    def progress(self) -> FileProgress:
        """To be saved."""
        return FileProgress(self.id, self.path, tuple(self.done), self.size, self.mtime_ns, self.fingerprint.encode())

    def status(self) -> FileStatus:
        """For people."""
        return FileStatus(self.path, self.size, self.position, sum(b - a for a, b in self.done), self.gone)

    @property
    def pending_bytes(self) -> int:
        """How much is there that was not read, as of the last look."""
        return max(0, self.size - self.position)

    def is_shorter_than_known(self, size: int) -> bool:
        """Whether a file of this size cannot be the one that was read."""
        return size < max(self.position, self.done.end)

    def end_for_start(self, descriptor: int, size: int, back_max: int) -> int:
        """Where reading begins at the end of a file of `size`: where its partial last line does, if that is short."""
        start = max(0, size - back_max)
        tail = os.pread(descriptor, size - start, start)
        newline = tail.rfind(b"\n") + 1
        return start + newline if newline or not start else size

    def read(self, descriptor: int, bytes_max: int, splitter: Splitter, flush: Flush) -> tuple[int, Split] | None:
        """The next records, and where the first of them begins; None: nothing whole is there.

        Raises Rewritten, and OSError.
        """
        while self._skip_header(descriptor, final=flush == Flush.ALL):
            self.position, hole_end = self.done.hole(self.position)
            end = self.size if hole_end is None else min(self.size, hole_end)
            # A done range begins where a record does: what stands before it is whole.
            flush_here = Flush.ALL if end == hole_end else flush
            start = self.position
            split = self._read_checked(descriptor, min(bytes_max, BLOCK_BYTES), end, splitter, flush_here)
            if split is None:
                return None
            self.position = split.end
            self.partial = b""
            if split.records:
                return start, split
            self.done.add(start, split.end)  # footers only
        return None

    def _read_checked(
        self, descriptor: int, bytes_max: int, end: int, splitter: Splitter, flush: Flush
    ) -> Split | None:
        if self.position >= end:
            return None
        known = self.fingerprint
        if known.is_blank and not self.position:
            known = Fingerprint()
            known.take_from(descriptor, min(HEAD_BYTES, self.size))
        split, before = self._split_next(descriptor, bytes_max, end, splitter, flush)
        reached = self.fingerprint if split is None else self.fingerprint.moved_to(descriptor, split.end, before)
        # Checked last: then all that was read before stood in the file that is known. Between two looks the bytes
        # before each block have to do: they come with it.
        if self.is_to_check and not known.matches(descriptor):
            raise Rewritten
        self.is_to_check = False
        self.fingerprint = reached
        return split

    def _split_next(
        self, descriptor: int, bytes_max: int, end: int, splitter: Splitter, flush: Flush
    ) -> tuple[Split | None, bytes]:
        """What there is, and the last bytes before its end (b"": not known)."""
        wanted = bytes_max
        while True:
            block = self._read_block(descriptor, min(wanted, end - self.position))
            at_end = self.position + len(block) >= end
            used = block[: block.rfind(b"\n") + 1] if flush == Flush.LINES and at_end else block
            split = splitter.split(used, self.position, final=at_end and flush > Flush.NOTHING)
            if (length := split.end - self.position) > 0:
                return split, block[max(0, length - MARK_BYTES) : length]
            if len(block) > splitter.limit:
                return self._split_long(descriptor, block, end, splitter, flush), b""
            if at_end or len(block) < wanted:
                self.partial = block if len(block) <= _PARTIAL_BYTES_MAX else b""
                return None, b""
            wanted = max(wanted * 2, splitter.limit + 1)

    def _read_block(self, descriptor: int, length: int) -> bytes:
        back = self.fingerprint.length_before(self.position)
        block = os.pread(descriptor, back + length, self.position - back)
        if back and not self.fingerprint.has_before(block[:back]):
            raise Rewritten
        return block[back:]

    def _split_long(self, descriptor: int, block: bytes, end: int, splitter: Splitter, flush: Flush) -> Split | None:
        self.partial = b""
        if not splitter.truncates:
            piece = splitter.piece(block)
            reached = self.position + len(piece)
            return Split([piece], [reached], reached)
        long = self.long_record
        if long is None or long.start != self.position:
            long = self.long_record = LongRecord(self.position)
        found = long.find_end(descriptor, splitter, end)
        if found is None and (
            (flush == Flush.ALL and long.is_waiting) or (flush == Flush.LINES and long.has_whole_lines(end))
        ):
            found = end
        if found is None:
            return None
        self.long_record = None
        kept = splitter.cut(block)
        return Split([kept], [found], found, 1, found - self.position - len(kept))

    def _skip_header(self, descriptor: int, *, final: bool) -> bool:
        """Whether the header has been passed. As long as its end is not there, nothing is read."""
        lines, at = self.skipped_to
        if lines >= self.skip_lines:
            return True
        while lines < self.skip_lines and (block := os.pread(descriptor, BLOCK_BYTES, at)):
            missing = self.skip_lines - lines
            found = list(islice(re.finditer(b"\n", block), missing))
            lines += len(found)
            at += found[-1].end() if len(found) == missing else len(block)
        self.skipped_to = (lines, at)
        if lines < self.skip_lines and not final:
            return False
        if at > self.position:
            self.done.add(self.position, at)
            self.position = at
            self.fingerprint.take_from(descriptor, at)
        return lines >= self.skip_lines
