"""Replies of the hot path, encoded without a detour through dicts, and the ids of records.

A record's id is opaque to callers, as AWS's is: what stands for the delivery stream, then when the record arrived and
its place in the delivery stream's log, in hexadecimal digits. It is computed, and stored nowhere.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import shake_256
from typing import NamedTuple, TypeVar

import cbor2
import msgspec

from millstream.log import Placement
from millstream.wire import Codec, Encoded

_STREAM_BYTES = 147  # as many as make an id as long as AWS's: 224 characters
T = TypeVar("T")

_encode_json = msgspec.json.Encoder().encode


class Refused(NamedTuple):
    """Why records of a batch were refused, and their places in the request."""

    places: list[int]
    code: str
    message: str


def id_head(stream_id: str) -> str:
    """How the ids of all records of a delivery stream begin."""
    return b64encode(shake_256(stream_id.encode()).digest(_STREAM_BYTES)).decode("ascii")


def put_record_reply(codec: Codec, head: str, placement: Placement, *, encrypted: bool) -> Encoded:
    """PutRecordOutput."""
    (record_id,) = _record_ids(head, placement, 1)
    if codec is Codec.JSON:
        return Encoded([f'{{"Encrypted":{_BOOLEANS[encrypted]},"RecordId":"{record_id}"}}'.encode()])
    return Encoded([cbor2.dumps({"Encrypted": encrypted, "RecordId": record_id})])


def put_record_batch_reply(
    codec: Codec, count: int, head: str, placement: Placement | None, refused: Refused | None, *, encrypted: bool
) -> Encoded:
    """PutRecordBatchOutput for a request of `count` records: all were stored at `placement` but those `refused`."""
    failed_count = len(refused.places) if refused else 0
    ids = _record_ids(head, placement, count - failed_count) if placement else []
    if codec is Codec.CBOR:
        entries: list[dict[str, str]] = [{"RecordId": record_id} for record_id in ids]
        if refused:
            failure = {"ErrorCode": refused.code, "ErrorMessage": refused.message}
            entries = _merged(count, entries, refused.places, failure)
        return Encoded(
            [cbor2.dumps({"Encrypted": encrypted, "FailedPutCount": failed_count, "RequestResponses": entries})]
        )
    texts = [f'{{"RecordId":"{record_id}"}}' for record_id in ids]
    if refused:
        failed = _encode_json({"ErrorCode": refused.code, "ErrorMessage": refused.message}).decode()
        texts = _merged(count, texts, refused.places, failed)
    opening = f'{{"Encrypted":{_BOOLEANS[encrypted]},"FailedPutCount":{failed_count},"RequestResponses":['
    return Encoded([f"{opening}{','.join(texts)}]}}".encode()])


_BOOLEANS = {False: "false", True: "true"}


def _record_ids(head: str, placement: Placement, count: int) -> list[str]:
    first_offset, arrival_ms = placement
    head = f"{head}{arrival_ms:012x}"
    return [f"{head}{offset:016x}" for offset in range(first_offset, first_offset + count)]


def _merged(count: int, stored: list[T], places: list[int], failure: T) -> list[T]:
    """`count` entries in the order of the request: `failure` at `places`, those of `stored` elsewhere."""
    failed = set(places)
    rest = iter(stored)
    return [failure if place in failed else next(rest) for place in range(count)]
