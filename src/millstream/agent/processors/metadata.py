"""ADDMETADATA and ADDEC2METADATA: a record is told where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from millstream.agent.hostmetadata import iso8601
from millstream.agent.processors.converter import Converter, text_of
from millstream.agent.processors.fields import encode, in_json_format
from millstream.agent.processors.options import Options
from millstream.base.clock import Clock

HostMetadata = Callable[[], dict[str, Any]]
"""What there is to tell of this host; may take a moment when first called."""

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def addmetadata(options: Options, clock: Clock) -> Converter:
    """Makes `{"metadata": …, "data": …}` of a record: the configured object, and the record as a text.

    With the option `timestamp` also `"ts"`, when the record was processed: ISO 8601, UTC, to the millisecond.
    """
    metadata = encode(options.mapping("metadata"))
    begin = b'"metadata":' + metadata + b',"data":'

    def convert(record: bytes) -> bytes:
        return b"{" + begin + encode(text_of(record)) + b"}\n"

    def convert_with_time(record: bytes) -> bytes:
        stamp = iso8601(clock.now_ms()).encode()
        return b'{"ts":"' + stamp + b'",' + begin + encode(text_of(record)) + b"}\n"

    return in_json_format(convert_with_time if options.flag("timestamp") else convert, options)


def addec2metadata(options: Options, host_metadata: HostMetadata) -> Converter:
    """Adds what is known of the host to a JSON object, over members of the same names; others stay as they were.

    A record that is no JSON object becomes one first, with the record as its `data`.
    """
    options.ignore("logFormat", "metadataTTL")  # the Java agent's examples have the former; the latter: asked once
    encoded: dict[str, msgspec.Raw] = {}

    def convert(record: bytes) -> bytes:
        if not encoded:
            encoded.update({name: msgspec.Raw(encode(value)) for name, value in host_metadata().items()})
        return encode(_members(record) | encoded) + b"\n"

    return in_json_format(convert, options)


def _members(record: bytes) -> dict[str, msgspec.Raw]:
    try:
        return _decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {"data": msgspec.Raw(encode(text_of(record)))}
