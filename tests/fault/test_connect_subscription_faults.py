"""Subscription consumers that die, and destinations that are away: no event is lost."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

from support.kinesis import connect, create_stream
from support.ports import free_port
from support.subscriptions import Consumer, consumer, record
from support.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from support.server import Server

EVENTS_A_RECORD = 5
RECORDS = 400


def environment(server: Server) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "000000000000",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def put(kinesis: Any, stream: str, first: int, count: int) -> None:
    numbers = [range(n * EVENTS_A_RECORD, (n + 1) * EVENTS_A_RECORD) for n in range(first, first + count)]
    records = [{"Data": record(each), "PartitionKey": f"{each[0]}"} for each in numbers]
    kinesis.put_records(StreamName=stream, Records=records)


def printed(*consumers: Consumer) -> list[int]:
    return [line["n"] for each in consumers for line in each.lines()]


def test_one_of_two_is_killed(server: Server, tmp_path: Path) -> None:
    kinesis = connect(server.url)
    stream = create_stream(kinesis, 4)
    generator = random.Random(7)
    environ = environment(server)
    with (
        consumer(environ, tmp_path, stream, "--to", "stdout", "--batch", "20") as first,
        consumer(environ, tmp_path, stream, "--to", "stdout", "--batch", "20") as second,
    ):
        wait_for(lambda: "shards" in first.log.read_text() or first.process.poll() is None, "the first to run")
        for at in range(0, RECORDS // 2, 50):
            put(kinesis, stream, at, 50)
        dies_at = generator.randrange(20, RECORDS * EVENTS_A_RECORD // 4)
        wait_for(lambda: len(printed(first, second)) > dies_at, "some events", timeout_s=30)
        first.kill()
        for at in range(RECORDS // 2, RECORDS, 50):
            put(kinesis, stream, at, 50)
        wait_for(
            lambda: set(printed(first, second)) == set(range(RECORDS * EVENTS_A_RECORD)), "all events", timeout_s=40
        )
        assert second.stop() == 0


def test_the_index_is_away_for_a_while(server: Server, tmp_path: Path) -> None:
    kinesis = connect(server.url)
    stream = create_stream(kinesis, 1)
    put(kinesis, stream, 0, 10)
    url = f"http://127.0.0.1:{free_port()}"
    options = ("--to", "elasticsearch", "--set", f"url={url}")
    with consumer(environment(server), tmp_path, stream, *options) as waiting:
        wait_for(lambda: "trying again" in waiting.log.read_text(), "it to notice")
        assert waiting.process.poll() is None
        assert waiting.stop() == 0
    with consumer(environment(server), tmp_path, stream, "--to", "stdout") as after:
        wait_for(lambda: len(printed(after)) == 10 * EVENTS_A_RECORD, "the events: nothing was noted as done")


def test_the_server_dies_and_comes_back(server: Server, tmp_path: Path) -> None:
    kinesis = connect(server.url)
    stream = create_stream(kinesis, 2)
    put(kinesis, stream, 0, 50)
    with consumer(environment(server), tmp_path, stream, "--to", "stdout") as running:
        wait_for(lambda: len(printed(running)) > 0, "some events")
        server.kill()
        server.start()
        put(kinesis, stream, 50, 50)
        wait_for(lambda: set(printed(running)) == set(range(100 * EVENTS_A_RECORD)), "all events", timeout_s=40)
