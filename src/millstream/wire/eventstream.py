"""Messages of `application/vnd.amazon.eventstream`, in which SubscribeToShard answers.

    +--------------+----------------+-------------+---------+---------+-------------+
    | total length | headers length | prelude CRC | headers | payload | message CRC |
    |   4 bytes    |    4 bytes     |   4 bytes   |         |         |   4 bytes   |
    +--------------+----------------+-------------+---------+---------+-------------+

Numbers are big-endian; lengths are in bytes, the total includes everything. Both CRCs are CRC-32: of the first 8 bytes,
and of all that stands before the message CRC. A header is the length of its name (1 byte), the name, the type of its
value (1 byte; 7 is text), the length of the value (2 bytes) and the value.

Payloads are JSON whatever the codec of the request. Even the SDK for Java, which speaks CBOR otherwise, sends
SubscribeToShard as JSON, and reads its events as JSON whatever their `:content-type`.
The first message is `initial-response`; botocore takes no stream without it.

Source: "Amazon Transcribe: event stream encoding" and the parsers of botocore and of the AWS SDKs for JavaScript and
Java.
"""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache

import msgspec

from millstream.wire.context import Codec
from millstream.wire.faults import Fault, InternalFailureException

CONTENT_TYPE = "application/vnd.amazon.eventstream"

_LENGTHS = struct.Struct(">II")
_CRC = struct.Struct(">I")
_TEXT = 7


def initial_response() -> bytes:
    """The message that opens every stream."""
    return event("initial-response", b"{}")


def event(event_type: str, payload: bytes) -> bytes:
    """An event of the stream; `event_type` is the name of its member in the stream's shape, `payload` is JSON."""
    return _frame(_headers("event", ":event-type", event_type), payload)


def exception(fault: Fault) -> bytes:
    """A fault that ends the stream; our own failures bear the one name that the streams' shapes have for them."""
    code = fault.code if fault.status < 500 else InternalFailureException.code
    payload = msgspec.json.encode({"message": fault.message})
    return _frame(_headers("exception", ":exception-type", code), payload)


@lru_cache(maxsize=64)
def _headers(message_type: str, type_header: str, type_name: str) -> bytes:
    content_type = Codec.JSON.content_type
    headers = {type_header: type_name, ":content-type": content_type, ":message-type": message_type}
    encoded = bytearray()
    for name, value in headers.items():
        name_bytes, value_bytes = name.encode(), value.encode()
        encoded += struct.pack(">B", len(name_bytes)) + name_bytes
        encoded += struct.pack(">BH", _TEXT, len(value_bytes)) + value_bytes
    return bytes(encoded)


def _frame(headers: bytes, payload: bytes) -> bytes:
    lengths = _LENGTHS.pack(_LENGTHS.size + _CRC.size + len(headers) + len(payload) + _CRC.size, len(headers))
    start = lengths + _CRC.pack(zlib.crc32(lengths)) + headers
    checksum = zlib.crc32(payload, zlib.crc32(start))
    return b"".join((start, payload, _CRC.pack(checksum)))
