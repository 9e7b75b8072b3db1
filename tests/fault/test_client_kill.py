"""Consumers that are killed, and a server that is: real processes, SIGKILL."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import support
from millstream.client import Producer
from support.kinesis import connect, create_stream
from support.server import Server
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(next(iter(support.__path__))) / "clientprogram.py"


class Program:
    """One worker of the group."""

    def __init__(self, server: Server, stream: str, output: Path) -> None:
        self._output = output
        environment = os.environ | {"AWS_ENDPOINT_URL": server.url, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._errors = output.with_suffix(".err")
        with output.open("wb") as file, self._errors.open("wb") as errors:
            command = [sys.executable, str(PROGRAM), stream, "g"]
            self.process = subprocess.Popen(command, stdout=file, stderr=errors, env=environment)

    def batches(self) -> list[list[int]]:
        """The numbers of each batch that it was done with; a line that the kill cut short does not count."""
        assert "Traceback" not in self._errors.read_text(), self._errors.read_text()
        text = self._output.read_text()
        return [[int(word) for word in line.split()[1:]] for line in text[: text.rfind("\n") + 1].splitlines()]

    def numbers(self) -> set[int]:
        """All numbers that it was done with."""
        return {number for batch in self.batches() for number in batch}

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for these tests; they may kill it, and start it again."""
    directory = tmp_path_factory.mktemp("server")
    server = Server(directory / "data", directory / "server.log")
    yield server.start()
    server.close()


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    """Programs that end with the test."""
    started: list[Program] = []
    yield started
    for program in started:
        program.close()


@pytest.fixture
def stream(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A stream of four shards."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    for name, value in (("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")):
        monkeypatch.setenv(name, value)
    return create_stream(connect(server.url), 4)


def put(stream: str, numbers: range) -> None:
    async def put_all() -> None:
        async with Producer(stream) as producer:
            for n in numbers:
                await producer.put(b"%d" % n, f"k{n % 97}")

    asyncio.run(put_all())


def put_until_both_work(stream: str, first: Program, second: Program) -> int:
    """How many numbers that took."""
    count = 0

    def both_work() -> bool:
        nonlocal count
        put(stream, range(count, count + 100))
        count += 100
        return bool(first.batches() and second.batches())

    wait_for(both_work, "both to work", interval_s=0.1)
    wait_for(lambda: len(first.numbers() | second.numbers()) == count, "every record to be done")
    return count


def test_others_take_over_from_frozen_and_killed_ones_and_no_checkpoint_goes_back(
    server: Server, stream: str, programs: list[Program], tmp_path: Path
) -> None:
    programs += [Program(server, stream, tmp_path / name) for name in ("first", "second")]
    first, second = programs
    count = put_until_both_work(stream, first, second)
    first.process.send_signal(signal.SIGSTOP)
    put(stream, range(count, count + 400))
    wait_for(lambda: len(first.numbers() | second.numbers()) == count + 400, "the other to do it all")
    first.process.send_signal(signal.SIGCONT)
    put(stream, range(count + 400, count + 800))
    wait_for(lambda: len(first.numbers() | second.numbers()) == count + 800, "every record to be done")
    third = Program(server, stream, tmp_path / "third")
    programs.append(third)
    for program in (first, second):
        program.process.kill()
    put(stream, range(count + 800, count + 1200))
    wait_for(lambda: set(range(count + 800, count + 1200)) <= third.numbers(), "the rest", timeout_s=30)
    assert not third.numbers() & set(range(count)), "a checkpoint went back"


def test_consumers_and_producers_outlive_the_server(
    server: Server, stream: str, programs: list[Program], tmp_path: Path
) -> None:
    programs.append(Program(server, stream, tmp_path / "first"))
    (first,) = programs
    put(stream, range(300))
    wait_for(lambda: len(first.numbers()) == 300, "what was put")

    async def through_a_kill() -> None:
        async with Producer(stream, linger_ms=1, in_flight=1) as producer:
            for n in range(300, 900):
                await producer.put(b"%d" % n, f"k{n % 97}")
                if n == 500:
                    server.kill()
                    starting = asyncio.create_task(asyncio.to_thread(server.start))
                if n % 50 == 0:
                    await asyncio.sleep(0.005)
            await starting

    asyncio.run(through_a_kill())
    wait_for(lambda: len(first.numbers()) == 900, "every record to be done")
    assert first.process.poll() is None
