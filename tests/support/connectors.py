"""Connectors for tests: in a thread of the test's process, or in a process that can be killed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.client.target import find_target
from millstream.client.transport import Connection
from millstream.connect.rabbitmq import Connector, Options, find_broker
from millstream.connect.running import Stop
from support.server import COMMAND
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from millstream.client.puts import PutTarget

_TIMEOUT_S = 40.0


class RunningConnector:
    """A connector that runs in a thread."""

    def __init__(self, connector: Connector, thread: threading.Thread) -> None:
        self._connector = connector
        self._thread = thread
        self.in_hand_bytes_seen = 0

    def in_hand_bytes(self) -> int:
        """What it holds; `in_hand_bytes_seen` is the most that any call saw."""
        held = self._connector.in_hand_bytes()
        self.in_hand_bytes_seen = max(self.in_hand_bytes_seen, held)
        return held

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._thread.is_alive()

    def count(self, name: str) -> int:
        """One of its counters."""
        return self._connector.counters[name]

    def wait_delivered(self, messages: int, *, timeout_s: float = 20.0) -> None:
        """Until so many messages are delivered and acknowledged."""

        def delivered() -> bool:
            self.in_hand_bytes()
            done = self.count("messages") >= messages
            assert done or self.is_alive(), "the connector has ended"
            return done

        wait_for(delivered, f"{messages} messages", timeout_s=timeout_s)

    def status(self) -> str:
        """Its status line."""
        return self._connector.status(1.0)


@contextmanager
def connector_in_thread(
    broker_url: str,
    endpoint: str,
    target: PutTarget,
    queue: str,
    *,
    account: str = "test",
    ca: Path | None = None,
    **options: Any,
) -> Iterator[RunningConnector]:
    """Run a connector; at the end it is stopped as by a signal, and must end without an error."""
    made = Options(broker=find_broker(broker_url, None, ca), queue=queue, **{"linger_ms": 20, **options})
    credentials = {"AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "secret"}
    started: list[tuple[asyncio.AbstractEventLoop, Stop, Connector]] = []
    ready = threading.Event()
    problems: list[BaseException] = []

    async def serve() -> None:
        where = find_target(target.api, endpoint=endpoint, environment=credentials)
        async with Connection(target.api, where) as connection:
            connector = Connector(made, target, connection)
            stop = Stop()
            started.append((asyncio.get_running_loop(), stop, connector))
            ready.set()
            await connector.run(stop)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
            problems.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="connector")
    thread.start()
    try:
        assert ready.wait(_TIMEOUT_S), "the connector did not start"
        if started:
            yield RunningConnector(started[0][2], thread)
    finally:
        if started and thread.is_alive():
            started[0][0].call_soon_threadsafe(started[0][1].ask)
        thread.join(_TIMEOUT_S)
        assert not thread.is_alive(), "the connector does not end"
        if problems:
            raise problems[0]


class ConnectorProcess:
    """`millstream connect rabbitmq` as a user runs it."""

    def __init__(self, broker_url: str, endpoint: str, *options: str, log_path: Path) -> None:
        self._command = [str(COMMAND), "connect", "rabbitmq", *options]
        self._environment = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": endpoint,
            "MILLSTREAM_RABBITMQ_URL": broker_url,
        }
        self._log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> ConnectorProcess:
        """Start it; does not wait."""
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None, "it was never started"
        self._process.terminate()
        return self._process.wait(_TIMEOUT_S)

    def log_text(self) -> str:
        """What it has logged, of all starts together."""
        return self._log_path.read_text()
