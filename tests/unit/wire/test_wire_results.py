"""Results as SDKs read them."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import cbor2
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser

from millstream.wire import Codec
from support.wire import SERVICE

MODEL: Any = ServiceModel(Loader().load_service_model("kinesis", "service-2"))
TIME_MS = 1_700_000_000_123


def encode(operation: str, codec: Codec, result: dict[str, Any] | None) -> bytes:
    return SERVICE.encode(SERVICE.find(operation), codec, result)


def test_timestamps_are_seconds_in_json_and_tagged_milliseconds_in_cbor() -> None:
    result = {
        "Records": [
            {"SequenceNumber": "1", "ApproximateArrivalTimestamp": TIME_MS, "Data": b"\xff", "PartitionKey": "k"}
        ]
    }
    (in_json,) = json.loads(encode("GetRecords", Codec.JSON, result))["Records"]
    assert in_json == {
        "SequenceNumber": "1",
        "ApproximateArrivalTimestamp": 1700000000.123,
        "Data": "/w==",
        "PartitionKey": "k",
    }
    in_cbor = encode("GetRecords", Codec.CBOR, result)
    assert b"\xc1\x1b" + TIME_MS.to_bytes(8, "big") in in_cbor
    assert cbor2.loads(in_cbor, semantic_decoders={1: lambda value, _: value})["Records"] == result["Records"]


def test_botocore_reads_the_timestamps() -> None:
    summary = {
        "StreamName": "s",
        "StreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/s",
        "StreamStatus": "ACTIVE",
        "StreamCreationTimestamp": TIME_MS,
    }
    body = encode(
        "ListStreams", Codec.JSON, {"StreamNames": ["s"], "HasMoreStreams": False, "StreamSummaries": [summary]}
    )
    response = {"body": body, "headers": {}, "status_code": 200}
    parsed = create_parser("json").parse(response, MODEL.operation_model("ListStreams").output_shape)
    created = parsed["StreamSummaries"][0]["StreamCreationTimestamp"]
    assert created == dt.datetime.fromtimestamp(TIME_MS / 1000, dt.UTC)


@pytest.mark.parametrize("codec", Codec)
def test_members_that_are_none_are_left_out(codec: Codec) -> None:
    body = encode("GetRecords", codec, {"Records": [], "NextShardIterator": None, "MillisBehindLatest": 0})
    decoded = json.loads(body) if codec is Codec.JSON else cbor2.loads(body)
    assert decoded == {"Records": [], "MillisBehindLatest": 0}


@pytest.mark.parametrize("codec", Codec)
def test_operations_without_output_answer_an_empty_body(codec: Codec) -> None:
    assert encode("CreateStream", codec, None) == b""


def test_operations_with_output_answer_an_object_even_if_there_is_nothing_to_say() -> None:
    assert encode("GetResourcePolicy", Codec.JSON, None) == b"{}"
    assert encode("GetResourcePolicy", Codec.CBOR, {}) == b"\xa0"
