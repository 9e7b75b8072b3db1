"""What becomes of a parcel's records, written down while they are delivered: the Report's numbers and error output."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from millstream.firehose.errorlines import ErrorLines
from millstream.firehose.ports import Report

MESSAGE_CHARACTERS_MAX = 1024
"""How much of a destination's answer is kept with a record: it may be kept with each of thousands."""


class Failure(NamedTuple):
    """Why a record was given up, after how many attempts, and when."""

    code: str
    message: str
    attempts_made: int
    ended_ms: int


class Ledger:
    """Counts what was delivered and gathers error output: a line of JSON for each record that was not.

    `kind` is the error output's type. Records of a parcel have no arrival times of their own: `arrival_ms` is the
    oldest one's. `scratch` is the directory of scratch files.
    """

    def __init__(self, kind: str, arrival_ms: int, scratch: Path) -> None:
        self._kind = kind
        self._arrival_ms = arrival_ms
        self._lines = ErrorLines(scratch)
        self._delivered_records = self._delivered_bytes = 0

    def delivered(self, record_count: int, size_bytes: int) -> None:
        """Count records that the destination has."""
        self._delivered_records += record_count
        self._delivered_bytes += size_bytes

    def failed(self, data: bytes, failure: Failure, **names: str | int) -> None:
        """Write a record down that was given up; `names` are the destination's own members. Raises DiskError."""
        line = {
            "attemptsMade": failure.attempts_made,
            "arrivalTimestamp": self._arrival_ms,
            "errorCode": failure.code,
            "errorMessage": failure.message,
            "attemptEndingTimestamp": failure.ended_ms,
            **names,
            "rawData": data,  # msgspec writes bytes as base64
        }
        self._lines.add(msgspec.json.encode(line) + b"\n")

    def report(self) -> Report:
        """The whole, once every record is either delivered or failed."""
        return Report(self._delivered_records, self._delivered_bytes, self._lines.outputs(self._kind))
