"""CloudWatchLogProcessing: the messages in what a CloudWatch Logs subscription sends.

    {"messageType": "DATA_MESSAGE", "owner": …, "logGroup": …, "logStream": …,
     "logEvents": [{"id": …, "timestamp": …, "message": …}, …]}

CONTROL_MESSAGE, which CloudWatch Logs sends to see whether the destination is there, is dropped.
"""

from __future__ import annotations

import msgspec
from msgspec import field

from millstream.firehose.processing.failures import DECOMPRESSION_FAILED, ProcessingFailure


class _LogEvent(msgspec.Struct):
    message: str


class _Envelope(msgspec.Struct):
    message_type: str = field(name="messageType")
    events: list[_LogEvent] = field(name="logEvents", default_factory=list)


_decode = msgspec.json.Decoder(_Envelope).decode


def extract_messages(record: bytes) -> list[bytes]:
    """One record with every message and a newline after each; none for a control message. Raises ProcessingFailure."""
    try:
        envelope = _decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"The record is not a message of a CloudWatch Logs subscription: {error}"
        raise ProcessingFailure(DECOMPRESSION_FAILED, "CloudWatchLogs.ExtractionFailed", message) from error
    if envelope.message_type == "CONTROL_MESSAGE" or not envelope.events:
        return []
    return ["".join(f"{event.message}\n" for event in envelope.events).encode()]
