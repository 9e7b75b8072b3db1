"""What every processor is in the end: a function from a record to a record."""

from __future__ import annotations

from collections.abc import Callable

from millstream.base.units import MIB

Converter = Callable[[bytes], bytes]
"""Makes a record of a record, a line end at its end; raises Rejected where it cannot, and nothing else."""

MATCHED_BYTES_MAX = MIB
"""Records longer than this are not tried with a user's regular expression: it would be stopped as too slow."""


class Rejected(Exception):
    """A record that a processor cannot take. The reason is one of a few fixed texts: it is counted by."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def text_of(record: bytes) -> str:
    """The record without its line end, decoded; what is no UTF-8 becomes U+FFFD, as in Java's decoder."""
    return record.rstrip(b"\r\n").decode("utf-8", "replace")
