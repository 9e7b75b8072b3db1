"""Requests that break a constraint are answered in AWS's words."""

from __future__ import annotations

from typing import Any

import pytest

from millstream.wire import Codec
from support.wire import fault_of

PATTERN = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
NOT_NULL = "Member must not be null"
AT_LEAST_ONE = "Member must have length greater than or equal to 1"
LONG_NAME = "a" * 129


def message(operation: str, tree: Any, codec: Codec = Codec.JSON) -> str:
    fault = fault_of(operation, tree, codec)
    assert (fault.code, fault.status) == ("ValidationException", 400)
    return fault.message


def expected(*violations: tuple[str, str, str]) -> str:
    count = len(violations)
    texts = (f"Value {value} at '{path}' failed to satisfy constraint: {rule}" for value, path, rule in violations)
    return f"{count} validation error{'s' if count > 1 else ''} detected: {'; '.join(texts)}"


@pytest.mark.parametrize("codec", Codec)
@pytest.mark.parametrize(
    ("operation", "tree", "violations"),
    [
        ("DeleteStream", {"StreamName": "a b"}, [("'a b'", "streamName", PATTERN)]),
        ("DeleteStream", {"StreamName": "a\n"}, [("'a\n'", "streamName", PATTERN)]),
        ("DeleteStream", {"StreamName": "٣"}, [("'٣'", "streamName", PATTERN)]),
        ("DeleteStream", {"StreamName": ""}, [("''", "streamName", PATTERN), ("''", "streamName", AT_LEAST_ONE)]),
        (
            "DeleteStream",
            {"StreamName": LONG_NAME},
            [(f"'{LONG_NAME}'", "streamName", "Member must have length less than or equal to 128")],
        ),
        (
            "CreateStream",
            {"StreamName": "s", "ShardCount": 0},
            [("'0'", "shardCount", "Member must have value greater than or equal to 1")],
        ),
        (
            "DescribeStream",
            {"StreamName": "s", "Limit": 100_000_000_000},
            [("'2147483647'", "limit", "Member must have value less than or equal to 10000")],
        ),
        ("PutRecords", {}, [("null", "records", NOT_NULL)]),
        ("PutRecords", {"Records": None}, [("null", "records", NOT_NULL)]),
        ("PutRecords", {"Records": []}, [("'[]'", "records", AT_LEAST_ONE)]),
        ("PutRecords", {"Records": [None]}, [("null", "records.1.member", NOT_NULL)]),
        (
            "PutRecords",
            {"Records": [{"PartitionKey": ""}], "StreamName": "!"},
            [
                ("null", "records.1.member.data", NOT_NULL),
                ("''", "records.1.member.partitionKey", AT_LEAST_ONE),
                ("'!'", "streamName", PATTERN),
            ],
        ),
        (
            "SubscribeToShard",
            {"StartingPosition": {}, "ShardId": "shardId-000000000000"},
            [("null", "consumerARN", NOT_NULL), ("null", "startingPosition.type", NOT_NULL)],
        ),
        (
            "GetShardIterator",
            {"StreamName": "s", "ShardId": "0", "ShardIteratorType": "latest"},
            [
                (
                    "'latest'",
                    "shardIteratorType",
                    (
                        "Member must satisfy enum value set: "
                        "[AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]"
                    ),
                )
            ],
        ),
        (
            "UpdateShardCount",
            {"StreamName": "s", "TargetShardCount": 2, "ScalingType": "x"},
            [("'x'", "scalingType", "Member must satisfy enum value set: [UNIFORM_SCALING]")],
        ),
        (
            "RemoveTagsFromStream",
            {"StreamName": "s", "TagKeys": ["a", ""]},
            [
                (
                    "'[a, ]'",
                    "tagKeys",
                    (
                        "Member must satisfy constraint: [Member must have length less than or equal to 128, "
                        "Member must have length greater than or equal to 1]"
                    ),
                )
            ],
        ),
        (
            "AddTagsToStream",
            {"StreamName": "s", "Tags": {"": "x", "b": "y" * 257}},
            [
                (
                    f"'{{=x, b={'y' * 257}}}'",
                    "tags",
                    (
                        "Map keys must satisfy constraint: [Member must have length less than or equal to 128, "
                        "Member must have length greater than or equal to 1]"
                    ),
                ),
                (
                    f"'{{=x, b={'y' * 257}}}'",
                    "tags",
                    (
                        "Map value must satisfy constraint: [Member must have length less than or equal to 256, "
                        "Member must have length greater than or equal to 0]"
                    ),
                ),
            ],
        ),
        (
            "EnableEnhancedMonitoring",
            {"StreamName": "s", "ShardLevelMetrics": ["ALL", None]},
            [
                (
                    "'[ALL, null]'",
                    "shardLevelMetrics",
                    (
                        "Member must satisfy constraint: [Member must satisfy enum value set: [IncomingBytes, "
                        "IncomingRecords, OutgoingBytes, OutgoingRecords, WriteProvisionedThroughputExceeded, "
                        "ReadProvisionedThroughputExceeded, IteratorAgeMilliseconds, ALL]]"
                    ),
                )
            ],
        ),
    ],
)
def test_violations_are_worded_as_by_aws(
    codec: Codec, operation: str, tree: Any, violations: list[tuple[str, str, str]]
) -> None:
    assert message(operation, tree, codec) == expected(*violations)


def test_blob_is_shown_as_java_shows_its_buffer() -> None:
    too_long = bytes(10_485_761)
    assert message("PutRecord", {"StreamName": "s", "PartitionKey": "k", "Data": too_long}, Codec.CBOR) == expected(
        (
            "'java.nio.HeapByteBuffer[pos=0 lim=10485761 cap=10485761]'",
            "data",
            "Member must have length less than or equal to 10485760",
        )
    )


def test_no_more_than_ten_violations_are_reported() -> None:
    text = message("PutRecords", {"StreamName": "!", "Records": [{"Data": "", "PartitionKey": ""}] * 501})
    record = r"com.amazonaws.kinesis.v20131202.PutRecordsRequestEntry@"
    assert text.startswith(f"10 validation errors detected: Value '[{record}")
    assert text.count(record) == 501
    assert "Member must have length less than or equal to 500; Value '' at 'records.1.member.partitionKey'" in text
    assert "records.9.member" in text
    assert "records.10.member" not in text


def test_quoted_values_do_not_grow_replies_without_bound() -> None:
    assert len(message("DeleteStream", {"StreamName": "a" * 10_000_000})) < 100_000
    assert len(message("PutRecords", {"Records": [{"Data": ""}] * 50_000})) < 100_000
    assert len(message("RemoveTagsFromStream", {"TagKeys": ["k" * 1000] * 10_000})) < 200_000


def test_length_is_counted_in_characters() -> None:
    assert "streamName" not in message("PutRecord", {"PartitionKey": "😀" * 256, "StreamId": "x"})
    assert "partitionKey" not in message("PutRecord", {"PartitionKey": "😀" * 256, "StreamId": "x"})
    assert "partitionKey" in message("PutRecord", {"PartitionKey": "😀" * 257})


@pytest.mark.timeout(5)
def test_arn_that_nearly_matches_in_many_ways_is_refused_quickly() -> None:
    crafted = "arn:aws" + ":kinesis:111111111111:stream/a" * 64 + " "
    for _ in range(100):
        assert "'streamARN'" in message("DeleteStream", {"StreamARN": crafted})
