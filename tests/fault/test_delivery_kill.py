"""SIGKILL of the worker and of the whole server, over and over, while records flow into an object store."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from support.deliveries import (
    DeliveryWriters,
    assert_exactly_once,
    flush,
    kill_worker,
    local_objects,
    s3_destination,
    worker_pid,
)
from support.firehose import connect_firehose, create_delivery_stream
from support.waiting import wait_for

if TYPE_CHECKING:
    from support.server import Server

KILLS = 3

PARTITIONED = {
    "CompressionFormat": "GZIP",
    "DynamicPartitioningConfiguration": {"Enabled": True},
    "ProcessingConfiguration": {
        "Enabled": True,
        "Processors": [
            {
                "Type": "MetadataExtraction",
                "Parameters": [
                    {"ParameterName": "MetadataExtractionQuery", "ParameterValue": "{part: .part}"},
                    {"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"},
                ],
            }
        ],
    },
    "Prefix": "part=!{partitionKeyFromQuery:part}/",
    "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
}


@pytest.mark.parametrize("members", [{}, PARTITIONED], ids=["plain", "gzip, partitioned"])
def test_no_record_is_lost_and_none_comes_twice(server: Server, members: dict[str, object]) -> None:
    rng = random.Random(str(sorted(members)))
    firehose = connect_firehose(server.url)
    destination = s3_destination("lake", size_mib=64 if "Prefix" in members else 1, interval_s=1, **members)
    name = create_delivery_stream(firehose, ExtendedS3DestinationConfiguration=destination)
    writers = DeliveryWriters(server.url, name)
    try:
        for kill in range(KILLS):
            writers.await_more(rng.randrange(100, 3_000))
            if kill % 3 == 2:
                server.kill()
                server.start()
            else:
                kill_worker(server)
    finally:
        writers.stop()
    flush(server.url, name)
    objects = local_objects(server, "lake")
    assert len(objects) > 1
    assert_exactly_once(writers, objects.values())


def test_a_worker_that_was_killed_is_replaced_and_the_server_does_not_notice(server: Server) -> None:
    firehose = connect_firehose(server.url)
    name = create_delivery_stream(firehose, ExtendedS3DestinationConfiguration=s3_destination("lake"))
    before = wait_for(lambda: worker_pid(server), "a worker")
    kill_worker(server)
    firehose.put_record(DeliveryStreamName=name, Record={"Data": b"still taken\n"})
    assert wait_for(lambda: worker_pid(server), "another worker") != before
    flush(server.url, name)
    assert list(local_objects(server, "lake").values()) == [b"still taken\n"]


def test_a_stop_delivers_what_is_buffered(server: Server) -> None:
    firehose = connect_firehose(server.url)
    name = create_delivery_stream(firehose, ExtendedS3DestinationConfiguration=s3_destination("lake", interval_s=900))
    for number in range(10):
        firehose.put_record(DeliveryStreamName=name, Record={"Data": b"%d\n" % number})
    server.terminate()
    (content,) = local_objects(server, "lake").values()
    assert content == b"".join(b"%d\n" % number for number in range(10))
