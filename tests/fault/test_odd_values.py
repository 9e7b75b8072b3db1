"""Every operation with parameters that are half right: made from botocore's model, from what is there, and from junk.

No request may be answered with a 5xx, make the server print a traceback, or stop it.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore
import cbor2
import httpx
import pytest

from support.kinesis import call_raw, connect, create_stream, iterator, new_account, register_consumer, stream_summary

if TYPE_CHECKING:
    from support.kinesis import Kinesis
    from support.server import Server

REQUESTS = 1500
JUNK_SHARE = 0.02
FIT_SHARE = 0.8
JSON, CBOR = "application/x-amz-json-1.1", "application/x-amz-cbor-1.1"

MODEL = json.loads(
    gzip.decompress((Path(botocore.__file__).parent / "data/kinesis/2013-12-02/service-2.json.gz").read_bytes())
)
JUNK: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31 - 1, 2**31, 2**63, 2**64, -(2**63), 1.5, 1e308, -0.0),
    *("", "x", "☃", "😀", "x" * 3000, [], {}, [[]], {"a": {}}, [None], {"": None}, "null", "0"),
]
CBOR_JUNK: list[Any] = [
    *(b"", b"x", float("nan"), float("inf"), cbor2.undefined),
    *(cbor2.CBORTag(1, value) for value in (0, -1, 1e300, 2**64, "x")),
    *(cbor2.CBORTag(2, b"x" * 20), cbor2.CBORTag(30, [1, 0]), cbor2.CBORTag(258, [1, 1])),
]


class Generator:
    """Makes parameters; `fitting` has values that are right for some shapes."""

    def __init__(self, rng: random.Random, fitting: dict[str, list[Any]], content_type: str) -> None:
        self._rng = rng
        self._fitting = fitting
        self._is_cbor = content_type == CBOR

    def value(self, name: str) -> Any:
        """A value for the shape of that name, or for another."""
        rng = self._rng
        if rng.random() < JUNK_SHARE:
            return rng.choice(JUNK + CBOR_JUNK * self._is_cbor)
        if name in self._fitting and rng.random() < FIT_SHARE:
            return rng.choice(self._fitting[name])
        shape = MODEL["shapes"][name]
        made = {
            "structure": self._structure,
            "list": lambda shape: [self.value(shape["member"]["shape"]) for _ in range(rng.choice([0, 1, 2, 12]))],
            "map": lambda shape: {str(self.value("TagKey")): self.value("TagValue") for _ in range(rng.randrange(4))},
            "string": lambda shape: rng.choice(shape.get("enum") or ["a", "a.b_c-1", "", "x" * 300, "é", "a b", "7"]),
            "integer": self._number,
            "long": self._number,
            "boolean": lambda shape: rng.random() < 0.5,
            "blob": self._blob,
            "timestamp": self._timestamp,
        }
        return made[shape["type"]](shape)

    def _structure(self, shape: dict[str, Any]) -> dict[str, Any]:
        chances = {"StreamName": 0.6, "DryRun": 0.05, "StreamId": 0.1}
        required = shape.get("required", [])
        return {
            member: self.value(spec["shape"])
            for member, spec in shape["members"].items()
            if self._rng.random() < (0.97 if member in required else chances.get(member, 0.35))
        }

    def _number(self, shape: dict[str, Any]) -> int:
        low, high = shape.get("min", -5), shape.get("max", 100)
        return int(self._rng.choice([low, high, low - 1, high + 1, 1, 2, 24, 100, self._rng.randint(low, high)]))

    def _blob(self, shape: dict[str, Any]) -> bytes | str:
        data = self._rng.randbytes(self._rng.choice([0, 1, 10, 1000]))
        return data if self._is_cbor else base64.b64encode(data).decode()

    def _timestamp(self, shape: dict[str, Any]) -> Any:
        value = self._rng.choice([0, time.time(), time.time() - 100, -1, 1e12, 1e300, 2**63])
        return cbor2.CBORTag(1, value * 1000) if self._is_cbor else value


def what_is_there(kinesis: Kinesis) -> dict[str, list[Any]]:
    """Streams, consumers and iterators, by the shapes that they fit."""
    names = [create_stream(kinesis, 2) for _ in range(3)]
    arns = [stream_summary(kinesis, name)["StreamARN"] for name in names]
    consumers = [register_consumer(kinesis, arn) for arn in arns]
    put = kinesis.put_record(StreamName=names[0], Data=b"x", PartitionKey="k")
    statement = {"Effect": "Allow", "Principal": "*", "Action": "kinesis:*", "Resource": "*"}
    return {
        "StreamName": names,
        "StreamARN": arns,
        "StreamId": [stream_summary(kinesis, name)["StreamId"] for name in names],
        "ConsumerARN": consumers,
        "ConsumerName": ["reader", "other"],
        "ResourceARN": arns + consumers,
        "ShardIterator": [iterator(kinesis, names[0])],
        "ShardId": ["shardId-0", "shardId-000000000001", "1", "shardId-999999999999", "shardId--1"],
        "SequenceNumber": [put["SequenceNumber"], "0", "1" * 56, "9" * 129],
        "HashKey": ["0", str(2**127), str(2**128 - 1), str(2**128), "9" * 39],
        "KeyId": ["alias/aws/kinesis", "x"],
        "Policy": ["{}", "[", json.dumps({"Version": "2012-10-17", "Statement": [statement]})],
        "PartitionKey": ["k", "", "é" * 256, "\0", "k" * 257],
    }


@pytest.mark.parametrize("content_type", [JSON, CBOR])
def test_no_parameters_make_it_fail(server: Server, content_type: str) -> None:
    account = new_account()
    kinesis = connect(server.url, account)
    rng = random.Random(21)
    generator = Generator(rng, what_is_there(kinesis), content_type)
    encode = cbor2.dumps if content_type == CBOR else lambda params: json.dumps(params).encode()
    operations = sorted(set(MODEL["operations"]) - {"SubscribeToShard"})  # its answer does not end
    seldom = {"DeleteStream", "DeregisterStreamConsumer", "UpdateStreamMode"}
    with httpx.Client() as client:
        for _ in range(REQUESTS):
            operation = rng.choice(operations)
            if operation in seldom and rng.random() < 0.9:
                continue
            shape = MODEL["operations"][operation].get("input")
            body = encode(generator.value(shape["shape"]) if shape else {})
            reply = call_raw(server.url, operation, body, content_type=content_type, account=account, client=client)
            assert reply.status_code in {200, 400}, (operation, body, reply.content)
    kinesis.list_streams()
    assert server.terminate() == 0
    assert "Traceback" not in server.log_text()
