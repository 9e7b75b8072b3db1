"""How the delivery engine meets the rest: sources of records, processors, destinations, and what these are given.

    RecordSource ─chunks─► Chain ─records by lane─► buffers ─parcels─► Destination ─► Report

A *chunk* is a block of a log: the unit of reading, of progress, and of processing. A *lane* is what is buffered
together: the records of one partition, or those that failed in one way. A *parcel* is what is delivered at once: a
lane's records from one log position to another, which never change, so that a parcel made again after a crash is the
same parcel.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from millstream.base.clock import Clock
from millstream.base.errors import MillstreamError
from millstream.functions import Functions
from millstream.log import Packed
from millstream.objects.port import ObjectStores

Records = list[bytes] | Packed
"""Some records: one by one, or as they stand in a log, for those who do not look at each."""


class Chunk:
    """Records of one shard with one arrival time, from log position `start` up to `end` (exclusive); perhaps none.

    `records` is their data as it came. Who asks for `data` or `keys` has it cut apart, once.
    """

    def __init__(
        self, start: int, end: int, shard: int, first_offset: int, arrival_ms: int, keys: Records, records: Records
    ) -> None:
        self.start = start
        self.end = end
        self.shard = shard
        self.first_offset = first_offset
        self.arrival_ms = arrival_ms
        self.records = records
        self._keys = keys

    @cached_property
    def keys(self) -> list[bytes]:
        """The records' partition keys."""
        return self._keys.cut() if isinstance(self._keys, Packed) else self._keys

    @cached_property
    def data(self) -> list[bytes]:
        """The records one by one."""
        return self.records.cut() if isinstance(self.records, Packed) else self.records


class RecordSource(Protocol):
    """A log that is read from front to back, by position."""

    def end(self) -> int:
        """The position after the last record that may be read now. Cheap; never blocks."""
        ...

    def read(self, position: int, *, bytes_max: int) -> list[Chunk]:
        """Blocking. The chunks from `position` on (or from the first one kept): about `bytes_max` bytes.

        Empty at the end. A list of chunks ends at the `end` of its last one. Raises LogCorrupt, DiskError.
        """
        ...


class Lane(msgspec.Struct, frozen=True, cache_hash=True):
    """What is buffered together.

    `failure` is "" for records to be delivered, else the error output type of records that failed
    ("processing-failed", …). `partition` has the partition keys as sorted pairs: ("query:sector", "ENERGY") for
    partitionKeyFromQuery:sector, ("lambda:customer", "7") for partitionKeyFromLambda:customer.
    """

    failure: str = ""
    partition: tuple[tuple[str, str], ...] = ()


MAIN = Lane()


class Chain(Protocol):
    """What happens to records before they are buffered: deterministic, and free of I/O. Called in a thread."""

    def process(self, chunk: Chunk) -> Sequence[tuple[Lane, Records]]:
        """The records that the chunk's become, by lane, each lane once; those of failure lanes are error-output lines.

        Never raises for any data: what cannot be processed goes to a failure lane.
        """
        ...


class Parcel(Protocol):
    """Records of a lane, to be delivered at once. What it holds can be read any number of times."""

    parcel_id: str  # a UUID, the same after a crash
    lane: Lane
    key: str  # what Destination.plan said, recorded before the delivery
    record_count: int
    size_bytes: int
    first_arrival_ms: int  # of the oldest record
    last_arrival_ms: int

    def pieces(self) -> Iterator[bytes]:
        """Blocking. The records' bytes one after the other, in pieces of about a MiB that may cut through records."""
        ...

    def record_lists(self) -> Iterator[list[bytes]]:
        """Blocking. The records, in lists of about a MiB."""
        ...


class ErrorOutput(NamedTuple):
    """Records that could not be delivered, as lines of the documented JSON, for the error output of type `kind`.

    `pieces` (blocking) gives the lines, the same each time it is called.
    """

    kind: str
    pieces: Callable[[], Iterable[bytes]]
    record_count: int


class Report(NamedTuple):
    """What became of a parcel: all that it held is delivered, or in `errors`, which the engine sees to."""

    delivered_records: int
    delivered_bytes: int
    errors: Sequence[ErrorOutput] = ()


class Destination(Protocol):
    """Delivers parcels of the main lanes.

    `parcels_max` is how many may be under way at once.
    """

    parcels_max: int

    def plan(self, parcel: Parcel) -> str:
        """The key under which the parcel will be delivered (an object's key, or "" where there is none).

        Decided once: it is recorded, and comes back as `parcel.key`, before `deliver` is called, also after a crash.
        """
        ...

    async def deliver(self, parcel: Parcel) -> Report:
        """Deliver, trying again as long as is documented, and return when nothing of the parcel can be lost any more.

        Twice for the same parcel must have the effect of once, as far as the destination can. May be cancelled.
        Raises DeliveryError only where nothing will ever help; the engine then keeps the parcel and tries again later.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class DeliveryError(MillstreamError):
    """A delivery failed; `code` as in AWS's error logs ("S3.AccessDenied", "Redshift.TableNotFound", …)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ErrorLog(Protocol):
    """Where delivery errors are told: the delivery stream's log group, and its last error."""

    last_error: str | None
    last_error_ms: int | None

    def report(self, code: str, message: str, **details: Any) -> None:
        """Tell of an error, now; repeated ones are thinned out."""
        ...


class Column(NamedTuple):
    """A column of a table: its name and its Hive type (`struct<a:int,b:array<string>>`)."""

    name: str
    type: str


class Tables(Protocol):
    """Table definitions for format conversion."""

    def columns(self, database: str, table: str, *, region: str, account: str, version: str = "LATEST") -> list[Column]:
        """The columns, partition columns excluded, of that version of the table.

        Raises DeliveryError (DataFormatConversion.…) if there is no such table.
        """
        ...


class Surroundings(NamedTuple):
    """What processors and destinations of one delivery stream are given."""

    account: str
    region: str
    stream_name: str
    stream_arn: str
    version: int
    source_stream_arn: str | None  # of the Kinesis stream; None: Direct PUT
    clock: Clock
    generator: random.Random
    threads: Executor
    converters: Executor  # for what takes much memory: few at once
    stores: ObjectStores
    errors: ErrorLog
    functions: Functions
    tables: Tables
    scratch: Path  # the directory of scratch files
    warehouse_path: str  # the DuckDB file of `duckdb:` cluster URLs without a path
    sequence_number: Callable[[int, int, int], str]  # (shard, offset, arrival_ms) -> a sequence number of the source
