"""Delivery streams to a real S3-compatible store (SeaweedFS), through a network and a store that fail and lie."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.faultyproxy import Fault, FaultyProxy, at_random, faulty_proxy
from support.firehose import connect_firehose, create_delivery_stream, records_of, to_bucket
from support.s3server import S3Server, seaweed_server
from support.server import Server
from support.waiting import wait_for

FAULTS = tuple(fault for fault in Fault if fault is not Fault.HANGING)


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with seaweed_server(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(seaweed: S3Server) -> Iterator[FaultyProxy]:
    with faulty_proxy(seaweed.url, lambda _: Fault.NONE) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def delivering_server(
    seaweed: S3Server, proxy: FaultyProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("delivering")
    settings = seaweed.settings | {"s3_endpoint": proxy.url}
    options = [text for name, value in settings.items() for text in ("--" + name.replace("_", "-"), value)]
    server = Server(directory / "data", directory / "server.log", options=options)
    try:
        yield server.start()
        assert "Traceback" not in server.log_text(), server.log_text()
    finally:
        server.close()


@pytest.fixture
def firehose(delivering_server: Server, account: str) -> Any:
    return connect_firehose(delivering_server.url, account)


@pytest.fixture
def bucket(seaweed: S3Server, account: str) -> str:
    name = f"lake-{account}"
    seaweed.client().create_bucket(Bucket=name)
    return name


def deliver_to(bucket: str, **members: Any) -> dict[str, Any]:
    hints = {"SizeInMBs": 1, "IntervalInSeconds": 1}
    return to_bucket(BucketARN=f"arn:aws:s3:::{bucket}", BufferingHints=hints, **members)


def delivered(server: S3Server, bucket: str, count: int) -> dict[str, bytes]:
    """The objects, decompressed, once they have `count` lines."""

    def look() -> dict[str, bytes] | None:
        try:
            objects = {key: gzip.decompress(content) for key, content in server.contents(bucket).items()}
        except EOFError:  # the store lied just now: half an object, until it is put again
            return None
        return objects if sum(content.count(b"\n") for content in objects.values()) >= count else None

    return wait_for(look, f"{count} records in {bucket}", timeout_s=60, interval_s=0.2)


def test_records_arrive_compressed_and_described(firehose: Any, seaweed: S3Server, bucket: str) -> None:
    configuration = deliver_to(bucket, CompressionFormat="GZIP", Prefix="in/")
    name = create_delivery_stream(firehose, ExtendedS3DestinationConfiguration=configuration)
    lines = [b'{"n":%d}\n' % number for number in range(200)]
    firehose.put_record_batch(DeliveryStreamName=name, Records=records_of(*lines))
    objects = delivered(seaweed, bucket, len(lines))
    assert b"".join(objects.values()) == b"".join(lines)
    (key,) = objects
    assert key.startswith("in/2")
    assert f"/{name}-1-" in key
    assert key.endswith(".gz")
    assert seaweed.client().head_object(Bucket=bucket, Key=key)["ContentEncoding"] == "gzip"


def test_every_record_arrives_once_from_a_store_that_fails_and_lies(
    firehose: Any, seaweed: S3Server, bucket: str, proxy: FaultyProxy
) -> None:
    configuration = deliver_to(bucket, CompressionFormat="GZIP")
    name = create_delivery_stream(firehose, ExtendedS3DestinationConfiguration=configuration)
    proxy.done.clear()
    proxy.choose = at_random(613, 0.3, FAULTS)
    numbers = range(1200)
    for first in range(0, len(numbers), 100):
        lines = [json.dumps({"n": number, "x": "x" * 20_000}).encode() + b"\n" for number in numbers[first:][:100]]
        reply = firehose.put_record_batch(DeliveryStreamName=name, Records=records_of(*lines))
        assert reply["FailedPutCount"] == 0
    objects = delivered(seaweed, bucket, len(numbers))
    proxy.heal()
    arrived = sorted(json.loads(line)["n"] for content in objects.values() for line in content.splitlines())
    assert arrived == list(numbers)
    assert sum(proxy.done.values()) > proxy.done[Fault.NONE] > 0


def test_data_waits_for_a_bucket_that_is_not_there_yet(
    firehose: Any, seaweed: S3Server, account: str, delivering_server: Server
) -> None:
    bucket = f"late-{account}"
    configuration = deliver_to(bucket, CompressionFormat="GZIP")
    name = create_delivery_stream(firehose, ExtendedS3DestinationConfiguration=configuration)
    firehose.put_record(DeliveryStreamName=name, Record={"Data": b"patient\n"})
    wait_for(lambda: "S3.NoSuchBucket" in delivering_server.log_text(), "the missing bucket to be told")
    seaweed.client().create_bucket(Bucket=bucket)
    assert list(delivered(seaweed, bucket, 1).values()) == [b"patient\n"]
