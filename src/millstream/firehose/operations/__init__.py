"""The operations of Firehose: a function each, named as in the API, grouped in modules by noun.

`OPERATIONS` is the API: which function serves an operation, and with what request struct where it is on the hot path.
A function gets the service, the context of the call and the validated parameters. All but the puts may be called five
times a second by an account in a region.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from millstream.firehose.limits import CallRates, Handler
from millstream.firehose.operations import destinations, encryption, records, streams, tagging
from millstream.firehose.requests import PutRecordBatchInput, PutRecordInput
from millstream.wire import Operation

if TYPE_CHECKING:
    from millstream.firehose.service import FirehoseService


class Row(NamedTuple):
    """How an operation is served; those with a request struct are limited where records are put."""

    function: Callable[..., Any]
    request: type[msgspec.Struct] | None = None


OPERATIONS = {
    # records
    "PutRecord": Row(records.put_record, PutRecordInput),
    "PutRecordBatch": Row(records.put_record_batch, PutRecordBatchInput),
    # delivery streams
    "CreateDeliveryStream": Row(streams.create_delivery_stream),
    "DeleteDeliveryStream": Row(streams.delete_delivery_stream),
    "DescribeDeliveryStream": Row(streams.describe_delivery_stream),
    "ListDeliveryStreams": Row(streams.list_delivery_streams),
    "UpdateDestination": Row(destinations.update_destination),
    "StartDeliveryStreamEncryption": Row(encryption.start_delivery_stream_encryption),
    "StopDeliveryStreamEncryption": Row(encryption.stop_delivery_stream_encryption),
    # tags
    "TagDeliveryStream": Row(tagging.tag_delivery_stream),
    "UntagDeliveryStream": Row(tagging.untag_delivery_stream),
    "ListTagsForDeliveryStream": Row(tagging.list_tags_for_delivery_stream),
}


def operations_of(service: FirehoseService) -> dict[str, Operation]:
    """The API of `service`, bound to it, with AWS's call rates if it keeps AWS's limits."""
    rates = CallRates(service.clock) if service.settings.limits_aws else None
    operations = {}
    for name, row in OPERATIONS.items():
        handler: Handler = partial(row.function, service)
        if rates is not None and row.request is None:
            handler = rates.limited(handler)
        operations[name] = Operation(name, handler, row.request)
    return operations


__all__ = ["OPERATIONS", "Row", "operations_of"]
