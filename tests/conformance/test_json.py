"""The JSON protocol itself: heads, bodies and errors as AWS writes them, without an SDK."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from support.kinesis import Kinesis, call_raw

if TYPE_CHECKING:
    from support.server import Server

JSON = "application/x-amz-json-1.1"


def test_put_and_get(server: Server, kinesis: Kinesis, stream: str, account: str) -> None:
    before = time.time()
    reply = call_raw(
        server.url, "PutRecord", {"StreamName": stream, "Data": "eA==", "PartitionKey": "k"}, account=account
    )
    assert reply.status_code == 200
    assert reply.headers["content-type"] == JSON
    assert reply.headers["x-amzn-requestid"]
    assert reply.headers["x-amz-id-2"]
    put = reply.json()
    start = call_raw(
        server.url,
        "GetShardIterator",
        {"StreamName": stream, "ShardId": put["ShardId"], "ShardIteratorType": "TRIM_HORIZON"},
        account=account,
    ).json()
    [record] = call_raw(server.url, "GetRecords", start, account=account).json()["Records"]
    assert record["Data"] == "eA=="
    assert record["SequenceNumber"] == put["SequenceNumber"]
    assert before - 1 < record["ApproximateArrivalTimestamp"] < time.time() + 1
    at = {
        "StreamName": stream,
        "ShardId": put["ShardId"],
        "ShardIteratorType": "AT_TIMESTAMP",
        "Timestamp": record["ApproximateArrivalTimestamp"],
    }
    start = call_raw(server.url, "GetShardIterator", at, account=account).json()
    assert len(call_raw(server.url, "GetRecords", start, account=account).json()["Records"]) == 1


def test_calls_without_output_have_an_empty_body(server: Server, stream: str, account: str) -> None:
    reply = call_raw(server.url, "AddTagsToStream", {"StreamName": stream, "Tags": {"a": "b"}}, account=account)
    assert (reply.status_code, reply.content) == (200, b"")


@pytest.mark.parametrize("content_type", ["application/x-amz-json-1.0", "application/x-amz-json-1.1; charset=utf-8"])
def test_neighbouring_content_types(server: Server, content_type: str) -> None:
    reply = call_raw(server.url, "ListStreams", {}, content_type=content_type)
    assert reply.status_code == 200
    assert "StreamNames" in reply.json()


def test_members_that_the_model_does_not_know_are_ignored(server: Server) -> None:
    reply = call_raw(server.url, "ListStreams", {"Colour": "blue", "Limit": None})
    assert reply.status_code == 200


@pytest.mark.parametrize("body", [b"{", b"[]", b"7", b'"x"', b"\xff\xfe", b'{"StreamName": }', b"{}{}", b"nul"])
def test_bodies_that_are_no_json_object(server: Server, body: bytes) -> None:
    reply = call_raw(server.url, "ListStreams", body)
    assert reply.status_code == 400
    assert reply.json()["__type"].endswith("SerializationException")
    assert reply.headers["x-amzn-requestid"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"Limit": "x"}, "class java.lang.String can not be converted to an Integer"),
        ({"Limit": True}, "class java.lang.Boolean can not be converted to an Integer"),
        ({"Limit": []}, "Start of list found where not expected"),
        ({"Limit": {}}, "Start of structure or map found where not expected."),
        (
            {"ExclusiveStartStreamName": 7},
            "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String",
        ),
        ({"ExclusiveStartStreamName": False}, "class java.lang.Boolean can not be converted to an String"),
    ],
)
def test_members_of_another_type(server: Server, body: dict[str, Any], message: str) -> None:
    reply = call_raw(server.url, "ListStreams", body)
    assert reply.status_code == 400
    assert reply.json() == {"__type": "SerializationException", "Message": message}


@pytest.mark.parametrize("data", ["x", "====", "ab!=", "eA=", 7, ["eA=="], True])
def test_data_that_is_no_base64(server: Server, stream: str, account: str, data: Any) -> None:
    body = {"StreamName": stream, "PartitionKey": "k", "Data": data}
    batch = {"StreamName": stream, "Records": [{"PartitionKey": "k", "Data": data}]}
    for operation, sent in (("PutRecord", body), ("PutRecords", batch)):
        reply = call_raw(server.url, operation, sent, account=account)
        assert reply.status_code == 400
        assert reply.json()["__type"] == "SerializationException"
        assert reply.json()["Message"]


@pytest.mark.parametrize("target", ["Kinesis_20131202.Nonsense", "Kinesis_20131202", "Other_1.ListStreams", "", "."])
def test_unknown_operations(server: Server, target: str) -> None:
    reply = httpx.post(server.url, content=b"{}", headers={"X-Amz-Target": target, "Content-Type": JSON})
    assert reply.status_code in {400, 403, 404}
    assert "UnknownOperationException" in reply.text or "AccessDeniedException" in reply.text


def test_no_target(server: Server) -> None:
    reply = httpx.post(server.url, content=b"{}", headers={"Content-Type": JSON})
    assert reply.status_code in {400, 403, 404}
    assert reply.headers["x-amzn-requestid"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "", "multipart/form-data; boundary=x"])
def test_other_content_types(server: Server, content_type: str) -> None:
    reply = call_raw(server.url, "ListStreams", {}, content_type=content_type)
    assert 400 <= reply.status_code < 500


def test_other_methods(server: Server) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD"):
        reply = httpx.request(method, server.url)
        assert 400 <= reply.status_code < 500, method


def test_no_authorization_is_no_hindrance(server: Server) -> None:
    reply = httpx.post(
        server.url,
        content=b"{}",
        headers={"X-Amz-Target": "Kinesis_20131202.ListStreams", "Content-Type": JSON},
    )
    assert reply.status_code == 200


def test_a_presigned_query_names_the_account(server: Server, stream: str, account: str) -> None:
    query = {"X-Amz-Credential": f"{account}/20260101/us-east-1/kinesis/aws4_request"}
    reply = httpx.post(
        server.url,
        params={"X-Amz-Algorithm": "AWS4-HMAC-SHA256", **query},
        content=b"{}",
        headers={"X-Amz-Target": "Kinesis_20131202.ListStreams", "Content-Type": JSON},
    )
    assert reply.json()["StreamNames"] == [stream]


def test_error_bodies(server: Server, account: str) -> None:
    reply = call_raw(server.url, "DescribeStream", {"StreamName": "nowhere"}, account=account)
    assert reply.status_code == 400
    assert reply.headers["content-type"] == JSON
    assert reply.json() == {
        "__type": "ResourceNotFoundException",
        "message": f"Stream nowhere under account {account} not found.",
    }


def test_deep_and_odd_json(server: Server) -> None:
    deep = b'{"Limit":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    for body in (deep, b'{"Limit": 1e400}', b'{"Limit": 99999999999999999999}', b'{"Limit": -0.0}'):
        reply = call_raw(server.url, "ListStreams", body)
        assert reply.status_code in {200, 400}, body[:40]


def test_lone_surrogates_and_null_characters(server: Server, stream: str, account: str) -> None:
    for key in (r"\ud800", r"\u0000"):
        body = f'{{"StreamName": "{stream}", "Data": "eA==", "PartitionKey": "{key}"}}'.encode()
        reply = call_raw(server.url, "PutRecord", body, account=account)
        assert reply.status_code in {200, 400}
    assert call_raw(server.url, "DescribeStream", b'{"StreamName": "\\ud800"}').status_code == 400


def test_keep_alive(server: Server) -> None:
    with httpx.Client() as client:
        for _ in range(50):
            assert call_raw(server.url, "ListStreams", {}, client=client).status_code == 200


def test_health(server: Server) -> None:
    reply = httpx.get(f"{server.url}/health")
    assert reply.status_code == 200
    assert reply.json()["status"] == "ok"


def test_bodies_in_chunks(server: Server, stream: str, account: str) -> None:
    body = json.dumps({"StreamName": stream, "Data": "eA==", "PartitionKey": "k"}).encode()
    scope = f"{account}/20260101/us-east-1/kinesis/aws4_request"
    reply = httpx.post(
        server.url,
        content=(body[i : i + 7] for i in range(0, len(body), 7)),
        headers={
            "X-Amz-Target": "Kinesis_20131202.PutRecord",
            "Content-Type": JSON,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        },
    )
    assert reply.status_code == 200, reply.text
    assert reply.json()["SequenceNumber"]
