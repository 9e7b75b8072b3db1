"""Requests that AWS refuses, with its words, and operations that are not served."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore
import pytest

from support.kinesis import Kinesis, call_raw, refusal

if TYPE_CHECKING:
    from support.server import Server

PREFIX = "1 validation error detected: "
NAME_PATTERN = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
ENTRY = {"Data": b"x", "PartitionKey": "k"}


def operations_of_the_model() -> dict[str, Any]:
    """Kinesis's operations in botocore's model."""
    path = Path(botocore.__file__).parent / "data/kinesis/2013-12-02/service-2.json.gz"
    operations: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))["operations"]
    return operations


NOT_YET = sorted(
    name
    for name in operations_of_the_model()
    if "Queue" in name or "Channel" in name or name == "UpdateStreamRecordDistributionStrategy"
)
CLASSIC = sorted(set(operations_of_the_model()) - set(NOT_YET))


@pytest.mark.parametrize(
    ("operation", "params", "message"),
    [
        (
            "create_stream",
            {"ShardCount": 1},
            PREFIX + "Value null at 'streamName' failed to satisfy constraint: Member must not be null",
        ),
        (
            "create_stream",
            {"StreamName": "a;b", "ShardCount": 1},
            PREFIX + f"Value 'a;b' at 'streamName' failed to satisfy constraint: {NAME_PATTERN}",
        ),
        (
            "create_stream",
            {"StreamName": "a" * 129, "ShardCount": 1},
            PREFIX + f"Value '{'a' * 129}' at 'streamName' failed to satisfy constraint: "
            "Member must have length less than or equal to 128",
        ),
        (
            "create_stream",
            {"StreamName": "a", "ShardCount": 0},
            PREFIX + "Value '0' at 'shardCount' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
        ),
        (
            "put_record",
            {"StreamName": "a", "PartitionKey": "k"},
            PREFIX + "Value null at 'data' failed to satisfy constraint: Member must not be null",
        ),
        (
            "put_record",
            {"StreamName": "a", "Data": b"x", "PartitionKey": "k" * 257},
            PREFIX + f"Value '{'k' * 257}' at 'partitionKey' failed to satisfy constraint: "
            "Member must have length less than or equal to 256",
        ),
        (
            "put_record",
            {"StreamName": "a", "Data": b"x", "PartitionKey": ""},
            PREFIX + "Value '' at 'partitionKey' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            "put_records",
            {"StreamName": "a", "Records": []},
            PREFIX + "Value '[]' at 'records' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            "put_records",
            {"StreamName": "a", "Records": [ENTRY, {"Data": b"x", "PartitionKey": "k" * 257}]},
            PREFIX + f"Value '{'k' * 257}' at 'records.2.member.partitionKey' failed to satisfy constraint: "
            "Member must have length less than or equal to 256",
        ),
        (
            "get_records",
            {"ShardIterator": "x", "Limit": 10001},
            PREFIX + "Value '10001' at 'limit' failed to satisfy constraint: "
            "Member must have value less than or equal to 10000",
        ),
        (
            "get_records",
            {"ShardIterator": ""},
            PREFIX + "Value '' at 'shardIterator' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            "list_streams",
            {"Limit": 0},
            PREFIX + "Value '0' at 'limit' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
        ),
        (
            "merge_shards",
            {"StreamName": "a", "ShardToMerge": "shardId-0"},
            PREFIX + "Value null at 'adjacentShardToMerge' failed to satisfy constraint: Member must not be null",
        ),
        (
            "split_shard",
            {"StreamName": "a", "ShardToSplit": "shardId-0", "NewStartingHashKey": "07"},
            PREFIX + "Value '07' at 'newStartingHashKey' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: ^(0|([1-9]\\d{0,38}))$",
        ),
    ],
)
def test_one_constraint(kinesis: Kinesis, operation: str, params: dict[str, Any], message: str) -> None:
    assert refusal(getattr(kinesis, operation), **params) == ("ValidationException", message, 400)


def test_shard_iterator_types(kinesis: Kinesis) -> None:
    refused = refusal(kinesis.get_shard_iterator, StreamName="a", ShardId="shardId-0", ShardIteratorType="SOMEWHERE")
    assert refused.code == "ValidationException"
    start, _, values = refused.message.partition("[")
    assert start == (
        PREFIX + "Value 'SOMEWHERE' at 'shardIteratorType' failed to satisfy constraint: "
        "Member must satisfy enum value set: "
    )
    assert sorted(values.removesuffix("]").split(", ")) == [
        "AFTER_SEQUENCE_NUMBER",
        "AT_SEQUENCE_NUMBER",
        "AT_TIMESTAMP",
        "LATEST",
        "TRIM_HORIZON",
    ]


def test_several_constraints_are_told_together(kinesis: Kinesis) -> None:
    refused = refusal(kinesis.create_stream, StreamName="", ShardCount=0)
    assert refused.code == "ValidationException"
    assert refused.message.startswith("3 validation errors detected: ")
    assert len(refused.message.removeprefix("3 validation errors detected: ").split("; Value ")) == 3


def test_more_than_500_records(kinesis: Kinesis, stream: str) -> None:
    refused = refusal(kinesis.put_records, StreamName=stream, Records=[ENTRY] * 501)
    assert refused.code == "ValidationException"
    assert refused.message.startswith(PREFIX + "Value '[")
    assert refused.message.endswith(
        "' at 'records' failed to satisfy constraint: Member must have length less than or equal to 500"
    )


@pytest.mark.parametrize("operation", NOT_YET)
def test_operations_not_supported_yet(server: Server, operation: str) -> None:
    reply = call_raw(server.url, operation, {})
    assert 400 <= reply.status_code < 500
    assert "not supported" in reply.json()["message"]
    assert reply.json()["__type"]


@pytest.mark.parametrize("operation", CLASSIC)
def test_every_classic_operation_is_served(server: Server, operation: str) -> None:
    reply = call_raw(server.url, operation, {})
    assert reply.status_code in {200, 400}
    if reply.status_code == 400:
        assert reply.json()["__type"] in {
            "ValidationException",
            "InvalidArgumentException",
        }
