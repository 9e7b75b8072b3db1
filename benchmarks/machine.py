"""What the machine is, as far as it explains the figures; never its name or its paths."""

from __future__ import annotations

import os
import platform
import socket
import statistics
import tempfile
import time
from pathlib import Path

import msgspec

SYNC_SAMPLES = 100
IN_MEMORY = frozenset({"tmpfs", "ramfs"})


class Machine(msgspec.Struct, frozen=True):
    """The facts printed above the tables."""

    cores: int
    cpu: str
    memory_gib: float
    kernel: str
    python: str
    file_system: str
    sync_ms_median: float

    def sentences(self) -> list[str]:
        """The facts as lines of prose."""
        machine = f"{self.cores} cores ({self.cpu}), {self.memory_gib:.0f} GiB of memory"
        software = f"Linux {self.kernel}, Python {self.python}"
        disk = "memory, so that nothing here is durable" if self.file_system in IN_MEMORY else self.file_system
        return [
            f"{machine}, {software}; the load generator runs on the same cores.",
            f"Data on {disk}; a write of 4 KiB with fdatasync takes {self.sync_ms_median:.2f} ms there (median).",
        ]


def describe(directory: Path) -> Machine:
    """The machine, its file system being that of `directory`."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        cpu=_cpu_model(),
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30),
        kernel=platform.release().split("-")[0],
        python=platform.python_version(),
        file_system=file_system(directory),
        sync_ms_median=_sync_ms(directory),
    )


def file_system(directory: Path) -> str:
    """The type of the file system that holds a directory, such as `ext4`; `unknown` when it is not to be told."""
    best, kind = "", "unknown"
    target = str(directory.resolve())
    for line in Path("/proc/self/mounts").read_text().splitlines():
        mount, found = line.split(" ")[1:3]
        inside = target == mount or target.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, found
    return kind


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _sync_ms(directory: Path) -> float:
    times_ms = []
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        for _ in range(SYNC_SAMPLES):
            start = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            times_ms.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times_ms)
