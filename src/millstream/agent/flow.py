"""A flow at work: what its files have is read, processed, packed and handed to the publisher."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from itertools import compress
from typing import Protocol

from millstream.agent.config import FlowConfig
from millstream.agent.entries import make_packer, record_bytes_max
from millstream.agent.metrics import FlowMetrics
from millstream.agent.packing import Batch, Piece
from millstream.agent.publisher import Destination, Publisher, Room, Spawn
from millstream.agent.records import Chunk, FileId, Span
from millstream.agent.tail import Tail
from millstream.base.clock import Clock

_READ_BYTES = 512 * 1024
_IDLE_POLL_S = 1.0  # while changes are told by the file system, polling only makes sure of it
_PATHS_MAX = 4096


class Processes(Protocol):
    """What makes data of records: a processors' Chain."""

    def process(self, records: list[bytes]) -> list[bytes | None]:
        """One result for each record; None is not sent."""
        ...


class Flow:
    """Reads files of one flow as long as there is room for what is read. Everything happens in the event loop."""

    def __init__(
        self,
        config: FlowConfig,
        tail: Tail,
        chain: Processes,
        metrics: FlowMetrics,
        clock: Clock,
        *,
        saved: Callable[[str], None],
        reject: Callable[[bytes, str], None],
    ) -> None:
        """`saved` is told that there is progress to save; `reject` takes what cannot be sent, and counts it."""
        self.config = config
        self.tail = tail
        self.metrics = metrics
        self.directories: frozenset[str] = frozenset()
        """Where files may be written, as of the last `watch`."""
        self._is_watched = False
        self._chain = chain
        self._clock = clock
        self._saved = saved
        self._reject = reject
        self._packer = make_packer(config)
        self._record_bytes_max = record_bytes_max(config)
        self._paths: dict[FileId, str] = {}
        self._opened_s = 0.0
        self._poll_s = 0.0
        self._refreshed_s = clock.monotonic()
        self._woken = asyncio.Event()
        self._publisher: Publisher
        self._is_read = False

    def connect(self, destination: Destination, room: Room, spawn: Spawn) -> None:
        """Where batches go."""
        self._publisher = Publisher(self.config, destination, room, spawn=spawn, done=self._done, refused=self._reject)

    @property
    def publisher(self) -> Publisher:
        """What sends the flow's batches."""
        return self._publisher

    @property
    def is_finished(self) -> bool:
        """Whether everything was read and is in; only with `final`."""
        return self._is_read and self._publisher.is_idle

    def is_stuck(self, timeout_s: float) -> bool:
        """Whether something waits to be taken, and nothing was for so long."""
        return not self._publisher.is_idle and self._clock.monotonic() - self._publisher.progress_s > timeout_s

    def gauge(self) -> None:
        """Set the metrics that are found by looking."""
        files = self.tail.files()
        self.metrics.files = len(files)
        self.metrics.files_open = self.tail.open_files
        self.metrics.bytes_behind = sum(max(0, file.size - file.done_bytes) for file in files)
        counts = self.tail.counts
        self.metrics.records_cut = counts.records_cut
        self.metrics.bytes_lost = counts.lost_bytes

    def watch(self, *, is_watched: bool) -> None:
        """Note where files are now, and whether the file system tells of changes there, so that polling can be slow."""
        self._is_watched = is_watched
        self.directories = frozenset(map(str, self.tail.directories()))

    def touched(self, paths: list[str]) -> None:
        """The file system says that something happened to these."""
        if any(os.path.dirname(path) in self.directories for path in paths):
            self.tail.touched(paths)
            self._woken.set()

    async def read(self, *, final: bool = False) -> None:
        """Until cancelled; with `final` until everything was read and submitted, partial last lines too."""
        while True:
            while self._publisher.is_full:
                await self._wait_for_room()
            self._look_around()
            if self._read_some(final=final):
                self._poll_s = 0.0
                await asyncio.sleep(0)
            elif final:
                break
            else:
                await self._pause()
        self.flush()
        self._is_read = True

    async def _wait_for_room(self) -> None:
        """Until there may be room. Meanwhile new files are found, and opened: an outage may outlast their names."""
        wait_s = (
            self._refreshed_s + self.config.max_time_between_file_tracker_refresh_ms / 1000 - self._clock.monotonic()
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.001, wait_s)):
                await self._publisher.room.freed()
        self._look_around()

    def flush(self) -> None:
        """Send what has been packed, whether or not the batch is full."""
        if (batch := self._packer.take()) is not None:
            self._publisher.submit(batch)

    def _look_around(self) -> None:
        """Do what is due by the clock."""
        now_s = self._clock.monotonic()
        if now_s - self._refreshed_s >= self.config.max_time_between_file_tracker_refresh_ms / 1000:
            self._refreshed_s = now_s
            if self.tail.refresh():
                self._saved(self.config.flow_id)
        if len(self._packer) and now_s >= self._opened_s + self.config.max_buffer_age_ms / 1000:
            self.flush()

    def _read_some(self, *, final: bool) -> bool:
        chunk = self.tail.read(_READ_BYTES, final=final)
        if chunk is None:
            return False
        self.metrics.records_parsed += len(chunk.records)
        self.metrics.bytes_read += chunk.end - chunk.start
        if (piece := self._process(chunk)) is not None:
            self._pack(piece)
        return True

    def _pack(self, piece: Piece) -> None:
        was_empty = not len(self._packer)
        batches: list[Batch] = self._packer.add(piece)
        if was_empty or batches:
            self._opened_s = self._clock.monotonic()
        for batch in batches:
            self._publisher.submit(batch)

    def _process(self, chunk: Chunk) -> Piece | None:
        """What is to be sent of a chunk. Bytes of records that are not are done with the record before or after."""
        data, ends = self._chain.process(chunk.records), chunk.ends
        kept = self._kept(data)
        if kept is not None:
            data, ends = list(compress(data, kept)), list(compress(ends, kept))
            if not data:
                self._done([Span(chunk.file, chunk.start, chunk.end)], 0)
                return None
            ends[-1] = chunk.end
        return Piece(chunk.file, self._first_path(chunk), chunk.start, data, ends)  # type: ignore[arg-type]

    def _kept(self, data: list[bytes | None]) -> list[bool] | None:
        """Which are to be sent; None: all of them."""
        if None not in data and max(map(len, data), default=0) <= self._record_bytes_max:  # type: ignore[arg-type]
            return None
        return [each is not None and self._fits(each) for each in data]

    def _fits(self, data: bytes) -> bool:
        if len(data) <= self._record_bytes_max:
            return True
        self._reject(data, f"processed, it is longer than the {self._record_bytes_max:,} bytes that the stream takes")
        return False

    def _first_path(self, chunk: Chunk) -> str:
        """The path under which a file was first seen: a renamed file keeps its partition key."""
        if len(self._paths) > _PATHS_MAX:
            del self._paths[next(iter(self._paths))]
        return self._paths.setdefault(chunk.file, chunk.path)

    def _done(self, spans: list[Span], records: int) -> None:
        for span in spans:
            self.tail.done(span)
            self.metrics.bytes_acknowledged += span.end - span.start
        self.metrics.records_acknowledged += records
        self._saved(self.config.flow_id)

    async def _pause(self) -> None:
        """Until something may have to be done: the files are to be looked at again, or a batch is old enough."""
        now_s = self._clock.monotonic()
        least_s = self.config.min_time_between_file_polls_ms / 1000
        most_s = max(least_s, _IDLE_POLL_S) if self._is_watched else least_s
        self._poll_s = min(most_s, max(least_s, 2 * self._poll_s))
        wait_s = min(
            self._poll_s, self._refreshed_s + self.config.max_time_between_file_tracker_refresh_ms / 1000 - now_s
        )
        if len(self._packer):
            wait_s = min(wait_s, self._opened_s + self.config.max_buffer_age_ms / 1000 - now_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.001, wait_s)):
                await self._woken.wait()
        self._woken.clear()
