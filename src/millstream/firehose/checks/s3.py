"""Checks of S3 destinations: time zones, format conversion, dynamic partitioning.

Source: API reference, ExtendedS3DestinationConfiguration; developer guide, "Partition streaming data"; the order of
checks of conversion as observed.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from millstream.firehose.checks.buckets import check_backup, check_bucket, check_prefixes
from millstream.firehose.checks.processors import Processors, check_processing
from millstream.firehose.defaults import is_enabled
from millstream.firehose.prefixes import Prefix
from millstream.wire.faults import InvalidArgumentException

Description = dict[str, Any]

LARGE_SIZE_MB_MIN = 64

_WHERE = "ExtendedS3DestinationConfiguration"


def check_extended_s3(configuration: Description, limits_aws: bool) -> None:
    """Check a whole S3 destination."""
    check_bucket(configuration, _WHERE)
    _check_time_zone(configuration["CustomTimeZone"])
    partitioned = is_enabled(configuration.get("DynamicPartitioningConfiguration"))
    prefix = check_prefixes(configuration, partitioned=partitioned)
    processors = check_processing(configuration)
    if partitioned:
        _check_partitioning(configuration, prefix, processors, limits_aws)
    elif processors.has("MetadataExtraction"):
        raise InvalidArgumentException(
            "The MetadataExtraction processor can only be used when Dynamic Partitioning is enabled."
        )
    conversion = configuration.get("DataFormatConversionConfiguration")
    if conversion is not None and conversion["Enabled"]:
        _check_conversion(configuration, conversion, limits_aws)
    check_backup(configuration, limits_aws)


def _check_time_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # a path out of the database, a directory in it, nothing at all
        raise InvalidArgumentException(
            f"CustomTimeZone {name} is not a time zone. Use a name of the time zone database, such as Asia/Tokyo."
        ) from None


def _check_size(configuration: Description, when: str, limits_aws: bool) -> None:
    if limits_aws and configuration["BufferingHints"]["SizeInMBs"] < LARGE_SIZE_MB_MIN:
        raise InvalidArgumentException(
            f"BufferingHints.SizeInMBs must be at least {LARGE_SIZE_MB_MIN} when {when} is enabled."
        )


def _check_partitioning(configuration: Description, prefix: Prefix, processors: Processors, limits_aws: bool) -> None:
    if not processors.enabled:
        raise InvalidArgumentException("Processing Configuration is not enabled when DataPartitioning is enabled.")
    if not prefix.has_partition_keys:
        raise InvalidArgumentException(
            "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled"
        )
    if prefix.query_keys and not processors.has("MetadataExtraction"):
        raise InvalidArgumentException(
            "MetadataExtraction processor should be present when S3 Prefix has partitionKeyFromQuery namespace."
        )
    if prefix.lambda_keys and not processors.has("Lambda"):
        raise InvalidArgumentException(
            "Lambda processor should be present when S3 Prefix has partitionKeyFromLambda namespace."
        )
    _check_query_keys(prefix, processors)
    _check_size(configuration, "Dynamic Partitioning", limits_aws)


def _check_query_keys(prefix: Prefix, processors: Processors) -> None:
    if processors.query_keys is None:
        return  # the query's keys are known only when it runs
    missing = sorted(set(prefix.query_keys) - processors.query_keys)
    if missing:
        raise InvalidArgumentException(
            f"S3 Prefix has partition keys that MetadataExtractionQuery does not extract: {', '.join(missing)}. "
            f"It extracts: {', '.join(sorted(processors.query_keys)) or 'none'}."
        )


def _check_conversion(configuration: Description, conversion: Description, limits_aws: bool) -> None:
    if configuration["CompressionFormat"] != "UNCOMPRESSED":
        raise InvalidArgumentException(
            "CompressionFormat must be UNCOMPRESSED when data format conversion is enabled: Parquet and ORC compress "
            "by themselves, as OutputFormatConfiguration says."
        )
    _check_size(configuration, "data format conversion", limits_aws)
    for name in ("InputFormatConfiguration", "OutputFormatConfiguration", "SchemaConfiguration"):
        if not conversion.get(name):
            raise InvalidArgumentException(f"{name} must be specified when data format conversion is enabled.")
    _check_one_of(conversion["InputFormatConfiguration"], "Deserializer", ("OpenXJsonSerDe", "HiveJsonSerDe"))
    _check_one_of(conversion["OutputFormatConfiguration"], "Serializer", ("ParquetSerDe", "OrcSerDe"))
    for name in ("RoleARN", "DatabaseName", "TableName"):
        if not conversion["SchemaConfiguration"].get(name):
            raise InvalidArgumentException(
                f"SchemaConfiguration.{name} must be specified when data format conversion is enabled."
            )


def _check_one_of(format_configuration: Description, name: str, members: tuple[str, str]) -> None:
    if len(format_configuration.get(name, {})) != 1:
        raise InvalidArgumentException(f"Exactly one of {members[0]} and {members[1]} must be specified in {name}.")
