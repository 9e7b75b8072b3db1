"""A log group whose log is open: its log streams, the index of each, and the log that has the events of all.

    put ─► log.append (synced) ─► index.note ─► visible to readers, watchers are woken

Everything but `load`, `catch_up`, `trim` and reading happens in the event loop's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from millstream.base.units import HOUR_MS, MIB
from millstream.log import Batch, FollowedBlock, LogFollower, Placement, RecordLog
from millstream.logs.chunks import StreamIndex
from millstream.logs.events import keys_of, times_of
from millstream.logs.faults import no_stream
from millstream.logs.model import LogStream
from millstream.logs.pieces import PieceCache, PieceReader
from millstream.logs.savedindex import Saved

UNSAVED_BYTES_MAX = 16 * MIB
"""About how much of a group's log has to be read when it is opened after a crash."""

AHEAD_MS = 2 * HOUR_MS
"""How far in the future an event's time may be: it may have arrived as much earlier."""

_CATCH_UP_EVENTS = 10_000
_CATCH_UP_BYTES = 4 * MIB


class StreamState:
    """A log stream with its index."""

    __slots__ = ("index", "stream", "version")

    def __init__(self, stream: LogStream, version: int, index: StreamIndex) -> None:
        self.stream = stream
        self.version = version
        self.index = index


class OpenGroup:
    """An open log group. `streams` are by name; change them with `add` and `remove` alone."""

    def __init__(
        self,
        log: RecordLog,
        follower: LogFollower,
        streams: Sequence[tuple[LogStream, int]],
        saved: dict[int, StreamIndex],
        cache: PieceCache,
    ) -> None:
        """`streams` with the versions of their documents; `saved` are indexes by shard, as far as there are."""
        self.log = log
        self.pieces = PieceReader(log, cache)
        self.streams: dict[str, StreamState] = {}
        self.by_shard: dict[int, StreamState] = {}
        self.unsaved_bytes = 0
        self.has_deleted = False  # log streams whose events are still in the log
        self._follower = follower
        self._following = asyncio.Lock()
        self._unsaved: set[int] = set()
        self._next_shard = 0
        for stream, version in streams:
            self.add(stream, version, saved.get(stream.shard))

    def add(self, stream: LogStream, version: int, index: StreamIndex | None = None) -> StreamState:
        """Have a log stream, whose document is saved."""
        state = StreamState(stream, version, index or StreamIndex(stream.shard))
        self.streams[stream.name] = self.by_shard[stream.shard] = state
        self._next_shard = max(self._next_shard, stream.shard + 1)
        return state

    def stream(self, name: str) -> StreamState:
        """The log stream of that name. Raises ResourceNotFoundException."""
        state = self.streams.get(name)
        if state is None:
            raise no_stream()
        return state

    def remove(self, state: StreamState) -> None:
        """Forget a log stream; its events stay in the log until `trim` finds nothing else in their segments."""
        del self.streams[state.stream.name], self.by_shard[state.stream.shard]
        self._unsaved.discard(state.stream.shard)
        self.has_deleted = True

    def free_shard(self) -> int:
        """A shard that no log stream has had events in."""
        while self.log.shard_range(self._next_shard)[1]:
            self._next_shard += 1
        self._next_shard += 1
        return self._next_shard - 1

    def catch_up(self) -> None:
        """Blocking, before anything else. Have the indexes take in what the log has and they have not."""
        for state in self.by_shard.values():
            first, following = self.log.shard_range(state.stream.shard)
            if state.index.next_offset > following:  # an index of another log: one of the two was put back
                state.index = StreamIndex(state.stream.shard)
            if state.index.next_offset < following:
                self._catch_up(state, max(first, state.index.next_offset), following)
        while self.log.shard_range(self._next_shard)[1]:
            self._next_shard += 1
        self.has_deleted = any(
            shard not in self.by_shard and self._has_events(shard) for shard in range(self._next_shard)
        )

    def _has_events(self, shard: int) -> bool:
        first, following = self.log.shard_range(shard)
        return first < following

    def _catch_up(self, state: StreamState, offset: int, end: int) -> None:
        shard, index = state.stream.shard, state.index
        while offset < end:
            runs = self.log.read(shard, offset, records_max=_CATCH_UP_EVENTS, bytes_max=_CATCH_UP_BYTES)
            if not runs:
                return
            for run in runs:
                index.note(run.first_offset, times_of(run.keys), sum(map(len, run.data)), run.arrival_ms)
                offset = run.first_offset + len(run.keys)
        self._unsaved.add(shard)

    async def put(self, state: StreamState, times_ms: Sequence[int], messages: list[bytes]) -> Placement:
        """Store events; once this returns they are synced, and visible. Raises what RecordLog.append raises.

        Must not be cancelled: what was stored would not be visible until the group is opened again.
        """
        batch = Batch(state.stream.shard, keys_of(times_ms), messages)
        (placement,) = await self.log.append([batch])
        size_bytes = sum(map(len, messages))
        state.index.note(placement.first_offset, times_ms, size_bytes, placement.arrival_ms)
        if state.stream.shard in self.by_shard:
            self._unsaved.add(state.stream.shard)
        self.unsaved_bytes += size_bytes
        return placement

    async def read_blocks(self, position: int, bytes_max: int) -> list[FollowedBlock]:
        """Blocks of the log from a position on, about `bytes_max` of them. Raises what LogFollower.read raises."""
        async with self._following:
            self.log.publish_end()
            return await asyncio.to_thread(self._follower.read, position, bytes_max=bytes_max)

    async def close(self) -> None:
        """Close the log, and let go of what was read of it."""
        self.pieces.close()
        await self.log.close()

    @property
    def stored_bytes(self) -> int:
        """Bytes of all events, as CloudWatch Logs counts them."""
        return sum(state.index.stored_bytes for state in self.by_shard.values())

    def take_unsaved(self) -> list[Saved]:
        """The indexes that have changed since they were saved; from now on they count as saved."""
        states = [self.by_shard[shard] for shard in self._unsaved]
        self._unsaved.clear()
        self.unsaved_bytes = 0
        return [(state.stream.shard, state.index.stored_bytes, state.index.image()) for state in states]

    def drop(self, oldest_ms: int) -> None:
        """Forget where events are that are older than that, or that the log has dropped."""
        for shard, state in self.by_shard.items():
            if state.index.drop(oldest_ms, self.log.shard_range(shard)[0]):
                self._unsaved.add(shard)

    def trim(self, oldest_ms: int) -> int:
        """Blocking. Drop segments with nothing but events that are older than that, or of deleted log streams.

        Returns the bytes freed.
        """
        before_ms = oldest_ms - AHEAD_MS
        if self.has_deleted:
            end = self.log.end_position()  # taken before the log streams are looked at: what comes meanwhile is past it
            first_arrival_ms = self._first_arrival_ms()
            if first_arrival_ms is None:
                return self.log.trim_to(end)
            before_ms = max(before_ms, first_arrival_ms)
        return self.log.trim(before_ms) if before_ms > 0 else 0

    def _first_arrival_ms(self) -> int | None:
        """When the first event arrived that is kept of a log stream that is there; None without any."""
        arrivals: list[int] = []
        for shard in tuple(self.by_shard):
            if self._has_events(shard):
                arrivals += [run.arrival_ms for run in self.log.read(shard, 0, records_max=1, bytes_max=1)]
        return min(arrivals, default=None)
