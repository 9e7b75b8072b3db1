"""Records as consumers get them: GetRecords' replies decoded, aggregated records taken apart."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import msgspec

from millstream.client.checkpoints import Checkpoint
from millstream.client.errors import Unreachable
from millstream.wire.aggregation import MAGIC, unpack


class Record(msgspec.Struct, gc=False, frozen=True):
    """A record of a stream.

    `sub_sequence_number` counts the records that were packed into one; they share its sequence number.
    """

    data: bytes = msgspec.field(name="Data")
    partition_key: str = msgspec.field(name="PartitionKey")
    sequence_number: str = msgspec.field(name="SequenceNumber")
    arrival_s: float = msgspec.field(name="ApproximateArrivalTimestamp", default=0.0)
    """When the stream took it: seconds since the epoch, to the millisecond."""
    sub_sequence_number: int = 0

    @property
    def arrived(self) -> dt.datetime:
        """When the stream took it, in UTC."""
        return dt.datetime.fromtimestamp(self.arrival_s, dt.UTC)

    @property
    def checkpoint(self) -> Checkpoint:
        """The place after this record."""
        return Checkpoint(self.sequence_number, self.sub_sequence_number)


class Page(NamedTuple):
    """What one GetRecords gave; `next_iterator` is None at the end of a shard."""

    records: list[Record]
    next_iterator: str | None
    millis_behind: int


class _Reply(msgspec.Struct):
    records: list[Record] = msgspec.field(name="Records")
    next_iterator: str | None = msgspec.field(name="NextShardIterator", default=None)
    millis_behind: int = msgspec.field(name="MillisBehindLatest", default=0)


_decode = msgspec.json.Decoder(_Reply).decode


def decode_page(reply: bytes) -> Page:
    """A page of GetRecords with its records as they were put, not yet taken apart. Raises Unreachable."""
    try:
        decoded = _decode(reply)
    except msgspec.MsgspecError as error:
        raise Unreachable(f"GetRecords: the answer is no answer: {error}") from error
    return Page(decoded.records, decoded.next_iterator, decoded.millis_behind)


def deaggregate(records: list[Record]) -> list[Record]:
    """The records with aggregated ones replaced by what was packed into them; the same list if there are none.

    All of an aggregated record is kept, also what would not have gone to this shard by its own key.
    """
    if not any([record.data.startswith(MAGIC) for record in records]):  # noqa: C419 - a list is quicker
        return records
    return [part for record in records for part in _parts(record)]


def after(records: list[Record], checkpoint: Checkpoint) -> list[Record]:
    """The records that come after a checkpoint; `records` are of one shard and in order."""
    if not checkpoint.is_number:
        return records
    done = 0
    place = checkpoint.order
    while done < len(records) and records[done].checkpoint.order <= place:
        done += 1
    return records[done:] if done else records


def _parts(record: Record) -> list[Record]:
    packed = unpack(record.data)
    if packed is None:
        return [record]
    number, arrival_s = record.sequence_number, record.arrival_s
    return [
        Record(part.data, part.key.decode("utf-8", "replace"), number, arrival_s, i) for i, part in enumerate(packed)
    ]
