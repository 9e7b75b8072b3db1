"""Every operation on delivery streams, tables and deliveries with parameters that are half right.

No request may be answered with a 5xx, without a reason, make the server print a traceback, or take its memory.
"""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore
import cbor2
import httpx
import pytest

import millstream.wire
from support.configurations import CONVERSION, DESTINATION_ID, LEAST, PARTITIONED, S3, configured, extraction, processor
from support.firehose import connect_firehose, create_delivery_stream
from support.kinesis import connect, create_stream, new_account, stream_summary
from support.oddvalues import CBOR, JSON, Generator
from support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUESTS = 500
GROWTH_BYTES_MAX = 100 << 20
BOTOCORE, OURS = Path(botocore.__file__).parent / "data", Path(millstream.wire.__file__).parent / "models"
MODELS: dict[str, Any] = {
    "firehose": json.loads(gzip.decompress((BOTOCORE / "firehose/2015-08-04/service-2.json.gz").read_bytes())),
    "glue": json.loads(gzip.decompress((BOTOCORE / "glue/2017-03-31/service-2.json.gz").read_bytes())),
    "millstream": json.loads(next(OURS.glob("millstream/*/service-2.json")).read_bytes()),
}
PROCESSORS = [
    extraction("{sector: .SECTOR}"),
    extraction("{sector: (.a | ascii_downcase)}"),
    extraction("1)|(2"),
    extraction('{sector: ("x" * 4000000000)}'),
    extraction("{a: " + "[" * 2000 + "]" * 2000 + "}"),
    processor("Lambda", LambdaArn="arn:aws:lambda:us-east-1:123456789012:function:f"),
    processor("Lambda", LambdaArn="x"),
    processor("RecordDeAggregation", SubRecordType="DELIMITED", Delimiter="%"),
    processor("AppendDelimiterToRecord"),
    {"Type": "Nonsense"},
]
TEXTS = [
    *("", "x", "!{", "!{timestamp:QQ}/", "!{timestamp:yyyy}/", "!{firehose:error-output-type}/", "a" * 1025, "\0", "é"),
    *(
        "!{partitionKeyFromQuery:sector}/",
        "!{timestamp:" + "y" * 500 + "}",
        "../../x",
        "!{firehose:random-string}" * 50,
    ),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that must have nothing to complain about at the end."""
    directory = tmp_path_factory.mktemp("odd-deliveries")
    server = Server(directory / "data", directory / "server.log")
    try:
        yield server.start()
        assert server.terminate() == 0
        assert "Traceback" not in server.log_text()
    finally:
        server.close()


@pytest.fixture(scope="module")
def fitting(server: Server) -> dict[str, list[Any]]:
    """What is there, and values that fit, by their shapes."""
    account = new_account()
    firehose = connect_firehose(server.url, account)
    names = [create_delivery_stream(firehose, **configured(kind)) for kind in ("S3", "HttpEndpoint", "Redshift")]
    kinesis = connect(server.url, account)
    stream_arn = stream_summary(kinesis, create_stream(kinesis))["StreamARN"]
    found: dict[str, list[Any]] = {
        "account": [account],
        "DeliveryStreamName": names,
        "DeliveryStreamVersionId": ["1", "2", "3"],
        "DestinationId": [DESTINATION_ID],
        "KinesisStreamARN": [stream_arn, stream_arn + "x", "arn:aws:kinesis:us-east-1:1:stream/x"],
        "RoleARN": [S3["RoleARN"], "arn:aws:iam::1:role/x"],
        "BucketARN": [S3["BucketARN"], "arn:aws:s3:::A_B", "arn:aws:s3:::192.168.0.1", "arn:aws:s3:::..", "lake"],
        "Prefix": TEXTS,
        "ErrorOutputPrefix": TEXTS,
        "Processor": PROCESSORS,
        "DataFormatConversionConfiguration": [CONVERSION],
        "ClusterJDBCURL": ["duckdb:", "duckdb:///etc/x", "jdbc:postgresql://u:p@h:99999/d", "jdbc:redshift://[/d", "x"],
        "HttpEndpointUrl": ["https://h", "http://[::1]:1", "http://[", "https://u:p@h/?a=b", "https://h:x", "file:///"],
        "ElasticsearchClusterEndpoint": ["https://h", "http://[", "https://u:p@h"],
        "CopyOptions": ["json 'auto'", "json '", "delimiter '\\777'", "maxerror 99999999999999999999", "'"],
        "DataTableName": ["a", "a.b.c.d", '"', "a;b"],
        "CustomTimeZone": ["UTC", "Asia/Tokyo", "../x", "posix", "x" * 50, "\0"],
        "IndexName": ["orders", "", "Ä", "a b"],
        "Delimiter": ["\\n"],
        "NameString": ["a", "b", "A", "a" * 255],
        "Token": ["", "x", "YQ=="],
    }
    for kind, least in LEAST.items():
        found[f"{kind}DestinationConfiguration"] = [least, {**least, "S3Configuration": {**S3, "Prefix": "!{x:y}"}}]
    found["ExtendedS3DestinationConfiguration"].append(
        {**S3, **PARTITIONED, "ProcessingConfiguration": {"Enabled": True, "Processors": PROCESSORS[:1]}}
    )
    return found


def operations(service: str) -> list[str]:
    if service != "glue":
        return sorted(MODELS[service]["operations"])
    parts = ("Database", "Databases", "Table", "Tables", "TableVersion", "TableVersions", "Partitions")
    return sorted(name for name in MODELS[service]["operations"] if name.endswith(parts))


@pytest.mark.parametrize("content_type", [JSON, CBOR])
@pytest.mark.parametrize("service", sorted(MODELS))
def test_no_parameters_make_it_fail(
    server: Server, fitting: dict[str, list[Any]], service: str, content_type: str
) -> None:
    model = MODELS[service]
    rng = random.Random(31)
    (account,) = fitting["account"]
    generator = Generator(model["shapes"], rng, fitting, content_type)
    prefix = model["metadata"]["targetPrefix"]
    before = server.rss_bytes()
    with httpx.Client(timeout=10) as client:
        for _ in range(REQUESTS):
            operation = rng.choice(operations(service))
            if operation in ("DeleteDeliveryStream", "DeleteDatabase") and rng.random() < 0.9:
                continue
            params = generator.value(model["operations"][operation]["input"]["shape"])
            if operation == "FlushDeliveryStream" and isinstance(params, dict):
                params["TimeoutMs"] = rng.choice([0, 1, -1, "x"])  # without it, or with null, it waits for 30 s
            body = cbor2.dumps(params) if content_type == CBOR else json.dumps(params).encode()
            headers = {
                "content-type": content_type,
                "x-amz-target": f"{prefix}.{operation}",
                "authorization": f"AWS4-HMAC-SHA256 Credential={account}/20261101/us-east-1/x/aws4_request, "
                "SignedHeaders=host, Signature=0",
            }
            reply = client.post(server.url, content=body, headers=headers)
            assert reply.status_code in {200, 400}, (operation, body, reply.content)
            if reply.status_code == 400 and content_type == JSON:
                fault = reply.json()
                assert fault.get("message") or fault.get("Message"), (operation, body, fault)
    assert server.rss_bytes() - before < GROWTH_BYTES_MAX
