"""What flows through the agent: chunks of a file's records, and the parts of files that are done with."""

from __future__ import annotations

from typing import NamedTuple


class FileId(NamedTuple):
    """What a file stays, under whatever name: its device and inode, and when that pair was seen anew."""

    device: int
    inode: int
    generation: int = 0


class Span(NamedTuple):
    """The bytes [start, end) of a file."""

    file: FileId
    start: int
    end: int


class Chunk(NamedTuple):
    """Consecutive records of one file: record i has the bytes from `ends[i - 1]` (the first: `start`) to `ends[i]`.

    Records have their bytes as in the file, with line ends; bytes that are of no record (headers, footers) count to the
    record after them, or, at the chunk's end, `end` is beyond the last record's.
    """

    file: FileId
    path: str
    start: int
    records: list[bytes]
    ends: list[int]
    end: int
