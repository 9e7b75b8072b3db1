"""Putting what the platform's own parts give, in the api process: by the same operations as everybody's records."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from millstream.firehose.operations.records import put_record_batch
from millstream.firehose.requests import PutRecordBatchInput
from millstream.firehose.requests import Record as DeliveryRecord
from millstream.firehose.service import FirehoseService
from millstream.streams import StreamsService
from millstream.streams.operations.records import put_records
from millstream.streams.requests import PutRecordsInput, PutRecordsRequestEntry
from millstream.wire import CallContext, Codec, Encoded, Fault, new_request_id


class PutResult(NamedTuple):
    """Which records were not put (their indexes), and the error of the first of those. All others are durable."""

    failed: list[int]
    code: str = ""
    message: str = ""


class Owner(NamedTuple):
    """In whose name records are put; the stream or delivery stream is theirs."""

    account: str
    region: str


class ServicePuts:
    """Puts records into streams and delivery streams; what these answer, and be it a fault, is the result."""

    def __init__(self, streams: StreamsService, firehose: FirehoseService) -> None:
        self._streams = streams
        self._firehose = firehose

    async def into_stream(self, owner: Owner, arn: str, keys: list[str], data: list[bytes]) -> PutResult:
        """PutRecords: a partition key a datum."""
        records = [PutRecordsRequestEntry(Data=datum, PartitionKey=key) for key, datum in zip(keys, data, strict=True)]
        request = PutRecordsInput(Records=records, StreamARN=arn)
        try:
            reply = await put_records(self._streams, _context(owner, "PutRecords"), request)
        except Fault as fault:
            return PutResult(list(range(len(data))), fault.code, fault.message)
        return _result(reply, "FailedRecordCount", "Records")

    async def into_delivery_stream(self, owner: Owner, arn: str, data: list[bytes]) -> PutResult:
        """PutRecordBatch."""
        name = arn.rpartition("/")[2]
        request = PutRecordBatchInput(DeliveryStreamName=name, Records=[DeliveryRecord(Data=datum) for datum in data])
        try:
            reply = await put_record_batch(self._firehose, _context(owner, "PutRecordBatch"), request)
        except Fault as fault:
            return PutResult(list(range(len(data))), fault.code, fault.message)
        return _result(reply, "FailedPutCount", "RequestResponses")


def _context(owner: Owner, operation: str) -> CallContext:
    return CallContext(operation, owner.account, owner.region, new_request_id(), Codec.JSON)


def _result(reply: Encoded, count_member: str, list_member: str) -> PutResult:
    body = reply.body
    if f'"{count_member}":0'.encode() in body[:64]:
        return PutResult([])
    answer: dict[str, Any] = msgspec.json.decode(body)
    failed = [place for place, entry in enumerate(answer[list_member]) if entry.get("ErrorCode")]
    first = answer[list_member][failed[0]] if failed else {}
    return PutResult(failed, first.get("ErrorCode", ""), first.get("ErrorMessage", ""))
