"""Where records begin and end in blocks of a file. Knows no files: bytes in, records out."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from millstream.agent.config import FlowConfig
from millstream.agent.javaregex import compile_bytes
from millstream.agent.timelimit import TooSlow, limited
from millstream.base.units import KIB, MIB

log = logging.getLogger(__name__)

_STREAM_BYTES_MAX = MIB - KIB
"""A data stream takes 1 MiB of data and partition key; the rest is for the key and for aggregation."""
_DELIVERY_BYTES_MAX = 1000 * KIB
_SHOWN_BYTES = 160

Matcher = Callable[[bytes], object]


class Split(NamedTuple):
    """Records, the offsets that they end at, how far the block has been used, and what was cut off."""

    records: list[bytes]
    ends: list[int]
    end: int
    records_cut: int = 0
    bytes_cut: int = 0


class Splitter:
    """How a flow's files are split.

    Lines end with b"\\n"; records keep their line ends, as they are. With a start pattern a record goes from a line
    that it matches, from the line's beginning on, to the next such line. Lines in which the footer pattern matches from
    the beginning belong to no record and end the one before. Patterns are Java's, and see lines without their ends.
    """

    def __init__(self, flow: FlowConfig, record_bytes_max: int | None = None) -> None:
        """`record_bytes_max`: what the destination takes; what it is of a stream or delivery stream if None.

        Raises RegexError.
        """
        takes = record_bytes_max or (_DELIVERY_BYTES_MAX if flow.delivery_stream else _STREAM_BYTES_MAX)
        self.limit = min(takes, flow.max_buffer_size_bytes)
        self.truncates = flow.long_records != "split"
        self.is_multi_line = flow.multi_line_start_pattern is not None
        self.has_started = not self.is_multi_line
        """Whether the start pattern has ever matched a line."""
        self._starts = _matcher(flow.multi_line_start_pattern)
        self._is_footer = _matcher(flow.file_footer_pattern)
        self._terminator = flow.truncated_record_terminator.encode()

    def split(self, block: bytes, offset: int, *, final: bool) -> Split:
        """Split a block that begins at a record's beginning, at `offset` of its file.

        What may go on after the block is left, unless `final`.
        """
        lines = io.BytesIO(block).readlines()
        if not final and lines and not lines[-1].endswith(b"\n"):
            lines.pop()
        ends = list(accumulate(map(len, lines), initial=offset))
        if self._starts is None and self._is_footer is None:
            split = Split(lines, ends[1:], ends[-1])
        else:
            split = self._group(lines, ends, final=final)
        return split if len(block) <= self.limit else self._fitted(split)

    def cut(self, record: bytes) -> bytes:
        """A record too long, cut, with the terminator at its end."""
        return record[: _cut(record, max(1, self.limit - len(self._terminator)))] + self._terminator

    def piece(self, record: bytes) -> bytes:
        """The first piece of a record too long."""
        return record[: _cut(record, self.limit)]

    def ends_record(self, line: bytes) -> bool:
        """Whether the record before this line ends with it: always, but for multi-line records."""
        if self._starts is None:
            return True
        line = line.rstrip(b"\r\n")
        return bool(self._starts(line) or (self._is_footer and self._is_footer(line)))

    def _group(self, lines: list[bytes], ends: list[int], *, final: bool) -> Split:
        bare = [line.rstrip(b"\r\n") for line in lines]
        starts, is_footer = self._starts, self._is_footer
        footers = set() if is_footer is None else {i for i, line in enumerate(bare) if is_footer(line)}
        if starts is None:
            bounds: Sequence[int] = range(len(lines) + 1)
        else:
            begin = [i for i, line in enumerate(bare) if starts(line)]
            self.has_started = self.has_started or bool(begin)
            bounds = _bounds(begin, footers, len(lines), final=final)
        groups = [(a, b) for a, b in pairwise(bounds) if a not in footers]
        records = [lines[a] if b - a == 1 else b"".join(lines[a:b]) for a, b in groups]
        record_ends = [ends[b] for _, b in groups]
        end = ends[bounds[-1]]
        if record_ends:
            record_ends[-1] = end  # footers after the last record count to it
        return Split(records, record_ends, end)

    def _fitted(self, split: Split) -> Split:
        if not split.records or max(map(len, split.records)) <= self.limit:
            return split
        records: list[bytes] = []
        ends: list[int] = []
        records_cut = bytes_cut = 0
        for record, end in zip(split.records, split.ends, strict=True):
            if len(record) <= self.limit:
                pieces = [record]
            elif self.truncates:
                pieces = [self.cut(record)]
                records_cut += 1
                bytes_cut += len(record) - len(pieces[0])
            else:
                pieces = self._pieces(record)
            records += pieces
            # Pieces end where they end; the last, and whatever was cut, where the record does.
            ends += [end - sum(map(len, pieces[i + 1 :])) for i in range(len(pieces))]
        return Split(records, ends, split.end, records_cut, bytes_cut)

    def _pieces(self, record: bytes) -> list[bytes]:
        pieces = []
        while record:
            pieces.append(self.piece(record))
            record = record[len(pieces[-1]) :]
        return pieces


def _bounds(starts: list[int], footers: set[int], count: int, *, final: bool) -> Sequence[int]:
    """Before which lines of `count` a record ends, or a footer; the first is 0."""
    if not footers:
        begin = [] if starts and not starts[0] else [0]
        return begin + starts + ([count] if final else [])
    bounds = {0, *starts, *footers, *(i + 1 for i in footers)}
    return sorted(bounds | {count} if final else bounds)


def _matcher(pattern: str | None) -> Matcher | None:
    if pattern is None:
        return None
    match = limited(compile_bytes(pattern).match)

    def matches(line: bytes) -> object:
        try:
            return match(line)
        except TooSlow:
            log.warning("%s takes too long on a line, which is taken not to match: %r", pattern, line[:_SHOWN_BYTES])
            return None

    return matches


def _cut(data: bytes, limit: int) -> int:
    """Where to cut at `limit` or up to three bytes before it, so that a character of UTF-8 stays whole."""
    if len(data) <= limit:
        return len(data)
    for at in range(limit, max(0, limit - 4), -1):
        if data[at] & 0xC0 != 0x80:
            return at
    return limit
