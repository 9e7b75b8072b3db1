"""Log files that a crash tore or that went bad: a torn tail is cut, damage before it is told by file and position."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.commandline import CommandLine
from support.kinesis import Kinesis, connect, create_stream, new_account, read_shard, refusal
from support.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ACCOUNT = new_account()
RECORDS = 50
DATA = [b"record %03d " % i + b"." * 1000 for i in range(RECORDS)]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """What a server left that was killed: its data directory, and its stream with a commit for each of DATA."""
    directory = tmp_path_factory.mktemp("killed")
    server = Server(directory / "data", directory / "server.log")
    try:
        kinesis = connect(server.start().url, ACCOUNT)
        name = create_stream(kinesis)
        for data in DATA:
            kinesis.put_record(StreamName=name, Data=data, PartitionKey="k")
    finally:
        server.close()
    return server.data_dir, name


@pytest.fixture
def server(make_server: Callable[..., Server], killed: tuple[Path, str]) -> Server:
    """A server on a copy of that, not started yet."""
    server = make_server()
    shutil.copytree(killed[0], server.data_dir)
    return server


@pytest.fixture
def kinesis(server: Server) -> Kinesis:
    """A client of the server."""
    return connect(server.url, ACCOUNT)


@pytest.fixture
def stream(killed: tuple[Path, str]) -> str:
    """The stream with DATA."""
    return killed[1]


@pytest.fixture
def check(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """`millstream log check` of the data directory: what it printed; `check(fails=True)` where it must find damage."""
    command = CommandLine({}, tmp_path, monkeypatch, capsys)
    return lambda *, fails=False: "".join(command("log", "check", str(server.data_dir), fails=fails))


def newest_segment(server: Server) -> Path:
    """The newest segment of the only stream's log."""
    return max(server.data_dir.glob("streams/*/*.log"))


def written_bytes(segment: Path) -> int:
    """Bytes of a segment before the space that is reserved ahead."""
    return len(segment.read_bytes().rstrip(b"\0"))


def test_a_sound_log(check: Callable[..., str]) -> None:
    check()


@pytest.mark.parametrize("torn_bytes", [1, 65, 700])
def test_a_torn_commit_is_cut(
    server: Server, kinesis: Kinesis, stream: str, check: Callable[..., str], torn_bytes: int
) -> None:
    segment = newest_segment(server)
    whole = segment.read_bytes()
    end = written_bytes(segment)
    block = end - whole.rindex(b"MSB1", 0, end)
    torn = whole[end - block : end - block + torn_bytes]  # as much of another block as a crash let through
    segment.write_bytes(whole[:end] + torn)
    server.start()
    assert [record["Data"] for record in read_shard(kinesis, stream)] == DATA
    kinesis.put_record(StreamName=stream, Data=b"on", PartitionKey="k")
    server.kill()
    check()
    server.start()
    assert [record["Data"] for record in read_shard(kinesis, stream)] == [*DATA, b"on"]


@pytest.mark.parametrize("how", ["truncated", "garbled"])
def test_a_bad_last_commit_is_cut(server: Server, kinesis: Kinesis, stream: str, how: str) -> None:
    segment = newest_segment(server)
    end = written_bytes(segment)
    whole = segment.read_bytes()
    if how == "truncated":
        segment.write_bytes(whole[: end - 10])
    else:
        segment.write_bytes(whole[: end - 10] + b"?" * 10 + whole[end:])
    server.start()
    assert [record["Data"] for record in read_shard(kinesis, stream)] == DATA[:-1]
    put = kinesis.put_record(StreamName=stream, Data=b"on", PartitionKey="k")
    assert read_shard(kinesis, stream)[-1]["SequenceNumber"] == put["SequenceNumber"]


@pytest.mark.parametrize("where", ["payload", "header"])
def test_damage_in_the_middle_is_told(server: Server, kinesis: Kinesis, check: Callable[..., str], where: str) -> None:
    segment = newest_segment(server)
    damaged = bytearray(segment.read_bytes())
    start = damaged.index(DATA[20])
    block = damaged.rindex(b"MSB1", 0, start)
    damaged[start + 5 if where == "payload" else block + 42] ^= 1
    segment.write_bytes(damaged)

    told = check(fails=True)
    assert segment.name in told.replace("\n", "")
    assert str(block) in told.replace(",", "")
    assert "Traceback" not in told

    server.launch()
    try:
        assert server.wait_exit() == 1
    except subprocess.TimeoutExpired:
        assert refusal(kinesis.get_records).status == 500
    assert segment.name in server.log_text().replace("\n", "")
    assert str(block) in server.log_text().replace(",", "")
    assert "Traceback" not in server.log_text()


def test_damage_while_the_server_runs(server: Server, kinesis: Kinesis, stream: str) -> None:
    server.start()
    segment = newest_segment(server)
    position = segment.read_bytes().index(DATA[20])
    with segment.open("r+b") as file:
        file.seek(position)
        file.write(b"R")
    start = kinesis.get_shard_iterator(
        StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    read = b""
    for _ in range(RECORDS):
        reply = kinesis.get_records(ShardIterator=start, Limit=1) if len(read) < 20 * len(DATA[0]) else None
        if reply is None:
            break
        read += reply["Records"][0]["Data"]
        start = reply["NextShardIterator"]
    assert read == b"".join(DATA[:20])
    refused = refusal(kinesis.get_records, ShardIterator=start)
    assert refused.status == 500
    assert segment.name in server.log_text().replace("\n", "")
    kinesis.put_record(StreamName=stream, Data=b"on", PartitionKey="k")
