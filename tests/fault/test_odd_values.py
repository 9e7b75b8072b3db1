"""Every operation with parameters that are half right: made from botocore's model, from what is there, and from junk.

No request may be answered with a 5xx, make the server print a traceback, or stop it.
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

from support.kinesis import call_raw, connect, create_stream, iterator, new_account, register_consumer, stream_summary
from support.oddvalues import CBOR, JSON, Generator

if TYPE_CHECKING:
    from support.kinesis import Kinesis
    from support.server import Server

REQUESTS = 1500

MODEL = json.loads(
    gzip.decompress((Path(botocore.__file__).parent / "data/kinesis/2013-12-02/service-2.json.gz").read_bytes())
)
CHANCES = {"StreamName": 0.6, "DryRun": 0.05, "StreamId": 0.1}


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
    generator = Generator(MODEL["shapes"], rng, what_is_there(kinesis), content_type, CHANCES)
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
