"""A short command line becomes a whole CreateDeliveryStream, or one line that says what it should be."""

from __future__ import annotations

import gzip
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from millstream.cli import main
from millstream.cli.deliver_create import Buffer, Wanted, parse_buffer, parse_partition, request_of, split_table
from millstream.cli.errors import CommandError

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/firehose"


def wanted(to: str, **changes: Any) -> Wanted:
    return Wanted("orders", to, ACCOUNT, **changes)


def destination(it: Wanted) -> dict[str, Any]:
    """The destination's members of a request that botocore would send."""
    request = request_of(it)
    spec = importlib.util.find_spec("botocore")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "data" / "firehose" / "2015-08-04" / "service-2.json.gz"
    shape = ServiceModel(json.loads(gzip.decompress(path.read_bytes()))).operation_model("CreateDeliveryStream")
    assert shape.input_shape is not None
    report = ParamValidator().validate(request, shape.input_shape)
    assert not report.has_errors(), report.generate_report()
    (member,) = [name for name in request if name.endswith("DestinationConfiguration")]
    members: dict[str, Any] = request[member]
    return members


def test_objects() -> None:
    members = destination(wanted("s3://lake/raw/orders", compression="GZIP", buffer=Buffer(5, 60), newline=True))
    assert members == {
        "BucketARN": "arn:aws:s3:::lake",
        "RoleARN": ROLE,
        "Prefix": "raw/orders/",
        "ErrorOutputPrefix": "errors/orders/!{firehose:error-output-type}/",
        "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 60},
        "CompressionFormat": "GZIP",
        "CloudWatchLoggingOptions": {
            "Enabled": True,
            "LogGroupName": "/aws/kinesisfirehose/orders",
            "LogStreamName": "DestinationDelivery",
        },
        "ProcessingConfiguration": {
            "Enabled": True,
            "Processors": [
                {
                    "Type": "AppendDelimiterToRecord",
                    "Parameters": [{"ParameterName": "Delimiter", "ParameterValue": "\\n"}],
                }
            ],
        },
    }


def test_the_whole_bucket() -> None:
    assert destination(wanted("s3://lake"))["Prefix"] == ""


def test_columns_and_partitions_take_large_buffers() -> None:
    members = destination(
        wanted(
            "s3://lake/ticks",
            columns=("PARQUET", "demo.ticks"),
            partitions=(("sector", ".SECTOR"), ("year", '.time | strftime("%Y")')),
            buffer=Buffer(None, 15),
        )
    )
    assert members["Prefix"] == "ticks/sector=!{partitionKeyFromQuery:sector}/year=!{partitionKeyFromQuery:year}/"
    assert members["BufferingHints"] == {"SizeInMBs": 128, "IntervalInSeconds": 15}
    assert members["DynamicPartitioningConfiguration"] == {"Enabled": True}
    assert members["CompressionFormat"] == "UNCOMPRESSED"
    conversion = members["DataFormatConversionConfiguration"]
    assert conversion["OutputFormatConfiguration"] == {"Serializer": {"ParquetSerDe": {}}}
    assert conversion["SchemaConfiguration"]["DatabaseName"] == "demo"
    assert conversion["SchemaConfiguration"]["TableName"] == "ticks"
    (extraction,) = members["ProcessingConfiguration"]["Processors"]
    assert extraction["Parameters"][0]["ParameterValue"] == '{sector:.SECTOR,year:.time | strftime("%Y")}'


def test_a_key_that_the_prefix_has_is_not_added_again() -> None:
    prefix = "by/!{partitionKeyFromQuery:sector}/"
    members = destination(wanted(f"s3://lake/{prefix}", partitions=(("sector", ".SECTOR"),)))
    assert members["Prefix"] == prefix


def test_a_data_stream_as_the_source() -> None:
    arn = f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/ticks"
    request = request_of(wanted("s3://lake", source_arn=arn))
    assert request["DeliveryStreamType"] == "KinesisStreamAsSource"
    assert request["KinesisStreamSourceConfiguration"] == {"KinesisStreamARN": arn, "RoleARN": ROLE}


def test_search() -> None:
    members = destination(wanted("https://node:9200", search_index="ticks", buffer=Buffer(1, 5)))
    assert members["ClusterEndpoint"] == "https://node:9200"
    assert members["IndexName"] == "ticks"
    assert members["S3Configuration"]["BucketARN"] == "arn:aws:s3:::millstream-deliveries"
    assert members["S3Configuration"]["Prefix"] == "orders/"


def test_an_http_endpoint() -> None:
    members = destination(wanted("https://host/in", compression="GZIP", side="s3://spare/refused"))
    assert members["EndpointConfiguration"]["Url"] == "https://host/in"
    assert members["RequestConfiguration"] == {"ContentEncoding": "GZIP"}
    assert members["S3Configuration"]["BucketARN"] == "arn:aws:s3:::spare"
    assert members["S3Configuration"]["Prefix"] == "refused/orders/"


@pytest.mark.parametrize(
    ("to", "cluster_url", "table", "user", "password"),
    [
        ("duckdb:orders", "duckdb:", "orders", None, None),
        ("duckdb:///data/shop.db/sales.orders", "duckdb:///data/shop.db", "sales.orders", None, None),
        ("postgresql://u:p%40ssword@db/shop/orders", "jdbc:postgresql://db:5432/shop", "orders", "u", "p@ssword"),
        (
            "redshift://u:secret@c.redshift.x/dev/orders",
            "jdbc:redshift://c.redshift.x:5439/dev",
            "orders",
            "u",
            "secret",
        ),
    ],
)
def test_warehouses(to: str, cluster_url: str, table: str, user: str | None, password: str | None) -> None:
    members = destination(wanted(to, compression="GZIP"))
    assert members["ClusterJDBCURL"] == cluster_url
    assert members["CopyCommand"] == {"DataTableName": table, "CopyOptions": "json 'auto' gzip"}
    assert (members.get("Username"), members.get("Password")) == (user, password)
    assert members["S3Configuration"]["CompressionFormat"] == "GZIP"


@pytest.mark.parametrize(
    ("it", "message"),
    [
        (wanted("ftp://x"), "--to 'ftp://x' is not allowed; it must be s3://bucket/prefix"),
        (wanted("s3://"), "'s3://' is no place for objects"),
        (wanted("https://h", side="spare"), "'spare' is no place for objects; it must be like s3://bucket/prefix"),
        (wanted("duckdb:"), "names no table"),
        (wanted("postgresql://db/shop/orders"), "is incomplete; it must be postgresql://user:password@host"),
        (wanted("s3://lake", search_index="x"), "--index is for Elasticsearch"),
        (wanted("https://h", newline=True), "are for objects"),
        (wanted("s3://lake", columns=("ORC", "ticks")), "'ticks' is no table; it must be like demo.ticks"),
    ],
)
def test_what_cannot_be_is_explained(it: Wanted, message: str) -> None:
    with pytest.raises(CommandError) as raised:
        request_of(it)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("text", "buffer"),
    [("5MB/60s", Buffer(5, 60)), ("64MiB", Buffer(64)), ("15s", Buffer(None, 15)), ("1 mb/0 s", Buffer(1, 0))],
)
def test_buffers(text: str, buffer: Buffer) -> None:
    assert parse_buffer(text) == buffer


@pytest.mark.parametrize("text", ["", "/", "5", "5MB60", "big", "-1MB"])
def test_what_is_no_buffer(text: str) -> None:
    with pytest.raises(CommandError, match="must be like 5MB/60s"):
        parse_buffer(text)


def test_partitions_and_tables() -> None:
    assert parse_partition("sector = .a == .b") == ("sector", ".a == .b")
    for bad in ("sector", "=.a", "a b=.c", "a="):
        with pytest.raises(CommandError, match="must be like 'sector="):
            parse_partition(bad)
    assert split_table("demo.ticks") == ("demo", "ticks")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--gzip", "--parquet", "a.b"], 2, "give --gzip or --parquet, not both"),
        (["--buffer", "lots"], 1, "--buffer 'lots' is not allowed"),
        (["--endpoint", "nowhere"], 1, "the endpoint 'nowhere' is no URL"),
    ],
)
def test_errors_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["millstream", "deliver", "create", "x", "--to", "s3://b", *arguments])
    with pytest.raises(SystemExit) as raised:
        main()
    assert raised.value.code == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"millstream: {message}")
