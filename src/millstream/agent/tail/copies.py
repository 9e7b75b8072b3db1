"""Copy-truncate: a file is copied, then truncated. The copy has all that was read already; it must not be sent again.

    look 1   app.log  [read up to 100|unread]
    copy     app.log  [read up to 100|unread]    app.log.1  [the same]
    truncate app.log  []                         app.log.1  [done as app.log was|reading goes on here]

A look may come at any time in this, and a restart as well. So a new file whose name is longer than that of a followed
file that it is like ("app.log.1", "app-20240101.log" of "app.log") waits for as long as it may be a copy about to be
made. When the other file is truncated, what was known of it (the former) goes to the waiting file that begins as the
former did and has the same bytes before the place that had been reached.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from millstream.agent.records import Chunk, FileId
from millstream.agent.tail.file import TailedFile
from millstream.agent.tail.fingerprint import HEAD_BYTES, Fingerprint
from millstream.agent.tail.ledger import Ledger
from millstream.agent.tail.progress import FileProgress, Ranges
from millstream.base.clock import Clock

log = logging.getLogger(__name__)

COPY_WAIT_MS = 10_000


class Former(NamedTuple):
    """What was known of a file before its content went away."""

    file: FileId
    path: str
    done: Ranges
    position: int
    fingerprint: Fingerprint
    partial: bytes = b""
    """The partial last line at `position`, if it was short."""
    unread_bytes: int = 0
    """How much was there beyond `position`."""

    @classmethod
    def of(cls, file: TailedFile) -> Former:
        """What is known of a file now."""
        return cls(
            file.id, file.path, file.done, file.position, file.fingerprint, file.partial, file.pending_bytes
        )  # fmt: skip

    @classmethod
    def of_saved(cls, saved: FileProgress) -> Former:
        """What had been saved of a content that is gone."""
        done = Ranges(saved.done)
        return cls(saved.file, saved.path, done, done.hole(0)[0], Fingerprint(saved.fingerprint))


class Copies:
    """Files that may be copies, and formers that copies are looked for of."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._waiting: dict[TailedFile, bool] = {}
        """And whether each of them has been found to be like another file while that was there."""
        self.formers = [Former.of_saved(saved) for saved in ledger.superseded]
        self.orphans: deque[Chunk] = deque()
        """Partial last lines of contents that went away without a copy."""
        self.lost_bytes = 0

    def add(self, former: Former) -> None:
        """A content went away."""
        self.formers.append(former)

    def suspect(self, file: TailedFile) -> None:
        """A new file is there: nothing is read of it until it is known that it is no copy."""
        if any(is_named_like(file.path, former.path) for former in self.formers) or self.originals(file):
            file.waits_from = self._clock.monotonic()
            self._waiting[file] = False

    def waiting(self) -> list[TailedFile]:
        """Files of which it is not known whether they are copies."""
        return list(self._waiting)

    def originals(self, file: TailedFile) -> list[TailedFile]:
        """What a file may be a copy of: files that were read, named so that its name goes on after theirs."""
        others = [other for other in self._ledger.files.values() if other.size and other is not file]
        return [other for other in others if is_named_like(file.path, other.path) and other.waits_from is None]

    def settle(self, file: TailedFile, descriptor: int, opened: Callable[[TailedFile], int | None]) -> None:
        """Find out whether a file that waits is a copy; `file.size` is what it is now."""
        if not file.size or self.adopt(file, descriptor):
            return
        now = self._clock.monotonic()
        since = max(file.waits_from or now, file.changed_at)
        if (now - since) * 1000 < COPY_WAIT_MS and any(
            (other := opened(original)) is not None and _seems_copy(descriptor, file.size, other)
            for original in self.originals(file)
        ):
            self._waiting[file] = True
        else:
            self.release(file)

    def release(self, file: TailedFile) -> None:
        """It is a file of its own."""
        self._waiting.pop(file, None)
        file.waits_from = None
        file.look_at = 0

    def adopt(self, file: TailedFile, descriptor: int) -> bool:
        """Let a file that nothing was read of go on where its former was; False: it has none."""
        former = next((former for former in self.formers if self._is_copy(file, descriptor, former)), None)
        if former is None:
            return False
        position = min(former.position, file.size)
        fingerprint = Fingerprint()
        fingerprint.take_from(descriptor, position)
        file.go_on_from(former.done.clipped(file.size), fingerprint)
        file.position = position
        file.is_renamed = True  # nobody writes to it: a partial last line will not become whole
        self.formers.remove(former)
        self._ledger.enter(file)
        self._ledger.inherit(file.id, former.file)
        self.release(file)
        return True

    def _is_copy(self, file: TailedFile, descriptor: int, former: Former) -> bool:
        known = former.fingerprint
        if known.is_blank or not is_named_like(file.path, former.path):
            return False
        if file.size >= known.mark_offset:
            return known.matches(descriptor)
        # Copied before what was read last had been written. That its beginning is the same is then all that it shows.
        return self._waiting.get(file, False) and known.begins(descriptor)

    def forget_formers(self) -> None:
        """The directories have been looked at: what has no copy now will have none."""
        for former in self.formers:
            if former.partial:
                end = former.position + len(former.partial)
                self.orphans.append(Chunk(former.file, former.path, former.position, [former.partial], [end], end))
            if (lost := former.unread_bytes - len(former.partial)) > 0:
                self.lost_bytes += lost
                log.warning("%s: was truncated before its last %d bytes were read", former.path, lost)
        self.formers.clear()


def is_named_like(path: str, original: str) -> bool:
    """Whether `path` is what a copy of `original` would be named, before or after its last suffix."""
    name, other = os.path.basename(path), os.path.basename(original)
    return len(name) > len(other) and name.startswith(os.path.splitext(other)[0])


def _seems_copy(copy: int, copy_size: int, original: int) -> bool:
    """Whether a file has, so far, what another has: their beginnings are compared, and the end of the copy."""
    end = max(0, copy_size - HEAD_BYTES)
    return all(
        os.pread(copy, length, offset) == os.pread(original, length, offset)
        for length, offset in ((min(HEAD_BYTES, copy_size), 0), (copy_size - end, end))
    )
