"""Starting and stopping: SIGTERM under load, and what the server says when it cannot start."""

from __future__ import annotations

import signal
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, EventStreamError

from support.kinesis import connect, create_stream, new_account, open_shards, read_shard, stream_summary
from support.load import Writers, assert_nothing_lost
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.server import Server


def test_sigterm_under_load(server: Server) -> None:
    account = new_account()
    kinesis = connect(server.url, account)
    stream = create_stream(kinesis, 3)
    shards = [shard["ShardId"] for shard in open_shards(kinesis, stream)]
    for _ in range(3):
        writers = Writers(server.url, account, stream)
        try:
            wait_for(lambda: len(writers.acknowledged) > 1000, "records to be acknowledged")  # noqa: B023
            assert server.terminate(timeout_s=10) == 0
        finally:
            writers.stop()
        assert {refused.status for refused in writers.refusals} <= {503}
        server.start()
        stored = [record for shard in shards for record in read_shard(kinesis, stream, shard)]
        numbers = {record["SequenceNumber"] for record in stored}
        assert writers.acknowledged.keys() <= numbers
    assert_nothing_lost(writers, [r for r in stored if r["SequenceNumber"] in writers.acknowledged])
    assert "Traceback" not in server.log_text()


def test_sigterm_ends_subscriptions(server: Server) -> None:
    kinesis = connect(server.url, new_account())
    stream = create_stream(kinesis)
    arn = stream_summary(kinesis, stream)["StreamARN"]
    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="reader")["Consumer"]["ConsumerARN"]

    def active() -> bool:
        described = kinesis.describe_stream_consumer(ConsumerARN=consumer)["ConsumerDescription"]
        return bool(described["ConsumerStatus"] == "ACTIVE")

    wait_for(active, "the consumer to be ACTIVE")
    position = {"Type": "TRIM_HORIZON"}
    subscription = kinesis.subscribe_to_shard(
        ConsumerARN=consumer, ShardId="shardId-000000000000", StartingPosition=position
    )

    def follow() -> None:
        with closing(subscription["EventStream"]) as stream, suppress(BotoCoreError, EventStreamError):
            for _ in stream:
                pass

    follower = threading.Thread(target=follow)
    follower.start()
    assert server.terminate(timeout_s=10) == 0
    follower.join(10)
    assert not follower.is_alive()


def test_sigint_is_a_clean_stop_too(server: Server) -> None:
    server.signal(signal.SIGINT)
    assert server.wait_exit() == 0
    assert "Traceback" not in server.log_text()


def test_two_servers_on_one_directory(server: Server, make_server: Callable[..., Server]) -> None:
    second = make_server(server.data_dir)
    second.launch()
    assert second.wait_exit() == 1
    assert str(server.data_dir) in second.log_text()
    assert "in use by another server" in second.log_text()
    assert "Traceback" not in second.log_text()
    kinesis = connect(server.url, new_account())
    create_stream(kinesis)


def test_a_port_that_is_taken(server: Server, make_server: Callable[..., Server], tmp_path: Path) -> None:
    second = make_server(tmp_path / "other", port=server.port)
    second.launch()
    assert second.wait_exit() == 1
    assert str(server.port) in second.log_text()
    assert "in use" in second.log_text()
    assert "Traceback" not in second.log_text()


def test_a_data_directory_that_is_a_file(make_server: Callable[..., Server], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    server = make_server(tmp_path / "file")
    server.launch()
    assert server.wait_exit() == 1
    assert str(tmp_path / "file") in server.log_text()
    assert "Traceback" not in server.log_text()
