"""A segment file: its names, and the scan over its blocks that reading, recovery and checking share."""

from __future__ import annotations

from collections.abc import Iterator

from millstream.base.units import KIB, MIB
from millstream.disk import File
from millstream.log.frame import HEADER_BYTES, BlockHeader, decode_header
from millstream.log.port import LogCorrupt

SEGMENT_SUFFIX = ".log"
INDEX_SUFFIX = ".index"
SHARED_END_NAME = "synced"  # where the log shares its synced end with other processes
SHARED_COMMIT_NAME = "committing"  # and since when a commit is under way, epoch ms; 0: none is
_WINDOW_BYTES = 256 * KIB
_WINDOW_BYTES_MAX = 4 * MIB


def segment_name(base: int) -> str:
    """The file name of the segment whose first byte has log position `base`."""
    return f"{base:020d}{SEGMENT_SUFFIX}"


def index_name(base: int) -> str:
    """The file name of that segment's index."""
    return f"{base:020d}{INDEX_SUFFIX}"


def segment_base(name: str) -> int | None:
    """The position in a segment's file name; None for any other name."""
    stem = name.removesuffix(SEGMENT_SUFFIX)
    return int(stem) if stem != name and len(stem) == 20 and stem.isascii() and stem.isdigit() else None


class BlockScanner:
    """Walks the blocks of one segment through a window of its bytes.

    Yields headers; the payload of the header just yielded is read on request, so that blocks of other shards are
    stepped over. Nothing at or after log position `end` is looked at.
    """

    def __init__(self, file: File, path: str, base: int, end: int, *, window_bytes: int = _WINDOW_BYTES) -> None:
        self._file = file
        self._path = path
        self._base = base
        self._end = end
        self._window_bytes = min(max(window_bytes, HEADER_BYTES), _WINDOW_BYTES_MAX)
        self._window = b""
        self._window_at = base  # log position of the window's first byte

    def _bytes(self, position: int, size_bytes: int) -> tuple[bytes, int]:
        """(window, index) so that window[index:] starts at `position` and has `size_bytes`, as far as there are."""
        at = position - self._window_at
        if at < 0 or at + size_bytes > len(self._window):
            want = min(max(self._window_bytes, size_bytes), max(0, self._end - position))
            self._window = self._file.pread(want, position - self._base)
            self._window_at = position
            at = 0
        return self._window, at

    def header(self, position: int) -> BlockHeader | None:
        """The intact header at `position`, whose block ends within the scan; None if there is none."""
        window, at = self._bytes(position, HEADER_BYTES)
        header = decode_header(window, at)
        if header is None or header.position != position or header.end > self._end:
            return None
        return header

    def headers(self, position: int) -> Iterator[BlockHeader]:
        """All blocks from `position` to the end. Raises LogCorrupt where one is not intact."""
        while position < self._end:
            header = self.header(position)
            if header is None:
                raise LogCorrupt(self._path, position - self._base, "no intact block header")
            yield header
            position = header.end

    def payload(self, header: BlockHeader) -> bytes:
        """The stored payload of a header, unverified."""
        start, size_bytes = header.position + HEADER_BYTES, header.payload_bytes
        if size_bytes > self._window_bytes:  # by itself: it would have to be copied out of a window
            return self._file.pread(size_bytes, start - self._base)
        window, at = self._bytes(start, size_bytes)
        return window[at : at + size_bytes]
