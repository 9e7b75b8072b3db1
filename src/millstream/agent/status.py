"""What a running agent tells of itself: a line in its log, and a file that `millstream agent status` reads.

The file stands beside the checkpoints, `<checkpointFile>.status.json`, and is replaced as a whole.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from millstream.agent.config import AgentConfig
from millstream.agent.logsetup import RECENT, Told
from millstream.agent.metrics import DestinationMetrics, FlowMetrics, Metrics
from millstream.base.clock import Clock
from millstream.base.units import GIB, KIB, MIB

log = logging.getLogger("millstream.agent")

_WRITE_S = 5.0
"""How old the file may be at most while the agent runs."""


class Status(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What stands in the status file. Times in milliseconds since the epoch."""

    pid: int
    started_ms: int
    written_ms: int
    is_running: bool
    """False once the agent has ended by itself; one that was killed leaves True behind."""
    flows: list[FlowMetrics]
    destinations: list[DestinationMetrics]
    warnings: list[Told] = []
    """The last ones of the log, the newest at the end."""


def status_path(checkpoint_file: str | Path) -> Path:
    """Where the agent that has this checkpoint file keeps its status."""
    return Path(f"{checkpoint_file}.status.json")


def read_status(path: Path) -> Status | None:
    """The status in the file, or None where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Status)
    except (OSError, msgspec.MsgspecError):
        return None


class StatusReporter:
    """Writes the status file every few seconds and the log line every `log.statusReportingPeriodSeconds`.

    `refresh` is called before, in the event loop: it sets the gauges of the metrics.
    """

    def __init__(
        self, config: AgentConfig, metrics: Metrics, clock: Clock, refresh: Callable[[], None] = lambda: None
    ) -> None:
        self._path = status_path(config.checkpoint_file)
        self._period_s = float(config.status_reporting_period_s)
        self._metrics = metrics
        self._clock = clock
        self._refresh = refresh
        self._started_ms = clock.now_ms()
        self._started_s = clock.monotonic()
        self._is_failing = False

    async def run(self) -> None:
        """Until cancelled."""
        next_line_s = self._started_s + self._period_s
        while True:
            await asyncio.to_thread(self._replace, self._encode(is_running=True))
            left_s = next_line_s - self._clock.monotonic()
            await asyncio.sleep(max(0.0, min(_WRITE_S, left_s)))
            if self._clock.monotonic() >= next_line_s:
                next_line_s = self._clock.monotonic() + self._period_s
                self._refresh()
                log.info("%s", self.line())

    def line(self) -> str:
        """How far the agent is, for its log."""
        totals = self._metrics.totals()
        parts = [
            f"{totals.records_parsed:,} records read ({size(totals.bytes_read)})",
            f"{totals.records_acknowledged:,} delivered",
            count(totals.files, "file"),
            f"{size(totals.bytes_behind)} behind",
        ]
        if totals.records_rejected:
            parts.append(f"{totals.records_rejected:,} rejected")
        if totals.bytes_lost:
            parts.append(f"{size(totals.bytes_lost)} lost")
        if totals.record_send_errors or totals.service_errors:
            parts.append(f"{totals.record_send_errors:,} record errors, {totals.service_errors:,} service errors")
        return f"Progress: {', '.join(parts)}; up {duration(self._clock.monotonic() - self._started_s)}"

    def write(self, *, is_running: bool) -> None:
        """Replace the file now. Blocks."""
        self._replace(self._encode(is_running=is_running))

    def _encode(self, *, is_running: bool) -> bytes:
        self._refresh()
        return msgspec.json.encode(
            Status(
                pid=os.getpid(),
                started_ms=self._started_ms,
                written_ms=self._clock.now_ms(),
                is_running=is_running,
                flows=list(self._metrics.flows.values()),
                destinations=list(self._metrics.destinations.values()),
                warnings=list(RECENT.told),
            )
        )

    def _replace(self, content: bytes) -> None:
        """A disk that does not take it is told of once, and hinders nothing."""
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            new.write_bytes(content)
            new.replace(self._path)
        except OSError as error:
            if not self._is_failing:
                log.warning("the status file %s cannot be written: %s", self._path, error.strerror)
            self._is_failing = True
        else:
            self._is_failing = False


def size(size_bytes: float) -> str:
    """As people say it: `5.0 MiB`."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:,.1f} {name}"
    return f"{size_bytes:,.0f} B"


def duration(duration_s: float) -> str:
    """As people say it: `2 d 3 h`, `4 min 5 s`."""
    left = int(max(0.0, duration_s))
    parts: list[str] = []
    for unit_s, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if left >= unit_s or (unit_s == 1 and not parts):
            parts.append(f"{left // unit_s} {name}")
            left %= unit_s
    return " ".join(parts[:2])


def count(number: int, noun: str) -> str:
    """As people say it: `1 file`, `1,000 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
