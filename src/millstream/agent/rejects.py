"""What becomes of records that a processor could not take: told in the log now and then, and kept in a file.

The file has the records as they were read, one after another, each with a line end. It is rotated by size:
`rejects.log`, `rejects.log.1` (newer) to `rejects.log.N` (older); what is older is deleted, so that the files together
stay below (N + 1) times the size. A file that cannot be written is a line in the log, never a failure of the flow.
"""

from __future__ import annotations

import collections
import logging
import os
from pathlib import Path
from typing import Protocol

from millstream.base.clock import Clock
from millstream.base.units import MIB

log = logging.getLogger("millstream.agent")

REPORT_S = 60.0
_SAMPLE_BYTES = 160


class Keeper(Protocol):
    """Where rejected records are kept."""

    def keep(self, record: bytes) -> None:
        """Keep one record. Raises OSError."""
        ...


class RejectsFile:
    """A file of rejected records. One object a path: flows that name the same file share it.

    Records go to the operating system at once: a kill of the agent loses none, a power cut may.
    """

    def __init__(self, path: Path, *, size_bytes_max: int = 10 * MIB, old_files: int = 4) -> None:
        self._path = path
        self._size_bytes_max = size_bytes_max
        self._old_files = old_files
        self._descriptor = -1
        self._size_bytes = 0

    def keep(self, record: bytes) -> None:
        """Append a record, with a line end if it has none. Raises OSError."""
        line = record if record.endswith(b"\n") else record + b"\n"
        if self._descriptor < 0:
            self._open()
        if self._size_bytes and self._size_bytes + len(line) > self._size_bytes_max:
            self._rotate()
        self._size_bytes += len(line)
        while line:
            line = line[os.write(self._descriptor, line) :]

    def close(self) -> None:
        """Close the file; the next record opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)
        self._size_bytes = os.fstat(self._descriptor).st_size

    def _rotate(self) -> None:
        self.close()
        for number in range(self._old_files, 0, -1):
            newer = self._numbered(number - 1)
            if newer.exists():
                newer.replace(self._numbered(number))
        if not self._old_files:
            self._path.unlink(missing_ok=True)
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path


class Rejects:
    """One flow's rejected records: the object to give to `make_chain` as `on_reject`.

    The first one is logged at once, with its beginning; from then on what came is told once a minute, as counts by
    reason. Call `report` now and then, and at the end, so that the last ones are told, too.
    """

    def __init__(self, flow: str, clock: Clock, file: Keeper | None = None) -> None:
        self._flow = flow
        self._clock = clock
        self._file = file
        self._untold: collections.Counter[str] = collections.Counter()
        self._told_s: float | None = None
        self._unkept = 0
        self._trouble = ""
        self.total = 0

    def __call__(self, record: bytes, reason: str) -> None:
        """Count a record, keep it, and tell of it if it is time to. Does not raise."""
        self.total += 1
        self._keep(record)
        if self._told_s is None:
            self._told_s = self._clock.monotonic()
            sample = record[:_SAMPLE_BYTES]
            log.warning("%s: dropped a record: %s: %r%s", self._flow, reason, sample, self._kept())
            return
        self._untold[reason] += 1
        self.report()

    def report(self, *, final: bool = False) -> None:
        """Tell of what has not been told, if the last time was a minute ago or this is the last one."""
        now_s = self._clock.monotonic()
        if not self._untold or not (final or self._told_s is None or now_s - self._told_s >= REPORT_S):
            return
        counts = ", ".join(f"{reason} ({count})" for reason, count in self._untold.most_common())
        log.warning("%s: dropped %d more: %s%s", self._flow, self._untold.total(), counts, self._kept())
        self._untold.clear()
        self._told_s = now_s

    def _keep(self, record: bytes) -> None:
        if self._file is None:
            return
        try:
            self._file.keep(record)
        except OSError as error:
            self._unkept += 1
            self._trouble = str(error)

    def _kept(self) -> str:
        if not self._unkept:
            return ""
        told = f"; {self._unkept} could not be kept in the rejects file: {self._trouble}"
        self._unkept = 0
        return told
