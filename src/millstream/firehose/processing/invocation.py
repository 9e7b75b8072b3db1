"""What a function is called with, and what its reply means: Firehose's data transformation contract.

    event  {invocationId, deliveryStreamArn, region, sourceKinesisStreamArn?,
            records: [{recordId, approximateArrivalTimestamp, data, kinesisRecordMetadata?}]}
    reply  {records: [{recordId, result: Ok | Dropped | ProcessingFailed, data, metadata: {partitionKeys}}]}

Source: "Transform source data", Firehose guide; error codes and messages as documented, or as observed in error output.
"""

from __future__ import annotations

import binascii
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import field

from millstream.base.units import KIB, MIB
from millstream.firehose.configuration import Configuration, Splunk
from millstream.firehose.ports import Chunk, Surroundings
from millstream.firehose.processing.chain import active_processors
from millstream.firehose.processing.failures import PROCESSING_FAILED, ProcessingFailure, failure_line
from millstream.firehose.processing.journal import HEADER_BYTES_MAX, Entry, encode_header
from millstream.firehose.processing.keytext import key_text
from millstream.firehose.processing.splitting import Piece
from millstream.functions import FunctionError

EVENT_BYTES_MAX = 6 * MIB
_ENVELOPE_BYTES_MAX = 4 * KIB

_MISSING_ID = (
    "Lambda.MissingRecordId",
    "One or more record Ids were not returned. Ensure that the Lambda function returns all received record Ids.",
)
_DUPLICATED_ID = (
    "Lambda.DuplicatedRecordId",
    (
        "Multiple records were returned with the same record Id. Ensure that the Lambda function returns a unique "
        "record Id for each record."
    ),
)
_FAILED_STATUS = ("Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record")
_WRONG_FORMAT = (
    "Lambda.FunctionError",
    (
        "Check your function and make sure the output is in required format. In addition to that, make sure the "
        "processed records contain valid result status of Dropped, Ok, or ProcessingFailed"
    ),
)
_NOT_JSON = (
    "Lambda.JsonProcessingException",
    (
        "There was an error parsing returned records from the Lambda function. Ensure that the returned records "
        "follow the status model required by Firehose"
    ),
)
_TOO_LARGE = (
    "Lambda.RequestTooLarge",
    "The record does not fit into an invocation, which has at most 6 MiB with the record in base64.",
)


class FunctionSettings(NamedTuple):
    """A Lambda processor's parameters."""

    arn: str
    retries: int
    buffer_bytes: int
    interval_s: float


def function_settings(configuration: Configuration) -> FunctionSettings | None:
    """The settings of a configuration's Lambda processor; None if it has none."""
    processor = next((one for one in active_processors(configuration) if one.type == "Lambda"), None)
    if processor is None:
        return None
    size_mib = 0.25 if isinstance(configuration, Splunk) else 1.0
    return FunctionSettings(
        arn=processor.parameter("LambdaArn") or "",
        retries=int(processor.parameter("NumberOfRetries") or 3),
        buffer_bytes=int(float(processor.parameter("BufferSizeInMBs") or size_mib) * MIB),
        interval_s=float(processor.parameter("BufferIntervalInSeconds") or 60),
    )


Place = tuple[int, int]
"""The index of a record in its chunk, and of a piece among the record's."""


class Item(NamedTuple):
    """A record on its way to a function; if `failure` is given, an error-output line that only keeps its place."""

    record_id: str
    arrival_ms: int
    data: bytes
    encoded: bytes = b""  # as it stands in the event
    failure: str = ""
    place: Place = (0, 0)
    next_place: Place = (0, 0)


def make_items(chunk: Chunk, pieces: Iterable[Piece], surroundings: Surroundings) -> list[Item]:
    """The items that the pieces of a chunk are. Their ids are the same every time."""
    items: list[Item] = []
    for record, group in groupby(pieces, key=attrgetter("origin")):
        members = list(group)
        for i, piece in enumerate(members):
            next_place = (record, i + 1) if i + 1 < len(members) else (record + 1, 0)
            item = _item(chunk, len(items), piece, surroundings)
            items.append(item._replace(place=(record, i), next_place=next_place))
    return items


def _item(chunk: Chunk, number: int, piece: Piece, surroundings: Surroundings) -> Item:
    record_id = f"{chunk.start:020d}{number:08d}"
    if piece.failure:
        return Item(record_id, chunk.arrival_ms, piece.data, failure=piece.failure)
    record: dict[str, Any] = {
        "recordId": record_id,
        "approximateArrivalTimestamp": chunk.arrival_ms,
        "data": piece.data,  # encoded as base64
    }
    if surroundings.source_stream_arn is not None:
        record["kinesisRecordMetadata"] = _metadata(chunk, piece, surroundings)
    encoded = msgspec.json.encode(record)
    if len(encoded) > EVENT_BYTES_MAX - _ENVELOPE_BYTES_MAX:
        line = failure_line(*_TOO_LARGE, piece.data, chunk.arrival_ms, 0)
        return Item(record_id, chunk.arrival_ms, line, failure=PROCESSING_FAILED)
    return Item(record_id, chunk.arrival_ms, piece.data, encoded)


def _metadata(chunk: Chunk, piece: Piece, surroundings: Surroundings) -> dict[str, Any]:
    offset = chunk.first_offset + piece.origin
    return {
        "shardId": f"shardId-{chunk.shard:012d}",
        "partitionKey": piece.key.decode("utf-8", "replace"),
        "approximateArrivalTimestamp": chunk.arrival_ms,
        "sequenceNumber": surroundings.sequence_number(chunk.shard, offset, chunk.arrival_ms),
        "subsequenceNumber": "" if piece.part is None else str(piece.part),
    }


class Batch:
    """Items that are gathered for one invocation."""

    def __init__(self, buffer_bytes: int) -> None:
        self.items: list[Item] = []
        self._left_bytes = buffer_bytes
        self._left_event_bytes = EVENT_BYTES_MAX - _ENVELOPE_BYTES_MAX

    def add(self, item: Item) -> bool:
        """Add an item, unless the batch is full."""
        fits = len(item.data) <= self._left_bytes and len(item.encoded) < self._left_event_bytes
        if self.items and not fits:
            return False
        self.items.append(item)
        self._left_bytes -= len(item.data)
        self._left_event_bytes -= len(item.encoded) + 1
        return True


def make_event(items: Iterable[Item], invocation_id: str, surroundings: Surroundings) -> bytes:
    """The payload of an invocation with those items that have not failed."""
    envelope = {
        "invocationId": invocation_id,
        "deliveryStreamArn": surroundings.stream_arn,
        "region": surroundings.region,
    }
    if surroundings.source_stream_arn is not None:
        envelope["sourceKinesisStreamArn"] = surroundings.source_stream_arn
    records = b",".join([item.encoded for item in items if not item.failure])
    return msgspec.json.encode(envelope)[:-1] + b',"records":[' + records + b"]}"


class _Metadata(msgspec.Struct):
    partition_keys: dict[str, Any] | None = field(name="partitionKeys", default=None)
    table: dict[str, Any] | None = field(name="otfMetadata", default=None)  # Iceberg: where a record goes to


class _Result(msgspec.Struct):
    record_id: str = field(name="recordId")
    result: str = ""
    data: str | None = None
    metadata: _Metadata | None = None


class _Reply(msgspec.Struct):
    records: list[_Result]


_decode_reply = msgspec.json.Decoder(_Reply).decode


class Attempts(NamedTuple):
    """How a function was called, for error-output lines."""

    arn: str
    made: int
    ended_ms: int


def entries_of_reply(reply: bytes, items: Sequence[Item], attempts: Attempts) -> list[Entry]:
    """What the journal keeps of `items` after a function's reply, in their order. Ids of no item are ignored.

    Raises FunctionError if the reply as a whole is not as the contract has it.
    """
    try:
        records = _decode_reply(reply).records
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FunctionError(_NOT_JSON[0], f"{_NOT_JSON[1]}: {error}") from error
    times = Counter(record.record_id for record in records)
    results = {record.record_id: record for record in records}
    entries: list[Entry] = []
    for item in items:
        if item.failure:
            entries.append(_kept(item))
            continue
        try:
            entry = _entry(item, results.get(item.record_id), times[item.record_id])
        except ProcessingFailure as failure:
            entry = _failed(item, failure.code, failure.message, attempts)
        if entry is not None:
            entries.append(entry)
    return entries


def entries_of_failure(error: FunctionError, items: Sequence[Item], attempts: Attempts) -> list[Entry]:
    """What the journal keeps of `items` when no reply could be had for them."""
    return [_kept(item) if item.failure else _failed(item, error.code, str(error), attempts) for item in items]


def _kept(item: Item) -> Entry:
    return Entry(encode_header(item.arrival_ms, item.failure), item.data)


def _failed(item: Item, code: str, message: str, attempts: Attempts) -> Entry:
    arn, made, ended_ms = attempts
    line = failure_line(code, message, item.data, item.arrival_ms, made, ended_ms=ended_ms, lambdaArn=arn)
    return Entry(encode_header(item.arrival_ms, PROCESSING_FAILED), line)


def _entry(item: Item, result: _Result | None, times: int) -> Entry | None:
    """What a result makes of its item; None: it was dropped. Raises ProcessingFailure."""
    if result is None:
        raise ProcessingFailure(PROCESSING_FAILED, *_MISSING_ID)
    if times > 1:
        raise ProcessingFailure(PROCESSING_FAILED, *_DUPLICATED_ID)
    if result.result == "Dropped":
        return None
    if result.result == "ProcessingFailed":
        raise ProcessingFailure(PROCESSING_FAILED, *_FAILED_STATUS)
    if result.result != "Ok" or result.data is None:
        raise ProcessingFailure(PROCESSING_FAILED, *_WRONG_FORMAT)
    try:
        data = binascii.a2b_base64(result.data, strict_mode=True)
    except ValueError as error:
        raise ProcessingFailure(PROCESSING_FAILED, *_WRONG_FORMAT) from error
    header = encode_header(item.arrival_ms, "", _partition_keys(result.metadata))
    if len(header) > HEADER_BYTES_MAX:
        raise ProcessingFailure(PROCESSING_FAILED, _WRONG_FORMAT[0], "The record's partition keys are too large")
    return Entry(header, data)


def _partition_keys(metadata: _Metadata | None) -> dict[str, str]:
    if metadata is None:
        return {}
    given = (metadata.partition_keys or {}) | (metadata.table or {})
    try:
        return {name: key_text(value) for name, value in given.items()}
    except ValueError as error:
        raise ProcessingFailure(PROCESSING_FAILED, _WRONG_FORMAT[0], f"partitionKeys: {error}") from error
