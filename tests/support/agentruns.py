"""A live `millstream agent` in a process of its own, and what its users look at."""

from __future__ import annotations

import base64
import json
import os
import signal
import ssl
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from millstream.agent.checkpoints import CheckpointError, read_all
from support.kinesis import RATE_CODES, call_raw, connect, list_shards
from support.server import COMMAND
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from millstream.agent.tail import FileProgress

_NO_TRUST = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # for plain http: loading certificates takes longer than a call

QUICK = {
    "maxBufferAgeMillis": 1000,
    "retryInitialBackoffMillis": 20,
    "retryMaxBackoffMillis": 200,
    "initialPosition": "START_OF_FILE",
    "maxTimeBetweenFileTrackerRefreshMillis": 1000,
}
"""Options of a flow with which nothing takes long."""


class AgentProcess:
    """One agent with one configuration and one state directory; may be killed and started again."""

    def __init__(
        self,
        directory: Path,
        url: str,
        flows: Sequence[dict[str, Any]],
        *,
        account: str = "000000000000",
        settings: dict[str, Any] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        """`flows` as in agent.json, `settings` beside them; QUICK is under them all."""
        directory.mkdir(parents=True, exist_ok=True)
        self.state = directory / "state"
        self._log_path = directory / "agent.log"
        self._config = directory / "agent.json"
        self._account = account
        document = {
            "cloudwatch.emitMetrics": False,
            "kinesis.endpoint": url,
            "firehose.endpoint": url,
            **(settings or {}),
            "flows": [{**QUICK, **flow} for flow in flows],
        }
        self._config.write_text(json.dumps(document))
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> AgentProcess:
        """Start; does not wait for anything."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "MILLSTREAM_"))}
        environment |= {"AWS_ACCESS_KEY_ID": self._account, "AWS_SECRET_ACCESS_KEY": "secret"}
        command = [str(COMMAND), "agent", "--config", str(self._config), "--state", str(self.state)]
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._options, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        return self

    def once(self, *, timeout_s: float = 30) -> int:
        """Drain and stop; the exit code."""
        return self.start("--once").wait(timeout_s=timeout_s)

    def wait(self, *, timeout_s: float = 20) -> int:
        """The exit code, once it has ended."""
        assert self._process is not None, "the agent was never started"
        return self._process.wait(timeout_s)

    def kill(self) -> None:
        """SIGKILL."""
        self.signal(signal.SIGKILL)
        self.wait()

    def terminate(self, *, timeout_s: float = 20) -> int:
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s=timeout_s)

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self._process is not None, "the agent was never started"
        self._process.send_signal(number)

    def close(self) -> None:
        """Leave no process behind."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def has_open(self, path: Path) -> bool:
        """Whether the running agent has this file open."""
        assert self._process is not None, "the agent was never started"
        descriptors = Path(f"/proc/{self._process.pid}/fd").iterdir()
        return any(descriptor.exists() and descriptor.samefile(path) for descriptor in descriptors)

    def log_text(self) -> str:
        """What all starts have logged."""
        return self._log_path.read_text(errors="replace")

    def wait_for_log(self, text: str, *, times: int = 1) -> None:
        """Until the agents have logged this."""
        wait_for(lambda: self.log_text().count(text) >= times, f"{text!r} in the log:\n{self.log_text()[-2000:]}")

    def progress(self) -> list[FileProgress]:
        """What the checkpoints say of files, of all flows together."""
        try:
            return [each for found in read_all(self.state / "checkpoints").values() for each in found]
        except CheckpointError:
            return []

    def done_bytes(self) -> int:
        """How many bytes of files the checkpoints have as done."""
        return sum(end - start for each in self.progress() for start, end in each.done)


class StreamReader:
    """What came into a data stream: read on from where it was read last."""

    def __init__(self, url: str, stream: str, account: str = "000000000000") -> None:
        self._url = url
        self._stream = stream
        self._account = account
        self._iterators: dict[str, str] = {}
        self._found: dict[str, list[bytes]] = {}

    def records(self) -> list[bytes]:
        """The data of all records, shard by shard."""
        if not self._iterators:
            for shard in list_shards(connect(self._url, self._account), self._stream):
                name = shard["ShardId"]
                params = {"StreamName": self._stream, "ShardId": name, "ShardIteratorType": "TRIM_HORIZON"}
                self._iterators[name] = self._call("GetShardIterator", params, None)["ShardIterator"]
                self._found[name] = []
        with httpx.Client(verify=_NO_TRUST) as client:
            for name in self._iterators:
                self._read_on(name, client)
        return [record for found in self._found.values() for record in found]

    def wait_for(self, expected: Iterable[bytes], *, timeout_s: float = 30) -> list[bytes]:
        """Until all of these came, and what came."""
        wanted = Counter(expected)

        def missing() -> Counter[bytes]:
            return wanted - Counter(self.records())

        try:
            wait_for(lambda: not missing(), "all records", timeout_s=timeout_s, interval_s=0.1)
        except AssertionError:
            lost = missing()
            raise AssertionError(f"{lost.total()} of {wanted.total()} are missing: {list(lost)[:5]}") from None
        return self.records()

    def _read_on(self, shard: str, client: httpx.Client) -> None:
        while True:
            page = self._call("GetRecords", {"ShardIterator": self._iterators[shard]}, client)
            self._iterators[shard] = page["NextShardIterator"]
            self._found[shard] += [base64.b64decode(record["Data"]) for record in page["Records"]]
            if not page["Records"] and not page["MillisBehindLatest"]:
                return

    def _call(self, operation: str, params: dict[str, str], client: httpx.Client | None) -> Any:
        def answer() -> Any:
            reply = call_raw(self._url, operation, params, account=self._account, client=client)
            assert reply.status_code == 200 or reply.json()["__type"].rpartition("#")[2] in RATE_CODES, reply.text
            return reply.json() if reply.status_code == 200 else None

        return wait_for(answer, f"{operation} to be allowed", interval_s=0.1)


def numbered(count: int, *, first: int = 0, width: int = 60) -> list[bytes]:
    """Lines that tell themselves apart."""
    return [b"%08d %s\n" % (i, b"x" * (i * 7 % width)) for i in range(first, first + count)]
