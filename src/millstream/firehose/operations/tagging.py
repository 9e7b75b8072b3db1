"""Tags of delivery streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.firehose import tags
from millstream.firehose.model import StreamStatus
from millstream.firehose.registry import Handle
from millstream.wire.context import CallContext
from millstream.wire.faults import ResourceInUseException

if TYPE_CHECKING:
    from millstream.firehose.service import FirehoseService

Params = Mapping[str, Any]


def tag_delivery_stream(service: FirehoseService, context: CallContext, params: Params) -> dict[str, Any]:
    """Set tags of a delivery stream."""
    handle = _changeable(service, context, params)
    service.registry.save(handle, tags=tags.merged(handle.stream.tags, params["Tags"]))
    return {}


def untag_delivery_stream(service: FirehoseService, context: CallContext, params: Params) -> dict[str, Any]:
    """Remove tags of a delivery stream; keys that it does not have are ignored."""
    handle = _changeable(service, context, params)
    kept = {key: value for key, value in handle.stream.tags.items() if key not in params["TagKeys"]}
    service.registry.save(handle, tags=kept)
    return {}


def list_tags_for_delivery_stream(service: FirehoseService, context: CallContext, params: Params) -> dict[str, Any]:
    """A delivery stream's tags in order of their keys, page by page."""
    present = service.registry.find(context, params["DeliveryStreamName"]).stream.tags
    after = params.get("ExclusiveStartTagKey")
    keys = sorted(key for key in present if after is None or key > after)
    limit = params.get("Limit", tags.TAGS_MAX)
    page = [{"Key": key, "Value": present[key]} for key in keys[:limit]]
    return {"Tags": page, "HasMoreTags": len(keys) > limit}


def _changeable(service: FirehoseService, context: CallContext, params: Params) -> Handle:
    handle = service.registry.find(context, params["DeliveryStreamName"])
    stream = handle.stream
    if stream.status is StreamStatus.DELETING:
        raise ResourceInUseException(f"Firehose {stream.name} under account {stream.account} is being deleted.")
    return handle
