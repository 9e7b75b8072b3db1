"""How streams, shards and consumers are described: output shapes of the API."""

from __future__ import annotations

from typing import Any

from millstream.streams.model import Consumer, Shard, Stream, StreamMode
from millstream.streams.sequence import ending_sequence_number, starting_sequence_number


def describe_shard(shard: Shard) -> dict[str, Any]:
    """Shard."""
    parents = [f"shardId-{parent:012d}" for parent in shard.parents]
    return {
        "ShardId": shard.shard_id,
        "ParentShardId": parents[0] if parents else None,
        "AdjacentParentShardId": parents[1] if len(parents) > 1 else None,
        "HashKeyRange": {"StartingHashKey": str(shard.start_hash), "EndingHashKey": str(shard.end_hash)},
        "SequenceNumberRange": {
            "StartingSequenceNumber": starting_sequence_number(shard),
            "EndingSequenceNumber": ending_sequence_number(shard),
        },
    }


def describe_settings(stream: Stream) -> dict[str, Any]:
    """The members that StreamDescription and StreamDescriptionSummary share."""
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "StreamStatus": stream.status.value,
        "StreamModeDetails": {"StreamMode": stream.mode.value},
        "RetentionPeriodHours": stream.retention_hours,
        "StreamCreationTimestamp": stream.created_ms,
        "EnhancedMonitoring": [{"ShardLevelMetrics": stream.enhanced_metrics}],
        "EncryptionType": "KMS" if stream.encryption_key_id else "NONE",
        "KeyId": stream.encryption_key_id,
    }


def describe_summary(stream: Stream) -> dict[str, Any]:
    """StreamDescriptionSummary."""
    on_demand = stream.mode is StreamMode.ON_DEMAND
    return describe_settings(stream) | {
        "StreamId": stream.stream_id,
        "OpenShardCount": sum(shard.is_open for shard in stream.shards),
        "ConsumerCount": len(stream.consumers),
        "WarmThroughput": describe_warm_throughput(stream) if on_demand else None,
        "MaxRecordSizeInKiB": stream.max_record_size_kib,
        "ChannelCount": 0,
        "QueueCount": 0,
        "RecordDistributionStrategy": "USER_PARTITION_KEY" if on_demand else None,
    }


def describe_warm_throughput(stream: Stream) -> dict[str, Any]:
    """WarmThroughputObject: a shard takes one MiB a second."""
    return {
        "TargetMiBps": stream.warm_throughput_mibps,
        "CurrentMiBps": sum(shard.is_open for shard in stream.shards),
    }


def describe_consumer(stream: Stream, consumer: Consumer) -> dict[str, Any]:
    """Consumer."""
    return {
        "ConsumerName": consumer.name,
        "ConsumerARN": stream.consumer_arn(consumer),
        "ConsumerStatus": consumer.status.value,
        "ConsumerCreationTimestamp": consumer.created_ms,
    }
