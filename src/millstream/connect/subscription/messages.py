"""What CloudWatch Logs puts into a stream for a subscription: gzip of a JSON object with events of one log stream.

    {"messageType": "DATA_MESSAGE", "owner": …, "logGroup": …, "logStream": …, "subscriptionFilters": […],
     "logEvents": [{"id": …, "timestamp": …, "message": …, "extractedFields": {…}}, …]}

Source: CloudWatch Logs user guide, "Real-time processing of log data with subscriptions".
"""

from __future__ import annotations

import zlib

import msgspec

from millstream.base.errors import MillstreamError
from millstream.base.units import MIB

RECORD_BYTES_MAX = 64 * MIB
"""What a record may become when it is decompressed; CloudWatch Logs itself stays at about 1 MiB."""

_GZIP_WBITS = 31
_DATA, _CONTROL = "DATA_MESSAGE", "CONTROL_MESSAGE"


class NotASubscription(MillstreamError):
    """A record is not one of a subscription; the text says why."""


class LogEvent(msgspec.Struct, frozen=True):
    """An event of a log stream, and where it is from. `time_ms` is since the epoch; `fields` are those of a pattern."""

    id: str
    time_ms: int
    message: str
    owner: str
    log_group: str
    log_stream: str
    fields: dict[str, str] | None = None


class _Event(msgspec.Struct, rename="camel"):
    id: str
    timestamp: int
    message: str
    extracted_fields: dict[str, str | None] | None = None


class _Message(msgspec.Struct, rename="camel"):
    message_type: str
    owner: str = ""
    log_group: str = ""
    log_stream: str = ""
    log_events: list[_Event] = []


_decode = msgspec.json.Decoder(_Message).decode


def events_of(record: bytes) -> list[LogEvent]:
    """The events in a record; none in a control message. Raises NotASubscription."""
    try:
        message = _decode(_decompress(record))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotASubscription(f"not a message of a log subscription: {error}") from error
    if message.message_type == _CONTROL:
        return []
    if message.message_type != _DATA:
        raise NotASubscription(f"a message of the unknown type {message.message_type!r}")
    return [
        LogEvent(
            event.id,
            event.timestamp,
            event.message,
            message.owner,
            message.log_group,
            message.log_stream,
            None
            if event.extracted_fields is None
            else {name: value for name, value in event.extracted_fields.items() if value is not None},
        )
        for event in message.log_events
    ]


def _decompress(record: bytes) -> bytes:
    decompressor = zlib.decompressobj(_GZIP_WBITS)
    try:
        content = decompressor.decompress(record, RECORD_BYTES_MAX)
    except zlib.error as error:
        raise NotASubscription(f"not in GZIP format: {error}") from error
    if not decompressor.eof:
        why = "cut short" if len(content) < RECORD_BYTES_MAX else f"more than {RECORD_BYTES_MAX // MIB} MiB"
        raise NotASubscription(f"GZIP, but {why}")
    return content
