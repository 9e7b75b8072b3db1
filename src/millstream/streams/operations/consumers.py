"""Consumers with enhanced fan-out: register, deregister, describe, list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from millstream.streams import tags
from millstream.streams.accounts import load_commitment
from millstream.streams.checks import require_serving
from millstream.streams.descriptions import describe_consumer
from millstream.streams.model import Consumer, ConsumerStatus, Stream, StreamMode
from millstream.streams.operations.listings import check_creation
from millstream.streams.paging import open_place, seal_place
from millstream.streams.registry import StreamHandle, consumer_not_found
from millstream.wire.context import CallContext
from millstream.wire.faults import (
    InvalidArgumentException,
    LimitExceededException,
    ResourceInUseException,
)

if TYPE_CHECKING:
    from millstream.streams.service import StreamsService

Params = Mapping[str, Any]

CONSUMERS_MAX = 20
CONSUMERS_COMMITTED_MAX = 50  # of an on-demand stream in an account with a billing commitment
CREATING_MAX = 5
CONSUMERS_LISTED_MAX = 100


def register_stream_consumer(service: StreamsService, context: CallContext, params: Params) -> dict[str, Any]:
    """Register a consumer: CREATING, then ACTIVE."""
    handle = service.registry.find(context, params)
    stream = handle.stream
    name = params["ConsumerName"]
    require_serving(handle)
    if handle.find_consumer(name=name) is not None:
        raise ResourceInUseException(
            f"Consumer {name} under stream {stream.name} already exists for account {stream.account}."
        )
    _check_limits(service, context, stream)
    what = f"consumer {name} under stream {stream.name} and account {stream.account}"
    consumer_tags = tags.merged({}, params.get("Tags", {}), what)
    consumer = Consumer(name=name, created_ms=service.clock.now_ms(), tags=consumer_tags)
    service.registry.save(handle, consumers=[*stream.consumers, consumer])
    service.lifecycle.resume_consumer(handle, consumer)
    return {"Consumer": describe_consumer(stream, consumer)}


def deregister_stream_consumer(service: StreamsService, context: CallContext, params: Params) -> None:
    """Deregister a consumer: DELETING, then gone; its subscriptions end."""
    handle, consumer = _find(service, context, params)
    stream = handle.stream
    if consumer.status is ConsumerStatus.DELETING:
        raise ResourceInUseException(
            f"Consumer {consumer.name} under stream {stream.name} and account {stream.account} is being deleted."
        )
    deleting = replace(consumer, status=ConsumerStatus.DELETING)
    consumers = [deleting if other is consumer else other for other in stream.consumers]
    service.registry.save(handle, consumers=consumers)
    service.lifecycle.resume_consumer(handle, deleting)


def describe_stream_consumer(service: StreamsService, context: CallContext, params: Params) -> dict[str, Any]:
    """One consumer."""
    handle, consumer = _find(service, context, params)
    description = describe_consumer(handle.stream, consumer) | {"StreamARN": handle.stream.arn}
    return {"ConsumerDescription": description}


class _ConsumerPlace(msgspec.Struct):
    stream_id: str
    after_name: str


def list_stream_consumers(service: StreamsService, context: CallContext, params: Params) -> dict[str, Any]:
    """The consumers of a stream by name, page by page."""
    handle = service.registry.find(context, params)
    stream = handle.stream
    after_name = ""
    if "NextToken" in params:
        if "StreamCreationTimestamp" in params:
            raise InvalidArgumentException("NextToken and StreamCreationTimestamp cannot be provided together.")
        place = open_place(service, context, params["NextToken"], _ConsumerPlace)
        if place.stream_id != stream.stream_id:
            raise InvalidArgumentException("NextToken does not belong to this stream.")
        after_name = place.after_name
    check_creation(stream, params)
    in_order = sorted(stream.consumers, key=lambda consumer: consumer.name)
    consumers = [consumer for consumer in in_order if consumer.name > after_name]
    limit = min(params.get("MaxResults", CONSUMERS_LISTED_MAX), CONSUMERS_LISTED_MAX)
    page = consumers[:limit]
    next_token = None
    if len(consumers) > limit:
        next_token = seal_place(service, context, _ConsumerPlace(stream.stream_id, page[-1].name))
    return {"Consumers": [describe_consumer(stream, consumer) for consumer in page], "NextToken": next_token}


def _find(service: StreamsService, context: CallContext, params: Params) -> tuple[StreamHandle, Consumer]:
    """The consumer that ConsumerARN, or a stream and ConsumerName, or all of them name."""
    name, arn = params.get("ConsumerName"), params.get("ConsumerARN")
    has_stream = "StreamARN" in params or "StreamId" in params
    if arn is not None:
        handle, consumer = service.registry.find_consumer(context, arn)
        stream_differs = has_stream and service.registry.find(context, params) is not handle
        if stream_differs or name not in (None, consumer.name):
            raise InvalidArgumentException("StreamARN, ConsumerName and ConsumerARN must refer to the same consumer.")
        return handle, consumer
    if name is None or not has_stream:
        raise InvalidArgumentException("Either ConsumerARN or both StreamARN and ConsumerName must be provided.")
    handle = service.registry.find(context, params)
    found = handle.find_consumer(name=name)
    if found is None:
        raise consumer_not_found(handle.stream, name)
    return handle, found


def _check_limits(service: StreamsService, context: CallContext, stream: Stream) -> None:
    if not service.settings.limits_aws:
        return
    limit = CONSUMERS_MAX
    if stream.mode is StreamMode.ON_DEMAND:
        commitment = load_commitment(service.catalog, context.account, context.region)
        if commitment.is_enabled(service.clock.now_ms()):
            limit = CONSUMERS_COMMITTED_MAX
    if len(stream.consumers) >= limit:
        raise LimitExceededException(
            f"This request would exceed the limit on the number of consumers for stream {stream.name} under "
            f"account {stream.account}. Limit: {limit}."
        )
    creating = sum(consumer.status is ConsumerStatus.CREATING for consumer in stream.consumers)
    if creating >= CREATING_MAX:
        raise LimitExceededException(
            f"This request would exceed the limit on the number of consumers of stream {stream.name} under account "
            f"{stream.account} that can simultaneously be in CREATING. Limit: {CREATING_MAX}."
        )
