"""What is to be secret stands nowhere in the data directory: encrypted records, passwords, tokens."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from support.configurations import processing, processor
from support.firehose import connect_firehose, create_delivery_stream, describe_delivery_stream, records_of, to_bucket
from support.functionserver import FunctionServer
from support.kinesis import connect, create_stream
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.server import Server

LATE = {"BufferingHints": {"SizeInMBs": 128, "IntervalInSeconds": 900}}  # nothing is delivered meanwhile
MARK = b"TOP-SECRET-7f3a"


@pytest.fixture
def functions() -> Iterator[FunctionServer]:
    with FunctionServer.serve() as server:
        yield server


@pytest.fixture
def server(make_server: Callable[..., Server], functions: FunctionServer) -> Server:
    """A server that calls functions."""
    return make_server(options=["--lambda-endpoint", functions.url]).start()


def files_with(data_dir: Path, text: bytes) -> list[str]:
    """The files that have `text` in them; the buckets are the destination's, not ours."""
    paths = [path for path in data_dir.rglob("*") if path.is_file() and "objects" not in path.parts]
    return [str(path.relative_to(data_dir)) for path in paths if text in path.read_bytes()]


def by_function(arn: str) -> dict[str, Any]:
    """A destination whose records go through a function, at once."""
    return to_bucket(
        **LATE, ProcessingConfiguration=processing(processor("Lambda", LambdaArn=arn, BufferIntervalInSeconds="0"))
    )


def journal_end(server: Server) -> int:
    """How far the only journal is synced."""
    marks = server.data_dir.glob("firehose/*/processed/synced")
    return sum(int.from_bytes(path.read_bytes(), sys.byteorder) for path in marks)


def put_until_processed(server: Server, put: Callable[[], object]) -> None:
    """Put, and wait until what the function made of it is in the journal."""
    before = journal_end(server)
    put()
    wait_for(lambda: journal_end(server) > before, "the journal to grow")


def test_records_of_an_encrypted_delivery_stream(server: Server, functions: FunctionServer) -> None:
    arn = functions.add("echo", lambda data: {"data": data})
    firehose = connect_firehose(server.url)
    name = create_delivery_stream(
        firehose,
        ExtendedS3DestinationConfiguration=by_function(arn),
        DeliveryStreamEncryptionConfigurationInput={"KeyType": "AWS_OWNED_CMK"},
    )

    def put() -> None:
        assert firehose.put_record_batch(DeliveryStreamName=name, Records=records_of(MARK * 10))["FailedPutCount"] == 0

    put_until_processed(server, put)
    assert files_with(server.data_dir, MARK) == []
    server.kill()  # the journal is there, and opens again
    server.start()
    put_until_processed(server, put)
    assert files_with(server.data_dir, MARK) == []


def test_records_of_an_encrypted_data_stream(server: Server, functions: FunctionServer) -> None:
    arn = functions.add("echo", lambda data: {"data": data})
    kinesis, firehose = connect(server.url), connect_firehose(server.url)
    stream = create_stream(kinesis)
    stream_arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    source = {"KinesisStreamARN": stream_arn, "RoleARN": "arn:aws:iam::123456789012:role/r"}
    create_delivery_stream(
        firehose,
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration=source,
        ExtendedS3DestinationConfiguration=by_function(arn),
    )
    put_until_processed(server, lambda: kinesis.put_record(StreamName=stream, Data=b"public", PartitionKey="k"))
    kinesis.start_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId="alias/aws/kinesis")
    summary = kinesis.describe_stream_summary
    wait_for(
        lambda: summary(StreamName=stream)["StreamDescriptionSummary"].get("EncryptionType") == "KMS", "encryption"
    )
    wait_for(lambda: summary(StreamName=stream)["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE", "the stream")
    put_until_processed(server, lambda: kinesis.put_record(StreamName=stream, Data=MARK, PartitionKey="k"))
    assert files_with(server.data_dir, MARK) == []


def test_passwords_of_destinations(server: Server) -> None:
    firehose = connect_firehose(server.url)
    role = {"RoleARN": "arn:aws:iam::123456789012:role/r", "S3Configuration": to_bucket()}
    name = create_delivery_stream(
        firehose,
        ElasticsearchDestinationConfiguration={
            **role,
            "ClusterEndpoint": "https://elastic:TOP-SECRET-7f3a@localhost:9200",
            "IndexName": "orders",
        },
    )
    warehouse = create_delivery_stream(
        firehose,
        RedshiftDestinationConfiguration={
            **role,
            "ClusterJDBCURL": "jdbc:postgresql://me:TOP-SECRET-7f3a@localhost:1/lake?sslmode=prefer",
            "CopyCommand": {"DataTableName": "orders"},
            "Username": "me",
            "Password": "TOP-SECRET-7f3a",
        },
    )
    splunk = create_delivery_stream(
        firehose,
        SplunkDestinationConfiguration={
            "HECEndpoint": "https://localhost:1",
            "HECEndpointType": "Raw",
            "HECToken": "TOP-SECRET-7f3a",
            "S3Configuration": to_bucket(),
        },
    )
    assert splunk
    assert files_with(server.data_dir, MARK) == []
    for one in (name, warehouse):
        assert MARK.decode() not in json.dumps(describe_delivery_stream(firehose, one), default=str)
    assert MARK.decode() not in server.log_text()
