"""The processors before a function: each makes any number of records of one.

In AWS's order: KPL de-aggregation (Kinesis sources), decompression, message extraction, record de-aggregation.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from millstream.base.units import MIB
from millstream.firehose.configuration import Processor
from millstream.firehose.ports import Chunk
from millstream.firehose.processing.cloudwatch import extract_messages
from millstream.firehose.processing.deaggregation import decode_delimiter, delimited, json_objects
from millstream.firehose.processing.decompression import decompress
from millstream.firehose.processing.failures import DECOMPRESSION_FAILED, ProcessingFailure, failure_line
from millstream.log import Packed
from millstream.wire.aggregation import MAGIC, unpack

_TYPES = frozenset({"Decompression", "CloudWatchLogProcessing", "RecordDeAggregation"})

CHUNK_BYTES_MAX = 256 * MIB
"""What the records of a chunk, which is at most about 1 MiB, may become together: one by one each may become 64 MiB."""

_TOO_MUCH = f"The records that were put together with this one have more than {CHUNK_BYTES_MAX // MIB} MiB decompressed"

Step = Callable[[bytes], list[bytes]]
"""Makes records of one; raises ProcessingFailure."""


class Piece(NamedTuple):
    """A record made of one of a chunk; if `failure` (an error output type) is given, its error-output line instead."""

    data: bytes
    origin: int  # index of the chunk's record that it was made of
    key: bytes  # its partition key; of an aggregated record's part, the part's
    part: int | None = None  # its number among the parts of a KPL-aggregated record
    failure: str = ""


class Splitter:
    """Runs the processors of `processors` that come before a function. `from_kinesis`: KPL de-aggregation, too."""

    def __init__(self, processors: Sequence[Processor], *, from_kinesis: bool) -> None:
        self._steps = steps(processors)
        self._from_kinesis = from_kinesis
        parameters = sorted(msgspec.json.encode(one) for one in processors if one.type in _TYPES)
        self.identity = zlib.crc32(b",".join([b"%d" % from_kinesis, *parameters]))
        """Another number for another way of splitting."""

    def leaves(self, chunk: Chunk) -> bool:
        """Whether a chunk's records stay as they are."""
        return not self._steps and not (self._from_kinesis and _may_be_aggregated(chunk))

    def pieces(self, chunk: Chunk) -> list[Piece]:
        """What becomes of a chunk's records, in order: the same every time."""
        found: list[Piece] = []
        left_bytes = CHUNK_BYTES_MAX
        for index, key, part, record in self._parts(chunk):
            pieces = self._split(record, index, key, part, chunk.arrival_ms, left_bytes)
            left_bytes -= sum(len(piece.data) for piece in pieces if not piece.failure)
            found += pieces
        return found

    def _parts(self, chunk: Chunk) -> Iterator[tuple[int, bytes, int | None, bytes]]:
        """All records of a chunk, the parts of aggregated ones by themselves: index, key, number of the part, data."""
        for index, (key, record) in enumerate(zip(chunk.keys, chunk.data, strict=True)):
            parts = unpack(record) if self._from_kinesis else None
            if parts is None:
                yield index, key, None, record
                continue
            for number, part in enumerate(parts):
                yield index, part.key, number, part.data

    def _split(
        self, record: bytes, index: int, key: bytes, part: int | None, arrival_ms: int, bytes_max: int
    ) -> list[Piece]:
        records = [record]
        try:
            for step in self._steps:
                records = [made for one in records for made in step(one)]
            if self._steps and sum(map(len, records)) > max(bytes_max, len(record)):
                raise ProcessingFailure(DECOMPRESSION_FAILED, "Decompression.Failed", _TOO_MUCH)
        except ProcessingFailure as failure:
            line = failure_line(failure.code, failure.message, record, arrival_ms, 1)
            return [Piece(line, index, key, part, failure.kind)]
        return [Piece(made, index, key, part) for made in records]


def _may_be_aggregated(chunk: Chunk) -> bool:
    if isinstance(chunk.records, Packed) and not chunk.records.has(MAGIC):
        return False
    return any(record.startswith(MAGIC) for record in chunk.data)


def steps(processors: Sequence[Processor]) -> list[Step]:
    """The processors before a function, in AWS's order whatever theirs is. Raises ValueError for a wrong parameter."""
    by_type = {processor.type: processor for processor in processors}
    found: list[Step] = []
    if "Decompression" in by_type:
        found.append(decompress)
    extraction = by_type.get("CloudWatchLogProcessing")
    if extraction is not None and (extraction.parameter("DataMessageExtraction") or "").lower() == "true":
        found.append(extract_messages)
    if "RecordDeAggregation" in by_type:
        found.append(_deaggregation(by_type["RecordDeAggregation"]))
    return found


def _deaggregation(processor: Processor) -> Step:
    if processor.parameter("SubRecordType") == "DELIMITED":
        return delimited(decode_delimiter(processor.parameter("Delimiter") or ""))
    return json_objects
