"""Events of log streams in the order of their times, or the other way round, a page at a time.

    chunks, by their earliest time   ├────────┤
                                        ├───────────┤
                                               ├───┤
    known in full                    ──────────┤ until the next chunk begins

Chunks are read in the order of their earliest times (backwards: their latest). What comes before the next chunk begins
is complete, and a page is full when what is left begins after its last event. A page may also end because enough has
been read for one call: it then has what is complete, perhaps nothing, and says where to go on. So memory is bounded by
a page and a chunk, however many log streams there are and however badly their times are in order.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from typing import NamedTuple

from millstream.base.units import MIB
from millstream.logs.chunks import Chunk
from millstream.logs.events import EVENT_OVERHEAD_BYTES, Place
from millstream.logs.pieces import Piece, PieceReader

PAGE_EVENTS_MAX = 10_000
PAGE_BYTES_MAX = MIB
SCAN_BYTES_MAX = 32 * MIB
"""How much one call reads before it answers with what it has, if that is any progress."""

Predicate = Callable[[str], object]
"""Tells of a message, by a true value, that its event is wanted."""


class Found(NamedTuple):
    """An event that a sweep found."""

    place: Place
    message: str
    size_bytes: int


class Range(NamedTuple):
    """The events from the cut `start` on and before the cut `end`."""

    start: Place
    end: Place


class Page(NamedTuple):
    """Events in the order of the sweep, and what is left of its range; None when the sweep has come to its end."""

    events: list[Found]
    left: Range | None


class Limits(NamedTuple):
    """What a page may hold; one event is given whatever its size."""

    events_max: int = PAGE_EVENTS_MAX
    bytes_max: int = PAGE_BYTES_MAX


def sweep(
    pieces: PieceReader,
    chunks: Iterable[Chunk],
    wanted: Range,
    *,
    forward: bool = True,
    matches: Predicate | None = None,
    limits: Limits = Limits(),  # noqa: B008 - immutable
) -> Page:
    """Blocking. The next page of the events in `wanted` whose messages match; backwards it has the latest first.

    Raises what reading a log raises.
    """
    turn = _Turn(wanted, limits, forward=forward)
    left = sorted(chunks, key=_earliest if forward else _latest_first)
    scanned_bytes = 0
    for chunk in left:
        if turn.is_full_before(chunk):
            break
        if turn.has_no_room_for(chunk):
            continue
        if scanned_bytes >= SCAN_BYTES_MAX and (page := turn.page_before(chunk)) is not None:
            return page
        for piece in pieces.read(chunk):
            turn.take(piece, chunk.shard, matches)
        turn.cut()
        scanned_bytes += chunk.size_bytes
    return turn.page()


def _earliest(chunk: Chunk) -> tuple[int, int]:
    return chunk.from_ms, chunk.first_offset


def _place(event: Found) -> Place:
    return event.place


def _latest_first(chunk: Chunk) -> tuple[int, int]:
    return -chunk.to_ms, -chunk.first_offset


class _Turn:
    """One page in the making. Once it is full nothing is taken that comes after its last event, `_bound`."""

    def __init__(self, wanted: Range, limits: Limits, *, forward: bool) -> None:
        self._wanted = wanted
        self._limits = limits
        self._forward = forward
        self._found: list[Found] = []
        self._size_bytes = 0
        self._bound: Place | None = None
        self._nearest_ms: int | None = None  # the time of what comes first on the page

    def is_full_before(self, chunk: Chunk) -> bool:
        """Whether nothing in the chunk, nor in those after it, can be on the page."""
        if self._bound is None:
            return False
        return chunk.from_ms > self._bound.time_ms if self._forward else chunk.to_ms < self._bound.time_ms

    def has_no_room_for(self, chunk: Chunk) -> bool:
        """Whether nothing in the chunk can be on the page: its events come after the last one, of one time with it."""
        bound = self._bound
        if bound is None or bound.shard != chunk.shard:
            return False
        if self._forward:
            return chunk.from_ms == bound.time_ms and chunk.first_offset > bound.offset
        return chunk.to_ms == bound.time_ms and chunk.first_offset + chunk.events <= bound.offset

    def page_before(self, chunk: Chunk) -> Page | None:
        """The page with what is complete while the chunk, and those after it, are not read.

        None if that would be no progress: nothing has been come past, or events were found, but none is complete.
        """
        start, end = self._wanted
        cut = Place(chunk.from_ms if self._forward else chunk.to_ms + 1, 0, 0, 0)
        complete, rest = (Range(start, cut), Range(cut, end)) if self._forward else (Range(cut, end), Range(start, cut))
        if complete.start >= complete.end:
            return None
        if self._nearest_ms is not None and (self._nearest_ms < cut.time_ms) is not self._forward:
            return None
        if self._found:
            self._keep_page()
        if self.is_full_before(chunk):
            return self.page()
        return Page([event for event in self._found if complete.start <= event.place < complete.end], rest)

    def take(self, piece: Piece, shard: int, matches: Predicate | None) -> None:
        """Add the events of the piece that are wanted."""
        start, end = self._open_range()
        first_offset, arrival_ms, times_ms, messages, ascending = piece
        at, stop, known = 0, len(times_ms), len(self._found)
        if ascending:
            at, stop = bisect_left(times_ms, start.time_ms), bisect_right(times_ms, end.time_ms)
        for i in range(at, stop):
            message = messages[i].decode("utf-8", "replace")
            if matches is None or matches(message):
                place = Place(times_ms[i], arrival_ms, shard, first_offset + i)
                if start <= place < end:
                    self._found.append(Found(place, message, len(messages[i]) + EVENT_OVERHEAD_BYTES))
                    self._size_bytes += self._found[-1].size_bytes
        if len(self._found) > known:
            self._note_nearest([event.place.time_ms for event in self._found[known:]])

    def _note_nearest(self, times_ms: list[int]) -> None:
        if self._nearest_ms is not None:
            times_ms.append(self._nearest_ms)
        self._nearest_ms = min(times_ms) if self._forward else max(times_ms)

    def _open_range(self) -> Range:
        """Where events may still find room."""
        start, end = self._wanted
        if self._bound is None:
            return self._wanted
        return Range(start, self._bound) if self._forward else Range(self._bound.after(), end)

    def cut(self) -> None:
        """Keep what fits on the page; once it is full not every time, but when a quarter more has come."""
        events_max, bytes_max = self._limits
        if self._bound is not None:
            events_max, bytes_max = events_max * 5 // 4 + 1, bytes_max * 5 // 4
        if len(self._found) >= events_max or self._size_bytes >= bytes_max:
            self._keep_page()

    def _keep_page(self) -> None:
        """Sort what was found, and keep what fits; the page is full if that was all that it may hold, or less."""
        events_max, bytes_max = self._limits
        self._found.sort(key=_place, reverse=not self._forward)
        size_bytes = count = 0
        for event in self._found[:events_max]:
            if size_bytes + event.size_bytes > bytes_max and count:
                break
            size_bytes += event.size_bytes
            count += 1
        if count < len(self._found) or count == events_max or size_bytes >= bytes_max:
            self._bound = self._found[count - 1].place
        del self._found[count:]
        self._size_bytes = size_bytes

    def page(self) -> Page:
        """The page, when what is not read cannot be on it."""
        if self._found:
            self._keep_page()
        if self._bound is None:
            return Page(self._found, None)
        start, end = self._wanted
        last = self._found[-1].place
        return Page(self._found, Range(last.after(), end) if self._forward else Range(start, last))
