"""Checkpoints: how far a consumer group has come in a shard; and where one begins that has not come anywhere yet.

    TRIM_HORIZON            before everything
    LATEST                  before whatever comes after somebody begins to read
    AT_TIMESTAMP:ms         before whatever arrived at that time (milliseconds since the epoch) or later
    number[:sub]            after the record with that sequence number (in an aggregated one: that sub-sequence number)
    SHARD_END               after everything

The words are the Kinesis Client Library's, so that its lease tables can be read and carried on with.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal, NamedTuple

from millstream.client.errors import ConfigurationError

_EARLIEST = {"TRIM_HORIZON": -2, "AT_TIMESTAMP": -1, "LATEST": -1}


class Checkpoint(NamedTuple):
    """A place in a shard; `value` is a sequence number or one of the words above."""

    value: str
    sub_sequence_number: int = 0
    timestamp_ms: int = 0

    @property
    def is_end(self) -> bool:
        """Whether nothing comes after it."""
        return self.value == "SHARD_END"

    @property
    def is_number(self) -> bool:
        """Whether it is a record's place."""
        return self.value[:1].isdigit()

    @property
    def order(self) -> tuple[int, int]:
        """Grows from the beginning to the end of a shard; times and LATEST count as before all records."""
        if self.is_number:
            return int(self.value), self.sub_sequence_number
        return (1 << 256, 0) if self.is_end else (_EARLIEST[self.value], self.timestamp_ms)

    def __str__(self) -> str:
        if self.value == "AT_TIMESTAMP":
            return f"AT_TIMESTAMP:{self.timestamp_ms}"
        return f"{self.value}:{self.sub_sequence_number}" if self.sub_sequence_number else self.value

    def iterator_params(self) -> dict[str, Any]:
        """What GetShardIterator is asked for.

        For a sequence number it is AT, not AFTER: more records may be packed in that one; `ShardReader` skips those
        that are done.
        """
        if self.is_number:
            return {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": self.value}
        if self.value == "AT_TIMESTAMP":
            return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": self.timestamp_ms / 1000}
        return {"ShardIteratorType": self.value}


TRIM_HORIZON = Checkpoint("TRIM_HORIZON")
LATEST = Checkpoint("LATEST")
SHARD_END = Checkpoint("SHARD_END")


def at_time(timestamp_ms: int) -> Checkpoint:
    """Before whatever arrived then or later."""
    return Checkpoint("AT_TIMESTAMP", 0, timestamp_ms)


def parse_checkpoint(text: str) -> Checkpoint:
    """The inverse of `str(checkpoint)`. Raises ValueError."""
    value, colon, tail = text.partition(":")
    if value in ("TRIM_HORIZON", "LATEST", "SHARD_END") and not colon:
        return Checkpoint(value)
    if value == "AT_TIMESTAMP":
        return at_time(int(tail))
    if not value.isascii() or not value.isdigit():
        raise ValueError(f"{text!r} is no checkpoint")
    return Checkpoint(value, int(tail) if colon else 0)


Start = Literal["latest", "trim_horizon"] | dt.datetime


def starting_checkpoint(start: Start) -> Checkpoint:
    """Where shards without a lease are begun. Raises ConfigurationError."""
    if isinstance(start, dt.datetime):
        return at_time(round(start.timestamp() * 1000))
    if start in ("latest", "trim_horizon"):
        return Checkpoint(start.upper())
    raise ConfigurationError(f"start={start!r}: it has to be 'latest', 'trim_horizon' or a datetime")
