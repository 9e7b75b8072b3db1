"""Decompression of records that are GZIP."""

from __future__ import annotations

from isal import isal_zlib
from isal.isal_zlib import IsalError

from millstream.base.units import MIB
from millstream.firehose.processing.failures import DECOMPRESSION_FAILED, ProcessingFailure

DECOMPRESSED_BYTES_MAX = 64 * MIB
"""What a record may become. AWS documents no limit; without one a record of 1 MB could become 1 GB."""

_GZIP_WBITS = 31
_CODE = "Decompression.Failed"


def decompress(record: bytes) -> list[bytes]:
    """The record decompressed: all members of a GZIP file, their checksums verified. Raises ProcessingFailure."""
    parts: list[bytes] = []
    left_bytes = DECOMPRESSED_BYTES_MAX
    rest = record
    while True:
        member, rest = _member(rest, left_bytes)
        parts.append(member)
        left_bytes -= len(member)
        if not rest.strip(b"\0"):  # a file may be padded with zeros
            return [b"".join(parts)]


def _member(data: bytes, bytes_max: int) -> tuple[bytes, bytes]:
    """The content of the first member of `data`, and what follows it."""
    decompressor = isal_zlib.decompressobj(wbits=_GZIP_WBITS)
    try:
        content: bytes = decompressor.decompress(data, bytes_max + 1)
    except IsalError as error:  # type: ignore[misc]  # its stub has the class as a value
        raise ProcessingFailure(DECOMPRESSION_FAILED, _CODE, f"The record is not in GZIP format: {error}") from error
    if len(content) > bytes_max:
        message = f"The record has more than {DECOMPRESSED_BYTES_MAX // MIB} MiB when it is decompressed"
        raise ProcessingFailure(DECOMPRESSION_FAILED, _CODE, message)
    if not decompressor.eof:
        raise ProcessingFailure(DECOMPRESSION_FAILED, _CODE, "The record is in GZIP format, but it is cut short")
    return content, decompressor.unused_data
