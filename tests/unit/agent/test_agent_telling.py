"""What the agent tells of itself: counters, CloudWatch, Prometheus, the status file and line, the log."""

from __future__ import annotations

import asyncio
import logging
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from millstream.agent.cloudwatch import CloudWatch, Deltas
from millstream.agent.config import AgentConfig, FlowConfig
from millstream.agent.logsetup import set_up_logging
from millstream.agent.metrics import Metrics
from millstream.agent.prometheus import AgentCollector
from millstream.agent.status import StatusReporter, duration, read_status, size, status_path
from millstream.agent.targets import cloudwatch_target
from millstream.base.clock import ManualClock
from millstream.base.units import MIB
from millstream.client.errors import ConfigurationError
from millstream.client.metricsserver import MetricsServer
from millstream.client.target import CLOUDWATCH
from millstream.client.transport import Connection
from support.httpendpoint import Misconduct, Peer, Reply, in_turn

ORDERS = FlowConfig(file_pattern="/var/log/orders.log", delivery_stream="orders")
TICKS = FlowConfig(file_pattern="/var/log/ticks.log", kinesis_stream="ticks")
MORE_TICKS = FlowConfig(file_pattern="/var/log/more.log", kinesis_stream="ticks")
FLOWS = (ORDERS, TICKS, MORE_TICKS)
TAKEN = Reply.of({})
REFUSED = Reply.of({"__type": "UnknownOperationException"}, 400)


def configured(directory: Path = Path("/nowhere"), **settings: Any) -> AgentConfig:
    config = AgentConfig(flows=FLOWS, checkpoint_file=str(directory / "checkpoints"))
    return msgspec.structs.replace(config, **settings)


async def put(metrics: Metrics, answers: list[Reply | Misconduct], **settings: Any) -> tuple[Peer, CloudWatch]:
    """Put metrics once for each answer."""
    async with Peer(in_turn(*answers)) as peer:
        config = configured(cloudwatch_endpoint=peer.url, **settings)
        async with Connection(CLOUDWATCH, cloudwatch_target(config, {})) as connection:
            emitter = CloudWatch(config, connection, Deltas(metrics), ManualClock(1_700_000_000_000))
            for _ in answers:
                await emitter.put()
                metrics.of_destination(ORDERS).records_sent += 1
    return peer, emitter


def values(peer: Peer, request: int, metric: str, destination: str = "DeliveryStream:orders") -> list[float]:
    """The values of one metric in a request."""
    wanted = [{"Name": "Destination", "Value": destination}]
    data = peer.requests[request].json()["MetricData"]
    return [datum["Value"] for datum in data if datum["MetricName"] == metric and datum["Dimensions"] == wanted]


def test_flows_to_one_stream_share_its_counters() -> None:
    metrics = Metrics(FLOWS)
    assert list(metrics.destinations) == ["DeliveryStream:orders", "KinesisStream:ticks"]
    assert metrics.of_destination(TICKS) is metrics.of_destination(MORE_TICKS)
    metrics.of_flow(TICKS).records_parsed += 2
    metrics.of_flow(MORE_TICKS).records_parsed += 3
    assert metrics.totals().records_parsed == 5


async def test_cloudwatch_gets_what_was_added_and_zeros() -> None:
    metrics = Metrics(FLOWS)
    metrics.of_destination(ORDERS).bytes_sent = 700
    peer, _ = await put(metrics, [TAKEN, TAKEN])
    first = peer.requests[0]
    assert first.headers["x-amz-target"] == "GraniteServiceVersion20100801.PutMetricData"
    assert first.json()["Namespace"] == "AWSKinesisAgent"
    assert first.json()["MetricData"][0] == {
        "MetricName": "BytesSent",
        "Dimensions": [{"Name": "Destination", "Value": "DeliveryStream:orders"}],
        "Timestamp": 1_700_000_000,
        "Value": 700,
        "Unit": "Bytes",
    }
    assert values(peer, 0, "RecordSendErrors", "KinesisStream:ticks") == [0]
    assert (values(peer, 1, "BytesSent"), values(peer, 1, "RecordsSent")) == ([0], [1])


async def test_what_could_not_be_put_is_put_later_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    peer, _ = await put(Metrics(FLOWS), [Misconduct.CLOSE, Reply.of({"__type": "Throttling"}, 400), TAKEN, TAKEN])
    first, second = [line.message for line in caplog.records if line.name == "millstream.agent.cloudwatch"]
    assert first.startswith("metrics cannot be put into CloudWatch, which hinders nothing else: PutMetricData: ")
    assert second == "metrics are put into CloudWatch again"
    assert values(peer, -2, "RecordsSent") == [0, 1, 1]
    assert values(peer, -1, "RecordsSent") == [1]


async def test_a_platform_without_metrics_is_one_quiet_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    peer, _ = await put(Metrics(FLOWS), [REFUSED] * 3)
    (line,) = [line for line in caplog.records if line.name == "millstream.agent.cloudwatch"]
    assert line.levelno == logging.INFO
    assert line.message.startswith(f"no metrics for CloudWatch: {peer.url} takes none")
    assert values(peer, 2, "RecordsSent") == [1]  # refused ones are not kept


async def test_what_waits_is_bounded() -> None:
    peer, _ = await put(Metrics(FLOWS), [Misconduct.CLOSE] * 5 + [TAKEN], cloudwatch_metrics_queue_size=25)
    assert len(peer.requests[-1].json()["MetricData"]) == 25
    assert values(peer, -1, "RecordsSent") == [1, 1]  # the newest


async def test_metrics_can_name_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millstream.agent.cloudwatch.host_metadata", lambda: {"instanceId": "i-0123"})
    async with Peer(lambda _: TAKEN) as peer:
        config = configured(
            cloudwatch_endpoint=peer.url, cloudwatch_tag_instance=True, cloudwatch_metrics_buffer_time_ms=1
        )
        async with Connection(CLOUDWATCH, cloudwatch_target(config, {})) as connection:
            emitter = CloudWatch(config, connection, Deltas(Metrics(FLOWS)), ManualClock())
            task = asyncio.create_task(emitter.run())
            async with asyncio.timeout(10):
                while len(peer.requests) < 2:
                    await asyncio.sleep(0.001)
            task.cancel()
    (datum, *_) = peer.requests[0].json()["MetricData"]
    assert datum["Dimensions"][1] == {"Name": "InstanceId", "Value": "i-0123"}


def test_prometheus_reads_the_counters() -> None:
    metrics = Metrics([FlowConfig(file_pattern='/var/log/"odd"\n.log', kinesis_stream="ticks")])
    (flow,) = metrics.flows.values()
    flow.bytes_behind = 42
    server = MetricsServer(AgentCollector(metrics), "127.0.0.1", 0)
    try:
        metrics.destinations["KinesisStream:ticks"].records_sent = 7
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10) as reply:
            text = reply.read().decode()
        with pytest.raises(ConfigurationError, match="metrics cannot be served on 127"):
            MetricsServer(AgentCollector(metrics), "127.0.0.1", server.port)
    finally:
        server.close()
    assert 'millstream_agent_sent_records_total{destination="KinesisStream:ticks"} 7.0\n' in text
    labels = r'destination="KinesisStream:ticks",flow="kinesis:ticks:/var/log/\"odd\"\n.log"'
    assert f"millstream_agent_behind_bytes{{{labels}}} 42.0\n" in text
    assert "# TYPE millstream_agent_rejected_records_total counter\n" in text
    assert "process_resident_memory_bytes" in text


async def test_the_status_is_written_and_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    metrics, clock = Metrics(FLOWS), ManualClock()

    def refresh() -> None:
        metrics.of_flow(ORDERS).files = 2
        clock.advance(20_000)

    config = configured(tmp_path)
    reporter = StatusReporter(config, metrics, clock, refresh)
    task = asyncio.create_task(reporter.run())
    path = status_path(config.checkpoint_file)
    async with asyncio.timeout(10):
        while (status := read_status(path)) is None:
            await asyncio.sleep(0.001)
    task.cancel()
    assert status.is_running
    assert status.written_ms == status.started_ms + 20_000
    assert [flow.files for flow in status.flows] == [2, 0, 0]
    metrics.of_destination(TICKS).note_error("no such stream", clock.now_ms())
    reporter.write(is_running=False)
    last = read_status(path)
    assert last is not None
    assert (last.is_running, last.destinations[1].last_error) == (False, "no such stream")
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoints.status.json"]


def test_a_status_that_cannot_be_written_is_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reporter = StatusReporter(configured(tmp_path / "gone"), Metrics(FLOWS), ManualClock())
    reporter.write(is_running=True)
    reporter.write(is_running=True)
    (line,) = caplog.messages
    assert "checkpoints.status.json cannot be written: No such file or directory" in line


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": "x"}', "\x00"])
def test_a_damaged_status_is_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "status.json"
    path.write_text(content)
    assert read_status(path) is None


def test_the_line_says_how_far_the_agent_is() -> None:
    metrics, clock = Metrics(FLOWS), ManualClock()
    reporter = StatusReporter(configured(), metrics, clock)
    assert reporter.line() == "Progress: 0 records read (0 B), 0 delivered, 0 files, 0 B behind; up 0 s"
    flow, destination = metrics.of_flow(ORDERS), metrics.of_destination(ORDERS)
    flow.records_parsed, flow.bytes_read, flow.records_acknowledged = 12_345, 5 * MIB, 12_000
    flow.files, flow.bytes_behind, flow.records_rejected, flow.bytes_lost = 1, 2048, 3, 700
    destination.record_send_errors, destination.service_errors = 4, 1
    clock.advance(93_784_000)
    assert reporter.line() == (
        "Progress: 12,345 records read (5.0 MiB), 12,000 delivered, 1 file, 2.0 KiB behind, 3 rejected, 700 B lost, "
        "4 record errors, 1 service errors; up 1 d 2 h"
    )


def test_sizes_and_durations_as_people_say_them() -> None:
    assert [size(value) for value in (0, 1023, 1024, 3 << 29)] == ["0 B", "1,023 B", "1.0 KiB", "1.5 GiB"]
    assert [duration(value) for value in (-1, 59, 60, 3601)] == ["0 s", "59 s", "1 min", "1 h 1 s"]


@pytest.fixture
def _own_log() -> Iterator[None]:
    """Puts back what logging was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level


@pytest.mark.usefixtures("_own_log")
def test_the_log_is_rotated_by_size(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "agent.log"
    set_up_logging(
        configured(log_file=str(file), log_max_file_size_bytes=1024, log_max_backup_index=2, log_level="WARN")
    )
    for i in range(100):
        logging.getLogger("millstream.agent").warning("a line, number %d", i)
        logging.getLogger("millstream.agent").info("not wanted")
    assert sorted(path.name for path in file.parent.iterdir()) == ["agent.log", "agent.log.1", "agent.log.2"]
    assert file.read_text().endswith("WARNING millstream.agent: a line, number 99\n")


@pytest.mark.usefixtures("_own_log")
def test_a_log_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"log\.file .* cannot be written: (Not a directory|File exists)"):
        set_up_logging(configured(log_file=str(tmp_path / "file" / "agent.log")))
