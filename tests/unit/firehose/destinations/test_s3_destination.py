"""Delivery to an object store, and the error output: names, bytes, attributes, and never giving up."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet
import pytest

from millstream.firehose.configuration import S3, ExtendedS3
from millstream.firehose.destinations.erroroutput import ErrorWriter, FailureDestination
from millstream.firehose.destinations.s3 import S3Destination
from millstream.firehose.ports import MAIN, Column, DeliveryError, Lane, Report
from millstream.objects.port import StoreError
from support.destinations import Bench, GivenParcel, configured
from support.memory_objects import MemoryStores

PARCEL_ID = "0b7d1a52-2f5e-4c0e-9f1d-6a7c1f0e2d31"
SUFFIX = f"ticks-1-2026-11-23-23-59-30-{PARCEL_ID}"
CONVERSION = {
    "SchemaConfiguration": {"DatabaseName": "demo", "TableName": "ticks"},
    "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
    "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
}


class Tables:
    """Table definitions that take some time to appear."""

    def __init__(self, missing: int = 0) -> None:
        self.missing = missing

    def columns(self, database: str, table: str, *, region: str, account: str, version: str = "LATEST") -> list[Column]:
        if self.missing:
            self.missing -= 1
            raise DeliveryError("DataFormatConversion.EntityNotFoundException", f"no table {database}.{table}")
        return [Column("ticker", "string"), Column("price", "double")]


class Lake:
    """A destination's surroundings with object stores and tables."""

    def __init__(self, bench: Bench) -> None:
        self.stores = MemoryStores()
        self.tables = Tables()
        self.told = bench.told
        self.surroundings = bench.surroundings._replace(stores=self.stores, tables=self.tables)

    def destination(self, **members: Any) -> S3Destination:
        return S3Destination(bucket(**members), self.surroundings)

    async def deliver(self, parcel: GivenParcel, **members: Any) -> Report:
        destination = self.destination(**members)
        parcel.key = destination.plan(parcel)
        return await destination.deliver(parcel)

    @property
    def objects(self) -> dict[str, bytes]:
        return self.stores.objects["lake"]


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    for bench in Bench.set_up(monkeypatch):
        yield Lake(bench)


def bucket(**members: Any) -> ExtendedS3:
    configuration = configured("ExtendedS3", BucketARN="arn:aws:s3:::lake", **members)
    assert isinstance(configuration, ExtendedS3)
    return configuration


def parcel(*records: bytes, lane: Lane = MAIN) -> GivenParcel:
    given = GivenParcel(records or (b'{"a":1}\n', b'{"a":2}\n'))
    given.lane = lane
    return given


@pytest.mark.parametrize(
    ("members", "key"),
    [
        ({}, f"2026/11/23/23/{SUFFIX}"),
        ({"Prefix": "orders-"}, f"orders-2026/11/23/23/{SUFFIX}"),
        ({"Prefix": "y=!{timestamp:yyyy}/"}, f"y=2026/{SUFFIX}"),
        ({"CompressionFormat": "GZIP"}, f"2026/11/23/23/{SUFFIX}.gz"),
        ({"CompressionFormat": "GZIP", "FileExtension": ".json.gz"}, f"2026/11/23/23/{SUFFIX}.json.gz"),
        ({"DataFormatConversionConfiguration": CONVERSION}, f"2026/11/23/23/{SUFFIX}.parquet"),
        (
            {"Prefix": "!{timestamp:dd}/", "CustomTimeZone": "Asia/Tokyo"},
            f"24/ticks-1-2026-11-24-08-59-30-{PARCEL_ID}",
        ),
    ],
)
def test_keys(lake: Lake, members: dict[str, Any], key: str) -> None:
    assert lake.destination(**members).plan(parcel()) == key


def test_keys_of_partitions(lake: Lake) -> None:
    destination = lake.destination(Prefix="!{partitionKeyFromQuery:sector}/!{partitionKeyFromLambda:customer}/")
    lane = Lane(partition=(("lambda:customer", "7"), ("query:sector", "ENERGY")))
    assert destination.plan(parcel(lane=lane)) == f"ENERGY/7/{SUFFIX}"


def test_a_random_string_is_the_parcels_own(lake: Lake) -> None:
    destination = lake.destination(Prefix="!{firehose:random-string}/")
    key = destination.plan(parcel())
    assert len(key.split("/")[0]) == 11
    assert destination.plan(parcel()) == key
    other = parcel()
    other.parcel_id = "another"
    assert destination.plan(other).split("/")[0] != key.split("/")[0]


def test_partition_values_never_make_a_key_that_no_store_takes(lake: Lake) -> None:
    destination = lake.destination(Prefix="!{partitionKeyFromQuery:k}/")
    keys = [
        destination.plan(parcel(lane=Lane(partition=(("query:k", value),))))
        for value in ("語" * 1000, "語" * 1001, "\ud800")
    ]
    assert len(set(keys)) == 3
    for key in keys:
        assert len(key.encode()) <= 1024
        assert key.endswith(SUFFIX)


@pytest.mark.parametrize(
    ("compression", "encoding"),
    [
        ("UNCOMPRESSED", None),
        ("GZIP", "gzip"),
        ("ZIP", "zip"),
        ("Snappy", "snappy-java"),
        ("HADOOP_SNAPPY", "hadoop-snappy"),
    ],
)
async def test_attributes_are_those_of_aws(lake: Lake, compression: str, encoding: str | None) -> None:
    key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1"
    encryption = {"KMSEncryptionConfig": {"AWSKMSKeyARN": key_arn}}
    await lake.deliver(parcel(), CompressionFormat=compression, EncryptionConfiguration=encryption)
    ((_, attributes),) = lake.stores.attributes.items()
    assert attributes == ("application/octet-stream", encoding, key_arn)


async def test_records_arrive_as_they_are_or_compressed(lake: Lake) -> None:
    given = parcel()
    assert await lake.deliver(given) == Report(2, given.size_bytes)
    assert lake.objects[given.key] == b'{"a":1}\n{"a":2}\n'
    await lake.deliver(given, CompressionFormat="GZIP")
    assert gzip.decompress(lake.objects[given.key]) == b'{"a":1}\n{"a":2}\n'
    await lake.deliver(given, CompressionFormat="ZIP")
    with zipfile.ZipFile(io.BytesIO(lake.objects[given.key])) as archive:
        assert archive.namelist() == [PARCEL_ID]


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket", "InternalError", "KMS.NotFoundException"])
async def test_whatever_the_store_says_it_is_tried_again_under_the_same_key(lake: Lake, code: str) -> None:
    lie = StoreError("InternalError", "It said no, and did it.")
    lie.applied = True  # type: ignore[attr-defined]
    lake.stores.faults = [*[StoreError(code, "No.")] * 20, lie]
    given = parcel()
    await lake.deliver(given)
    assert lake.stores.puts == [given.key] * 22
    assert lake.objects == {given.key: b'{"a":1}\n{"a":2}\n'}
    assert lake.told.codes == [f"S3.{code}"] * 20 + ["S3.InternalError"]


async def test_a_bucket_that_cannot_be_is_told_and_waited_for(lake: Lake) -> None:
    destination = S3Destination(S3(bucket_arn="arn:aws:s3:::Not_A_Bucket"), lake.surroundings)
    delivery = asyncio.create_task(destination.deliver(parcel()))
    while len(lake.told.codes) < 3:
        await asyncio.sleep(1)
    assert set(lake.told.codes) == {"S3.InvalidBucketName"}
    delivery.cancel()
    with pytest.raises(asyncio.CancelledError):
        await delivery


async def test_converted_records(lake: Lake) -> None:
    lake.tables.missing = 2
    records = (b'{"ticker":"AMZN","price":1.5}', b"not json", b'{"ticker":"WSB","price":"x"}', b'{"ticker":"QXZ"}')
    given = parcel(*records)
    report = await lake.deliver(given, DataFormatConversionConfiguration=CONVERSION)
    table = pyarrow.parquet.read_table(io.BytesIO(lake.objects[given.key]))
    assert table.to_pylist() == [{"ticker": "AMZN", "price": 1.5}, {"ticker": "QXZ", "price": None}]
    assert lake.stores.attributes[given.key].content_encoding is None
    assert lake.told.codes[:-1] == ["DataFormatConversion.EntityNotFoundException"] * 2
    assert lake.told.errors[-1][0] == "DataFormatConversion.ParseError"
    assert lake.told.errors[-1][1].endswith(" (2 records are in the error output)")
    (error,) = report.errors
    assert (report.delivered_records, error.kind, error.record_count) == (2, "format-conversion-failed", 2)
    lines = b"".join(error.pieces()).splitlines()
    assert [json.loads(line)["arrivalTimestamp"] for line in lines] == [given.first_arrival_ms] * 2


async def test_a_converted_object_is_the_same_when_put_again(lake: Lake) -> None:
    given = parcel(b'{"ticker":"AMZN","price":1.5}')
    await lake.deliver(given, DataFormatConversionConfiguration=CONVERSION)
    first = lake.objects[given.key]
    lake.stores.faults = [StoreError("InternalError", "No.")]
    await lake.deliver(given, DataFormatConversionConfiguration=CONVERSION)
    assert lake.objects == {given.key: first}


async def test_nothing_is_put_where_nothing_could_be_converted(lake: Lake) -> None:
    report = await lake.deliver(parcel(b"no", b"nor this"), DataFormatConversionConfiguration=CONVERSION)
    assert report.delivered_records == 0
    assert report.errors[0].record_count == 2
    assert lake.objects == {}


@pytest.mark.parametrize(
    ("members", "prefix"),
    [
        ({}, "processing-failed/2026/11/23/23/"),
        ({"Prefix": "in/"}, "in/processing-failed/2026/11/23/23/"),
        ({"ErrorOutputPrefix": "errors/"}, "errors/processing-failed/2026/11/23/23/"),
        ({"ErrorOutputPrefix": "!{firehose:error-output-type}/!{timestamp:dd}/"}, "processing-failed/23/"),
        ({"Prefix": "!{timestamp:yyyy}/"}, "2026/processing-failed/"),
        (
            {"Prefix": "!{partitionKeyFromQuery:k}/", "ErrorOutputPrefix": "e/!{firehose:error-output-type}/"},
            "e/processing-failed/",
        ),
    ],
)
def test_keys_of_the_error_output(lake: Lake, members: dict[str, Any], prefix: str) -> None:
    given = parcel(lane=Lane(failure="processing-failed"))
    assert FailureDestination(bucket(**members), lake.surroundings).plan(given) == prefix + SUFFIX


async def test_failure_lanes_go_to_the_error_output(lake: Lake) -> None:
    line = b'{"errorCode":"Lambda.FunctionError","errorMessage":"It failed.","rawData":"eA=="}\n'
    given = parcel(line, lane=Lane(failure="processing-failed"))
    destination = FailureDestination(bucket(CompressionFormat="GZIP"), lake.surroundings)
    given.key = destination.plan(given)
    lake.stores.faults = [StoreError("AccessDenied", "No.")]
    assert await destination.deliver(given) == Report(1, given.size_bytes)
    assert gzip.decompress(lake.objects[given.key]) == line
    assert given.key.endswith(f"{PARCEL_ID}.gz")
    assert lake.told.codes == ["S3.AccessDenied", "Lambda.FunctionError"]
    assert lake.told.errors[-1][1] == "It failed. (a record is in the error output)"


async def test_error_lines_are_written(lake: Lake) -> None:
    writer = ErrorWriter(S3(bucket_arn="arn:aws:s3:::lake"), lake.surroundings)
    key = writer.plan("splunk-failed", 0, PARCEL_ID)
    await writer.write(key, lambda: [b"1\n", b"2\n"])
    assert lake.objects == {f"splunk-failed/1970/01/01/00/ticks-1-1970-01-01-00-00-00-{PARCEL_ID}": b"1\n2\n"}
