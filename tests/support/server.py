"""A live `millstream up` in a process of its own, as a user runs it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from support.ports import free_port
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMAND = Path(sys.executable).with_name("millstream")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Server:
    """One server on one data directory; may be killed and started again, on the same port.

    `inside` is a command that runs another one in a place of its own (`nsenter`, say). What the server writes to stdout
    and stderr is in `log_text()`, of all starts together.
    """

    def __init__(
        self,
        data_dir: Path,
        log_path: Path,
        *,
        limits: str = "off",
        options: Sequence[str] = (),
        inside: Sequence[str] = (),
        scheme: str = "http",
        port: int | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._log_path = log_path
        self._command = [
            *(*inside, str(COMMAND), "up", "--port", str(self.port), "--data-dir", str(data_dir)),
            *("--limits", limits, "--no-demo", *options),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of `millstream up`; all its children are in its process group."""
        assert self._process is not None, "the server was never started"
        return self._process.pid

    def start(self, *, timeout_s: float = 20.0) -> Server:
        """Start, and return when the server answers."""
        self.launch()
        wait_for(self._answers, f"{self.url} to answer", timeout_s=timeout_s)
        return self

    def launch(self) -> None:
        """Start without waiting: for servers that are meant to refuse."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MILLSTREAM_")}
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    def wait_exit(self, *, timeout_s: float = 20.0) -> int:
        """The exit code, once the process has ended by itself."""
        assert self._process is not None, "the server was never started"
        return self._process.wait(timeout_s)

    def kill(self) -> None:
        """SIGKILL every process of the server, at once."""
        self._kill_group()
        self.wait_exit()

    def terminate(self, *, timeout_s: float = 20.0) -> int:
        """SIGTERM, as a service manager does; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait_exit(timeout_s=timeout_s)

    def signal(self, number: int) -> None:
        """Send a signal to the main process."""
        os.kill(self.pid, number)

    def close(self) -> None:
        """Leave no process behind, whatever the test did."""
        if self._process is not None:
            self._kill_group()
            self._process.wait()

    def is_running(self) -> bool:
        """Whether the main process still runs."""
        return self._process is not None and self._process.poll() is None

    def rss_bytes(self) -> int:
        """Resident memory of all processes of the server together."""
        total = 0
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                if int(status.read_text().rpartition(")")[2].split()[2]) == self.pid:
                    total += int(status.with_name("statm").read_text().split()[1]) * PAGE_BYTES
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
        return total

    def log_text(self) -> str:
        """Everything that the server has printed."""
        return self._log_path.read_text(errors="replace")

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _answers(self) -> bool:
        assert self.is_running(), f"the server ended at start:\n{self.log_text()}"
        if self.url.startswith("https"):
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
