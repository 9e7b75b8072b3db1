"""Delivery streams that are changed while records flow: updates, reshardings, functions, and a worker told nonsense."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from millstream.catalog import SqliteCatalog
from support.configurations import ROLE, processing, processor
from support.deliveries import (
    RECORDS_PER_PUT,
    DeliveryWriters,
    assert_exactly_once,
    flush,
    kill_worker,
    local_objects,
    s3_destination,
    update_destination,
)
from support.firehose import connect_firehose, create_delivery_stream
from support.functionserver import FunctionServer
from support.kinesis import connect, create_stream, open_shards, stream_summary, wait_active
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.server import Server

NO_PROCESSING = {"Enabled": False, "Processors": []}
DELIMITED = processing(processor("AppendDelimiterToRecord"))


def test_updates_of_prefixes_and_processors_lose_and_repeat_nothing(server: Server) -> None:
    firehose = connect_firehose(server.url)
    destination = s3_destination("lake", interval_s=1, Prefix="p0/")
    name = create_delivery_stream(firehose, ExtendedS3DestinationConfiguration=destination)
    writers = DeliveryWriters(server.url, name)
    changes: list[dict[str, Any]] = [
        {"Prefix": "p1/"},
        {"ProcessingConfiguration": DELIMITED},
        {"BufferingHints": {"SizeInMBs": 2, "IntervalInSeconds": 1}},
        {"ProcessingConfiguration": NO_PROCESSING},
        {"Prefix": "p2/", "CompressionFormat": "GZIP"},
    ]
    try:
        for change in changes:
            writers.await_more(1_500)
            update_destination(firehose, name, **change)
        writers.await_more(500)
    finally:
        writers.stop()
    flush(server.url, name)
    objects = local_objects(server, "lake")
    assert_exactly_once(writers, (content.replace(b"\n\n", b"\n") for content in objects.values()))
    assert "p2" in {key.split("/")[0] for key in objects}
    assert "Traceback" not in server.log_text()


def test_a_data_stream_through_resharding_encryption_and_a_kill(server: Server) -> None:
    kinesis, firehose = connect(server.url), connect_firehose(server.url)
    stream = create_stream(kinesis, 2)
    ids: list[str] = []

    def put(count: int = 100) -> None:
        made = [f"{len(ids) + number}" for number in range(count)]
        entries = [{"Data": json.dumps({"id": text}).encode() + b"\n", "PartitionKey": text} for text in made]
        assert kinesis.put_records(StreamName=stream, Records=entries)["FailedRecordCount"] == 0
        ids.extend(made)

    put()
    before = set(ids)
    source = {"KinesisStreamARN": stream_summary(kinesis, stream)["StreamARN"], "RoleARN": ROLE}
    name = create_delivery_stream(
        firehose,
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration=source,
        ExtendedS3DestinationConfiguration=s3_destination("lake", interval_s=1),
    )
    put()
    first, second = (shard["ShardId"] for shard in open_shards(kinesis, stream))
    kinesis.split_shard(StreamName=stream, ShardToSplit=first, NewStartingHashKey=str(1 << 126))
    wait_active(kinesis, stream)
    put()
    kill_worker(server)
    kinesis.start_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId="alias/aws/kinesis")
    wait_active(kinesis, stream)
    put()
    children = [shard["ShardId"] for shard in open_shards(kinesis, stream) if shard["ShardId"] != second]
    kinesis.merge_shards(StreamName=stream, ShardToMerge=children[0], AdjacentShardToMerge=children[1])
    wait_active(kinesis, stream)
    put()
    server.kill()
    server.start()
    put()
    flush(server.url, name)
    delivered = [
        json.loads(line)["id"] for each in local_objects(server, "lake").values() for line in each.splitlines()
    ]
    assert sorted(delivered) == sorted(set(ids) - before)


def test_a_function_through_kills_and_updates(make_server: Callable[..., Server]) -> None:
    with FunctionServer.serve() as functions:
        arn = functions.add("mark", lambda data: {"data": data.replace(b'"padding"', b'"marked"')})
        with_function = processing(
            processor("Lambda", LambdaArn=arn, BufferSizeInMBs="0.2", BufferIntervalInSeconds="1")
        )
        server = make_server(options=["--lambda-endpoint", functions.url]).start()
        firehose = connect_firehose(server.url)
        destination = s3_destination("lake", interval_s=1, ProcessingConfiguration=with_function)
        name = create_delivery_stream(firehose, ExtendedS3DestinationConfiguration=destination)
        writers = DeliveryWriters(server.url, name)
        try:
            for kill in (kill_worker, kill_worker, lambda server: (server.kill(), server.start())):
                calls = functions.calls.get("mark", 0)
                wait_for(lambda calls=calls: functions.calls.get("mark", 0) > calls + 1, "calls", timeout_s=30)  # type: ignore[misc]
                kill(server)
            writers.await_more(500)
            update_destination(firehose, name, ProcessingConfiguration=NO_PROCESSING)
            wait_for(lambda: kinds(server)["padding"], "records without the function", timeout_s=30)
            update_destination(firehose, name, ProcessingConfiguration=with_function)
            marked = kinds(server)["marked"]
            wait_for(lambda: kinds(server)["marked"] > marked, "records through it again", timeout_s=30)
        finally:
            writers.stop()
        flush(server.url, name)
    found = Counter(record["id"] for record in records(server))
    assert not writers.acknowledged - found.keys()
    # a function that is taken away may have begun on a block of the log, which is then delivered whole, without it
    assert sum(found.values()) - len(found) <= 2 * RECORDS_PER_PUT
    assert "Traceback" not in server.log_text()


def records(server: Server) -> list[dict[str, str]]:
    return [json.loads(line) for content in local_objects(server, "lake").values() for line in content.splitlines()]


def kinds(server: Server) -> Counter[str]:
    """How many records came through the function ("marked"), and how many did not ("padding")."""
    return Counter("marked" if "marked" in record else "padding" for record in records(server))


def test_a_worker_that_is_told_nonsense_goes_on(tmp_path: Path) -> None:
    SqliteCatalog(tmp_path / "catalog.db").close()
    (tmp_path / "root.key").write_bytes(bytes(32))
    lines = [
        json.dumps({"settings": {"data_dir": str(tmp_path)}}).encode(),
        *(b"{", b"[]", b'"do"', b"\xff\xfe", b'{"do": "flush"}', b'{"do": "flush", "stream_id": "nobody"}'),
        *(b'{"do": "stop"}', b'{"do": "reconcile"}', b'{"do": "stop", "flush_s": 1.0}'),
    ]
    command = [sys.executable, "-m", "millstream.server.worker"]
    ended = subprocess.run(command, input=b"\n".join(lines) + b"\n", capture_output=True, timeout=30, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count(b"is not understood") == 6
    assert b"Traceback" not in ended.stderr


def test_a_worker_that_hangs_ends_and_tells_where() -> None:
    hang = """
import asyncio, threading
from millstream.server import worker
worker._HANG_S_MAX = 0.5
async def main():
    watched = asyncio.create_task(worker._be_watched())
    await asyncio.sleep(1)
    print("still alive", flush=True)
    threading.Event().wait()
asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", hang], capture_output=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (1, b"still alive\n")
    assert b"line 9 in main" in ended.stderr
