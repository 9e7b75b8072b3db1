"""What a destination's configuration says where its maker said nothing.

Source: the API reference of each destination's configuration; what DescribeDeliveryStream answers. A delivery stream
that converts its records, or partitions them, buffers 128 MB where nothing is said.
"""

from __future__ import annotations

from typing import Any

Description = dict[str, Any]

CONVERTED_SIZE_MB = 128

_LOGGING: Description = {"Enabled": False}
_PROCESSING: Description = {"Enabled": False, "Processors": []}
_HINTS: Description = {"SizeInMBs": 5, "IntervalInSeconds": 300}
_RETRIES: Description = {"DurationInSeconds": 300}

_S3: Description = {
    "BufferingHints": _HINTS,
    "CompressionFormat": "UNCOMPRESSED",
    "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
    "CloudWatchLoggingOptions": _LOGGING,
}
_ANY: Description = {
    "ProcessingConfiguration": _PROCESSING,
    "CloudWatchLoggingOptions": _LOGGING,
    "RetryOptions": _RETRIES,
    "S3DestinationDescription": _S3,
}
_SERVERLESS: Description = {**_ANY, "BufferingHints": _HINTS, "S3BackupMode": "FailedDocumentsOnly"}
_SEARCH: Description = {
    **_SERVERLESS,
    "IndexRotationPeriod": "OneDay",
    "DocumentIdOptions": {"DefaultDocumentIdFormat": "FIREHOSE_DEFAULT"},
}

_DEFAULTS: dict[str, Description] = {
    "ExtendedS3": {
        **_S3,
        "ProcessingConfiguration": _PROCESSING,
        "S3BackupMode": "Disabled",
        "CustomTimeZone": "UTC",
    },
    "Redshift": {**_ANY, "RetryOptions": {"DurationInSeconds": 3600}, "S3BackupMode": "Disabled"},
    "Elasticsearch": _SEARCH,
    "Amazonopensearchservice": _SEARCH,
    # its description has no rotation period: the index is always the one that is named
    "AmazonOpenSearchServerless": {**_SERVERLESS, "IndexRotationPeriod": "NoRotation"},
    "HttpEndpoint": {
        **_ANY,
        "BufferingHints": _HINTS,
        "RequestConfiguration": {"ContentEncoding": "NONE", "CommonAttributes": []},
        "S3BackupMode": "FailedDataOnly",
    },
    "Splunk": {
        **_ANY,
        "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 60},
        "HECAcknowledgmentTimeoutInSeconds": 180,
        "S3BackupMode": "FailedEventsOnly",
    },
    "Iceberg": {**_ANY, "BufferingHints": _HINTS, "S3BackupMode": "FailedDataOnly", "AppendOnly": False},
}

_WHOLE = frozenset({"EncryptionConfiguration"})
"""Members that say one of several things: they are as they are given."""


def with_defaults(kind: str, configuration: Description) -> Description:
    """The configuration with everything filled in; filling in twice changes nothing."""
    given = {name: value for name, value in configuration.items() if name != "CustomTimeZone" or value}
    if kind == "ExtendedS3":
        given = _with_large_buffer(given)
    filled = _filled(given, _DEFAULTS[kind])
    if "S3BackupDescription" in filled:
        filled["S3BackupDescription"] = _filled(filled["S3BackupDescription"], _S3)
    filled["ProcessingConfiguration"] = _processing(given.get("ProcessingConfiguration", _PROCESSING))
    return filled


def _with_large_buffer(given: Description) -> Description:
    """An S3 destination with what depends on conversion and partitioning filled in."""
    given = dict(given)
    conversion = given.get("DataFormatConversionConfiguration")
    partitioning = given.get("DynamicPartitioningConfiguration")
    if conversion is not None:
        conversion = given["DataFormatConversionConfiguration"] = {"Enabled": True, **conversion}
        if "SchemaConfiguration" in conversion:
            conversion["SchemaConfiguration"] = {"VersionId": "LATEST", **conversion["SchemaConfiguration"]}
    if partitioning is not None:
        partitioning = given["DynamicPartitioningConfiguration"] = _filled(
            partitioning, {"Enabled": False, "RetryOptions": _RETRIES}
        )
    if is_enabled(conversion) or is_enabled(partitioning):
        given["BufferingHints"] = {"SizeInMBs": CONVERTED_SIZE_MB, **given.get("BufferingHints", {})}
    return given


def _processing(given: Description) -> Description:
    """Processors that are given are meant to work unless it is said that they are not."""
    processors = given.get("Processors", [])
    return {"Enabled": given.get("Enabled", bool(processors)), "Processors": processors}


def is_enabled(part: Description | None) -> bool:
    """Whether a part of a configuration with `Enabled` is there and is enabled."""
    return part is not None and bool(part.get("Enabled"))


def _filled(given: Description, defaults: Description) -> Description:
    filled = dict(given)
    for name, default in defaults.items():
        value = given.get(name)
        if value is None:
            filled[name] = _filled({}, default) if isinstance(default, dict) else default
        elif isinstance(default, dict) and name not in _WHOLE:
            filled[name] = _filled(value, default)
    return filled
