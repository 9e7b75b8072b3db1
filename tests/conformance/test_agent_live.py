"""The agent against a live server: what is in files comes into streams."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from support.agentruns import AgentProcess, StreamReader, numbered
from support.kinesis import connect, create_stream, new_name
from support.livedelivery import LiveDelivery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.server import Server


@pytest.fixture
def reader(server: Server, stream: str, account: str) -> StreamReader:
    """What comes into `stream`."""
    return StreamReader(server.url, stream, account)


@pytest.fixture
def make_agent(server: Server, account: str, stream: str, tmp_path: Path) -> Iterator[Callable[..., AgentProcess]]:
    """Makes an agent with one flow, of `*.log` in the test's directory into `stream`: `make_agent(**options of it)`."""
    made: list[AgentProcess] = []

    def make(settings: dict[str, Any] | None = None, url: str | None = None, **flow: Any) -> AgentProcess:
        flow = {"filePattern": str(tmp_path / "*.log*"), **flow}
        if "deliveryStream" not in flow:
            flow.setdefault("kinesisStream", stream)
        directory = tmp_path / f"agent-{len(made)}"
        made.append(AgentProcess(directory, url or server.url, [flow], account=account, settings=settings))
        return made[-1]

    yield make
    for agent in made:
        agent.close()
        if "Traceback" in agent.log_text():
            pytest.fail(agent.log_text())


def test_a_file_is_drained_into_a_data_stream(
    make_agent: Callable[..., AgentProcess], reader: StreamReader, tmp_path: Path
) -> None:
    lines = numbered(3000)
    (tmp_path / "app.log").write_bytes(b"".join(lines))
    agent = make_agent()
    assert agent.once() == 0, agent.log_text()
    assert sorted(reader.records()) == lines
    assert agent.once() == 0
    assert len(reader.records()) == len(lines), "what was acknowledged is not sent again"


def test_the_end_of_a_file_is_drained_without_its_line_end(
    make_agent: Callable[..., AgentProcess], reader: StreamReader, tmp_path: Path
) -> None:
    (tmp_path / "app.log").write_bytes(b"one\ntwo")
    assert make_agent().once() == 0
    assert sorted(reader.records()) in ([b"one\n", b"two"], [b"one\n", b"two\n"])


def test_bytes_of_any_kind_come_as_they_are(
    make_agent: Callable[..., AgentProcess], reader: StreamReader, tmp_path: Path
) -> None:
    lines = [b"\xff\xfe invalid\n", b"\x00\n", "Grüße 🐎\n".encode(), b"\r\n", b"\n", b"crlf\r\n", b"\xed\xa0\x80\n"]
    (tmp_path / "app.log").write_bytes(b"".join(lines))
    assert make_agent().once() == 0
    assert sorted(reader.records()) == sorted(lines)


@pytest.mark.parametrize("key", ["DETERMINISTIC", "FILE"])
def test_order_is_kept_in_a_shard(
    make_agent: Callable[..., AgentProcess], reader: StreamReader, tmp_path: Path, key: str
) -> None:
    lines = numbered(5000)
    (tmp_path / "app.log").write_bytes(b"".join(lines))
    assert make_agent(partitionKeyOption=key).once() == 0
    assert reader.records() == lines


def test_what_is_written_while_the_agent_runs_comes_soon(
    make_agent: Callable[..., AgentProcess], reader: StreamReader, tmp_path: Path
) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"first\n")
    agent = make_agent(maxBufferSizeRecords=1).start()
    reader.wait_for([b"first\n"])
    with log.open("ab", buffering=0) as file:
        file.write(b"second\nthi")
        reader.wait_for([b"second\n"], timeout_s=10)
        file.write(b"rd\n")
    (tmp_path / "new.log").write_bytes(b"in a new file\n")
    assert sorted(reader.wait_for([b"third\n", b"in a new file\n"], timeout_s=10)) == sorted(
        [b"first\n", b"second\n", b"third\n", b"in a new file\n"]
    )
    assert agent.terminate() == 0


def test_a_delivery_stream_gets_joined_records(
    make_agent: Callable[..., AgentProcess], server: Server, tmp_path: Path
) -> None:
    delivery = LiveDelivery(server)
    delivery.create(ExtendedS3DestinationConfiguration=delivery.s3())
    lines = numbered(2000)
    (tmp_path / "app.log").write_bytes(b"".join(lines))
    agent = make_agent(deliveryStream=delivery.name, aggregatedRecordSizeBytes=10_000)
    agent._account = "000000000000"
    assert agent.once() == 0, agent.log_text()
    delivery.flush()
    [content] = delivery.objects().values()
    assert sorted(content.splitlines(keepends=True)) == lines


def test_processed_records_are_sent_and_rejected_ones_kept(
    make_agent: Callable[..., AgentProcess], reader: StreamReader, tmp_path: Path
) -> None:
    good = b'127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 2326\n'
    (tmp_path / "access.log").write_bytes(good * 3 + b"nonsense\n" + good)
    rejects = tmp_path / "rejects"
    options = [{"optionName": "LOGTOJSON", "logFormat": "COMMONAPACHELOG"}]
    assert make_agent(dataProcessingOptions=options, rejectsFile=str(rejects)).once() == 0
    records = reader.records()
    assert len(records) == 4
    assert json.loads(records[0])["request"] == "GET /a HTTP/1.0"
    assert rejects.read_bytes() == b"nonsense\n"


def test_packed_records_are_taken_apart_by_consumers(
    make_agent: Callable[..., AgentProcess], reader: StreamReader, tmp_path: Path
) -> None:
    from millstream.wire.aggregation import unpack

    lines = numbered(3000)
    (tmp_path / "app.log").write_bytes(b"".join(lines))
    assert make_agent(aggregation=True, partitionKeyOption="FILE").once() == 0
    packed = reader.records()
    assert len(packed) < 10
    assert [record.data for each in packed for record in unpack(each) or ()] == lines


def test_a_throttled_stream_gets_everything(
    limited_server: Server, make_agent: Callable[..., AgentProcess], account: str, tmp_path: Path
) -> None:
    stream = create_stream(connect(limited_server.url, account), shards=1)
    lines = numbered(2500)  # a shard takes 1,000 a second
    (tmp_path / "app.log").write_bytes(b"".join(lines))
    agent = make_agent(url=limited_server.url, kinesisStream=stream)
    assert agent.once() == 0, agent.log_text()
    assert sorted(StreamReader(limited_server.url, stream, account).records()) == lines
    assert "keeps trying" in agent.log_text()


def test_a_stream_may_be_made_later(
    make_agent: Callable[..., AgentProcess], server: Server, account: str, tmp_path: Path
) -> None:
    name = new_name("later")
    (tmp_path / "app.log").write_bytes(b"patient\n")
    agent = make_agent(kinesisStream=name, maxBufferSizeRecords=1).start()
    agent.wait_for_log("create it")
    create_stream(connect(server.url, account), StreamName=name)
    StreamReader(server.url, name, account).wait_for([b"patient\n"])
    assert agent.terminate() == 0


def test_once_ends_with_1_if_nothing_can_be_delivered(make_agent: Callable[..., AgentProcess], tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"too early\n")
    agent = make_agent(settings={"shutdownTimeoutMillis": 1000}, kinesisStream="never-made")
    assert agent.once() == 1
    assert "the next start goes on there" in agent.log_text()
    assert agent.done_bytes() == 0


def test_a_second_signal_ends_the_agent_at_once(make_agent: Callable[..., AgentProcess], tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"too early\n")
    agent = make_agent(
        settings={"shutdownTimeoutMillis": 60_000}, kinesisStream="never-made", maxBufferSizeRecords=1
    ).start()
    agent.wait_for_log("create it")
    agent.signal(signal.SIGTERM)
    agent.wait_for_log("told to stop")
    agent.signal(signal.SIGTERM)
    assert agent.wait(timeout_s=10) == 1


def test_many_files_at_once(make_agent: Callable[..., AgentProcess], reader: StreamReader, tmp_path: Path) -> None:
    directory = tmp_path / "many"
    directory.mkdir()
    for i in range(300):
        (directory / f"{i}.log").write_bytes(b"%d first\n%d second\n" % (i, i))
    agent = make_agent(filePattern=str(directory / "*.log"), maxBufferSizeRecords=100).start()
    expected = [b"%d %s\n" % (i, word) for i in range(300) for word in (b"first", b"second")]
    reader.wait_for(expected)
    for i in range(300):
        with (directory / f"{i}.log").open("ab") as file:
            file.write(b"%d third\n" % i)
    expected += [b"%d third\n" % i for i in range(300)]
    assert sorted(reader.wait_for(expected)) == sorted(expected)
    assert agent.terminate() == 0
