"""Reading a log from front to back by position, also from another process than the one that writes it.

    writer     commit ─► write ─► fdatasync ─► store the end in `synced` (eight bytes, memory-mapped)
               `committing` has, as long as that takes, when it began: what comes next did not arrive before that
    follower   load `synced` ─► read blocks below it, and never anything at or past it

Positions are contiguous over segments: where one ends, the next begins, and it is named by that position. All shards
of a stream are in one log in the order of their commits, so one position says what was read of all of them, and a
child shard's records come after its parents'.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from millstream.base.units import KIB
from millstream.disk import Disk, DiskError, File, SharedNumber
from millstream.log.frame import FLAG_CHECKPOINT, BlockHeader, PayloadView, open_payload, payload_crc
from millstream.log.packed import Packed
from millstream.log.port import BlockCipher, LogCorrupt, NoCipher
from millstream.log.recovery import segment_bases
from millstream.log.segment import SHARED_COMMIT_NAME, SHARED_END_NAME, BlockScanner, segment_name

_WINDOW_BYTES = 64 * KIB
_NONE = Packed(b"", 0, array("I"))


class FollowedBlock(NamedTuple):
    """The records of one block, which is in the log from `start` to `end` (exclusive); checkpoints have none."""

    start: int
    end: int
    shard: int
    first_offset: int
    arrival_ms: int
    keys: Packed
    data: Packed


class LogFollower:
    """Reads the log in `directory` of `disk`. `read` from one thread at a time; `end` and `settled_ms` from any."""

    def __init__(self, disk: Disk, directory: str, cipher: BlockCipher | None = None) -> None:
        self._disk = disk
        self._directory = directory
        self._cipher = cipher or NoCipher()
        self._shared_end: SharedNumber | None = None
        self._shared_commit: SharedNumber | None = None
        self._file: File | None = None
        self._base = 0  # of the segment that `_file` is

    def end(self) -> int:
        """The position up to which the log may be read now; 0 for one whose writer has not shared its end."""
        if self._shared_end is None:
            self._shared_end = self._shared(SHARED_END_NAME)
        return self._shared_end.load() if self._shared_end is not None else 0

    def settled_ms(self, now_ms: int) -> int:
        """Up to when all that has arrived may be read, if it is now `now_ms`: what `end` does not tell yet, when it
        is asked after this, arrived then or later; but for the moment that a commit takes to begin."""
        if self._shared_commit is None:
            self._shared_commit = self._shared(SHARED_COMMIT_NAME)
        since_ms = self._shared_commit.load() if self._shared_commit is not None else 0
        return min(now_ms, since_ms) if since_ms else now_ms

    def _shared(self, name: str) -> SharedNumber | None:
        try:
            return self._disk.share_number(f"{self._directory}/{name}")
        except DiskError:
            return None

    def read(self, position: int, *, bytes_max: int) -> list[FollowedBlock]:
        """Blocking. Blocks from `position` on, until they have `bytes_max` bytes; empty at the end.

        Where retention has dropped what was at `position`, reading goes on at the first segment kept: the first
        block's `start` tells. Raises LogCorrupt, DiskError, and what the cipher raises.
        """
        end = self.end()
        blocks: list[FollowedBlock] = []
        size_bytes = 0
        while position < end and size_bytes < bytes_max:
            found = self._scanner_at(position, end)
            if found is None:
                break
            position, scanner = found
            for header in self._headers(scanner, position):
                position = header.end
                blocks.append(self._block(scanner, header))
                size_bytes += header.payload_bytes
                if size_bytes >= bytes_max:
                    break
        return blocks

    def _headers(self, scanner: BlockScanner, position: int) -> Iterator[BlockHeader]:
        """The blocks of one segment from `position` on, as far as it has any."""
        while (header := scanner.header(position)) is not None:
            yield header
            position = header.end

    def _block(self, scanner: BlockScanner, header: BlockHeader) -> FollowedBlock:
        stored = scanner.payload(header)
        if payload_crc(stored) != header.payload_crc:
            at = header.position - self._base
            raise LogCorrupt(self._path(self._base), at, "the payload's checksum does not match")
        keys = data = _NONE
        if not header.flags & FLAG_CHECKPOINT:
            view = PayloadView(header, open_payload(header, stored, self._cipher))
            keys, data = view.keys, view.data
        return FollowedBlock(
            header.position, header.end, header.shard, header.first_offset, header.arrival_ms, keys, data
        )

    def _scanner_at(self, position: int, end: int) -> tuple[int, BlockScanner] | None:
        """Where reading goes on, and the scan of that segment; None if the log is gone.

        Raises LogCorrupt if there ought to be a block but is none.
        """
        if self._file is not None and position >= self._base:
            scanner = self._scanner(self._file, end)
            if scanner.header(position) is not None:
                return position, scanner
        bases = segment_bases(self._disk, self._directory)
        if not bases:
            return None
        position = max(position, bases[0])
        base = bases[bisect_right(bases, position) - 1]
        try:
            self._file = self._disk.open(self._path(base), read_only=True)
        except DiskError:
            if self._disk.exists(self._path(base)):
                raise
            return self._scanner_at(position, end)  # retention was faster
        self._base = base
        scanner = self._scanner(self._file, end)
        if scanner.header(position) is None:
            raise LogCorrupt(self._path(base), position - base, "no intact block header")
        return position, scanner

    def _scanner(self, file: File, end: int) -> BlockScanner:
        return BlockScanner(file, self._path(self._base), self._base, end, window_bytes=_WINDOW_BYTES)

    def _path(self, base: int) -> str:
        return f"{self._directory}/{segment_name(base)}"
