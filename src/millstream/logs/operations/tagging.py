"""Tags of log groups, by the present operations and by those that came first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from millstream.logs.faults import InvalidParameterException, TooManyTagsException
from millstream.logs.lending import GroupHandle
from millstream.wire.context import CallContext
from millstream.wire.tags import TAGS_MAX

if TYPE_CHECKING:
    from millstream.logs.service import LogsService

Params = Mapping[str, Any]


def tag_resource(service: LogsService, context: CallContext, params: Params) -> None:
    """Set tags of the log group that an ARN names."""
    _tag(service, service.store.find_by_arn(context, params["resourceArn"]), params["tags"])


def untag_resource(service: LogsService, context: CallContext, params: Params) -> None:
    """Remove tags of the log group that an ARN names; keys that it does not have are ignored."""
    _untag(service, service.store.find_by_arn(context, params["resourceArn"]), params["tagKeys"])


def list_tags_for_resource(service: LogsService, context: CallContext, params: Params) -> dict[str, Any]:
    """The tags of the log group that an ARN names."""
    return {"tags": service.store.find_by_arn(context, params["resourceArn"]).group.tags}


def tag_log_group(service: LogsService, context: CallContext, params: Params) -> None:
    """Set tags of a log group."""
    _tag(service, service.store.find(context, params["logGroupName"]), params["tags"])


def untag_log_group(service: LogsService, context: CallContext, params: Params) -> None:
    """Remove tags of a log group; keys that it does not have are ignored."""
    _untag(service, service.store.find(context, params["logGroupName"]), params["tags"])


def list_tags_log_group(service: LogsService, context: CallContext, params: Params) -> dict[str, Any]:
    """The tags of a log group."""
    return {"tags": service.store.find(context, params["logGroupName"]).group.tags}


def check_tags(tags: Mapping[str, str]) -> None:
    """Raises InvalidParameterException for keys that are AWS's own, TooManyTagsException."""
    if any(key.lower().startswith("aws:") for key in tags):
        raise InvalidParameterException("Tag keys that start with aws: are reserved for AWS's own use.")
    if len(tags) > TAGS_MAX:
        raise TooManyTagsException(f"A resource cannot have more than {TAGS_MAX} tags.")


def _tag(service: LogsService, handle: GroupHandle, added: Mapping[str, str]) -> None:
    tags = {**handle.group.tags, **added}
    check_tags(tags)
    service.store.save(handle, tags=tags)


def _untag(service: LogsService, handle: GroupHandle, keys: Sequence[str]) -> None:
    kept = {key: value for key, value in handle.group.tags.items() if key not in keys}
    service.store.save(handle, tags=kept)
