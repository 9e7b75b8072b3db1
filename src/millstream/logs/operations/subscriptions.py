"""Subscription filters: put, describe, delete.

Destinations are streams and delivery streams of the same account and region. Source: the API reference; the texts of
faults as observed on AWS, with what is wrong after them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.logs.faults import InvalidParameterException, no_group
from millstream.logs.paging import page_of
from millstream.logs.patterns import PatternError, compile_pattern
from millstream.logs.store import GroupHandle
from millstream.logs.subscriptions import Destination, Kind
from millstream.logs.subscriptions.model import BY_LOG_STREAM, SubscriptionFilter
from millstream.wire.context import CallContext
from millstream.wire.faults import LimitExceededException, ResourceNotFoundException

if TYPE_CHECKING:
    from millstream.logs.service import LogsService

Params = Mapping[str, Any]

FILTERS_MAX = 2

_ARN_PARTS = 6
_RESOURCES = {Kind.STREAM: "stream/", Kind.DELIVERY_STREAM: "deliverystream/"}
_UNDELIVERED = {
    Kind.STREAM: (
        "Could not deliver test message to specified Kinesis stream. "
        "Check if the given kinesis stream is in ACTIVE state."
    ),
    Kind.DELIVERY_STREAM: (
        "Could not deliver test message to specified Firehose stream. "
        "Check if the given Firehose stream is in ACTIVE state."
    ),
}
_LAMBDA = (
    "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your "
    "function. (Millstream's subscriptions go to Kinesis streams and to delivery streams, which can call functions.)"
)
_UNSUPPORTED = ("fieldSelectionCriteria", "emitSystemFields", "applyOnTransformedLogs")


async def put_subscription_filter(service: LogsService, context: CallContext, params: Params) -> None:
    """Make a filter, or change the one of that name, once its destination has taken a control message.

    A new one has events from the moment on that this returns; a changed one goes on where it was.
    """
    handle = service.store.find(context, params["logGroupName"])
    _check_members(params)
    _require_room(service, handle, params["filterName"])
    destination = _destination(context, params)
    outcome = await service.subscriptions.check(destination)
    if outcome.failed:
        raise _undelivered(destination, f"{outcome.code}: {outcome.message}")
    position = await service.store.end_position(handle)
    if service.store.get_by_id(handle.group.group_id) is None:
        raise no_group()
    _require_room(service, handle, params["filterName"])
    service.subscriptions.put(
        SubscriptionFilter(
            account=context.account,
            region=context.region,
            group_id=handle.group.group_id,
            group_name=handle.group.name,
            name=params["filterName"],
            pattern=params["filterPattern"],
            destination_arn=destination.arn,
            role_arn=params.get("roleArn"),
            distribution=params.get("distribution", BY_LOG_STREAM),
            created_ms=service.clock.now_ms(),
            position=position,
        )
    )


def describe_subscription_filters(service: LogsService, context: CallContext, params: Params) -> dict[str, Any]:
    """The filters of a group whose names start with a prefix, by name."""
    handle = service.store.find(context, params["logGroupName"])
    prefix = params.get("filterNamePrefix", "")
    found = [
        wanted for wanted in service.subscriptions.of_group(handle.group.group_id) if wanted.name.startswith(prefix)
    ]
    page, token = page_of(found, params, lambda wanted: (0, wanted.name))
    return {"subscriptionFilters": [_describe(wanted) for wanted in page], "nextToken": token}


def delete_subscription_filter(service: LogsService, context: CallContext, params: Params) -> None:
    """Delete a filter; what it has not delivered yet, it never will."""
    handle = service.store.find(context, params["logGroupName"])
    if not service.subscriptions.delete(handle.group.group_id, params["filterName"]):
        raise ResourceNotFoundException("The specified subscription filter does not exist.")


def _describe(wanted: SubscriptionFilter) -> dict[str, Any]:
    return {
        "filterName": wanted.name,
        "logGroupName": wanted.group_name,
        "filterPattern": wanted.pattern,
        "destinationArn": wanted.destination_arn,
        "roleArn": wanted.role_arn,
        "distribution": wanted.distribution,
        "creationTime": wanted.created_ms,
    }


def _check_members(params: Params) -> None:
    for member in _UNSUPPORTED:
        if params.get(member):
            raise InvalidParameterException(f"{member} is not supported by Millstream: leave it out.")
    try:
        compile_pattern(params["filterPattern"])
    except PatternError as error:
        raise InvalidParameterException(f"Invalid filter pattern: {error}") from error


def _require_room(service: LogsService, handle: GroupHandle, name: str) -> None:
    if not service.settings.limits_aws:
        return
    others = [wanted for wanted in service.subscriptions.of_group(handle.group.group_id) if wanted.name != name]
    if len(others) >= FILTERS_MAX:
        raise LimitExceededException("Resource limit exceeded.")


def _destination(context: CallContext, params: Params) -> Destination:
    """The destination that the parameters name, if it is one that a filter of this account and region can have."""
    arn = params["destinationArn"]
    parts = arn.split(":", _ARN_PARTS - 1)
    if len(parts) < _ARN_PARTS or parts[0] != "arn":
        raise InvalidParameterException(f"Invalid destinationArn: {arn} is not an ARN.")
    _, _, vendor, region, account, resource = parts
    kind = next((kind for kind in Kind if kind.value == vendor), None)
    if kind is None:
        raise InvalidParameterException(_LAMBDA if vendor == "lambda" else _no_vendor(vendor))
    destination = Destination(kind, arn)
    if params.get("roleArn") is None:
        raise InvalidParameterException(f"destinationArn for vendor {vendor} cannot be used without roleArn")
    if not resource.startswith(_RESOURCES[kind]):
        raise _undelivered(destination, f"{arn} does not name one")
    if (account, region) != (context.account, context.region):
        raise _undelivered(destination, "it must be of the log group's account and region")
    return destination


def _no_vendor(vendor: str) -> str:
    return (
        f"PutSubscriptionFilter operation cannot work with destinationArn for vendor {vendor}: "
        "subscriptions go to Kinesis streams and to delivery streams."
    )


def _undelivered(destination: Destination, why: str) -> InvalidParameterException:
    return InvalidParameterException(f"{_UNDELIVERED[destination.kind]} ({why})")
