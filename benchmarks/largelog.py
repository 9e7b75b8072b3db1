"""The figures that need gigabytes: memory while ingesting for long, reading by time, and restart after SIGKILL.

One server is loaded without pause until its log has the size wanted and the time is up; on the way, at 1 GiB, it
is asked for records by time. It is then killed under load, and started again on what it left.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.client import Client
from benchmarks.figures import Figures, percentile
from benchmarks.load import LoadError, LoadResult, run_load
from benchmarks.measures import BULK_CONNECTIONS, LARGE_BYTES, SHARDS, Bench, Payloads, put_feeds, seek_ms
from benchmarks.process import Running
from benchmarks.rendering import RECORDS_PER_CALL
from benchmarks.servers import Server

GIB = 1 << 30
SEEK_LOG_BYTES = GIB
SLICE_SECONDS = 5.0
KILLED_AFTER_SECONDS = 1.0
FREE_DISK_SHARE = 0.8
Say = Callable[[str], None]


class Extent(NamedTuple):
    """How far to fill a log: at least to `log_bytes` and for `seconds`, but never beyond `limit_bytes`."""

    log_bytes: int
    seconds: float
    limit_bytes: int


def plan(directory: Path, log_gib: float, sustain_seconds: float) -> Extent:
    """The extent of a log in `directory`, which takes four fifths of the free disk at most.

    Raises LoadError when the disk has no room for `log_gib`.
    """
    limit_bytes = int(shutil.disk_usage(directory).free * FREE_DISK_SHARE)
    if log_gib * GIB > limit_bytes:
        raise LoadError(f"a log of {log_gib:g} GiB does not fit on this disk")
    return Extent(int(log_gib * GIB), sustain_seconds, limit_bytes)


def run_large_log(server: Server, directory: Path, payloads: Payloads, extent: Extent, say: Say) -> Figures:
    """Takes the figures; raises LoadError when a call fails or when records are gone after the restart."""
    with Running(server, directory) as running:
        with Client(running.port) as client:
            shards = client.create_stream(SHARDS)
        filling = _Filling(Bench(running, shards, payloads, SLICE_SECONDS))
        while not filling.reached(extent):
            filling.step()
            say(f"{filling.bytes / GIB:.1f} GiB, {running.memory_peak_mib():.0f} MiB resident at the peak")
        figures = filling.figures()
        _kill_under_load(filling)
    with Running(server, directory) as again, Client(again.port) as client:
        if not client.records_from(shards[0], filling.to_s - 1.0, 1):
            raise LoadError("records are gone after the restart")
        figures["large_restart"] = time.perf_counter() - again.started_at
    return figures


class _Filling:
    """A log on its way to its extent. `bytes` are those of record data acknowledged."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.bytes = 0
        self.from_s = self.to_s = time.time()
        self._seconds = 0.0
        self._seeks_ms: list[float] = []

    def reached(self, extent: Extent) -> bool:
        if self.bytes >= extent.limit_bytes:
            return True
        return self.bytes >= extent.log_bytes and self._seconds >= extent.seconds

    def load(self, seconds: float) -> LoadResult:
        """Puts records of 1 KiB for so long."""
        feeds = put_feeds(self.bench.payloads.put_records_1k, RECORDS_PER_CALL, BULK_CONNECTIONS)
        return run_load(self.bench.running.port, feeds, seconds)

    def step(self) -> None:
        """Loads for some seconds more; takes the seeks when the log first has 1 GiB."""
        result = self.load(self.bench.seconds)
        self.to_s = time.time()
        self.bytes += result.records * LARGE_BYTES
        self._seconds += result.seconds
        if self.bytes >= SEEK_LOG_BYTES and not self._seeks_ms:
            self._seeks_ms = seek_ms(self.bench, self.from_s, self.to_s)

    def figures(self) -> Figures:
        figures = {
            "large_ingest": self.bytes / LARGE_BYTES / self._seconds,
            "large_memory": self.bench.running.memory_peak_mib(),
            "large_gib": self.bytes / GIB,
        }
        if self._seeks_ms:
            figures["large_seek_p95"] = percentile(self._seeks_ms, 95)
            figures["large_seek_max"] = max(self._seeks_ms)
        return figures


def _kill_under_load(filling: _Filling) -> None:
    def load() -> None:
        with contextlib.suppress(LoadError):  # its connections break when the server dies, as they should
            filling.load(KILLED_AFTER_SECONDS * 10)

    loader = threading.Thread(target=load)
    loader.start()
    time.sleep(KILLED_AFTER_SECONDS)
    filling.bench.running.kill()
    loader.join()
