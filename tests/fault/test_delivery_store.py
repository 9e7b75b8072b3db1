"""Delivery to an S3 store that fails, hangs, lies or is gone, by processes that are killed."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import signal
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from support.configurations import extraction
from support.deliveries import (
    DeliveryWriters,
    assert_once,
    flush,
    kill_worker,
    s3_destination,
    update_destination,
    worker_pid,
)
from support.faultyproxy import Fault, FaultyProxy, Request, at_random, faulty_proxy
from support.firehose import connect_firehose, create_delivery_stream
from support.kinesis import new_name
from support.s3server import S3Server, moto_server
from support.server import PAGE_BYTES, Server
from support.smalldisk import SmallDisk, small_disk
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KILLS = 3
FAULTS = tuple(fault for fault in Fault if fault not in (Fault.NONE, Fault.HANGING))
PARTITIONED = {
    "DynamicPartitioningConfiguration": {"Enabled": True},
    "ProcessingConfiguration": {"Enabled": True, "Processors": [extraction("{part: .part}")]},
    "Prefix": "part=!{partitionKeyFromQuery:part}/",
    "ErrorOutputPrefix": "errors/",
}
PARQUET = {
    "DataFormatConversionConfiguration": {
        "Enabled": True,
        "SchemaConfiguration": {
            "RoleARN": "arn:aws:iam::000000000000:role/firehose",
            "DatabaseName": "faults",
            "TableName": "lines",
        },
        "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
        "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
    }
}
SMALL_DISK_MIB = 32
GROWTH_BYTES_MAX = 100 << 20


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with moto_server(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture
def proxy(store: S3Server) -> Iterator[FaultyProxy]:
    with faulty_proxy(store.url, lambda _: Fault.NONE) as proxy:
        yield proxy


@pytest.fixture
def options(store: S3Server, proxy: FaultyProxy) -> list[str]:
    settings = store.settings | {"s3_endpoint": proxy.url}
    return [text for name, value in settings.items() for text in ("--" + name.replace("_", "-"), value)]


@pytest.fixture
def server(make_server: Callable[..., Server], options: list[str]) -> Server:
    """A running server whose buckets are in the store, behind the proxy."""
    return make_server(options=options).start()


@pytest.fixture
def bucket(store: S3Server) -> str:
    return make_bucket(store)


def make_bucket(store: S3Server) -> str:
    name = new_name("lake")
    store.client().create_bucket(Bucket=name)
    return name


def to_bucket_of(bucket: str, fault: Fault) -> Callable[[Request], Fault]:
    """Has all requests to a bucket end in that way."""
    return lambda request: fault if request.target.startswith(f"/{bucket}") else Fault.NONE


def ids_in(store: S3Server, bucket: str) -> list[str]:
    """The ids of the records in a bucket, as lines of JSON or in Parquet."""
    ids: list[str] = []
    for content in store.contents(bucket).values():
        if content.startswith(b"PAR1"):
            ids += pq.read_table(io.BytesIO(content), columns=["id"])["id"].to_pylist()
        else:
            plain = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
            ids += [json.loads(line)["id"] for line in plain.splitlines()]
    return ids


def make_table(server: Server) -> None:
    glue: Any = boto3.Session().client(
        "glue",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="000000000000",
        aws_secret_access_key="secret",
    )
    glue.create_database(DatabaseInput={"Name": "faults"})
    columns = [{"Name": name, "Type": "string"} for name in ("id", "part", "padding")]
    glue.create_table(DatabaseName="faults", TableInput={"Name": "lines", "StorageDescriptor": {"Columns": columns}})


@pytest.mark.parametrize(
    ("size_mib", "members"),
    [(1, {}), (64, PARTITIONED | {"CompressionFormat": "GZIP"}), (64, PARQUET)],
    ids=["plain", "partitioned", "parquet"],
)
def test_every_record_once_through_kills_and_a_store_that_fails_and_lies(
    server: Server, store: S3Server, proxy: FaultyProxy, bucket: str, size_mib: int, members: dict[str, Any]
) -> None:
    rng = random.Random(str(sorted(members)))
    make_table(server)
    firehose = connect_firehose(server.url)
    destination = s3_destination(bucket, size_mib=size_mib, interval_s=1, **members)
    name = create_delivery_stream(firehose, ExtendedS3DestinationConfiguration=destination)
    proxy.choose = at_random(rng.randrange(1 << 30), 0.4, FAULTS)
    writers = DeliveryWriters(server.url, name)
    try:
        for kill in range(KILLS):
            puts = sum(proxy.done.values())
            writers.await_more(rng.randrange(100, 2_000))
            wait_for(lambda puts=puts: sum(proxy.done.values()) > puts, "an upload", timeout_s=30)  # type: ignore[misc]
            if kill % 3 == 2:
                server.kill()
                server.start()
            else:
                kill_worker(server)
    finally:
        writers.stop()
    proxy.heal()
    flush(server.url, name)
    assert_once(writers, ids_in(store, bucket))
    assert len(proxy.done) > 1


def test_data_waits_in_the_log_while_the_destination_is_down(
    server: Server, store: S3Server, proxy: FaultyProxy, bucket: str
) -> None:
    firehose = connect_firehose(server.url)
    destination = s3_destination(bucket, interval_s=1, CompressionFormat="GZIP")
    name = create_delivery_stream(firehose, ExtendedS3DestinationConfiguration=destination)
    proxy.choose = lambda _: Fault.SLOW_DOWN
    pid = wait_for(lambda: worker_pid(server), "the worker")
    firehose.put_record(DeliveryStreamName=name, Record={"Data": b'{"id":"first"}\n'})
    wait_for(lambda: proxy.done[Fault.SLOW_DOWN], "an attempt")
    before = resident_bytes(pid)
    ids = ["first"]
    for number in range(20):
        lines = [b'{"id":"%d-%d","x":"%s"}\n' % (number, place, b"x" * 500_000) for place in range(8)]
        ids += [json.loads(line)["id"] for line in lines]
        reply = firehose.put_record_batch(DeliveryStreamName=name, Records=[{"Data": line} for line in lines])
        assert reply["FailedPutCount"] == 0
    attempts = proxy.done[Fault.SLOW_DOWN]
    wait_for(lambda: proxy.done[Fault.SLOW_DOWN] > attempts + 3, "more attempts")
    assert resident_bytes(pid) - before < GROWTH_BYTES_MAX
    proxy.heal()
    flush(server.url, name)
    assert sorted(ids_in(store, bucket)) == sorted(ids)
    assert worker_pid(server) == pid


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def test_a_destination_that_hangs_slows_no_other(server: Server, store: S3Server, proxy: FaultyProxy) -> None:
    firehose = connect_firehose(server.url)
    hanging, well = make_bucket(store), make_bucket(store)
    proxy.choose = to_bucket_of(hanging, Fault.HANGING)
    for _ in range(3):
        destination = s3_destination(hanging, interval_s=0)
        name = create_delivery_stream(firehose, ExtendedS3DestinationConfiguration=destination)
        for number in range(12):  # more than are under way at once
            firehose.put_record(DeliveryStreamName=name, Record={"Data": b'{"id":"%d"}\n' % number})
    wait_for(lambda: proxy.done[Fault.HANGING] >= 3, "requests that hang")
    name = create_delivery_stream(firehose, ExtendedS3DestinationConfiguration=s3_destination(well, interval_s=0))
    for number in range(8):
        firehose.put_record(DeliveryStreamName=name, Record={"Data": b'{"id":"%d"}\n' % number})
        wait_for(lambda number=number: len(ids_in(store, well)) > number, "its delivery", timeout_s=5)  # type: ignore[misc]
    assert not store.contents(hanging)


def test_data_that_is_refused_waits_for_an_update_to_another_bucket(
    server: Server, store: S3Server, proxy: FaultyProxy
) -> None:
    firehose = connect_firehose(server.url)
    locked, right = make_bucket(store), make_bucket(store)
    proxy.choose = to_bucket_of(locked, Fault.FORBIDDEN)
    name = create_delivery_stream(firehose, ExtendedS3DestinationConfiguration=s3_destination(locked, interval_s=1))
    writers = DeliveryWriters(server.url, name)
    try:
        writers.await_more(3_000)
        wait_for(lambda: proxy.done[Fault.FORBIDDEN] > 3, "refusals")
        kill_worker(server)
        writers.await_more(1_000)
        update_destination(firehose, name, BucketARN=f"arn:aws:s3:::{right}")
        writers.await_more(1_000)
    finally:
        writers.stop()
    flush(server.url, name)
    assert_once(writers, ids_in(store, right))
    assert not store.contents(locked)


def test_a_delivery_stream_is_deleted_while_its_destination_hangs_and_made_again(
    server: Server, store: S3Server, proxy: FaultyProxy, bucket: str
) -> None:
    firehose = connect_firehose(server.url)
    destination = s3_destination(bucket, interval_s=0)
    name = create_delivery_stream(firehose, ExtendedS3DestinationConfiguration=destination)
    pid = wait_for(lambda: worker_pid(server), "the worker")
    proxy.choose = lambda _: Fault.HANGING
    firehose.put_record(DeliveryStreamName=name, Record={"Data": b'{"id":"old"}\n'})
    wait_for(lambda: proxy.done[Fault.HANGING], "the upload")
    firehose.delete_delivery_stream(DeliveryStreamName=name)
    wait_for(lambda: not exists(firehose, name), "the delivery stream to be gone")
    proxy.heal()
    create_delivery_stream(firehose, DeliveryStreamName=name, ExtendedS3DestinationConfiguration=destination)
    firehose.put_record(DeliveryStreamName=name, Record={"Data": b'{"id":"new"}\n'})
    flush(server.url, name)
    assert ids_in(store, bucket) == ["new"]
    assert worker_pid(server) == pid
    assert "Traceback" not in server.log_text()


def exists(firehose: Any, name: str) -> bool:
    try:
        firehose.describe_delivery_stream(DeliveryStreamName=name)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ResourceNotFoundException"  # noqa: PT017
        return False
    return True


@pytest.mark.parametrize("members", [{}, PARQUET], ids=["plain", "parquet"])
@pytest.mark.parametrize("is_worker_late", [False, True], ids=["worker at work", "worker late"])
def test_a_disk_full_of_what_waits_is_emptied_by_delivering_it(
    tmp_path: Path,
    make_server: Callable[..., Server],
    options: list[str],
    store: S3Server,
    proxy: FaultyProxy,
    bucket: str,
    members: dict[str, Any],
    is_worker_late: bool,
) -> None:
    with small_disk(tmp_path / "disk", SMALL_DISK_MIB) as disk:
        server = make_server(disk.path / "data", inside=disk.inside, options=options).start()
        make_table(server)
        firehose = connect_firehose(server.url)
        destination = s3_destination(bucket, size_mib=4, interval_s=1, **members)
        name = create_delivery_stream(firehose, ExtendedS3DestinationConfiguration=destination)
        pid = wait_for(lambda: worker_pid(server), "the worker", interval_s=0.001)
        proxy.choose = lambda _: Fault.FORBIDDEN
        ids: list[str] = []

        def put() -> bool:
            line = b'{"id":"%d","x":"%s"}\n' % (len(ids), b"x" * 300_000)
            try:
                firehose.put_record(DeliveryStreamName=name, Record={"Data": line})
            except ClientError:
                return False
            ids.append(str(len(ids)))
            return True

        if is_worker_late:  # the disk is full before it has opened anything
            os.kill(pid, signal.SIGSTOP)
        else:
            put()
            wait_for(lambda: proxy.done[Fault.FORBIDDEN], "an attempt")
        wait_for(lambda: not put(), "the disk to be full", timeout_s=30, interval_s=0)
        assert len(ids) > 10
        fill(disk)
        kill_worker(server)  # what it had read is to be spooled again, where there is no room
        fill(disk)
        proxy.heal()
        try:
            flush(server.url, name)
        except AssertionError:
            pytest.fail(f"what waits is not delivered:\n{server.log_text()}")
        assert sorted(ids_in(store, bucket)) == sorted(ids)
        wait_for(put, "room for more", timeout_s=30)


def fill(disk: SmallDisk) -> None:
    """Leave not a byte on it."""
    with (disk.outside / "ballast").open("ab", buffering=0) as ballast:
        until_full = iter(partial(ballast.write, bytes(PAGE_BYTES)), 0)
        with pytest.raises(OSError, match="No space left"):
            deque(until_full, maxlen=0)
