"""What the agent costs: files of log lines, read to their end and put into a live Millstream on the same machine.

A figure is megabytes of the files by the seconds of CPU time, user and kernel, of the agent's process (what one core is
worth), or by the seconds that passed, while the server had the other core, and the rest of the agent's. What a run over
an empty file takes, the start of the process, is left out of both. That everything arrived is checked each time.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.client import Client
from benchmarks.figures import Figures
from benchmarks.load import LoadError
from benchmarks.process import Running
from benchmarks.rendering import MILLSTREAM, STREAM_NAME

FILE_MB = 240
FILES = 1000
LINES_A_FILE = 500
_AGGREGATED_BYTES = 256_000
_SECONDS_MAX = 300
_IDLE_SECONDS = 5.0

Say = Callable[[str], None]


class Agent(NamedTuple):
    """A way to run the agent. `flow` are members of the flow; `combined`: lines of an access log, else plain ones."""

    key: str
    flow: dict[str, Any]
    combined: bool = False


_TO_JSON = {"dataProcessingOptions": [{"optionName": "LOGTOJSON", "logFormat": "COMBINEDAPACHELOG"}]}
_JOINED = {"aggregatedRecordSizeBytes": _AGGREGATED_BYTES}
_DELIVERY, _STREAM = {"deliveryStream": STREAM_NAME}, {"kinesisStream": STREAM_NAME}
AGENTS = (
    Agent("agent_plain", _DELIVERY),
    Agent("agent_plain_joined", _DELIVERY | _JOINED),
    Agent("agent_plain_kpl", _STREAM | {"aggregation": True}),
    Agent("agent_combined", _DELIVERY | _TO_JSON, combined=True),
    Agent("agent_combined_joined", _DELIVERY | _TO_JSON | _JOINED, combined=True),
)


class _Run(NamedTuple):
    seconds: float
    cpu_seconds: float
    memory_mib: float


def measure_agent(running: Running, directory: Path, say: Say) -> Figures:
    """The figures of a round. Raises LoadError if the agent fails, or not all arrives."""
    files = {combined: directory / f"{'combined' if combined else 'plain'}.log" for combined in (False, True)}
    for combined, path in files.items():
        if not path.exists():
            write_log(path, FILE_MB * 10**6, combined=combined)
    with Client(running.port) as client:
        client.create_stream(4)
        client.create_delivery_stream()
    worker = running.worker()
    figures: Figures = {}
    with worker.held():  # delivery has its own figures
        start = _run(running, directory, directory / "empty.log", AGENTS[0])
        for agent in AGENTS:
            say(f"agent: {agent.key}")
            path = files[agent.combined]
            run = _run(running, directory, path, agent)
            megabytes = path.stat().st_size / 1e6
            figures[f"{agent.key}_core"] = megabytes / (run.cpu_seconds - start.cpu_seconds)
            figures[f"{agent.key}_mb"] = megabytes / (run.seconds - start.seconds)
        say(f"agent: {FILES} files")
        return figures | _many_files(running, directory)


def _run(running: Running, directory: Path, path: Path, agent: Agent) -> _Run:
    path.touch()
    before = _bytes_in(running)
    began_s = time.perf_counter()
    process = _start(running, directory, {**agent.flow, "filePattern": str(path)}, "--once")
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise LoadError(f"the agent ended with {process.returncode}")
    if "deliveryStream" in agent.flow and not agent.combined and _bytes_in(running) - before < path.stat().st_size:
        raise LoadError("not all that the agent read is in the delivery stream")
    return _Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _many_files(running: Running, directory: Path) -> Figures:
    """The agent with a thousand files: its memory once all are read, and its CPU while nothing is written."""
    many = directory / "many"
    many.mkdir(exist_ok=True)
    for number, lines in enumerate(_chunks(FILES * LINES_A_FILE)):
        (many / f"{number}.log").write_bytes(lines)
    size_bytes = sum(path.stat().st_size for path in many.iterdir())
    before = _bytes_in(running)
    process = _start(running, directory, {**_DELIVERY, "filePattern": str(many / "*.log"), "maxBufferAgeMillis": 1000})
    try:
        deadline_s = time.monotonic() + _SECONDS_MAX
        while _bytes_in(running) - before < size_bytes:
            if time.monotonic() > deadline_s or process.poll() is not None:
                raise LoadError("the agent did not read a thousand files")
            time.sleep(0.2)
        time.sleep(2.0)
        used_s = _cpu_s(process.pid)
        time.sleep(_IDLE_SECONDS)
        idle = (_cpu_s(process.pid) - used_s) / _IDLE_SECONDS * 100
        peak = Path(f"/proc/{process.pid}/status").read_text().partition("VmHWM:")[2].split()[0]
        return {"agent_memory": int(peak) / 1024, "agent_idle": idle}
    finally:
        process.terminate()
        process.wait()


def _start(running: Running, directory: Path, flow: dict[str, Any], *options: str) -> subprocess.Popen[bytes]:
    state = directory / f"state-{time.monotonic_ns()}"
    endpoint = f"http://127.0.0.1:{running.port}"
    config = {
        "firehose.endpoint": endpoint,
        "kinesis.endpoint": endpoint,
        "cloudwatch.emitMetrics": False,
        "checkpointFile": str(state / "checkpoints"),
        "flows": [{"initialPosition": "START_OF_FILE", **flow}],
    }
    state.mkdir()
    (state / "agent.json").write_text(json.dumps(config))
    command = [Path(sys.executable).with_name("millstream"), "agent", "--config", state / "agent.json"]
    with (state / "output").open("wb") as output:
        return subprocess.Popen(
            [*map(str, command), "--state", str(state), *options],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )


def _bytes_in(running: Running) -> int:
    """What the delivery stream has taken, as its log has it: a little more than was put."""
    with Client(running.port) as client:
        (told,) = client.call("DescribeDeliveries", service=MILLSTREAM, DeliveryStreamName=STREAM_NAME)["Deliveries"]
        waiting: int = told["WaitingBytes"]
        return waiting


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def write_log(path: Path, size_bytes: int, *, combined: bool) -> None:
    """A log of about that size: plain lines of some 200 bytes, or a web server's combined log; the same every time."""
    block = b"".join(_combined_lines(20_000) if combined else _plain_lines(20_000))
    with path.open("wb") as file:
        for _ in range(max(1, size_bytes // len(block))):
            file.write(block)


def _chunks(lines: int) -> Iterator[bytes]:
    some = list(_plain_lines(LINES_A_FILE))
    for _ in range(lines // LINES_A_FILE):
        yield b"".join(some)


def _plain_lines(count: int) -> Iterator[bytes]:
    generator = random.Random(2014)
    words = ["order", "accepted", "timeout", "while", "reading", "from", "upstream", "cache", "miss", "user", "session"]
    for number in range(count):
        text = " ".join(generator.choices(words, k=generator.randrange(18, 30)))
        yield f"2026-11-23T18:{number // 60 % 60:02d}:{number % 60:02d}Z INFO [worker-{number % 8}] {text}\n".encode()


def _combined_lines(count: int) -> Iterator[bytes]:
    generator = random.Random(2015)
    agents = [
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "-",
        "UniversalFeedParser/4.2-pre-314-svn +http://feedparser.org/",
    ]
    for number in range(count):
        host = ".".join(str(generator.randrange(1, 255)) for _ in range(4))
        status, size = generator.choice([("200", str(generator.randrange(90_000))), ("304", "-"), ("404", "294")])
        request = f"GET /articles/{generator.randrange(10_000)}/page-{number % 50}.html?ref=feed HTTP/1.1"
        referer = generator.choice(["-", f"http://www.example.com/search?q={generator.randrange(10**6)}"])
        yield (
            f"{host} - - [17/May/2015:10:{number // 60 % 60:02d}:{number % 60:02d} +0000] "
            f'"{request}" {status} {size} "{referer}" "{generator.choice(agents)}"\n'
        ).encode()
