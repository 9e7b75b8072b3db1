"""Chunks as they are read: decoded, and kept a while, because the next page mostly needs them again.

Where many log streams were written at once, a page has a few events of each: without this, every page would read and
decode all of them anew.
"""

from __future__ import annotations

import itertools
import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from operator import le
from typing import NamedTuple, Protocol

from millstream.base.units import KIB, MIB
from millstream.log import RecordRun
from millstream.logs.chunks import Chunk
from millstream.logs.events import times_of

CACHE_BYTES_MAX = 48 * MIB

_numbers = itertools.count()


class Piece(NamedTuple):
    """Consecutive events of one arrival; `ascending` says whether they are in the order of their times, too."""

    first_offset: int
    arrival_ms: int
    times_ms: array[int]
    messages: list[bytes]
    ascending: bool


class ReadableLog(Protocol):
    """What is needed of a log; see RecordLog."""

    def read(self, shard: int, offset: int, *, records_max: int, bytes_max: int) -> list[RecordRun]:
        """Blocking. Synced records from `offset` on."""
        ...


class PieceCache:
    """Pieces of the chunks that were read last, of all groups, up to about `bytes_max`. For any thread."""

    def __init__(self, bytes_max: int = CACHE_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._size_bytes = 0
        self._kept: OrderedDict[tuple[int, Chunk], list[Piece]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, reader: int, chunk: Chunk) -> list[Piece] | None:
        """The pieces of a chunk, if they are kept."""
        with self._lock:
            pieces = self._kept.get((reader, chunk))
            if pieces is not None:
                self._kept.move_to_end((reader, chunk))
            return pieces

    def keep(self, reader: int, chunk: Chunk, pieces: list[Piece]) -> None:
        """Keep the pieces of a chunk, and let go of those that were not used for longest."""
        with self._lock:
            if (reader, chunk) not in self._kept:
                self._kept[reader, chunk] = pieces
                self._size_bytes += chunk.size_bytes
            while self._size_bytes > self._bytes_max:
                (_, dropped), _ = self._kept.popitem(last=False)
                self._size_bytes -= dropped.size_bytes

    def drop(self, reader: int) -> None:
        """Let go of all that a reader has."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == reader]:
                del self._kept[key]
                self._size_bytes -= key[1].size_bytes


class PieceReader:
    """Reads the chunks of one open log, from any thread."""

    def __init__(self, log: ReadableLog, cache: PieceCache) -> None:
        self._log = log
        self._cache = cache
        self._number = next(_numbers)

    def read(self, chunk: Chunk) -> list[Piece]:
        """Blocking. The events of a chunk, those that are kept. Raises what RecordLog.read raises."""
        pieces = self._cache.get(self._number, chunk)
        if pieces is None:
            pieces = [_piece(run) for run in self._runs(chunk)]
            self._cache.keep(self._number, chunk, pieces)
        return pieces

    def _runs(self, chunk: Chunk) -> Iterator[RecordRun]:
        offset, end = chunk.first_offset, chunk.first_offset + chunk.events
        while offset < end:
            bytes_max = max(chunk.size_bytes, 4 * KIB)
            runs = self._log.read(chunk.shard, offset, records_max=end - offset, bytes_max=bytes_max)
            if not runs:
                return
            for run in runs:
                if run.first_offset >= end:  # retention has passed the chunk
                    return
                yield run
                offset = run.first_offset + len(run.keys)

    def close(self) -> None:
        """Let go of what is kept of the log."""
        self._cache.drop(self._number)


def _piece(run: RecordRun) -> Piece:
    times_ms = times_of(run.keys)
    ascending = all(map(le, times_ms, times_ms[1:]))
    return Piece(run.first_offset, run.arrival_ms, times_ms, run.data, ascending)
