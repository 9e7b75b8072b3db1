"""PutRecord, PutRecords, GetShardIterator, GetRecords: the data plane's calls.

Every check is made before anything is appended: the stream, the records' sizes and hash keys, then throughput.
Source: the API reference; wording and order of checks observed on AWS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from millstream.base.errors import MillstreamError
from millstream.base.units import KIB, MIB
from millstream.log import LogFull
from millstream.streams.admission import admit_record, admit_records, rate_exceeded
from millstream.streams.failures import fault_of_append
from millstream.streams.iterators import ShardIterator, open_iterator, seal_iterator
from millstream.streams.positions import no_shard, readable_shard, shard_index, starting_offset
from millstream.streams.reading import read_shard
from millstream.streams.registry import StreamHandle
from millstream.streams.replies import Failed, Stored, get_records_reply, put_record_reply, put_records_reply
from millstream.streams.requests import GetRecordsInput, PutRecordInput, PutRecordsInput
from millstream.streams.routing import explicit_hash_key
from millstream.streams.sequence import decode, record_numbers
from millstream.wire.faults import (
    DryRunOperationException,
    InvalidArgumentException,
    ResourceNotFoundException,
    ValidationException,
)

if TYPE_CHECKING:
    from millstream.streams.service import StreamsService
    from millstream.wire.context import CallContext
    from millstream.wire.operation import Encoded

REQUEST_BYTES_MAX = 10 * MIB
REPLY_RECORDS_MAX = 10_000
REPLY_BYTES_MAX = 10 * MIB
DRY_RUN = "Request would have succeeded, but DryRun flag is set."


async def put_record(service: StreamsService, context: CallContext, request: PutRecordInput) -> Encoded:
    """PutRecord: the record is durable once this returns."""
    handle = _writable_stream(service, context, request)
    if request.PartitionKey is None:
        raise _no_partition_key("partitionKey")
    key = request.PartitionKey.encode()
    if len(key) + len(request.Data) > handle.stream.max_record_size_kib * KIB:
        raise _too_large(handle, "data")
    hash_key = None if request.ExplicitHashKey is None else _hash_key(request.ExplicitHashKey)
    if request.SequenceNumberForOrdering is not None:
        _check_ordering(handle, request.SequenceNumberForOrdering, service.clock.now_ms())
    if request.DryRun:
        raise DryRunOperationException(DRY_RUN)
    record = admit_record(handle, key, request.Data, hash_key)
    encrypted = handle.stream.encryption_key_id is not None
    try:
        placements = await handle.log.append([record.batch])
    except MillstreamError as error:
        raise fault_of_append(error) from error
    handle.limits.of(record.route.shard).count_written(1, record.size_bytes)
    first_offset, arrival_ms = placements[0]
    number = record_numbers(record.route.number_base, first_offset, arrival_ms, 1)[0]
    return put_record_reply(context.codec, record.route, number, encrypted)


async def put_records(service: StreamsService, context: CallContext, request: PutRecordsInput) -> Encoded:
    """PutRecords: once this returns each record is durable or has failed; throttled ones fail one by one."""
    handle = _writable_stream(service, context, request)
    keys, data, hash_keys = _columns(handle, request)
    if request.DryRun:
        raise DryRunOperationException(DRY_RUN)
    admitted, failed = admit_records(handle, keys, data, hash_keys)
    encrypted = handle.stream.encryption_key_id is not None
    stored: list[Stored] = []
    try:
        placements = await handle.log.append([group.batch for group in admitted]) if admitted else []
    except LogFull as error:
        fault = fault_of_append(error)
        failed += [Failed(group.places, fault.code, fault.message) for group in admitted]
    except MillstreamError as error:
        raise fault_of_append(error) from error
    else:
        for group, (first_offset, arrival_ms) in zip(admitted, placements, strict=True):
            count = len(group.places)
            handle.limits.of(group.route.shard).count_written(count, group.size_bytes)
            numbers = record_numbers(group.route.number_base, first_offset, arrival_ms, count)
            stored.append(Stored(group.places, group.route, numbers))
    return put_records_reply(context.codec, len(keys), stored, failed, encrypted)


async def get_shard_iterator(service: StreamsService, context: CallContext, params: dict[str, Any]) -> dict[str, Any]:
    """GetShardIterator, all five types."""
    name = params.get("StreamName") or params.get("StreamARN", "").rpartition("/")[2] or params.get("StreamId", "")
    index = shard_index(params["ShardId"], name, context.account)
    try:
        handle = service.registry.find(context, params)
    except ResourceNotFoundException:
        raise no_shard(index, name, context.account) from None
    shard = readable_shard(handle, index)
    now_ms = service.clock.now_ms()
    number, time_ms = params.get("StartingSequenceNumber"), params.get("Timestamp")
    offset = await starting_offset(handle, shard, params["ShardIteratorType"], number, time_ms, now_ms)
    if params.get("DryRun"):
        raise DryRunOperationException(DRY_RUN)
    if handle.limits.enabled and not handle.limits.of(index).admit_iterator():
        raise rate_exceeded(handle, shard.shard_id)
    stream = handle.stream
    iterator = ShardIterator(now_ms, index, offset, stream.stream_id, stream.name)
    return {"ShardIterator": seal_iterator(service.sealer, iterator)}


async def get_records(service: StreamsService, context: CallContext, request: GetRecordsInput) -> Encoded:
    """GetRecords: at most 10,000 records or 10 MiB; at the shard's tip it answers at once, without file I/O."""
    now_ms = service.clock.now_ms()
    iterator = open_iterator(service.sealer, request.ShardIterator, now_ms)
    handle = _stream_of(service, context, request, iterator)
    shard = readable_shard(handle, iterator.shard)
    if request.DryRun:
        raise DryRunOperationException(DRY_RUN)
    limiter = handle.limits.of(shard.index)
    if handle.limits.enabled and not limiter.admit_read():
        raise rate_exceeded(handle, shard.shard_id)
    reading = await read_shard(
        handle,
        shard,
        iterator.offset,
        records_max=request.Limit or REPLY_RECORDS_MAX,
        bytes_max=REPLY_BYTES_MAX,
        clock=service.clock,
    )
    if handle.limits.enabled:
        limiter.charge_read(reading.size_bytes)
    following = iterator._replace(issued_ms=service.clock.now_ms(), offset=reading.next_offset)
    return get_records_reply(context.codec, shard, reading, seal_iterator(service.sealer, following))


def _writable_stream(
    service: StreamsService, context: CallContext, request: PutRecordInput | PutRecordsInput
) -> StreamHandle:
    handle = service.registry.find_by(
        context.account,
        context.region,
        name=request.StreamName,
        arn=request.StreamARN,
        stream_id=request.StreamId,
    )
    stream = handle.stream
    if not handle.is_serving:
        raise ResourceNotFoundException(f"Stream {stream.name} under account {stream.account} not found.")
    return handle


def _stream_of(
    service: StreamsService, context: CallContext, request: GetRecordsInput, iterator: ShardIterator
) -> StreamHandle:
    try:
        handle = service.registry.find_by(context.account, context.region, stream_id=iterator.stream_id)
    except ResourceNotFoundException:
        raise no_shard(iterator.shard, iterator.stream_name, context.account) from None
    if request.StreamARN not in (None, handle.stream.arn) or request.StreamId not in (None, iterator.stream_id):
        raise InvalidArgumentException("Invalid ShardIterator.")
    return handle


def _columns(handle: StreamHandle, request: PutRecordsInput) -> tuple[list[bytes], list[bytes], list[bytes] | None]:
    """Partition keys, data, and explicit hash keys if there are any, each as a column, checked against the limits."""
    names = [record.PartitionKey for record in request.Records]
    data = [record.Data for record in request.Records]
    explicit = [record.ExplicitHashKey for record in request.Records]
    if None in names:
        raise _no_partition_key(f"records.{names.index(None) + 1}.member.partitionKey")
    keys = [name.encode() for name in names if name is not None]
    size_max = handle.stream.max_record_size_kib * KIB
    if max(map(len, data)) + max(map(len, keys)) > size_max:
        for place, (key, datum) in enumerate(zip(keys, data, strict=True), start=1):
            if len(key) + len(datum) > size_max:
                raise _too_large(handle, f"records.{place}.member.data")
    if sum(map(len, data)) + sum(map(len, keys)) > REQUEST_BYTES_MAX:
        raise InvalidArgumentException("Records size exceeds 10 MB limit")
    if explicit.count(None) == len(explicit):
        return keys, data, None
    return keys, data, [b"" if text is None else _hash_key(text) for text in explicit]


def _no_partition_key(member: str) -> ValidationException:
    # the model lets it be absent for the sake of streams that distribute records themselves
    return ValidationException(
        f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    )


def _too_large(handle: StreamHandle, member: str) -> ValidationException:
    return ValidationException(
        f"1 validation error detected: Value at '{member}' failed to satisfy constraint: "
        f"Member must have length less than or equal to {handle.stream.max_record_size_kib * KIB}"
    )


def _hash_key(text: str) -> bytes:
    hash_key = explicit_hash_key(text)
    if hash_key is None:
        raise InvalidArgumentException(
            f"Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {text}"
        )
    return hash_key


def _check_ordering(handle: StreamHandle, text: str, now_ms: int) -> None:
    """Refuse what cannot have been issued; otherwise order is kept anyhow, since a shard's numbers only grow."""
    try:
        number = decode(text)
        newest_ms = max(handle.log.last_arrival_ms(number.shard) or 0, now_ms)  # the clock may have been set back
        if number.second <= newest_ms // 1000:  # 0 for the oldest layout, of which AWS's own samples take "0"
            return
    except ValueError:
        pass
    stream = handle.stream
    raise InvalidArgumentException(
        f"ExclusiveMinimumSequenceNumber {text} used in PutRecord on stream {stream.name} "
        f"under account {stream.account} is invalid."
    )
