"""Whatever is killed between RabbitMQ and a stream, no message is lost, and only unacknowledged ones come twice."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from millstream.base.units import KIB, MIB
from millstream.client.puts import into_stream
from support.connectors import ConnectorProcess, connector_in_thread
from support.kinesis import connect, create_stream, new_name, read_lineage
from support.rabbitmq import Broker, OwnBroker, Queue, start_shared
from support.sharing import TEST_PROCESS, shared
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.server import Server

CONSUMERS, PREFETCH = 2, 150
IN_HAND_MAX = CONSUMERS * PREFETCH


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One for all test processes of the run; not to be killed."""
    with shared(tmp_path_factory, "rabbitmq", start_shared) as members:
        yield Broker(*members)


@pytest.fixture
def queue(broker: Broker) -> Queue:
    """A queue of the test's own."""
    return broker.queue(new_name(f"kills-{TEST_PROCESS}"))


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Server:
    """A server that takes 1,000 records a second into a shard: so that there is a midst to kill in."""
    return make_server(limits="aws").start()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[OwnBroker]:
    """A broker that may be killed."""
    broker = OwnBroker(tmp_path / "rabbitmq")
    try:
        yield broker.start()
    finally:
        broker.kill()


@pytest.fixture
def start(server: Server, tmp_path: Path) -> Iterator[Callable[[Queue, str], ConnectorProcess]]:
    """Starts a connector from a queue to a stream; none outlives the test."""
    started: list[ConnectorProcess] = []

    def start(queue: Queue, stream: str) -> ConnectorProcess:
        options = ["--queue", queue.name, "--stream", stream, "--consumers", str(CONSUMERS)]
        options += ["--prefetch", str(PREFETCH), "--linger-ms", "10"]
        connector = ConnectorProcess(queue.url, server.url, *options, log_path=tmp_path / "connector.log")
        started.append(connector)
        return connector.start()

    yield start
    for connector in started:
        connector.kill()


def bodies(count: int) -> list[bytes]:
    return [b"%08d" % number + b"x" * 300 for number in range(count)]


class Arrived:
    """What has come into a stream."""

    def __init__(self, server: Server, stream: str) -> None:
        self._kinesis = connect(server.url)
        self._stream = stream

    def data(self) -> list[bytes]:
        return [record["Data"] for record in read_lineage(self._kinesis, self._stream)]

    def wait(self, expected: list[bytes], *, timeout_s: float = 30.0) -> Counter[bytes]:
        """All of these have arrived, and nothing else; how often each."""
        wait_for(
            lambda: len(set(self.data())) >= len(expected),
            f"{len(expected)} messages",
            timeout_s=timeout_s,
            interval_s=0.3,
        )
        counts = Counter(self.data())
        assert set(counts) == set(expected)
        return counts


def test_a_kill_of_the_connector(server: Server, queue: Queue, start: Callable[[Queue, str], ConnectorProcess]) -> None:
    stream = create_stream(connect(server.url))
    sent = bodies(1800)
    queue.publish(sent)
    connector = start(queue, stream)
    wait_for(lambda: queue.ready() < len(sent) - IN_HAND_MAX, "acknowledgements")
    connector.kill()
    assert queue.ready() > 0, "it was killed too late to test anything"
    connector = start(queue, stream)
    counts = Arrived(server, stream).wait(sent)
    assert sum(counts.values()) <= len(sent) + IN_HAND_MAX
    assert connector.terminate() == 0
    assert queue.ready() == 0


def test_a_kill_of_the_server(server: Server, queue: Queue, start: Callable[[Queue, str], ConnectorProcess]) -> None:
    stream = create_stream(connect(server.url))
    arrived = Arrived(server, stream)
    sent = bodies(1800)
    connector = start(queue, stream)
    queue.publish(sent[:1500])
    wait_for(lambda: queue.ready() < 1500 - IN_HAND_MAX, "acknowledgements")
    server.kill()
    queue.publish(sent[1500:])
    server.start()
    counts = arrived.wait(sent)
    assert sum(counts.values()) <= len(sent) + IN_HAND_MAX  # only of requests whose answers were lost
    assert connector.terminate() == 0
    assert queue.ready() == 0
    assert "put again" in connector.log_text()


def test_a_stop_while_the_server_is_away_gives_everything_back(server: Server, queue: Queue) -> None:
    stream = create_stream(connect(server.url))
    with connector_in_thread(queue.url, server.url, into_stream(stream), queue.name, shutdown_timeout_s=0.5) as running:
        queue.publish([b"first"])
        running.wait_delivered(1)
        server.kill()
        queue.publish(bodies(1000))
        wait_for(lambda: running.count("records_retried"), "an attempt in vain")
    assert queue.ready() == 1000


def test_what_is_in_hand_is_bounded(make_server: Callable[..., Server], queue: Queue) -> None:
    server = make_server().start()
    stream = create_stream(connect(server.url))
    sent = [b"%03d" % number + b"x" * 200 * KIB for number in range(100)]
    with connector_in_thread(
        queue.url, server.url, into_stream(stream), queue.name, in_hand_bytes_max=2 * MIB
    ) as running:
        queue.publish([b"first"])
        running.wait_delivered(1)
        server.kill()
        queue.publish(sent)
        wait_for(lambda: running.in_hand_bytes() > 2 * MIB, "enough to be in hand")
        server.start()
        running.wait_delivered(101, timeout_s=30)
        assert running.in_hand_bytes_seen < 6 * MIB
    assert Counter(Arrived(server, stream).data()) == Counter([b"first", *sent])


def test_a_kill_of_rabbitmq_and_its_stop(
    server: Server, own_broker: OwnBroker, start: Callable[[Queue, str], ConnectorProcess]
) -> None:
    queue = own_broker.broker.queue("kills")
    stream = create_stream(connect(server.url))
    arrived = Arrived(server, stream)
    sent = bodies(1800)
    queue.publish(sent[:1500])
    connector = start(queue, stream)
    wait_for(lambda: queue.ready() < 1500 - IN_HAND_MAX, "acknowledgements")
    own_broker.kill()
    own_broker.start()
    queue.publish(sent[1500:])
    arrived.wait(sent)
    wait_for(lambda: queue.ready() == 0, "an empty queue")
    own_broker.stop()
    wait_for(lambda: connector.log_text().count("lost RabbitMQ") == 2, "the connector to say so")
    assert connector.terminate() == 0
    assert "Traceback" not in connector.log_text()
