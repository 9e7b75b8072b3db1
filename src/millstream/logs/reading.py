"""Reading an open group: pages of the events of some log streams, between two cuts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from millstream.logs.chunks import Chunk
from millstream.logs.events import Place
from millstream.logs.group import OpenGroup, StreamState
from millstream.logs.sweep import Limits, Page, Predicate, Range, sweep

TIME_MS_END = 10**13 - 1
"""No event is of this time or a later one: ids have thirteen digits for it."""


def cut_at(time_ms: int) -> Place:
    """The cut before the events of that time."""
    return Place(min(time_ms, TIME_MS_END), 0, 0, 0)


async def read_page(
    opened: OpenGroup,
    states: Iterable[StreamState],
    wanted: Range,
    *,
    forward: bool,
    matches: Predicate | None = None,
    limits: Limits,
) -> Page:
    """The next page of the wanted events of some log streams; see `sweep`."""
    if wanted.start >= wanted.end:
        return Page([], None)
    chunks = _chunks(states, wanted)
    if not chunks:
        return Page([], None)
    return await asyncio.to_thread(
        sweep, opened.pieces, chunks, wanted, forward=forward, matches=matches, limits=limits
    )


def _chunks(states: Iterable[StreamState], wanted: Range) -> list[Chunk]:
    start_ms, end_ms = wanted.start.time_ms, wanted.end.time_ms + 1
    found: list[Chunk] = []
    for state in states:
        index = state.index
        if index.last_ms is not None and index.last_ms >= start_ms:
            found += index.chunks(start_ms, end_ms)
    return found
