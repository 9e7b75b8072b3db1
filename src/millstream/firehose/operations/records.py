"""PutRecord and PutRecordBatch: the data plane's calls.

Every check is made before anything is appended: the delivery stream, its source, the sizes, then throughput.
Source: the API reference; wording observed on AWS.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from millstream.base.errors import MillstreamError
from millstream.base.units import MIB
from millstream.firehose.model import StreamStatus, StreamType
from millstream.firehose.registry import Handle, stream_not_found
from millstream.firehose.replies import Refused, put_record_batch_reply, put_record_reply
from millstream.firehose.requests import PutRecordBatchInput, PutRecordInput
from millstream.log import Batch, LogFull, LogStopped, Placement, RecordLog
from millstream.security import KeyUnknown, SealBroken
from millstream.wire import CallContext, Encoded, Fault
from millstream.wire.faults import (
    InternalFailure,
    InvalidArgumentException,
    InvalidKMSResourceException,
    ServiceUnavailableException,
)

if TYPE_CHECKING:
    from millstream.firehose.service import FirehoseService

BATCH_BYTES_MAX = 4 * MIB
SLOW_DOWN = "Slow down."
DISK_FULL = (
    "The disk of this server is full: no records can be taken until space returns. "
    "Retry; records that wait for their delivery are kept."
)
WRITES_STOPPED = (
    "This delivery stream takes no more records until the server is restarted, because a write to its disk failed."
)

_log = logging.getLogger(__name__)


async def put_record(service: FirehoseService, context: CallContext, request: PutRecordInput) -> Encoded:
    """PutRecord: the record is durable once this returns."""
    handle, log = _writable(service, context, request.DeliveryStreamName)
    data = request.Record.Data
    if not handle.limits.admit_request() or handle.limits.admit([len(data)]):
        raise ServiceUnavailableException(SLOW_DOWN)
    encrypted = handle.is_encrypted
    placement = await _append(log, [data])
    return put_record_reply(context.codec, handle.id_head, placement, encrypted=encrypted)


async def put_record_batch(service: FirehoseService, context: CallContext, request: PutRecordBatchInput) -> Encoded:
    """PutRecordBatch: once this returns each record is durable or was refused; throttled ones are, one by one."""
    handle, log = _writable(service, context, request.DeliveryStreamName)
    data = [record.Data for record in request.Records]
    sizes_bytes = [len(datum) for datum in data]
    if sum(sizes_bytes) > BATCH_BYTES_MAX:
        raise InvalidArgumentException("Records size exceeds 4 MB limit")
    if not handle.limits.admit_request():
        raise ServiceUnavailableException(SLOW_DOWN)
    refused = None
    if places := handle.limits.admit(sizes_bytes):
        refused = Refused(places, ServiceUnavailableException.code, SLOW_DOWN)
        left_out = set(places)
        data = [datum for place, datum in enumerate(data) if place not in left_out]
    encrypted = handle.is_encrypted
    placement = await _append(log, data) if data else None
    count = len(sizes_bytes)
    return put_record_batch_reply(context.codec, count, handle.id_head, placement, refused, encrypted=encrypted)


def _writable(service: FirehoseService, context: CallContext, name: str) -> tuple[Handle, RecordLog]:
    """The delivery stream, which takes records, and its log. While it is CREATING it is not found, as on AWS."""
    handle = service.registry.find(context, name)
    stream = handle.stream
    if stream.status is not StreamStatus.ACTIVE:
        raise stream_not_found(name, context.account)
    if handle.log is None:
        raise not_permitted(stream.type)
    return handle, handle.log


def not_permitted(type_: StreamType) -> InvalidArgumentException:
    """The fault for what can be done to a Direct PUT delivery stream only."""
    return InvalidArgumentException(f"This operation is not permitted on {type_} delivery stream type.")


async def _append(log: RecordLog, data: list[bytes]) -> Placement:
    try:
        (placement,) = await log.append([Batch(0, [b""] * len(data), data)])
    except MillstreamError as error:
        raise _fault_of(error) from error
    return placement


def _fault_of(error: MillstreamError) -> Fault:
    """The fault for an append that failed, of a kind that SDKs retry where that may help."""
    if isinstance(error, LogFull):
        return ServiceUnavailableException(DISK_FULL)
    if isinstance(error, LogStopped):
        return InternalFailure(WRITES_STOPPED)
    if isinstance(error, KeyUnknown | SealBroken):
        return InvalidKMSResourceException(str(error))
    _log.error("appending: %s", error)
    return InternalFailure("Records could not be stored on this server's disk. Please retry.")
