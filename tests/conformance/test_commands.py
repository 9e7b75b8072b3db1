"""Millstream's own commands against a live server: put, tail, streams."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.kinesis import HASH_KEY_END, Kinesis, connect, create_stream, read_lineage, shard_id, wait_active
from support.server import COMMAND
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.commandline import CommandLine
    from support.server import Server

Run = subprocess.CompletedProcess[str]


@pytest.fixture
def millstream(environment: dict[str, str]) -> Callable[..., Run]:
    """`millstream("put", "STREAM", "data", given="standard input")`."""

    def run(*arguments: str, given: str = "") -> Run:
        return subprocess.run(
            [str(COMMAND), *arguments],
            input=given,
            capture_output=True,
            text=True,
            env=environment,
            timeout=30,
        )

    return run


@pytest.fixture
def tail(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Starts `millstream tail ARGUMENTS…` in the background; returns the file that its output goes to."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> Path:
        path = tmp_path / f"tail-{len(running)}"
        with path.open("wb") as output:
            running.append(subprocess.Popen([str(COMMAND), "tail", *arguments], stdout=output, env=environment))
        return path

    yield start
    for process in running:
        process.terminate()
        process.wait()


def test_put_and_tail(kinesis: Kinesis, stream: str, millstream: Callable[..., Run], tmp_path: Path) -> None:
    assert millstream("put", stream, "hello").returncode == 0
    lines = [f"line {i}" for i in range(1500)]
    assert millstream("put", stream, given="\n".join(lines) + "\n").returncode == 0
    (tmp_path / "file").write_text("from a file\n")
    assert millstream("put", stream, "--file", str(tmp_path / "file")).returncode == 0
    expected = sorted(["hello", *lines, "from a file"])
    assert sorted(record["Data"].decode() for record in read_lineage(kinesis, stream)) == expected
    done = millstream("tail", stream, "--from", "trim-horizon", "--raw", "--limit", str(len(expected)))
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == expected


def test_put_retries_what_is_throttled(limited_server: Server, account: str, command: CommandLine) -> None:
    stream = create_stream(connect(limited_server.url, account))
    at = ("--endpoint", limited_server.url)
    lines = [f"line {i:04}" for i in range(2500)]  # more than the 1,000 of a second, and the burst
    done = command("put", stream, *at, "--file", lines="\n".join(lines))
    assert re.fullmatch(rf"2,500 records put into {stream} in [\d.]+ s \([\d,]+/s\), [\d,]+ retries\n", done.stderr)
    done = command("tail", stream, *at, "--from", "trim-horizon", "--raw", "--limit", "2500")
    assert sorted(done.stdout.splitlines()) == lines


def test_tail_follows_resharding(
    kinesis: Kinesis, stream: str, millstream: Callable[..., Run], tail: Callable[..., Path]
) -> None:
    kinesis.put_record(StreamName=stream, Data=b"before", PartitionKey="k")
    output = tail(stream, "--from", "trim-horizon", "--raw")
    wait_for(lambda: output.read_text() == "before\n", "the first record")
    middle = str(HASH_KEY_END // 2)
    kinesis.split_shard(StreamName=stream, ShardToSplit=shard_id(0), NewStartingHashKey=middle)
    wait_active(kinesis, stream)
    for key in ("0", middle):
        data = b"after " + key.encode()
        kinesis.put_record(StreamName=stream, Data=data, PartitionKey="k", ExplicitHashKey=key)
    expected = {"before", "after 0", f"after {middle}"}
    wait_for(lambda: set(output.read_text().splitlines()) == expected, "the records of the children")
    assert len(output.read_text().splitlines()) == 3


def test_streams(make_stream: Callable[..., str], command: CommandLine) -> None:
    idle, busy = make_stream(1), make_stream(3)
    command("put", busy, "--file", lines="x\n" * 50)
    heading, *rows = [line.split() for line in command("streams").stdout.splitlines()]
    assert heading == ["STREAM", "STATUS", "MODE", "SHARDS", "RETENTION", "RECORDS/S", "KIB/S"]
    assert rows == [
        [idle, "ACTIVE", "provisioned", "1", "24", "h", "0.0", "0.0"],
        [busy, "ACTIVE", "provisioned", "3", "24", "h", "5.0", "0.0"],
    ]


def test_errors_are_one_line(millstream: Callable[..., Run], command: CommandLine) -> None:
    for arguments in (("put", "nowhere", "x"), ("tail", "nowhere")):
        done = command(*arguments, fails=True)
        assert "nowhere" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    refused = millstream("streams", "--endpoint", "http://127.0.0.1:9")  # as it is installed: all that a user sees
    assert refused.returncode == 1
    assert "http://127.0.0.1:9" in refused.stderr
    assert "Traceback" not in refused.stderr
