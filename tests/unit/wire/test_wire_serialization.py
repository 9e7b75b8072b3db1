"""Bodies that are not what the codec or the shapes say, and those that are unusual but fine."""

from __future__ import annotations

import random
from base64 import b64encode
from typing import Any

import cbor2
import pytest

from millstream.base.units import MIB
from millstream.wire import Codec, Fault
from support.wire import SERVICE, TYPED, decode, fault_of

LIST = "Start of list found where not expected"
STRUCTURE = "Start of structure or map found where not expected."
NUMBER = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to "
BOOLEAN = "class java.lang.Boolean can not be converted to "
STRING = "class java.lang.String can not be converted to "


@pytest.mark.parametrize("codec", Codec)
@pytest.mark.parametrize(
    ("operation", "tree", "message"),
    [
        ("DeleteStream", [], LIST),
        ("DeleteStream", "text", "Expected null"),
        ("DeleteStream", 1, "Expected null"),
        ("DeleteStream", {"StreamName": True}, f"{BOOLEAN}an String"),
        ("DeleteStream", {"StreamName": 23}, f"{NUMBER}an String"),
        ("DeleteStream", {"StreamName": 34.56}, f"{NUMBER}an String"),
        ("DeleteStream", {"StreamName": []}, LIST),
        ("DeleteStream", {"StreamName": {}}, STRUCTURE),
        ("CreateStream", {"ShardCount": "23"}, f"{STRING}an Integer"),
        ("CreateStream", {"ShardCount": True}, f"{BOOLEAN}an Integer"),
        ("CreateStream", {"ShardCount": []}, LIST),
        ("CreateStream", {"ShardCount": {}}, STRUCTURE),
        ("DeleteStream", {"EnforceConsumerDeletion": 23}, f"{NUMBER}an Boolean"),
        ("DeleteStream", {"EnforceConsumerDeletion": "wtf"}, "'WTF' can not be converted to an Boolean"),
        ("DeleteStream", {"EnforceConsumerDeletion": []}, LIST),
        ("GetShardIterator", {"Timestamp": "23"}, f"{STRING}milliseconds since epoch"),
        ("GetShardIterator", {"Timestamp": True}, f"{BOOLEAN}milliseconds since epoch"),
        ("GetShardIterator", {"Timestamp": {}}, STRUCTURE),
        ("PutRecord", {"Data": True}, f"{BOOLEAN}a Blob"),
        ("PutRecord", {"Data": 23}, f"{NUMBER}a Blob"),
        ("PutRecord", {"Data": []}, LIST),
        (
            "PutRecord",
            {"Data": "23456"},
            (
                "'23456' can not be converted to a Blob: "
                "Base64 encoded length is expected a multiple of 4 bytes but found: 5"
            ),
        ),
        ("PutRecord", {"Data": "=+/="}, "'=+/=' can not be converted to a Blob: Invalid Base64 character: '='"),
        (
            "PutRecord",
            {"Data": "AAA\u00e9"},
            "'AAA\u00e9' can not be converted to a Blob: Invalid Base64 character: '\u00e9'",
        ),
        ("PutRecord", {"Data": "A==="}, "'A===' can not be converted to a Blob: Invalid Base64 character: '='"),
        (
            "PutRecord",
            {"Data": "+/+="},
            "'+/+=' can not be converted to a Blob: Invalid last non-pad Base64 character dectected",
        ),
        ("PutRecords", {"Records": "23"}, "Expected list or null"),
        ("PutRecords", {"Records": {}}, STRUCTURE),
        ("PutRecords", {"Records": [23]}, "Expected null"),
        ("PutRecords", {"Records": [[]]}, LIST),
        ("AddTagsToStream", {"Tags": 23}, "Expected map or null"),
        ("AddTagsToStream", {"Tags": []}, LIST),
        ("AddTagsToStream", {"Tags": {"a": 1}}, f"{NUMBER}an String"),
    ],
)
def test_type_mismatches_are_worded_as_by_aws(codec: Codec, operation: str, tree: Any, message: str) -> None:
    fault = fault_of(operation, tree, codec)
    assert fault.document() == {"__type": "SerializationException", "Message": message}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"{",
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b'{"StreamName":"\xff"}',
        b'{"StreamName":"\\ud800"}',
        b'{"StreamName":"\\ude00\\ud800"}',
        b'{"Limit":NaN}',
        b'{"Limit":1e999}',
        b'{"Limit":' + b"9" * 5000 + b"}",
        b'{"X":' + b"[" * 100_000,
        b'{"X":' * 100_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_malformed_json(body: bytes) -> None:
    with pytest.raises(Fault) as caught:
        SERVICE.decode(SERVICE.find("DescribeStream"), Codec.JSON, body)
    assert caught.value.document() == {"__type": "SerializationException"}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "ff",
        "1c",
        "a1",
        "bf6161ff",
        "5bffffffffffffffff",
        "7bffffffffffffffff41",
        "9bffffffffffffffff00",
        "bbffffffffffffffff",
        "9b00000000ffffffff",
        "a16a53747265616d4e616d6562c328",
        "a10000",  # a number as key
        "a18000",  # a list as key
        "a1f97e0000",  # NaN as key
        "c249010000000000000000",  # a big integer
        "a1654c696d6974c249010000000000000000",
        "d81c81d81d00",  # a list that contains itself
        "c482390fffff01",  # a decimal fraction
        "d81e820100",  # a fraction over zero
        "d9d9f7a0",  # CBOR that says so
        "c0613f",  # a date as text
        "81" * 100_000,
        "9f" * 100_000,
        "c1" * 100_000,
        "d81c" * 100_000,
        "a16161" * 100_000,
    ],
    ids=lambda body: body[:40],
)
def test_malformed_cbor(body: str) -> None:
    with pytest.raises(Fault) as caught:
        SERVICE.decode(SERVICE.find("DescribeStream"), Codec.CBOR, bytes.fromhex(body))
    assert caught.value.document() == {"__type": "SerializationException"}


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), float("-inf"), cbor2.undefined, cbor2.CBORSimpleValue(19)]
)
@pytest.mark.parametrize("member", ["Limit", "StreamName", "ExclusiveStartShardId"])
def test_values_that_only_cbor_has(member: str, value: Any) -> None:
    assert fault_of("DescribeStream", {member: value}, Codec.CBOR).code == "SerializationException"


@pytest.mark.parametrize("codec", Codec)
def test_nulls_and_unknown_members_are_as_absent(codec: Codec) -> None:
    tree = {"StreamName": "s", "Limit": None, "Unknown": [{"deep": 1}], "streamname": 5}
    assert decode("DescribeStream", tree, codec) == {"StreamName": "s"}


@pytest.mark.parametrize("codec", Codec)
@pytest.mark.parametrize(
    ("value", "limit"),
    [(5, 5), (5.0, 5), (5.9, 5), (1e3, 1000)],
)
def test_fractions_of_whole_numbers_are_cut_off(codec: Codec, value: float, limit: int) -> None:
    assert decode("DescribeStream", {"StreamName": "s", "Limit": value}, codec) == {"StreamName": "s", "Limit": limit}


@pytest.mark.parametrize("value", [10**10, 10**30, 1e300])
def test_numbers_beyond_their_type_are_truncated_to_it(value: float) -> None:
    tree = {"StreamName": "s", "ShardCount": value}
    assert decode("CreateStream", tree) == {"StreamName": "s", "ShardCount": 2**31 - 1}


@pytest.mark.parametrize(
    ("word", "truth"), [("true", True), ("Yes", True), ("1", True), ("FALSE", False), ("no", False)]
)
def test_words_for_booleans(word: str, truth: bool) -> None:
    tree = {"StreamName": "s", "EnforceConsumerDeletion": word}
    assert decode("DeleteStream", tree) == {"StreamName": "s", "EnforceConsumerDeletion": truth}


def test_last_of_duplicate_members_counts() -> None:
    body = b'{"StreamName":"a","StreamName":"b"}'
    assert SERVICE.decode(SERVICE.find("DeleteStream"), Codec.JSON, body) == {"StreamName": "b"}


def shard_iterator_time(codec: Codec, timestamp: Any) -> Any:
    tree = {"StreamName": "s", "ShardId": "0", "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": timestamp}
    return decode("GetShardIterator", tree, codec)["Timestamp"]


@pytest.mark.parametrize(
    ("seconds", "time_ms"),
    [
        (1700000000, 1700000000000),
        (1700000000.123, 1700000000123),
        (1700000000.9996, 1700000001000),
        (0, 0),
        (-1.5, -1500),
    ],
)
def test_json_timestamps_are_seconds(seconds: float, time_ms: int) -> None:
    assert shard_iterator_time(Codec.JSON, seconds) == time_ms


def test_cbor_timestamps_are_tagged_milliseconds() -> None:
    assert shard_iterator_time(Codec.CBOR, cbor2.CBORTag(1, 1700000000123)) == 1700000000123
    assert shard_iterator_time(Codec.CBOR, 1700000000123) == 1700000000123


@pytest.mark.parametrize("timestamp", [1e308, 10**30, -(10**30)])
def test_absurd_timestamps_stay_within_64_bits(timestamp: float) -> None:
    assert abs(shard_iterator_time(Codec.JSON, timestamp)) < 2**63


def test_blobs() -> None:
    assert decode("PutRecord", {"Data": "", "PartitionKey": "k"})["Data"] == b""
    assert decode("PutRecord", {"Data": "aGk=", "PartitionKey": "k"})["Data"] == b"hi"
    assert decode("PutRecord", {"Data": b"\xff\x00", "PartitionKey": "k"}, Codec.CBOR)["Data"] == b"\xff\x00"


def test_indefinite_lengths() -> None:
    body = bytes.fromhex("bf 6a53747265616d4e616d65 7f61736173ff ff")  # {_ "StreamName": (_ "s", "s")}
    assert SERVICE.decode(SERVICE.find("DeleteStream"), Codec.CBOR, body) == {"StreamName": "ss"}


@pytest.mark.parametrize(
    ("codec", "opening", "swarm", "ending"),
    [
        (Codec.JSON, b'{"Unknown":[{}', b",{}", b"]}"),
        (Codec.JSON, b'{"Records":[{}', b",{}", b"]}"),
        (Codec.JSON, b'{"Records":[{"Data":""}', b',{"Data":""}', b"]}"),
        (Codec.CBOR, b"\xa1\x61X\x9f", b"\xa0", b"\xff"),
        (Codec.CBOR, b"\xa1\x61X\x9f", b"\x80", b"\xff"),
        (Codec.CBOR, b"\xa1\x61X\x9f", b"\x62ab", b"\xff"),
        (Codec.CBOR, b"\xa1\x61X\x9f", b"\x18\xff", b"\xff"),
    ],
)
def test_bodies_that_would_swell_when_decoded(codec: Codec, opening: bytes, swarm: bytes, ending: bytes) -> None:
    body = opening + swarm * (20 * MIB // len(swarm)) + ending
    with pytest.raises(Fault) as caught:
        TYPED.decode(TYPED.find("PutRecords"), codec, body)
    assert caught.value.document() == {"__type": "SerializationException"}


@pytest.mark.parametrize("codec", Codec)
def test_the_largest_legal_request_is_taken(codec: Codec) -> None:
    data = random.Random(1).randbytes(10 * MIB // 500 - 256)
    blob: Any = b64encode(data).decode() if codec is Codec.JSON else data
    put = decode(
        "PutRecords", {"StreamName": "s", "Records": [{"Data": blob, "PartitionKey": "," * 256}] * 500}, codec, TYPED
    )
    assert len(put.Records) == 500
    assert put.Records[499].Data == data
