"""The operations of CloudWatch Logs: a function each, named as in the API, grouped in modules by noun.

`OPERATIONS` is the API: which function serves an operation, and with what request struct where it is on the hot path.
A function gets the service, the context of the call and the validated parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from millstream.base.errors import MillstreamError
from millstream.logs.faults import InvalidParameterException, fault_of
from millstream.logs.operations import events, groups, metricfilters, streams, subscriptions, tagging
from millstream.logs.requests import PutLogEventsInput, with_whole_characters
from millstream.wire import CallContext, Codec, Fault, Operation, Service
from millstream.wire.faults import SerializationException, ValidationException
from millstream.wire.operation import Result

if TYPE_CHECKING:
    from millstream.logs.service import LogsService


class Row(NamedTuple):
    """How an operation is served."""

    function: Callable[..., Any]
    request: type[msgspec.Struct] | None = None


OPERATIONS = {
    # events
    "PutLogEvents": Row(events.put_log_events, PutLogEventsInput),
    "GetLogEvents": Row(events.get_log_events),
    "FilterLogEvents": Row(events.filter_log_events),
    # log groups
    "CreateLogGroup": Row(groups.create_log_group),
    "DeleteLogGroup": Row(groups.delete_log_group),
    "DescribeLogGroups": Row(groups.describe_log_groups),
    "ListLogGroups": Row(groups.list_log_groups),
    "PutRetentionPolicy": Row(groups.put_retention_policy),
    "DeleteRetentionPolicy": Row(groups.delete_retention_policy),
    "PutLogGroupDeletionProtection": Row(groups.put_log_group_deletion_protection),
    # log streams
    "CreateLogStream": Row(streams.create_log_stream),
    "DeleteLogStream": Row(streams.delete_log_stream),
    "DescribeLogStreams": Row(streams.describe_log_streams),
    # subscriptions
    "PutSubscriptionFilter": Row(subscriptions.put_subscription_filter),
    "DescribeSubscriptionFilters": Row(subscriptions.describe_subscription_filters),
    "DeleteSubscriptionFilter": Row(subscriptions.delete_subscription_filter),
    "TestMetricFilter": Row(metricfilters.test_metric_filter),
    # tags
    "TagResource": Row(tagging.tag_resource),
    "UntagResource": Row(tagging.untag_resource),
    "ListTagsForResource": Row(tagging.list_tags_for_resource),
    "TagLogGroup": Row(tagging.tag_log_group),
    "UntagLogGroup": Row(tagging.untag_log_group),
    "ListTagsLogGroup": Row(tagging.list_tags_log_group),
}


class LogsApi(Service):
    """The wire format of CloudWatch Logs, which has InvalidParameterException for what breaks a constraint."""

    def __init__(self, service: LogsService) -> None:
        super().__init__("logs", operations_of(service))

    def decode(self, operation: Operation, codec: Codec, body: bytes) -> Any:
        """See Service.decode."""
        try:
            return self._decode(operation, codec, body)
        except ValidationException as fault:
            raise InvalidParameterException(fault.message) from None

    def _decode(self, operation: Operation, codec: Codec, body: bytes) -> Any:
        try:
            return super().decode(operation, codec, body)
        except SerializationException:
            whole = with_whole_characters(body)
            if codec is not Codec.JSON or whole == body:
                raise
            return super().decode(operation, codec, whole)


def operations_of(service: LogsService) -> dict[str, Operation]:
    """The API of `service`, bound to it."""
    return {
        name: Operation(name, partial(_call, row.function, service), row.request) for name, row in OPERATIONS.items()
    }


async def _call(function: Callable[..., Any], service: LogsService, context: CallContext, params: Any) -> Result:
    try:
        result = function(service, context, params)
        return cast("Result", await result if isinstance(result, CoroutineType) else result)
    except Fault:
        raise
    except MillstreamError as error:
        raise fault_of(error, context.operation) from error


__all__ = ["OPERATIONS", "LogsApi", "Row", "operations_of"]
