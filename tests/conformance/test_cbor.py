"""CBOR bodies, as the Java SDKs send them: timestamps are epoch milliseconds under tag 1, both ways."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import cbor2
import pytest

from support.kinesis import call_raw, shard_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.server import Server

CBOR = "application/x-amz-cbor-1.1"


class Epoch(NamedTuple):
    """What stood under tag 1."""

    value: Any


def decode(body: bytes) -> Any:
    """A body, with timestamps as they stand on the wire: cbor2 by itself would take them for seconds."""
    return cbor2.loads(body, semantic_decoders={1: lambda value, *_: Epoch(value)})


@pytest.fixture
def call(server: Server, account: str) -> Callable[..., Any]:
    """Calls an operation in the test's account: `call("PutRecord", {...})`, and expects success."""

    def calling(operation: str, params: Any) -> Any:
        reply = call_raw(server.url, operation, cbor2.dumps(params), content_type=CBOR, account=account)
        assert reply.status_code == 200, reply.content
        assert reply.headers["content-type"] == CBOR
        return decode(reply.content) if reply.content else None

    return calling


@pytest.fixture
def refused(server: Server, account: str) -> Callable[..., dict[str, Any]]:
    """Calls an operation and expects an error; returns its body."""

    def calling(operation: str, body: bytes) -> dict[str, Any]:
        reply = call_raw(server.url, operation, body, content_type=CBOR, account=account)
        assert reply.status_code == 400, reply.content
        assert reply.headers["content-type"] == CBOR
        error: dict[str, Any] = cbor2.loads(reply.content)
        return error

    return calling


def test_put_and_get(call: Callable[..., Any], stream: str) -> None:
    before_ms = time.time() * 1000 - 1000
    put = call("PutRecord", {"StreamName": stream, "Data": b"\x00\xff", "PartitionKey": "k"})
    batch = {"StreamName": stream, "Records": [{"Data": b"two", "PartitionKey": "ключ"}]}
    assert call("PutRecords", batch)["FailedRecordCount"] == 0

    where = {"StreamName": stream, "ShardId": shard_id(0)}
    start = call("GetShardIterator", {**where, "ShardIteratorType": "TRIM_HORIZON"})
    page = call("GetRecords", start)
    one, two = page["Records"]
    assert (one["Data"], one["PartitionKey"]) == (b"\x00\xff", "k")
    assert (two["Data"], two["PartitionKey"]) == (b"two", "ключ")
    assert one["SequenceNumber"] == put["SequenceNumber"]
    assert page["MillisBehindLatest"] == 0
    arrival = one["ApproximateArrivalTimestamp"]
    assert isinstance(arrival, Epoch)
    assert isinstance(arrival.value, int)
    assert before_ms <= arrival.value <= time.time() * 1000 + 1000

    at = {**where, "ShardIteratorType": "AT_TIMESTAMP"}
    for value in (arrival.value, float(arrival.value)):
        start = call("GetShardIterator", {**at, "Timestamp": cbor2.CBORTag(1, value)})
        assert len(call("GetRecords", start)["Records"]) == 2
    while (now_ms := int(time.time() * 1000)) <= two["ApproximateArrivalTimestamp"].value:
        pass
    start = call("GetShardIterator", {**at, "Timestamp": cbor2.CBORTag(1, now_ms)})
    assert call("GetRecords", start)["Records"] == []


def test_descriptions(call: Callable[..., Any], stream: str) -> None:
    description = call("DescribeStreamSummary", {"StreamName": stream})["StreamDescriptionSummary"]
    created = description["StreamCreationTimestamp"]
    assert isinstance(created, Epoch)
    assert abs(created.value - time.time() * 1000) < 60_000
    shards = call("ListShards", {"StreamName": stream, "StreamCreationTimestamp": cbor2.CBORTag(1, created.value)})
    assert len(shards["Shards"]) == 1
    assert call("AddTagsToStream", {"StreamName": stream, "Tags": {"a": "b"}}) is None


def test_errors(refused: Callable[..., dict[str, Any]], account: str) -> None:
    assert refused("DescribeStream", cbor2.dumps({"StreamName": "nowhere"})) == {
        "__type": "ResourceNotFoundException",
        "message": f"Stream nowhere under account {account} not found.",
    }
    error = refused("CreateStream", cbor2.dumps({"ShardCount": 1}))
    assert error["__type"] == "ValidationException"
    assert error["message"].startswith("1 validation error detected: Value null at 'streamName'")


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b"\x80",
        b"\x9f" * 1000,
        b"\xa1\x61a",
        b"\xc2\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\xbb\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\xd8\x1c\x81\xd8\x1d\x00",
        cbor2.dumps([1, 2]),
        cbor2.dumps({"StreamName": "a"})[:-1],
        cbor2.dumps({"StreamName": b"bytes"}),
        cbor2.dumps({"StreamName": 7}),
        cbor2.dumps({1: "a"}),
    ],
)
def test_bodies_that_are_not_for_us(refused: Callable[..., dict[str, Any]], body: bytes) -> None:
    error = refused("DescribeStreamSummary", body)
    assert error["__type"] in {"SerializationException", "InvalidArgumentException", "ValidationException"}


def test_indefinite_lengths(server: Server, account: str, stream: str) -> None:
    """The Java SDKs write maps, arrays and strings of indefinite length."""
    body = b"\xbf" + cbor2.dumps("StreamName") + cbor2.dumps(stream) + cbor2.dumps("Data") + b"\x5f\x41a\x41b\xff"
    body += cbor2.dumps("PartitionKey") + b"\x7f\x61k\x61y\xff\xff"
    reply = call_raw(server.url, "PutRecord", body, content_type=CBOR, account=account)
    assert reply.status_code == 200, reply.content
    start = {"StreamName": stream, "ShardId": shard_id(0), "ShardIteratorType": "TRIM_HORIZON"}
    found = call_raw(server.url, "GetShardIterator", start, account=account).json()
    [record] = call_raw(server.url, "GetRecords", found, account=account).json()["Records"]
    assert record["Data"] == "YWI="
    assert record["PartitionKey"] == "ky"
