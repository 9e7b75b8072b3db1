"""Records that could not be processed, and the lines that the error output has of them."""

from __future__ import annotations

import msgspec

PROCESSING_FAILED = "processing-failed"
DECOMPRESSION_FAILED = "decompression-failed"
METADATA_EXTRACTION_FAILED = "metadata-extraction-failed"  # observed; AWS does not document it

_MESSAGE_CHARACTERS_MAX = 1000

_encode = msgspec.json.Encoder().encode


class ProcessingFailure(Exception):
    """A record cannot be processed. `kind` is the error output type, `code` the error code of the line."""

    def __init__(self, kind: str, code: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.message = message


def failure_line(
    code: str,
    message: str,
    raw: bytes,
    arrival_ms: int,
    attempts: int,
    *,
    ended_ms: int | None = None,
    **extra: str | int,
) -> bytes:
    """The error output's line of a record, ending with a newline; `extra` are further members, such as `lambdaArn`.

    `ended_ms` is when the last attempt was over. Chains leave it out: arrival stands in for it, so that a chunk that is
    processed again gives the same bytes. The shape is AWS's ("Handle failure in data transformation", Firehose guide).
    """
    line = {
        "attemptsMade": attempts,
        "arrivalTimestamp": arrival_ms,
        "errorCode": code,
        "errorMessage": message[:_MESSAGE_CHARACTERS_MAX],
        "attemptEndingTimestamp": arrival_ms if ended_ms is None else ended_ms,
        "rawData": raw,  # encoded as base64
        **extra,
    }
    return _encode(line) + b"\n"
