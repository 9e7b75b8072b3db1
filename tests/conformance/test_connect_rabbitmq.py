"""`millstream connect rabbitmq` between a real RabbitMQ and a live server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from millstream.base.units import KIB, MIB
from millstream.client.errors import CallError, ConfigurationError
from millstream.client.puts import into_delivery_stream, into_stream
from millstream.connect.rabbitmq import Oversize, Shaping
from support.connectors import connector_in_thread
from support.kinesis import Kinesis, connect, create_stream, new_account, new_name, read_lineage
from support.livedelivery import LiveDelivery
from support.rabbitmq import Broker, Queue, start_shared
from support.sharing import TEST_PROCESS, shared
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.commandline import CommandLine
    from support.server import Server


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One for all test processes of the run."""
    with shared(tmp_path_factory, "rabbitmq", start_shared) as members:
        yield Broker(*members)


@pytest.fixture
def queue(broker: Broker) -> Queue:
    """A queue of the test's own."""
    return broker.queue(new_name(f"queue-{TEST_PROCESS}"))


def test_messages_become_lines_of_objects(delivery: LiveDelivery, delivery_server: Server, queue: Queue) -> None:
    delivery.create(ExtendedS3DestinationConfiguration=delivery.s3())
    bodies = [b"%d\tone\ntwo" % number for number in range(1200)]
    shaping = Shaping(escape=True, newline=True)
    target = into_delivery_stream(delivery.name)
    with connector_in_thread(queue.url, delivery_server.url, target, queue.name, shaping=shaping) as running:
        queue.publish(bodies)
        running.wait_delivered(len(bodies))
        assert "1200 in all, 0 bytes in hand" in running.status()
    assert queue.ready() == 0
    delivery.flush()
    lines = b"".join(delivery.objects().values()).splitlines()
    assert sorted(lines) == sorted(b"%d\\tone\\ntwo" % number for number in range(1200))


def test_partition_keys(server: Server, kinesis: Kinesis, account: str, stream: str, queue: Queue) -> None:
    queue.publish([b"with"], headers={"tenant": "a", "number": 7})
    queue.publish([b"without", b""])
    for key in ("header:tenant", "routing-key"):
        with connector_in_thread(
            queue.url, server.url, into_stream(stream), queue.name, account=account, shaping=Shaping(key=key)
        ) as running:
            running.wait_delivered(3)
        records = {record["Data"]: record["PartitionKey"] for record in read_lineage(kinesis, stream)}
        assert set(records) == {b"with", b"without", b""}
        if key == "routing-key":
            assert set(records.values()) == {queue.name}
        else:
            assert records[b"with"] == "a"
            assert records[b"without"] != records[b""]
        stream = create_stream(kinesis)
        queue.publish([b"with", b"without", b""])


def test_order_is_kept_by_one_consumer(
    server: Server, kinesis: Kinesis, account: str, stream: str, queue: Queue
) -> None:
    bodies = [b"%d" % number for number in range(2000)]
    queue.publish(bodies)
    with connector_in_thread(
        queue.url,
        server.url,
        into_stream(stream),
        queue.name,
        account=account,
        shaping=Shaping(key="routing-key"),
        consumers=1,
        puts_max=1,
    ) as running:
        running.wait_delivered(2000)
    assert [record["Data"] for record in read_lineage(kinesis, stream)] == bodies


def test_large_messages(server: Server, kinesis: Kinesis, account: str, stream: str, broker: Broker) -> None:
    dead = broker.queue(new_name("dead"))
    queue = Queue(broker.url, new_name("large"))
    queue.declare(x_dead_letter_exchange="", x_dead_letter_routing_key=dead.name)
    large = bytes(range(256)) * 6 * KIB
    for oversize in Oversize:
        queue.publish([b"before", large, b"after"])
        with connector_in_thread(
            *(queue.url, server.url, into_stream(stream), queue.name),
            account=account,
            shaping=Shaping(oversize=oversize, key="routing-key"),
            consumers=1,
            puts_max=1,
        ) as running:
            running.wait_delivered(2)
            wait_for(lambda: running.count("oversize") or running.count("messages") > 2, "the large message")
        assert queue.ready() == 0
        assert dead.take() == (large if oversize is Oversize.REJECT else None)
        data = [record["Data"] for record in read_lineage(kinesis, stream)]
        middle = large if oversize is Oversize.SPLIT else b""
        assert (data[0], data[-1], b"".join(data[1:-1])) == (b"before", b"after", middle)
        assert all(len(datum) <= MIB for datum in data)
        stream = create_stream(kinesis)


def test_tls(server: Server, account: str, stream: str, broker: Broker, queue: Queue) -> None:
    queue.publish([b"secret"])
    target = into_stream(stream)
    with connector_in_thread(
        broker.tls_url, server.url, target, queue.name, account=account, ca=Path(broker.authority)
    ) as running:
        running.wait_delivered(1)
    with (
        pytest.raises(ConfigurationError, match="--ca"),
        connector_in_thread(broker.tls_url, server.url, target, queue.name, account=account) as running,
    ):
        wait_for(lambda: not running.is_alive(), "the connector to give up")


def test_throttled_records_alone_are_put_again(limited_server: Server, queue: Queue) -> None:
    account = new_account()
    kinesis = connect(limited_server.url, account)
    stream = create_stream(kinesis)
    bodies = [b"%d" % number for number in range(2500)]
    queue.publish(bodies)
    with connector_in_thread(
        queue.url, limited_server.url, into_stream(stream), queue.name, account=account
    ) as running:
        running.wait_delivered(len(bodies))
        assert running.count("records_retried")
    assert queue.ready() == 0
    assert sorted(record["Data"] for record in read_lineage(kinesis, stream)) == sorted(bodies)


@pytest.mark.parametrize("declares", [True, False])
def test_a_queue_that_is_deleted_and_made_again(
    server: Server, account: str, stream: str, queue: Queue, declares: bool
) -> None:
    with connector_in_thread(
        queue.url, server.url, into_stream(stream), queue.name, account=account, declare=declares
    ) as running:
        queue.publish([b"before"])
        running.wait_delivered(1)
        queue.delete()
        if declares:
            wait_for(lambda: running.count("connections") == 2, "the queue to be made again")
        else:
            queue.declare()
        queue.publish([b"after"])
        running.wait_delivered(2)


def test_what_cannot_work_is_said_at_once(
    command: CommandLine, environment: dict[str, str], broker: Broker, stream: str, queue: Queue, tmp_path: Path
) -> None:
    def refused(url: str, *options: str) -> str:
        (tmp_path / "url").write_text(url)
        stderr = command("connect", "rabbitmq", "--url-file", str(tmp_path / "url"), *options, fails=True).stderr
        assert "wr0ng" not in stderr
        assert stderr.count("\n") == 1
        return stderr

    to_stream = ("--stream", stream)
    wrong_password = broker.url.replace("guest:guest", "guest:wr0ng")
    assert "does not let the user 'guest' in" in refused(wrong_password, "--queue", queue.name, *to_stream)
    assert "no virtual host 'none'" in refused(f"{broker.url}none", "--queue", queue.name, *to_stream)
    assert "there is no queue 'none'" in refused(broker.url, "--queue", "none", *to_stream)
    assert "not found" in refused(broker.url, "--queue", queue.name, "--stream", "none")
    assert "not found" in refused(broker.url, "--queue", queue.name, "--deliver", "none")
    assert "should look like" in refused("wr0ng", "--queue", queue.name, *to_stream)
    assert "give --deliver or --stream" in refused(broker.url, "--queue", queue.name)
    assert "--key is for --stream" in refused(broker.url, "--queue", "q", "--deliver", "d", "--key", "routing-key")
    assert "reject, split or drop" in refused(broker.url, "--queue", "q", *to_stream, "--oversize", "keep")


def test_a_stream_that_is_deleted_ends_the_connector(
    server: Server, kinesis: Kinesis, account: str, stream: str, queue: Queue
) -> None:
    def put_into_nothing() -> None:
        with connector_in_thread(queue.url, server.url, into_stream(stream), queue.name, account=account) as running:
            queue.publish([b"in"])
            running.wait_delivered(1)
            kinesis.delete_stream(StreamName=stream)
            queue.publish([b"out"])
            wait_for(lambda: not running.is_alive(), "the connector to give up")

    with pytest.raises(CallError, match="not found"):
        put_into_nothing()
    assert queue.ready() == 1


def test_bodies_stay_as_they_are(
    server: Server, kinesis: Kinesis, account: str, make_stream: Callable[..., str], queue: Queue
) -> None:
    stream = make_stream()
    bodies = [bytes(range(256)), b"\xff\xfe", json.dumps({"é": "\n"}).encode(), b"x" * 300 * KIB]
    queue.publish(bodies)
    with connector_in_thread(queue.url, server.url, into_stream(stream), queue.name, account=account) as running:
        running.wait_delivered(len(bodies))
    assert sorted(record["Data"] for record in read_lineage(kinesis, stream)) == sorted(bodies)
