"""RecordDeAggregation: several JSON objects, or delimited records, in one record.

Where a record cannot be taken apart (more than 500 parts, JSON that is no sequence of objects) it stays whole, as
observed of AWS: what comes next judges it, and nothing is lost.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Callable

PARTS_MAX = 500

_SPACE = re.compile(r"[ \t\r\n]*")
_scan = json.JSONDecoder().raw_decode


def json_objects(record: bytes) -> list[bytes]:
    """The JSON objects in a record, with any whitespace between them; their bytes as they were."""
    text = record.decode("utf-8", "surrogateescape")  # what is no UTF-8 comes out as it went in
    parts: list[bytes] = []
    at = _after_space(text, 0)
    try:
        while at < len(text):
            if text[at] != "{" or len(parts) == PARTS_MAX:
                return [record]
            _, end = _scan(text, at)
            parts.append(text[at:end].encode("utf-8", "surrogateescape"))
            at = _after_space(text, end)
    except (ValueError, RecursionError):
        return [record]
    return parts or [record]


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def delimited(delimiter: bytes) -> Callable[[bytes], list[bytes]]:
    """What cuts records at `delimiter`, which is taken away; empty parts are none."""

    def split(record: bytes) -> list[bytes]:
        parts = [part for part in record.split(delimiter) if part]
        return parts if 0 < len(parts) <= PARTS_MAX else [record]

    return split


def decode_delimiter(value: str) -> bytes:
    """The Delimiter parameter, which is base64 ("IyMjIw==" is ####). Raises ValueError if it is not, or is empty."""
    try:
        delimiter = binascii.a2b_base64(value, strict_mode=True)
    except binascii.Error as error:
        raise ValueError(f"the Delimiter of RecordDeAggregation must be base64: {value!r}") from error
    if not delimiter:
        raise ValueError("the Delimiter of RecordDeAggregation must not be empty")
    return delimiter
