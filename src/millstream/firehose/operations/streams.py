"""Delivery streams: create, delete, describe, list."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.firehose import tags
from millstream.firehose.descriptions import DESTINATION_ID, describe
from millstream.firehose.model import DeliveryStream, Encryption, KinesisSource, StreamStatus
from millstream.firehose.operations.destinations import new_destination, secret_opener
from millstream.firehose.operations.encryption import enabling
from millstream.firehose.sources import check_source
from millstream.wire.constraints import join_clipped
from millstream.wire.context import CallContext
from millstream.wire.faults import InvalidArgumentException, LimitExceededException, ResourceInUseException

if TYPE_CHECKING:
    from millstream.firehose.service import FirehoseService

Params = Mapping[str, Any]

STREAMS_MAX = 5_000
"""Delivery streams an account may have in a region: AWS's present default. At first it was 5, then 50."""

STREAMS_LISTED = 10
"""How many names a page has if no limit is given."""


def create_delivery_stream(service: FirehoseService, context: CallContext, params: Params) -> dict[str, Any]:
    """Make a delivery stream: CREATING, then ACTIVE."""
    name = params["DeliveryStreamName"]
    stream_type = check_source(params)
    destination = new_destination(service, params)
    stream_tags = tags.merged({}, params.get("Tags", []))
    if service.registry.has(context.account, context.region, name):
        raise ResourceInUseException(f"Firehose {name} under accountId {context.account} already exists")
    _check_limit(service, context)
    stream = DeliveryStream(
        account=context.account,
        region=context.region,
        name=name,
        stream_id=uuid.uuid4().hex,
        created_ms=service.clock.now_ms(),
        type=stream_type,
        throughput_hint_mib=params.get("DirectPutSourceConfiguration", {}).get("ThroughputHintInMBs"),
        source=_source(service, context, params),
        destination=destination,
        encryption=_encryption(service, context, params),
        tags=stream_tags,
    )
    service.lifecycle.resume(service.registry.add(stream))
    return {"DeliveryStreamARN": stream.arn}


def delete_delivery_stream(service: FirehoseService, context: CallContext, params: Params) -> dict[str, Any]:
    """Delete a delivery stream, with what it has not delivered: DELETING, then gone.

    AllowForceDelete is for keys whose grants cannot be taken back; there are no grants here.
    """
    handle = service.registry.find(context, params["DeliveryStreamName"])
    stream = handle.stream
    if stream.status is StreamStatus.CREATING:
        raise ResourceInUseException(
            f"Firehose {stream.name} under account {stream.account} cannot be deleted while it is CREATING."
        )
    if stream.status is not StreamStatus.DELETING:
        service.lifecycle.delete(handle)
    return {}


def describe_delivery_stream(service: FirehoseService, context: CallContext, params: Params) -> dict[str, Any]:
    """A delivery stream with its one destination."""
    stream = service.registry.find(context, params["DeliveryStreamName"]).stream
    destinations = [stream.destination] if params.get("ExclusiveStartDestinationId", "") < DESTINATION_ID else []
    return {"DeliveryStreamDescription": describe(stream, destinations, secret_opener(service))}


def list_delivery_streams(service: FirehoseService, context: CallContext, params: Params) -> dict[str, Any]:
    """The names of the account's delivery streams in order, page by page."""
    after_name = params.get("ExclusiveStartDeliveryStreamName", "")
    wanted = params.get("DeliveryStreamType")
    names = [
        handle.stream.name
        for handle in service.registry.in_region(context.account, context.region)
        if handle.stream.name > after_name and wanted in (None, handle.stream.type.value)
    ]
    limit = params.get("Limit", STREAMS_LISTED)
    return {"DeliveryStreamNames": names[:limit], "HasMoreDeliveryStreams": len(names) > limit}


def _check_limit(service: FirehoseService, context: CallContext) -> None:
    if not service.settings.limits_aws:
        return
    held = service.registry.in_region(context.account, context.region)
    if len(held) >= STREAMS_MAX:
        names = join_clipped(handle.stream.name for handle in held)
        raise LimitExceededException(
            f"You have already consumed your firehose quota of {STREAMS_MAX} hoses. Hoses: [{names}]"
        )


def _source(service: FirehoseService, context: CallContext, params: Params) -> KinesisSource | None:
    """The data stream to read, from where its log ends now: AWS starts at LATEST, too."""
    configuration = params.get("KinesisStreamSourceConfiguration")
    if configuration is None:
        return None
    arn = configuration["KinesisStreamARN"]
    found = service.sources.find(context.account, context.region, arn)
    return KinesisSource(
        stream_arn=arn,
        role_arn=configuration["RoleARN"],
        stream_id=found.stream_id,
        start_position=found.end_position,
        start_ms=service.clock.now_ms(),
    )


def _encryption(service: FirehoseService, context: CallContext, params: Params) -> Encryption:
    wanted = params.get("DeliveryStreamEncryptionConfigurationInput")
    if wanted is None:
        return Encryption()
    if "KinesisStreamSourceConfiguration" in params:
        raise InvalidArgumentException(
            "DeliveryStreamEncryptionConfigurationInput can only be specified for delivery streams of type DirectPut: "
            "a data stream that is a source has encryption of its own."
        )
    return enabling(service, context, Encryption(), wanted)
