"""The operations of Kinesis Data Streams: a function each, named as in the API, grouped in modules by noun.

`OPERATIONS` is the API: which function serves an operation, with what request struct where it is on the hot path, and
how often it may be called. A function gets the service, the context of the call and the validated parameters. What
the service model has beyond these (queues, channels, record distribution) the wire answers as not supported yet.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from millstream.streams.callrates import CallRate, CallRates, Handler, Scope
from millstream.streams.operations import (
    account,
    capacity,
    consumers,
    encryption,
    listings,
    monitoring,
    policies,
    records,
    retention,
    shards,
    streams,
    subscribe,
    tagging,
)
from millstream.streams.requests import GetRecordsInput, PutRecordInput, PutRecordsInput
from millstream.wire.operation import Operation

if TYPE_CHECKING:
    from millstream.streams.service import StreamsService


class Row(NamedTuple):
    """How an operation is served."""

    function: Callable[..., Any]
    rate: CallRate | None = None
    request: type[msgspec.Struct] | None = None


_FIVE = CallRate(5)
_FIVE_A_STREAM = CallRate(5, Scope.STREAM)

OPERATIONS = {
    # records: limited by shard, where they are put and read
    "PutRecord": Row(records.put_record, request=PutRecordInput),
    "PutRecords": Row(records.put_records, request=PutRecordsInput),
    "GetShardIterator": Row(records.get_shard_iterator),
    "GetRecords": Row(records.get_records, request=GetRecordsInput),
    "SubscribeToShard": Row(subscribe.subscribe_to_shard),
    # streams
    "CreateStream": Row(streams.create_stream, _FIVE),
    "DeleteStream": Row(streams.delete_stream, _FIVE),
    "DescribeStream": Row(streams.describe_stream, CallRate(10)),
    "DescribeStreamSummary": Row(streams.describe_stream_summary, CallRate(20)),
    "ListStreams": Row(streams.list_streams, _FIVE),
    "UpdateStreamMode": Row(capacity.update_stream_mode, _FIVE_A_STREAM),
    "UpdateStreamWarmThroughput": Row(capacity.update_stream_warm_throughput, _FIVE),
    "UpdateMaxRecordSize": Row(capacity.update_max_record_size, _FIVE_A_STREAM),
    "IncreaseStreamRetentionPeriod": Row(retention.increase_stream_retention_period, _FIVE_A_STREAM),
    "DecreaseStreamRetentionPeriod": Row(retention.decrease_stream_retention_period, _FIVE_A_STREAM),
    "EnableEnhancedMonitoring": Row(monitoring.enable_enhanced_monitoring, _FIVE_A_STREAM),
    "DisableEnhancedMonitoring": Row(monitoring.disable_enhanced_monitoring, _FIVE_A_STREAM),
    "StartStreamEncryption": Row(encryption.start_stream_encryption, _FIVE_A_STREAM),
    "StopStreamEncryption": Row(encryption.stop_stream_encryption, _FIVE_A_STREAM),
    # shards
    "ListShards": Row(listings.list_shards, CallRate(1000, Scope.STREAM)),
    "SplitShard": Row(shards.split_shard, _FIVE),
    "MergeShards": Row(shards.merge_shards, _FIVE),
    "UpdateShardCount": Row(shards.update_shard_count, CallRate(10)),
    # consumers
    "RegisterStreamConsumer": Row(consumers.register_stream_consumer, _FIVE),
    "DeregisterStreamConsumer": Row(consumers.deregister_stream_consumer, _FIVE_A_STREAM),
    "DescribeStreamConsumer": Row(consumers.describe_stream_consumer, CallRate(20, Scope.STREAM)),
    "ListStreamConsumers": Row(consumers.list_stream_consumers, _FIVE_A_STREAM),
    # tags
    "AddTagsToStream": Row(tagging.add_tags_to_stream, _FIVE),
    "RemoveTagsFromStream": Row(tagging.remove_tags_from_stream, _FIVE),
    "ListTagsForStream": Row(tagging.list_tags_for_stream, _FIVE),
    "TagResource": Row(tagging.tag_resource, _FIVE),
    "UntagResource": Row(tagging.untag_resource, _FIVE),
    "ListTagsForResource": Row(tagging.list_tags_for_resource, _FIVE),
    # policies
    "PutResourcePolicy": Row(policies.put_resource_policy, _FIVE),
    "GetResourcePolicy": Row(policies.get_resource_policy, _FIVE),
    "DeleteResourcePolicy": Row(policies.delete_resource_policy, _FIVE),
    # the account
    "DescribeLimits": Row(account.describe_limits, CallRate(1)),
    "DescribeAccountSettings": Row(account.describe_account_settings, _FIVE),
    "UpdateAccountSettings": Row(account.update_account_settings, _FIVE),
}


def operations_of(service: StreamsService) -> dict[str, Operation]:
    """The API of `service`, bound to it, with AWS's call rates if it keeps AWS's limits."""
    rates = CallRates(service.clock) if service.settings.limits_aws else None
    operations = {}
    for name, row in OPERATIONS.items():
        handler: Handler = partial(row.function, service)
        if rates is not None and row.rate is not None:
            handler = rates.limited(row.rate, handler)
        operations[name] = Operation(name, handler, row.request)
    return operations


__all__ = ["OPERATIONS", "Row", "operations_of"]
