"""Tags of streams, and of streams and consumers alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.streams import tags
from millstream.streams.resources import Resource, find_resource
from millstream.wire.context import CallContext

if TYPE_CHECKING:
    from millstream.streams.service import StreamsService

Params = Mapping[str, Any]


def add_tags_to_stream(service: StreamsService, context: CallContext, params: Params) -> None:
    """Set tags of a stream."""
    _add(service, Resource(service.registry.find(context, params), None), params["Tags"])


def remove_tags_from_stream(service: StreamsService, context: CallContext, params: Params) -> None:
    """Remove tags of a stream; keys that it does not have are ignored."""
    _remove(service, Resource(service.registry.find(context, params), None), params["TagKeys"])


def list_tags_for_stream(service: StreamsService, context: CallContext, params: Params) -> dict[str, Any]:
    """A stream's tags in order of their keys, page by page."""
    present = service.registry.find(context, params).stream.tags
    after = params.get("ExclusiveStartTagKey")
    keys = sorted(key for key in present if after is None or key > after)
    limit = params.get("Limit", tags.TAGS_MAX)
    page = [{"Key": key, "Value": present[key]} for key in keys[:limit]]
    return {"Tags": page, "HasMoreTags": len(keys) > limit}


def tag_resource(service: StreamsService, context: CallContext, params: Params) -> None:
    """Set tags of a stream or a consumer."""
    _add(service, find_resource(service, context, params["ResourceARN"]), params["Tags"])


def untag_resource(service: StreamsService, context: CallContext, params: Params) -> None:
    """Remove tags of a stream or a consumer; keys that it does not have are ignored."""
    _remove(service, find_resource(service, context, params["ResourceARN"]), params["TagKeys"])


def list_tags_for_resource(service: StreamsService, context: CallContext, params: Params) -> dict[str, Any]:
    """The tags of a stream or a consumer in order of their keys."""
    present = find_resource(service, context, params["ResourceARN"]).bearer.tags
    return {"Tags": [{"Key": key, "Value": present[key]} for key in sorted(present)]}


def _add(service: StreamsService, resource: Resource, added: Mapping[str, str]) -> None:
    changed = tags.merged(resource.bearer.tags, added, resource.named)
    resource.require_changeable()
    resource.save(service, tags=changed)


def _remove(service: StreamsService, resource: Resource, keys: list[str]) -> None:
    tags.check_keys(keys, f"Failed to remove tags from {resource.named}")
    resource.require_changeable()
    kept = {key: value for key, value in resource.bearer.tags.items() if key not in keys}
    resource.save(service, tags=kept)
