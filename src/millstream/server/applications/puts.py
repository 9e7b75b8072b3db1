"""Putting what applications give, in the api process: through the same operations as everybody's records."""

from __future__ import annotations

from typing import Any

import msgspec

from millstream.analytics.model import Application, ResourceKind
from millstream.firehose.operations.records import put_record_batch
from millstream.firehose.requests import PutRecordBatchInput
from millstream.firehose.requests import Record as DeliveryRecord
from millstream.firehose.service import FirehoseService
from millstream.server.applications.channel import Put, PutDone
from millstream.streams import StreamsService
from millstream.streams.operations.records import put_records
from millstream.streams.requests import PutRecordsInput, PutRecordsRequestEntry
from millstream.wire import CallContext, Codec, Encoded, Fault, new_request_id


class Puts:
    """Puts an application's records into streams and delivery streams of its account and region."""

    def __init__(self, streams: StreamsService, firehose: FirehoseService) -> None:
        self._streams = streams
        self._firehose = firehose

    async def put(self, application: Application, put: Put) -> PutDone:
        """What became of the records. Durable once this returns, but for those that failed."""
        try:
            if put.kind is ResourceKind.STREAM:
                return await self._into_stream(application, put)
            return await self._into_delivery_stream(application, put)
        except Fault as fault:
            return PutDone(put.number, list(range(len(put.data))), fault.code, fault.message)

    async def _into_stream(self, application: Application, put: Put) -> PutDone:
        records = [
            PutRecordsRequestEntry(Data=data, PartitionKey=key.decode())
            for key, data in zip(put.keys, put.data, strict=True)
        ]
        request = PutRecordsInput(Records=records, StreamARN=put.arn)
        reply = await put_records(self._streams, _context(application, "PutRecords"), request)
        return _done(put.number, reply, "FailedRecordCount", "Records")

    async def _into_delivery_stream(self, application: Application, put: Put) -> PutDone:
        name = put.arn.rpartition("/")[2]
        request = PutRecordBatchInput(DeliveryStreamName=name, Records=[DeliveryRecord(Data=data) for data in put.data])
        reply = await put_record_batch(self._firehose, _context(application, "PutRecordBatch"), request)
        return _done(put.number, reply, "FailedPutCount", "RequestResponses")


def _context(application: Application, operation: str) -> CallContext:
    return CallContext(operation, application.account, application.region, new_request_id(), Codec.JSON)


def _done(number: int, reply: Encoded, count_member: str, list_member: str) -> PutDone:
    body = reply.body
    if f'"{count_member}":0'.encode() in body[:64]:
        return PutDone(number)
    answer: dict[str, Any] = msgspec.json.decode(body)
    failed = [place for place, entry in enumerate(answer[list_member]) if entry.get("ErrorCode")]
    first = answer[list_member][failed[0]] if failed else {}
    return PutDone(number, failed, first.get("ErrorCode", ""), first.get("ErrorMessage", ""))
