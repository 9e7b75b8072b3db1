"""Verifying a log's directory block by block, without opening anything in it for writing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from millstream.disk import Disk
from millstream.log.frame import FLAG_COMMIT_END, BlockHeader, payload_crc
from millstream.log.recovery import later_commit_follows, segment_bases
from millstream.log.segment import BlockScanner, segment_name


class SegmentReport(NamedTuple):
    """What was found in one segment; `problem` and `problem_at` (byte in the file) name the first bad block."""

    path: str
    blocks: int
    records: int
    size_bytes: int
    tail_bytes: int  # after the last whole commit of the last segment: reserved space, or a torn commit
    problem: str | None = None
    problem_at: int = 0


def check_directory(disk: Disk, directory: str) -> Iterator[SegmentReport]:
    """A report for each segment of the log in `directory`, oldest first. Every block's checksums are verified.

    Encrypted payloads are verified as stored. On a log that is being written, the newest blocks may be missed, never
    misjudged.
    """
    bases = segment_bases(disk, directory)
    next_offsets: dict[int, int] = {}
    for i, base in enumerate(bases):
        following = bases[i + 1] if i + 1 < len(bases) else None
        yield _check_segment(disk, f"{directory}/{segment_name(base)}", base, following, next_offsets)


def _check_segment(
    disk: Disk, path: str, base: int, following: int | None, next_offsets: dict[int, int]
) -> SegmentReport:
    file = disk.open(path, read_only=True)
    try:
        end = base + file.size() if following is None else following
        scanner = BlockScanner(file, path, base, end)
        blocks = records = last_commit = 0
        whole_end = position = base
        problem = None
        while position < end:
            header = scanner.header(position)
            problem = _problem(scanner, header, last_commit, next_offsets)
            if header is None or problem is not None:
                break
            blocks += 1
            records += header.record_count
            position = header.end
            if header.flags & FLAG_COMMIT_END:
                whole_end = position
                last_commit = header.commit
        if following is None and not later_commit_follows(file, base, position, end, last_commit + 1):
            problem = None  # the end of the newest segment: what a crash may leave, or space reserved ahead
        if problem is not None:
            next_offsets.clear()  # what it held is unknown: do not blame the segments after it
        return SegmentReport(path, blocks, records, end - base, end - whole_end, problem, position - base)
    finally:
        file.close()


def _problem(
    scanner: BlockScanner, header: BlockHeader | None, last_commit: int, next_offsets: dict[int, int]
) -> str | None:
    """What is wrong with a block; None, and its shard's next offset noted, if nothing is."""
    if header is None:
        return "no intact block header"
    if payload_crc(scanner.payload(header)) != header.payload_crc:
        return "the payload's checksum does not match"
    if header.commit <= last_commit:
        return f"commit {header.commit} stands after commit {last_commit}"
    if header.record_count:
        expected = next_offsets.setdefault(header.shard, header.first_offset)
        if header.first_offset != expected:
            return f"shard {header.shard} goes on at offset {header.first_offset} instead of {expected}"
        next_offsets[header.shard] = expected + header.record_count
    return None
