"""Renders requests of the Kinesis JSON protocol, once each, as the bytes that go on the wire."""

from __future__ import annotations

import binascii
import json
import random

RECORDS_PER_CALL = 500
STREAM_NAME = "bench"
# A fixed signature: no server here checks it, but some insist on the header, and the account and the region
# are read from its credential scope.
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/kinesis/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=" + "0" * 64
)


def render(operation: str, body: bytes) -> bytes:
    """A whole HTTP/1.1 request that calls `operation` with an already encoded JSON body."""
    head = (
        "POST / HTTP/1.1\r\n"
        "Host: localhost\r\n"
        "Content-Type: application/x-amz-json-1.1\r\n"
        f"X-Amz-Target: Kinesis_20131202.{operation}\r\n"
        "X-Amz-Date: 20260101T000000Z\r\n"
        f"Authorization: {AUTHORIZATION}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def render_call(operation: str, params: dict[str, object]) -> bytes:
    """`render` for parameters that are not JSON yet."""
    return render(operation, json.dumps(params).encode())


class RecordMaker:
    """Records of random bytes, each with a partition key of its own; the same seed makes the same records."""

    def __init__(self, seed: int = 2013) -> None:
        self._random = random.Random(seed)
        self._made = 0

    def record(self, size_bytes: int) -> str:
        """The `PartitionKey` and `Data` members of one record, as JSON text without braces."""
        self._made += 1
        data = binascii.b2a_base64(self._random.randbytes(size_bytes), newline=False).decode()
        return f'"PartitionKey":"device-{self._made:07d}","Data":"{data}"'

    def put_records(self, size_bytes: int, requests: int) -> list[bytes]:
        """That many PutRecords requests of 500 records of `size_bytes`."""
        return [render("PutRecords", self._records_body(size_bytes)) for _ in range(requests)]

    def put_record(self, size_bytes: int, requests: int) -> list[bytes]:
        """That many PutRecord requests of one record of `size_bytes`."""
        return [
            render("PutRecord", f'{{"StreamName":"{STREAM_NAME}",{self.record(size_bytes)}}}'.encode())
            for _ in range(requests)
        ]

    def _records_body(self, size_bytes: int) -> bytes:
        records = ",".join(f"{{{self.record(size_bytes)}}}" for _ in range(RECORDS_PER_CALL))
        return f'{{"StreamName":"{STREAM_NAME}","Records":[{records}]}}'.encode()
