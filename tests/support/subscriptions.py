"""Records as log subscriptions put them into a stream, and `millstream connect subscription` as a process."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from support.server import COMMAND

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIME_MS = 1_763_923_500_042  # 2025-11-23T18:45:00.042Z
INDEX = "cwl-2025.11.23"


def record(numbers: range, **members: Any) -> bytes:
    """A record with events of those numbers; an event's message is JSON with its number."""
    events = [{"id": f"{n:056d}", "timestamp": TIME_MS + n, "message": f'request {{"n": {n}}}'} for n in numbers]
    message = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "web",
        "logStream": "host-1",
        "subscriptionFilters": ["all"],
        "logEvents": events,
        **members,
    }
    return gzip.compress(json.dumps(message).encode())


def control_record() -> bytes:
    """What is put first of all."""
    return record(range(1), messageType="CONTROL_MESSAGE")


class Consumer(NamedTuple):
    """A running consumer."""

    process: subprocess.Popen[bytes]
    output: Path
    log: Path

    def lines(self) -> list[Any]:
        """What it has printed, as JSON; without a line that is not whole yet."""
        return [json.loads(line) for line in self.output.read_text().split("\n")[:-1]]

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@contextmanager
def consumer(environment: dict[str, str], directory: Path, stream: str, *options: str) -> Iterator[Consumer]:
    """`millstream connect subscription --stream STREAM OPTIONS` for as long as the context lasts."""
    number = sum(1 for _ in directory.glob("consumer-*.log"))
    output, log = directory / f"consumer-{number}.out", directory / f"consumer-{number}.log"
    command = [str(COMMAND), "connect", "subscription", "--stream", stream, "--linger-ms", "50", *options]
    with output.open("wb") as out, log.open("wb") as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment)
    try:
        yield Consumer(process, output, log)
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()
