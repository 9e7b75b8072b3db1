"""Opening a log's directory: what is there, what a crash left, where writing goes on.

- Sealed segments (all but the last) must reach exactly to the next one's base; what their index file does not cover is
  scanned. A block that fails there is corruption.
- The last segment is scanned from where its index file ends. The first block that fails ends it, and the commit that
  it belongs to is cut off: it was never acknowledged. If a block of a *later* commit stands behind it, the failing one
  was acknowledged and has gone bad since: that is corruption.
"""

from __future__ import annotations

from millstream.disk import Disk, DiskError, File
from millstream.disk.port import read_whole
from millstream.log.frame import (
    FLAG_CHECKPOINT,
    FLAG_COMMIT_END,
    HEADER_BYTES,
    MAGIC,
    BlockHeader,
    decode_checkpoint,
    decode_header,
    payload_crc,
)
from millstream.log.index import SegmentIndex
from millstream.log.port import LogCorrupt
from millstream.log.segment import BlockScanner, index_name, segment_base, segment_name

_SEARCH_BYTES = 4 << 20


def segment_bases(disk: Disk, directory: str) -> list[int]:
    """Bases of the segments in a log's directory, ascending."""
    bases = (segment_base(name) for name in disk.list(directory))
    return sorted(base for base in bases if base is not None)


def load_index(disk: Disk, directory: str, base: int) -> SegmentIndex:
    """The segment's index as far as its index file tells; an empty one if there is none that can be used."""
    path = f"{directory}/{index_name(base)}"
    try:
        content = read_whole(disk, path) if disk.exists(path) else b""
    except DiskError:
        content = b""
    return SegmentIndex.decode(base, content) or SegmentIndex(base)


def recover_sealed(disk: Disk, directory: str, base: int, end: int) -> SegmentIndex:
    """The whole index of a sealed segment that reaches to `end`. Raises LogCorrupt."""
    path = f"{directory}/{segment_name(base)}"
    index = load_index(disk, directory, base)
    if index.end > end:
        index = SegmentIndex(base)
    if index.end < end:
        file = disk.open(path, read_only=True)
        try:
            stopped_at = _scan(BlockScanner(file, path, base, end), index, end)
        finally:
            file.close()
        if stopped_at is not None or index.end != end:
            at = index.end if stopped_at is None else stopped_at
            raise LogCorrupt(path, at - base, "a block of a sealed segment is not intact")
    return index


def recover_last(disk: Disk, directory: str, base: int) -> SegmentIndex:
    """The index of the last segment up to its last whole commit; the file is cut there. Raises LogCorrupt."""
    path = f"{directory}/{segment_name(base)}"
    file = disk.open(path)
    try:
        end = base + file.size()
        index = load_index(disk, directory, base)
        if index.end > end:
            raise LogCorrupt(path, end - base, f"the segment was synced to byte {index.end - base} but ends here")
        stopped_at = _scan(BlockScanner(file, path, base, end), index, end)
        if stopped_at is not None and later_commit_follows(file, base, stopped_at, end, index.last_commit + 1):
            raise LogCorrupt(path, stopped_at - base, "acknowledged records follow a block that is not intact")
        if index.end < end:
            file.truncate(index.end - base)
        file.sync()  # a killed process may have written what it had no time to sync: readers will see it now
    finally:
        file.close()
    return index


def _scan(scanner: BlockScanner, index: SegmentIndex, end: int) -> int | None:
    """Add whole commits to `index` from where it ends; the position of the first bad block, or None at `end`."""
    position = index.end
    commit: list[BlockHeader] = []
    while position < end:
        header = scanner.header(position)
        if header is None or not _belongs(header, commit, index.last_commit):
            return position
        payload = scanner.payload(header)
        if payload_crc(payload) != header.payload_crc:
            return position
        if header.flags & FLAG_CHECKPOINT:
            index.next_offsets.update(decode_checkpoint(payload))
        commit.append(header)
        position = header.end
        if header.flags & FLAG_COMMIT_END:
            for block in commit:
                index.add(block)
            commit.clear()
    return commit[0].position if commit else None


def _belongs(header: BlockHeader, commit: list[BlockHeader], last_commit: int) -> bool:
    return header.commit == commit[0].commit if commit else header.commit > last_commit


def later_commit_follows(file: File, base: int, position: int, end: int, torn_commit: int) -> bool:
    """Whether an intact block of a commit after `torn_commit` stands behind `position`.

    A torn commit's own blocks may have reached the disk in any order, but a later commit is written only after the one
    before it was synced.
    """
    at = position + 1
    while at < end:
        window = file.pread(_SEARCH_BYTES + HEADER_BYTES, at - base)
        found = window.find(MAGIC)
        while 0 <= found < _SEARCH_BYTES:
            header = decode_header(window, found)
            if header is not None and header.position == at + found and header.commit > torn_commit:
                return True
            found = window.find(MAGIC, found + 1)
        at += _SEARCH_BYTES
    return False
