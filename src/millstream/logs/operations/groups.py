"""Log groups: create, delete, describe, list, retention."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from millstream.logs.faults import InvalidParameterException
from millstream.logs.lending import GroupHandle
from millstream.logs.model import LogGroup
from millstream.logs.operations.tagging import check_tags
from millstream.logs.paging import Key, page_of
from millstream.wire.context import CallContext
from millstream.wire.faults import ValidationException

if TYPE_CHECKING:
    from millstream.logs.service import LogsService

Params = Mapping[str, Any]

RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)


def create_log_group(service: LogsService, context: CallContext, params: Params) -> None:
    """Make a log group. Events are not encrypted by keys of KMS: there are none that a caller could have made."""
    name = params["logGroupName"]
    if name.startswith("aws/"):
        raise InvalidParameterException("Log group names can't start with the string aws/.")
    if "kmsKeyId" in params:
        raise InvalidParameterException(
            "The specified KMS Key Id could not be found: Millstream does not encrypt log groups. "
            "Leave kmsKeyId out, and keep the data directory on an encrypted disk."
        )
    tags = params.get("tags", {})
    check_tags(tags)
    service.store.create(
        LogGroup(
            account=context.account,
            region=context.region,
            name=name,
            group_id=uuid.uuid4().hex,
            created_ms=service.clock.now_ms(),
            group_class=params.get("logGroupClass", "STANDARD"),
            deletion_protected=params.get("deletionProtectionEnabled", False),
            tags=tags,
        )
    )


async def delete_log_group(service: LogsService, context: CallContext, params: Params) -> None:
    """Delete a log group with its log streams, events and subscriptions."""
    handle = service.store.find(context, params["logGroupName"])
    if handle.group.deletion_protected:
        raise ValidationException(
            f"The log group {handle.group.name} is protected against deletion: "
            "take that away first (PutLogGroupDeletionProtection)."
        )
    await service.store.delete(handle)


def put_log_group_deletion_protection(service: LogsService, context: CallContext, params: Params) -> None:
    """Protect a log group against deletion, or no more."""
    handle = group_by_identifier(service, context, params["logGroupIdentifier"])
    service.store.save(handle, deletion_protected=params["deletionProtectionEnabled"])


def put_retention_policy(service: LogsService, context: CallContext, params: Params) -> None:
    """Have events expire after some days; what is older is gone for readers at once."""
    days = params["retentionInDays"]
    if days not in RETENTION_DAYS:
        raise InvalidParameterException(
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(map(str, RETENTION_DAYS))}]"
        )
    service.store.save(service.store.find(context, params["logGroupName"]), retention_days=days)


def delete_retention_policy(service: LogsService, context: CallContext, params: Params) -> None:
    """Have events never expire."""
    service.store.save(service.store.find(context, params["logGroupName"]), retention_days=None)


async def describe_log_groups(service: LogsService, context: CallContext, params: Params) -> dict[str, Any]:
    """Log groups in order of their names, page by page."""
    if "logGroupNamePrefix" in params and "logGroupNamePattern" in params:
        raise InvalidParameterException(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
        )
    prefix, part = params.get("logGroupNamePrefix", ""), params.get("logGroupNamePattern", "")
    handles = _matching(service, context, params, lambda name: name.startswith(prefix) and part in name)
    if "logGroupIdentifiers" in params:
        wanted = [group_by_identifier(service, context, each) for each in params["logGroupIdentifiers"]]
        handles = [handle for handle in handles if handle in wanted]
    page, token = page_of(handles, params, _key)
    sizes_bytes = await asyncio.to_thread(lambda: [service.store.stored_bytes(handle) for handle in page])
    groups = [_describe(handle.group, size) for handle, size in zip(page, sizes_bytes, strict=True)]
    return {"logGroups": groups, "nextToken": token}


def list_log_groups(service: LogsService, context: CallContext, params: Params) -> dict[str, Any]:
    """Names and ARNs of log groups, page by page. logGroupNamePattern: parts of names by `|`, `^` before a start."""
    for member in ("dataSources", "fieldIndexNames", "logGroupTags"):
        if member in params:
            raise InvalidParameterException(f"{member} is not supported by Millstream.")
    parts = params.get("logGroupNamePattern", "").split("|")
    handles = _matching(service, context, params, lambda name: any(_follows(name, part) for part in parts))
    page, token = page_of(handles, params, _key)
    groups = [
        {"logGroupName": group.name, "logGroupArn": group.arn, "logGroupClass": group.group_class}
        for group in (handle.group for handle in page)
    ]
    return {"logGroups": groups, "nextToken": token}


def find_group(service: LogsService, context: CallContext, params: Params) -> GroupHandle:
    """The log group that logGroupName or logGroupIdentifier names.

    Raises ResourceNotFoundException, InvalidParameterException.
    """
    name, identifier = params.get("logGroupName"), params.get("logGroupIdentifier")
    if (name is None) == (identifier is None):
        raise InvalidParameterException("Either logGroupName or logGroupIdentifier must be given, and not both.")
    if name is not None:
        return service.store.find(context, name)
    return group_by_identifier(service, context, str(identifier))


def group_by_identifier(service: LogsService, context: CallContext, identifier: str) -> GroupHandle:
    """The log group of that name or ARN, in the caller's account and region. Raises ResourceNotFoundException."""
    if identifier.startswith("arn:"):
        return service.store.find_by_arn(context, identifier)
    return service.store.find(context, identifier)


def _matching(
    service: LogsService, context: CallContext, params: Params, matches: Callable[[str], bool]
) -> list[GroupHandle]:
    group_class = params.get("logGroupClass")
    return [
        handle
        for handle in service.store.in_region(context.account, context.region)
        if matches(handle.group.name) and group_class in (None, handle.group.group_class)
    ]


def _follows(name: str, part: str) -> bool:
    return name.startswith(part[1:]) if part.startswith("^") else part in name


def _key(handle: GroupHandle) -> Key:
    return 0, handle.group.name


def _describe(group: LogGroup, stored_bytes: int) -> dict[str, Any]:
    return {
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "retentionInDays": group.retention_days,
        "metricFilterCount": 0,
        "arn": f"{group.arn}:*",
        "storedBytes": stored_bytes,
        "logGroupClass": group.group_class,
        "logGroupArn": group.arn,
        "deletionProtectionEnabled": group.deletion_protected,
    }
