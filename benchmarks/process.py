"""Runs a server as a child process and accounts for the CPU time and the memory of all its processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from benchmarks.client import Client
from benchmarks.load import LoadError
from benchmarks.machine import free_port
from benchmarks.servers import Server

READY_SECONDS_MAX = 90.0
STOP_SECONDS_MAX = 20.0
WORKER_SECONDS_MAX = 10.0
IDLE_CPU_S = 0.03
_WORKER_MODULE = b"millstream.server.worker"
_TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")


class StartError(Exception):
    """The server did not come up; the message says why, as far as its output tells."""


class Running:
    """A server that runs on `port` and keeps its data, if any, in `directory`. Leaving the context stops it."""

    def __init__(self, server: Server, directory: Path) -> None:
        """Starts the server and returns when it answers. Raises StartError when it does not within 90 s."""
        self.server = server
        self.directory = directory
        self.port = free_port()
        launch = server.launch(self.port, directory)
        self._output = directory.with_name(directory.name + ".out")
        self.started_at = time.perf_counter()
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                launch.command,
                env=os.environ | launch.environment,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise
        self.start_seconds = time.perf_counter() - self.started_at

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def cpu_us(self) -> float:
        """CPU time, user and kernel, that the server's live processes have used so far."""
        return sum(map(_cpu_us, (fields for _, fields in self._processes())))

    def memory_peak_mib(self) -> float:
        """The sum of the processes' peak resident sizes, which counts shared pages once for each."""
        peak_mib = 0.0
        for process, _ in self._processes():
            with contextlib.suppress(FileNotFoundError):
                peak_mib += _memory_mib(process, "VmHWM")
        return peak_mib

    def worker(self) -> Worker:
        """Millstream's worker process, once it is there. Raises LoadError when it is not within 10 s."""
        deadline = time.monotonic() + WORKER_SECONDS_MAX
        while time.monotonic() < deadline:
            for process, _ in self._processes():
                with contextlib.suppress(FileNotFoundError):
                    if _WORKER_MODULE in (process / "cmdline").read_bytes():
                        return Worker(process)
            time.sleep(0.02)
        raise LoadError("there is no worker process")

    def stop(self) -> None:
        """Ends the server in order, and by force when it takes longer than 20 s."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS_MAX)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to every process of the server; returns when it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                with Client(self.port, timeout_seconds=5.0) as client:
                    client.call("ListStreams")
                return
            except LoadError:
                time.sleep(0.005)
        lines = self._output.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
        raise StartError(f"did not come up: {lines[-1].strip()[:200]}")

    def _processes(self) -> Iterator[tuple[Path, list[str]]]:
        """Each live process of the server's session, with its /proc stat fields from `state` on."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                fields = _stat(process)
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[3]) == self._process.pid and fields[0] != "Z":
                yield process, fields


class Worker:
    """A process of Millstream that delivers; `process` is its directory in /proc."""

    def __init__(self, process: Path) -> None:
        self._process = process
        self._pid = int(process.name)

    def cpu_s(self) -> float:
        """CPU time, user and kernel, of all its threads so far."""
        return _cpu_us(_stat(self._process)) / 1e6

    def memory_mib(self) -> float:
        """What it has resident now."""
        return _memory_mib(self._process, "VmRSS")

    def memory_peak_mib(self) -> float:
        """The most that it has had resident."""
        return _memory_mib(self._process, "VmHWM")

    def keep_to_one_core(self) -> None:
        """So that its threads do not share one core's caches and units with each other by turns on two."""
        core = max(os.sched_getaffinity(0))
        for thread in (self._process / "task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile it does nothing at all."""
        os.kill(self._pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._pid, signal.SIGCONT)

    def wait_until_idle(self) -> None:
        """Returns when it has used next to no CPU time for half a second; after 60 s anyway."""
        deadline = time.monotonic() + 60
        used = self.cpu_s()
        while time.monotonic() < deadline:
            time.sleep(0.5)
            before, used = used, self.cpu_s()
            if used - before < IDLE_CPU_S:
                return


def _stat(process: Path) -> list[str]:
    """The fields of /proc/<pid>/stat from `state` on."""
    return (process / "stat").read_text().rpartition(")")[2].split()


def _cpu_us(fields: list[str]) -> float:
    return (int(fields[11]) + int(fields[12])) * _TICK_US


def _memory_mib(process: Path, name: str) -> float:
    return int((process / "status").read_text().partition(f"{name}:")[2].split()[0]) / 1024
