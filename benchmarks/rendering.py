"""Renders requests of the JSON protocol of Kinesis and Firehose, once each, as the bytes that go on the wire."""

from __future__ import annotations

import binascii
import json
import random
from collections.abc import Iterable, Sequence

RECORDS_PER_CALL = 500
STREAM_NAME = "bench"
KINESIS = "Kinesis_20131202"
FIREHOSE = "Firehose_20150804"
GLUE = "AWSGlue"
ANALYTICS = "KinesisAnalytics_20150814"
MILLSTREAM = "Millstream_20261101"
_SIGNING_NAMES = {
    KINESIS: "kinesis",
    FIREHOSE: "firehose",
    GLUE: "glue",
    ANALYTICS: "kinesisanalytics",
    MILLSTREAM: "millstream",
}


def authorization(service: str) -> str:
    """A fixed signature for calls to a service, named as in targets or as it signs.

    No server here checks it, but some insist on the header, and account, region and for some the service are read from
    its credential scope.
    """
    scope = f"20260101/us-east-1/{_SIGNING_NAMES.get(service, service)}/aws4_request"
    signed = "content-type;host;x-amz-date;x-amz-target"
    return f"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/{scope}, SignedHeaders={signed}, Signature={'0' * 64}"


def render(operation: str, body: bytes, service: str = KINESIS) -> bytes:
    """A whole HTTP/1.1 request that calls `operation` of `service` with an already encoded JSON body."""
    head = (
        "POST / HTTP/1.1\r\n"
        "Host: localhost\r\n"
        "Content-Type: application/x-amz-json-1.1\r\n"
        f"X-Amz-Target: {service}.{operation}\r\n"
        "X-Amz-Date: 20260101T000000Z\r\n"
        f"Authorization: {authorization(service)}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def render_call(operation: str, params: dict[str, object]) -> bytes:
    """`render` for parameters that are not JSON yet."""
    return render(operation, json.dumps(params).encode())


def render_batches(stream: str, records: Sequence[bytes]) -> list[bytes]:
    """PutRecordBatch requests of 500 records each, for a delivery stream; what is left over is left out."""
    whole = len(records) // RECORDS_PER_CALL * RECORDS_PER_CALL
    return [
        render("PutRecordBatch", _batch_body(stream, map(_text, records[at : at + RECORDS_PER_CALL])), FIREHOSE)
        for at in range(0, whole, RECORDS_PER_CALL)
    ]


def _batch_body(stream: str, data: Iterable[str]) -> bytes:
    records = ",".join(f'{{"Data":"{text}"}}' for text in data)
    return f'{{"DeliveryStreamName":"{stream}","Records":[{records}]}}'.encode()


def _text(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


class RecordMaker:
    """Records of random bytes, each with a partition key of its own; the same seed makes the same records."""

    def __init__(self, seed: int = 2013) -> None:
        self._random = random.Random(seed)
        self._made = 0

    def record(self, size_bytes: int) -> str:
        """The `PartitionKey` and `Data` members of one record, as JSON text without braces."""
        self._made += 1
        return f'"PartitionKey":"device-{self._made:07d}","Data":"{self._data(size_bytes)}"'

    def put_records(self, size_bytes: int, requests: int) -> list[bytes]:
        """That many PutRecords requests of 500 records of `size_bytes`."""
        return [render("PutRecords", self._records_body(size_bytes)) for _ in range(requests)]

    def put_record_batch(self, size_bytes: int, requests: int) -> list[bytes]:
        """That many PutRecordBatch requests of 500 records of `size_bytes`."""
        data = [self._random.randbytes(size_bytes) for _ in range(requests * RECORDS_PER_CALL)]
        return render_batches(STREAM_NAME, data)

    def put_record(self, size_bytes: int, requests: int) -> list[bytes]:
        """That many PutRecord requests of one record of `size_bytes`."""
        return [
            render("PutRecord", f'{{"StreamName":"{STREAM_NAME}",{self.record(size_bytes)}}}'.encode())
            for _ in range(requests)
        ]

    def _data(self, size_bytes: int) -> str:
        return _text(self._random.randbytes(size_bytes))

    def _records_body(self, size_bytes: int) -> bytes:
        records = ",".join(f"{{{self.record(size_bytes)}}}" for _ in range(RECORDS_PER_CALL))
        return f'{{"StreamName":"{STREAM_NAME}","Records":[{records}]}}'.encode()
