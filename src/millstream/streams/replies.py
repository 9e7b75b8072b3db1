"""Replies of the hot path, encoded without a detour through dicts where that pays.

JSON is what most SDKs speak, so it is formatted here, column by column; CBOR goes through its library in one call.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import cbor2
import msgspec
from pybase64 import b64encode_as_string as to_base64

from millstream.log import RecordRun
from millstream.streams.model import Shard
from millstream.streams.reading import Reading
from millstream.streams.routing import Route
from millstream.streams.sequence import number_base, record_numbers
from millstream.wire.context import Codec
from millstream.wire.operation import Encoded

_encode_json = msgspec.json.Encoder().encode


class Stored(NamedTuple):
    """Records of a PutRecords that were stored: their places in the request, in the order of their `numbers`."""

    places: Sequence[int]
    route: Route
    numbers: range


class Failed(NamedTuple):
    """Records of a PutRecords that failed alike."""

    places: Sequence[int]
    code: str
    message: str


def put_record_reply(codec: Codec, route: Route, number: int, encrypted: bool) -> Encoded:
    """PutRecordOutput."""
    if codec is Codec.JSON:
        kms = ',"EncryptionType":"KMS"' if encrypted else ""
        return Encoded([f'{{"SequenceNumber":"{number}","ShardId":"{route.shard_id}"{kms}}}'.encode()])
    reply = {"SequenceNumber": str(number), "ShardId": route.shard_id}
    return Encoded([cbor2.dumps(reply | _KMS if encrypted else reply)])


def put_records_reply(codec: Codec, count: int, stored: list[Stored], failed: list[Failed], encrypted: bool) -> Encoded:
    """PutRecordsOutput for a request of `count` records."""
    failed_count = sum(len(group.places) for group in failed)
    if codec is Codec.JSON:
        entries = _json_entries(count, stored, failed)
        kms = ',"EncryptionType":"KMS"' if encrypted else ""
        return Encoded([f'{{"FailedRecordCount":{failed_count},"Records":[{entries}]{kms}}}'.encode()])
    reply = {"FailedRecordCount": failed_count, "Records": _plain_entries(count, stored, failed)}
    return Encoded([cbor2.dumps(reply | _KMS if encrypted else reply)])


_KMS = {"EncryptionType": "KMS"}


def _json_entries(count: int, stored: list[Stored], failed: list[Failed]) -> str:
    if len(stored) == 1 and len(stored[0].places) == count:
        tail = f'","ShardId":"{stored[0].route.shard_id}"}}'
        numbers = f'{tail},{{"SequenceNumber":"'.join(map(str, stored[0].numbers))
        return f'{{"SequenceNumber":"{numbers}{tail}'
    entries = [""] * count
    for group in stored:
        tail = f'","ShardId":"{group.route.shard_id}"}}'
        for place, number in zip(group.places, group.numbers, strict=True):
            entries[place] = f'{{"SequenceNumber":"{number}{tail}'
    for failure in failed:
        entry = _encode_json({"ErrorCode": failure.code, "ErrorMessage": failure.message}).decode()
        for place in failure.places:
            entries[place] = entry
    return ",".join(entries)


def _plain_entries(count: int, stored: list[Stored], failed: list[Failed]) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = [{}] * count
    for group in stored:
        shard_id = group.route.shard_id
        for place, number in zip(group.places, group.numbers, strict=True):
            entries[place] = {"SequenceNumber": str(number), "ShardId": shard_id}
    for failure in failed:
        entry = {"ErrorCode": failure.code, "ErrorMessage": failure.message}
        for place in failure.places:
            entries[place] = entry
    return entries


_PART_RECORDS = 500
_ESCAPED = re.compile(rb"[^ !#-\[\]-~]")  # what JSON strings cannot hold as it is, and what is not ASCII


def get_records_reply(codec: Codec, shard: Shard, reading: Reading, next_iterator: str | None) -> Encoded:
    """GetRecordsOutput; NextShardIterator is absent and ChildShards present at the shard's end, only there."""
    reply: dict[str, Any] = {"MillisBehindLatest": reading.behind_ms}
    if reading.children:
        reply["ChildShards"] = child_shards(reading.children)
    else:
        reply["NextShardIterator"] = next_iterator
    return Encoded(_with_records(codec, shard, reading.runs, reply))


def subscription_event(shard: Shard, reading: Reading, continuation: str | None) -> bytes:
    """The payload of a SubscribeToShardEvent: JSON always; `continuation` is None at the shard's end, as on AWS."""
    reply: dict[str, Any] = {"MillisBehindLatest": reading.behind_ms}
    if continuation is not None:
        reply["ContinuationSequenceNumber"] = continuation
    if reading.children:
        reply["ChildShards"] = child_shards(reading.children)
    return b"".join(_with_records(Codec.JSON, shard, reading.runs, reply))


def child_shards(children: list[Shard]) -> list[dict[str, Any]]:
    """ChildShardList."""
    return [
        {
            "ShardId": child.shard_id,
            "ParentShards": [f"shardId-{parent:012d}" for parent in child.parents],
            "HashKeyRange": {"StartingHashKey": str(child.start_hash), "EndingHashKey": str(child.end_hash)},
        }
        for child in children
    ]


def _with_records(codec: Codec, shard: Shard, runs: list[RecordRun], reply: dict[str, Any]) -> list[bytes]:
    """The encoded reply with the records of `runs`, in parts."""
    if codec is Codec.CBOR:
        reply["Records"] = _plain_records(shard, runs)
        return [cbor2.dumps(reply)]
    opening = _encode_json(reply)[:-1] + b',"Records":['
    parts = list(_json_records(shard, runs))
    if len(parts) <= 1:
        return [b"".join([opening, *parts, b"]}"])]
    return [opening + parts[0], *(b"," + part for part in parts[1:-1]), b"," + parts[-1] + b"]}"]


def _json_records(shard: Shard, runs: list[RecordRun]) -> Iterator[bytes]:
    """The records, separated by commas, in parts of at most _PART_RECORDS."""
    base = number_base(shard.created_s, shard.index)
    for first_offset, arrival_ms, keys, data, encrypted in runs:
        same = f'"ApproximateArrivalTimestamp":{arrival_ms / 1000!r}'
        if encrypted:
            same += ',"EncryptionType":"KMS"'
        numbers = record_numbers(base, first_offset, arrival_ms, len(data))
        names = _json_strings(keys)
        for start in range(0, len(data), _PART_RECORDS):
            part = slice(start, start + _PART_RECORDS)
            entries = [
                f'{{"SequenceNumber":"{number}",{same},"Data":"{to_base64(datum)}","PartitionKey":{name}}}'
                for number, datum, name in zip(numbers[part], data[part], names[part], strict=True)
            ]
            yield ",".join(entries).encode()


def _json_strings(keys: list[bytes]) -> list[str]:
    """Partition keys as JSON strings, quotes included."""
    if _ESCAPED.search(b"".join(keys)) is None:
        return [f'"{key.decode()}"' for key in keys]
    return [_encode_json(key.decode()).decode() for key in keys]


def _plain_records(shard: Shard, runs: list[RecordRun]) -> list[dict[str, Any]]:
    base = number_base(shard.created_s, shard.index)
    records: list[dict[str, Any]] = []
    for first_offset, arrival_ms, keys, data, encrypted in runs:
        same = {"ApproximateArrivalTimestamp": cbor2.CBORTag(1, arrival_ms)} | (_KMS if encrypted else {})
        numbers = record_numbers(base, first_offset, arrival_ms, len(data))
        records += [
            {"SequenceNumber": str(number), "Data": datum, "PartitionKey": key.decode(), **same}
            for number, datum, key in zip(numbers, data, keys, strict=True)
        ]
    return records
