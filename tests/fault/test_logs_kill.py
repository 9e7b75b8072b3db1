"""Log events that were acknowledged survive SIGKILL, once each and in order; a full disk refuses and is mended."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from support.clients import client
from support.kinesis import new_account, until_refused
from support.smalldisk import SmallDisk, small_disk
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.server import Server

KILLS = 2
REGION = "us-east-1"


class Writer:
    """A thread that puts events into a log stream of its own, each batch once, and knows which were acknowledged."""

    def __init__(self, url: str, account: str, stream: str) -> None:
        self.acknowledged: list[str] = []
        self._logs = client("logs", url, account, REGION, read_timeout=10)
        self._logs.create_log_stream(logGroupName="g", logStreamName=stream)
        self._stream = stream
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        rng = random.Random(self._stream)
        n = 0
        while not self._stopped.is_set():
            at_ms = time.time_ns() // 1_000_000
            batch = [f"{self._stream} {n + i:06}" for i in range(rng.randint(1, 20))]
            n += len(batch)
            events = [{"timestamp": at_ms, "message": message} for message in batch]
            try:
                self._logs.put_log_events(logGroupName="g", logStreamName=self._stream, logEvents=events)
            except (BotoCoreError, ClientError):
                self._stopped.wait(0.01)
                continue
            self.acknowledged += batch

    def stop(self) -> None:
        """Stop, after the answer to the put under way."""
        self._stopped.set()
        self._thread.join()


def read_all(logs: Any, stream: str) -> list[str]:
    """All messages of a log stream, from its head."""
    page = logs.get_log_events(logGroupName="g", logStreamName=stream, startFromHead=True)
    found = []
    while page["events"]:
        found += [event["message"] for event in page["events"]]
        page = logs.get_log_events(logGroupName="g", logStreamName=stream, nextToken=page["nextForwardToken"])
    return found


def test_acknowledged_events_survive(server: Server) -> None:
    account = new_account()
    logs = client("logs", server.url, account, REGION)
    logs.create_log_group(logGroupName="g")
    writers = {name: Writer(server.url, account, name) for name in ("a", "b")}
    try:
        for _ in range(KILLS):
            for writer in writers.values():
                target = len(writer.acknowledged) + 300
                wait_for(lambda: len(writer.acknowledged) >= target, "more events", interval_s=0.005)  # noqa: B023
            server.kill()
            server.start()
    finally:
        for writer in writers.values():
            writer.stop()
    stored = {name: read_all(logs, name) for name in writers}
    for name, writer in writers.items():
        assert stored[name] == sorted(set(stored[name])), "out of order, or twice"
        assert set(writer.acknowledged) <= set(stored[name])
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="g")
    found = [event["message"] for page in pages for event in page["events"]]
    assert sorted(found) == sorted(stored["a"] + stored["b"])
    assert "Traceback" not in server.log_text()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small file system."""
    with small_disk(tmp_path / "disk", 24) as disk:
        yield disk


def test_a_full_disk_refuses_reads_go_on_and_space_mends_it(
    disk: SmallDisk, make_server: Callable[..., Server]
) -> None:
    (disk.outside / "ballast").write_bytes(bytes(8 << 20))
    server = make_server(disk.path / "data", inside=disk.inside).start()
    logs = client("logs", server.url, new_account(), REGION)
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="a")
    taken: list[str] = []

    def put() -> None:
        message = f"{len(taken):08}" * 12_000
        event = {"timestamp": time.time_ns() // 1_000_000, "message": message}
        logs.put_log_events(logGroupName="g", logStreamName="a", logEvents=[event])
        taken.append(message)

    _, refused = until_refused(put, attempts=2000)
    assert (refused.code, refused.status) == ("ServiceUnavailableException", 503)
    assert "full" in refused.message
    assert read_all(logs, "a") == taken
    server.kill()
    server.start()
    assert read_all(logs, "a") == taken
    (disk.outside / "ballast").unlink()
    put()
    server.kill()
    server.start()
    assert read_all(logs, "a") == taken
    assert "Traceback" not in server.log_text()
