"""All files of one flow: looking at them, and reading the one whose turn it is."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from millstream.agent.config import FlowConfig
from millstream.agent.records import Chunk, FileId, Span
from millstream.agent.tail.census import Census
from millstream.agent.tail.file import FileStatus, Flush, Rewritten, TailedFile
from millstream.agent.tail.progress import FileProgress
from millstream.agent.tail.splitting import Split, Splitter
from millstream.base.clock import Clock

log = logging.getLogger(__name__)

_TELL_AGAIN_S = 60.0
QUIET_MS = 5_000
STALE_MS = 3_600_000


@dataclass
class TailCounts:
    """What became of bytes that were not delivered as they are."""

    records_cut: int = 0
    bytes_cut: int = 0
    lost_bytes: int = 0


class Tail:
    """The files of one flow. See the package's docstring for how it is used."""

    def __init__(
        self,
        flow: FlowConfig,
        progress: dict[FileId, FileProgress] | None,
        clock: Clock,
        *,
        record_bytes_max: int | None = None,
    ) -> None:
        """`progress`: as loaded; None at the flow's first start. Raises PatternError if filePattern makes none."""
        self._clock = clock
        self._splitter = Splitter(flow, record_bytes_max)
        self._census = Census(flow, None if progress is None else progress.values(), clock)
        self._files = self._census.ledger.files
        self._queue: deque[TailedFile] = deque()
        self._interval_s = flow.min_time_between_file_polls_ms / 1000
        self._interval_s_max = max(flow.max_time_between_file_tracker_refresh_ms / 1000, self._interval_s)
        self._poll_at = 0.0
        self._records_cut = self._bytes_cut = 0
        self._tell_cut_at = 0.0
        self._is_unstarted_told = False

    def refresh(self) -> bool:
        """Look at the directories again; whether a file came, went or was renamed."""
        return self._census.refresh()

    def touched(self, paths: Iterable[str]) -> None:
        """Something happened to these paths: the next `read` looks at them."""
        wanted = set(paths)
        known = [file for file in self._files.values() if file.path in wanted or file.real_path in wanted]
        for file in known:
            file.look_at = 0.0
            wanted -= {file.path, file.real_path}
        self._poll_at = 0.0
        if any(self._census.finder.is_of_pattern(path) for path in wanted):
            self._census.is_stale = True

    def read(self, bytes_max: int, *, final: bool = False) -> Chunk | None:
        """The next records of the file that was written to least recently, about `bytes_max` bytes; None: nothing now.

        `final`: what stands at the ends of files is delivered as it is.
        """
        chunk = self._read_next(bytes_max, final=final)
        if chunk is None and self._census.is_stale:
            self.refresh()
            chunk = self._read_next(bytes_max, final=final)
        return chunk

    def done(self, span: Span) -> None:
        """Acknowledged, or dropped on purpose. Files that are not known are ignored."""
        self._census.ledger.done(span)

    def changed(self) -> list[FileProgress]:
        """Progress to save: what changed since the last call."""
        return self._census.ledger.changed(self._clock.monotonic())

    def directories(self) -> set[Path]:
        """What to watch for events, each directory by itself."""
        targets = {os.path.dirname(file.real_path) for file in self._files.values()}
        return {Path(path) for path in [*self._census.finder.pattern.directories(), *targets] if os.path.isdir(path)}

    def files(self) -> list[FileStatus]:
        """How far each file is, for people."""
        return [file.status() for file in self._files.values()]

    @property
    def pending_bytes(self) -> int:
        """How much is unread, as of the last looks."""
        return sum(file.pending_bytes for file in self._files.values())

    @property
    def open_files(self) -> int:
        """How many descriptors are open."""
        return len(self._census.descriptors)

    @property
    def counts(self) -> TailCounts:
        """What became of bytes that were not delivered as they are, since the start."""
        return TailCounts(self._records_cut, self._bytes_cut, self._census.lost_bytes + self._census.copies.lost_bytes)

    def close(self) -> None:
        """Close all descriptors."""
        self._census.descriptors.close_all()

    def _read_next(self, bytes_max: int, *, final: bool) -> Chunk | None:
        self._poll(final=final)
        if self._census.is_stale and self._census.copies.formers:
            self.refresh()
        if self._census.copies.orphans:
            return self._census.copies.orphans.popleft()
        while self._queue:
            file = self._queue[0]
            chunk = self._read_file(file, bytes_max, final=final) if self._census.ledger.is_in(file) else None
            if chunk is None or not file.pending_bytes:
                self._queue.popleft()
                file.is_queued = False
            if chunk is not None:
                return chunk
        return None

    def _poll(self, *, final: bool) -> None:
        """Look at the files whose time has come, and queue those that have something to read."""
        now = self._clock.monotonic()
        if self._queue and now < self._poll_at:
            return
        self._poll_at = now + self._interval_s
        hurry = final and not self._queue
        due = [file for file in self._files.values() if file.look_at <= now or hurry]
        ready = [file for file in due if self._look(file, now, final=final)]
        ready.sort(key=lambda file: (file.mtime_ns, file.path))
        for file in ready:
            file.is_queued = True
        self._queue.extend(ready)

    def _look(self, file: TailedFile, now: float, *, final: bool) -> bool:
        if self._census.look(file):
            file.interval_s = self._interval_s
        else:
            file.interval_s = min(max(file.interval_s * 2, self._interval_s), self._interval_s_max)
        quiet_at = file.changed_at + QUIET_MS / 1000
        file.look_at = min(now + file.interval_s, quiet_at) if now < quiet_at else now + file.interval_s
        if file.waits_from is not None:
            self._settle_copy(file, final=final)
        if file.is_queued or file.waits_from is not None or not file.pending_bytes:
            return False
        return not file.is_stuck or final or self._flush(file, now) > Flush.NOTHING

    def _settle_copy(self, file: TailedFile, *, final: bool) -> None:
        self._census.settle_copy(file)
        if final and file.waits_from is not None:
            self._census.copies.release(file)

    def _read_file(self, file: TailedFile, bytes_max: int, *, final: bool) -> Chunk | None:
        descriptor = self._census.open(file)
        if descriptor is None:
            return None
        flush = Flush.ALL if final else self._flush(file, self._clock.monotonic())
        if flush > Flush.NOTHING and os.fstat(descriptor).st_size != file.size:
            flush = Flush.NOTHING
        try:
            found = file.read(descriptor, bytes_max, self._splitter, flush)
        except Rewritten:
            self._census.renew(file)
            file.look_at = 0.0
            return None
        except OSError as error:
            self._census.warnings.tell(file.path, f"cannot be read ({error.strerror})")
            self._census.descriptors.close(file)
            return None
        if not (self._splitter.has_started or self._is_unstarted_told) and (found or file.long_record):
            self._is_unstarted_told = True
            log.warning("%s: multiLineStartPattern has matched no line so far: what comes is one record", file.path)
        if found is None:
            file.is_stuck = file.long_record is None or file.long_record.is_waiting
            return None
        start, split = found
        if split.records_cut:
            self._note_cut(file, split)
        return Chunk(file.id, file.path, start, split.records, split.ends, split.end)

    def _note_cut(self, file: TailedFile, split: Split) -> None:
        self._records_cut += split.records_cut
        self._bytes_cut += split.bytes_cut
        now = self._clock.monotonic()
        if now >= self._tell_cut_at:
            self._tell_cut_at = now + _TELL_AGAIN_S
            log.warning(
                '%s: a record is longer than %d bytes and was cut off; %d records and %d bytes of this flow so far '
                '("longRecords": "split" keeps all)',
                *(file.path, self._splitter.limit, self._records_cut, self._bytes_cut),
            )  # fmt: skip

    def _flush(self, file: TailedFile, now: float) -> Flush:
        is_quiet = (now - file.changed_at) * 1000 >= QUIET_MS
        is_left = is_quiet and (file.gone or file.is_renamed)
        if is_left or self._clock.now_ms() - file.mtime_ns // 1_000_000 >= STALE_MS:
            return Flush.ALL
        return Flush.LINES if is_quiet and self._splitter.is_multi_line else Flush.NOTHING
