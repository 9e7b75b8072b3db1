"""What happens to records between API and bucket on a live server: sources, processors, prefixes, compression."""

from __future__ import annotations

import base64
import gzip
import io
import itertools
import json
import struct
import zipfile
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from support.configurations import extraction, processing, processor
from support.functionserver import FunctionServer
from support.kinesis import connect, create_stream, new_name, stream_summary
from support.livedelivery import LiveDelivery
from support.server import Server

PARTITIONED = {"DynamicPartitioningConfiguration": {"Enabled": True}}
ERRORS = "errors/!{firehose:error-output-type}/"
Put = Callable[..., None]


def to_bucket(delivery: LiveDelivery, **members: Any) -> LiveDelivery:
    return delivery.create(ExtendedS3DestinationConfiguration=delivery.s3(**members))


def from_stream(delivery: LiveDelivery, server: Server, **members: Any) -> Put:
    """Make a delivery stream that reads a data stream of two shards; what puts records into the data stream."""
    kinesis = connect(server.url)
    stream = create_stream(kinesis, 2)
    source = {"KinesisStreamARN": stream_summary(kinesis, stream)["StreamARN"], "RoleARN": delivery.s3()["RoleARN"]}
    delivery.create(
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration=source,
        ExtendedS3DestinationConfiguration=delivery.s3(**members),
    )

    def put(*records: bytes) -> None:
        entries = [{"Data": record, "PartitionKey": str(number)} for number, record in enumerate(records)]
        assert kinesis.put_records(StreamName=stream, Records=entries)["FailedRecordCount"] == 0

    return put


def contents(delivery: LiveDelivery, prefix: str = "") -> list[bytes]:
    return sorted(delivery.objects(prefix).values())


# Sources and keys


def test_a_data_stream_is_delivered_under_prefixes_of_a_time_zone(
    delivery: LiveDelivery, delivery_server: Server
) -> None:
    put = from_stream(
        delivery,
        delivery_server,
        Prefix="in/!{timestamp:yyyy-MM-dd'T'HH}/!{firehose:random-string}/",
        ErrorOutputPrefix=ERRORS,
        CustomTimeZone="Asia/Kathmandu",
        FileExtension=".jsonl",
        ProcessingConfiguration=processing(processor("AppendDelimiterToRecord")),
    )
    zone = ZoneInfo("Asia/Kathmandu")
    before = datetime.now(zone)
    put(*(b"%d" % number for number in range(20)))
    delivery.flush()
    ((key, content),) = delivery.objects().items()
    folder, hour, random_string, name = key.split("/")
    assert (folder, len(random_string)) == ("in", 11)
    assert hour in {f"{time:%Y-%m-%dT%H}" for time in (before, datetime.now(zone))}
    assert name.startswith(f"{delivery.name}-1-{hour[:10]}-")
    assert name.endswith(".jsonl")
    assert sorted(map(int, content.split(b"\n")[:-1])) == list(range(20))


def test_partitions_of_a_data_stream_survive_a_killed_worker(delivery: LiveDelivery, delivery_server: Server) -> None:
    put = from_stream(
        delivery,
        delivery_server,
        Prefix="c=!{partitionKeyFromQuery:c}/d=!{timestamp:yyyy}/",
        ErrorOutputPrefix=ERRORS,
        **PARTITIONED,
        ProcessingConfiguration=processing(extraction("{c: .customer.id}")),
    )
    put(*(b'{"customer": {"id": %d}, "n": %d}\n' % (number % 3, number) for number in range(90)), b"no json")
    delivery.flush_until(delivery.objects, "something to be delivered")
    delivery.kill_worker()
    put(*(b'{"customer": {"id": %d}, "n": %d}\n' % (number % 3, number) for number in range(90, 99)))
    delivery.flush()
    for customer in range(3):
        lines = b"".join(contents(delivery, f"c={customer}/")).splitlines()
        assert sorted(json.loads(line)["n"] for line in lines) == list(range(customer, 99, 3))
    (line,) = delivery.lines("errors/metadata-extraction-failed")
    assert base64.b64decode(line["rawData"]) == b"no json"


# Processors


def cloudwatch(*messages: str, kind: str = "DATA_MESSAGE") -> bytes:
    """What a subscription of CloudWatch Logs sends."""
    events = [{"id": str(number), "timestamp": 1, "message": message} for number, message in enumerate(messages)]
    envelope = {"messageType": kind, "owner": "1", "logGroup": "g", "logStream": "s", "logEvents": events}
    return gzip.compress(json.dumps(envelope).encode())


def test_messages_of_a_cloudwatch_logs_subscription(delivery: LiveDelivery) -> None:
    to_bucket(
        delivery,
        Prefix="logs/",
        ProcessingConfiguration=processing(
            processor("Decompression", CompressionFormat="GZIP"),
            processor("CloudWatchLogProcessing", DataMessageExtraction="true"),
        ),
    )
    bad = [b"not gzip", gzip.compress(b"not an envelope"), cloudwatch("cut")[:-9]]
    delivery.put(cloudwatch("one", "üwo"), cloudwatch("", kind="CONTROL_MESSAGE"), *bad, cloudwatch("three"))
    delivery.flush()
    assert contents(delivery, "logs/2") == ["one\nüwo\nthree\n".encode()]
    lines = delivery.lines("decompression-failed")
    assert sorted(base64.b64decode(line["rawData"]) for line in lines) == sorted(bad)


@pytest.mark.parametrize(
    ("parameters", "record"),
    [
        ({"SubRecordType": "JSON"}, b'{"c":"a","n":1}{"c":"b","n":2} \n{"c":"a","n":3}'),
        (
            {"SubRecordType": "DELIMITED", "Delimiter": base64.b64encode(b"####").decode()},
            b'{"c":"a","n":1}####{"c":"b","n":2}####{"c":"a","n":3}',
        ),
    ],
    ids=["json", "delimited"],
)
def test_deaggregated_records_are_partitioned_each_by_itself(
    delivery: LiveDelivery, parameters: dict[str, str], record: bytes
) -> None:
    to_bucket(
        delivery,
        Prefix="!{partitionKeyFromQuery:c}/",
        ErrorOutputPrefix=ERRORS,
        **PARTITIONED,
        ProcessingConfiguration=processing(
            processor("RecordDeAggregation", **parameters),
            extraction("{c: .c}"),
            processor("AppendDelimiterToRecord"),
        ),
    )
    delivery.put(record)
    delivery.flush()
    assert contents(delivery, "a/") == [b'{"c":"a","n":1}\n{"c":"a","n":3}\n']
    assert contents(delivery, "b/") == [b'{"c":"b","n":2}\n']
    assert not contents(delivery, "errors/")


def transform(data: bytes) -> dict[str, Any]:
    """Drops what says so, fails what says so, and turns the rest into capitals."""
    if b"drop" in data:
        return {"result": "Dropped"}
    if b"fail" in data:
        return {"result": "ProcessingFailed", "data": data}
    return {"data": data.upper(), "metadata": {"partitionKeys": {"first": chr(data[0])}}}


def test_a_function_with_source_backup(delivery: LiveDelivery, functions: FunctionServer) -> None:
    name = new_name("function")
    arn = functions.add(name, transform)
    to_bucket(
        delivery,
        Prefix="by=!{partitionKeyFromLambda:first}/",
        ErrorOutputPrefix=ERRORS,
        S3BackupMode="Enabled",
        S3BackupConfiguration=delivery.s3(Prefix="source/"),
        **PARTITIONED,
        ProcessingConfiguration=processing(processor("Lambda", LambdaArn=arn), processor("AppendDelimiterToRecord")),
    )
    records = [b"apple ", b"bean ", b"drop ", b"fail ", b"avocado "]
    delivery.put(*records)
    delivery.flush_until(delivery.objects, "something to be delivered")
    delivery.kill_worker()
    delivery.put(b"banana ")
    delivery.flush()
    assert b"".join(contents(delivery, "by=a/")) == b"APPLE \nAVOCADO \n"
    assert sorted(b"".join(contents(delivery, "by=b/")).split()) == [b"BANANA", b"BEAN"]
    assert sorted(b"".join(contents(delivery, "source/")).split()) == sorted(
        record.strip() for record in [*records, b"banana "]
    )
    (line,) = delivery.lines("errors/processing-failed")
    assert base64.b64decode(line["rawData"]) == b"fail "
    assert (line["errorCode"], line["lambdaArn"]) == ("Lambda.ProcessingFailedStatus", arn)
    assert functions.calls[name] == 2


def test_a_function_that_is_not_there(delivery: LiveDelivery) -> None:
    arn = "arn:aws:lambda:us-east-1:000000000000:function:nobody"
    to_bucket(
        delivery,
        Prefix="ok/",
        ProcessingConfiguration=processing(processor("Lambda", LambdaArn=arn, NumberOfRetries="0")),
    )
    delivery.put(b"a")
    delivery.flush()
    (line,) = delivery.lines("processing-failed")
    assert line["errorCode"] == "Lambda.ResourceNotFound"
    assert base64.b64decode(line["rawData"]) == b"a"


# Compression, read by others' readers


def _snappy_block(block: bytes) -> bytes:
    """A raw block of Snappy, which begins with its length: seven bits in a byte, the lowest first."""
    low_bits = list(itertools.takewhile(lambda byte: byte & 0x80, block))
    length = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(block[: len(low_bits) + 1]))
    return bytes(pa.Codec("snappy").decompress(block, decompressed_size=length))


def _read_xerial(data: bytes) -> bytes:
    magic, version, compatible = struct.unpack_from(">8sii", data)
    assert (magic, version, compatible) == (b"\x82SNAPPY\0", 1, 1)
    read, at = b"", 16
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at)
        read += _snappy_block(data[at + 4 : at + 4 + length])
        at += 4 + length
    return read


def _read_hadoop(data: bytes) -> bytes:
    read, at = b"", 0
    while at < len(data):
        whole, length = struct.unpack_from(">ii", data, at)
        block = _snappy_block(data[at + 8 : at + 8 + length])
        assert len(block) == whole
        read += block
        at += 8 + length
    return read


def _read_zip(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        (name,) = archive.namelist()
        return archive.read(name)


@pytest.mark.parametrize(
    ("compression", "extension", "read"),
    [
        ("GZIP", ".gz", lambda data: data),  # decompressed by `objects`
        ("ZIP", ".zip", _read_zip),
        ("Snappy", ".snappy", _read_xerial),
        ("HADOOP_SNAPPY", ".snappy", _read_hadoop),
    ],
)
def test_compression(delivery: LiveDelivery, compression: str, extension: str, read: Callable[[bytes], bytes]) -> None:
    to_bucket(delivery, CompressionFormat=compression)
    records = [b'{"n": %d, "padding": "%s"}\n' % (number, b"x" * (number % 300)) for number in range(2000)]
    delivery.put(*records)
    delivery.flush()
    ((key, content),) = delivery.objects().items()
    assert key.endswith(extension)
    assert read(content) == b"".join(records)
