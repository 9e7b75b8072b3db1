"""How delivery streams are described: output shapes of the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millstream.firehose.model import DeliveryStream, Destination, StreamType

Description = dict[str, Any]
OpenSecret = Callable[[str], str]
"""Opens a sealed secret."""

DESTINATION_ID = "destinationId-000000000001"
"""The id of the one destination that a delivery stream has."""

_S3_MEMBERS = (
    "RoleARN",
    "BucketARN",
    "Prefix",
    "ErrorOutputPrefix",
    "BufferingHints",
    "CompressionFormat",
    "EncryptionConfiguration",
    "CloudWatchLoggingOptions",
)


def describe(stream: DeliveryStream, destinations: list[Destination], open_secret: OpenSecret) -> Description:
    """DeliveryStreamDescription, with those of its destinations that were asked for."""
    return {
        "DeliveryStreamName": stream.name,
        "DeliveryStreamARN": stream.arn,
        "DeliveryStreamStatus": stream.status.value,
        "FailureDescription": _describe_failure(stream),
        "DeliveryStreamEncryptionConfiguration": _describe_encryption(stream),
        "DeliveryStreamType": stream.type.value,
        "VersionId": str(stream.version),
        "CreateTimestamp": stream.created_ms,
        "LastUpdateTimestamp": stream.updated_ms,
        "Source": _describe_source(stream),
        "Destinations": [describe_destination(destination, open_secret) for destination in destinations],
        "HasMoreDestinations": False,
    }


def describe_destination(destination: Destination, open_secret: OpenSecret) -> Description:
    """DestinationDescription. An S3 destination is described twice, for callers of the time before there were more."""
    description = dict(destination.configuration)
    kind = destination.kind
    described: Description = {"DestinationId": DESTINATION_ID, f"{kind}DestinationDescription": description}
    if kind == "ExtendedS3":
        described["S3DestinationDescription"] = {name: description[name] for name in _S3_MEMBERS if name in description}
    if kind == "AmazonOpenSearchServerless":
        del description["IndexRotationPeriod"]  # it is set for the delivery engine; the API has no such member
    if kind == "Splunk" and "HECToken" in destination.secrets:
        description["HECToken"] = open_secret(destination.secrets["HECToken"])  # as AWS does, of all secrets
    return described


def _describe_failure(stream: DeliveryStream) -> Description | None:
    return None if stream.failure is None else {"Type": "UNKNOWN_ERROR", "Details": stream.failure}


def _describe_encryption(stream: DeliveryStream) -> Description | None:
    if stream.type is not StreamType.DIRECT_PUT:
        return None
    encryption = stream.encryption
    return {"Status": encryption.status.value, "KeyType": encryption.key_type, "KeyARN": encryption.key_arn}


def _describe_source(stream: DeliveryStream) -> Description | None:
    if stream.source is not None:
        source = {
            "KinesisStreamARN": stream.source.stream_arn,
            "RoleARN": stream.source.role_arn,
            "DeliveryStartTimestamp": stream.source.start_ms,
        }
        return {"KinesisStreamSourceDescription": source}
    if stream.throughput_hint_mib is not None:
        return {"DirectPutSourceDescription": {"ThroughputHintInMBs": stream.throughput_hint_mib}}
    return None
