"""What S3 destinations may not be: every refusal with its words, and what stands beside it is taken."""

from __future__ import annotations

from typing import Any

import pytest

from support.configurations import CONVERSION, PARTITIONED, ROLE, S3, configured, extraction, processing, processor
from support.delivery_plane import DeliveryPlane

PREFIX = "Ths supplied prefix(es) do not satisfy the following constraint: "
ERRORS = "errors/!{firehose:error-output-type}/"
HINTS = {"SizeInMBs": 64, "IntervalInSeconds": 60}


@pytest.fixture
def plane() -> DeliveryPlane:
    return DeliveryPlane(limits_aws=True)


async def refused(plane: DeliveryPlane, **members: Any) -> str:
    """The message that the destination is refused with."""
    refusal = await plane.refusal(
        "CreateDeliveryStream", DeliveryStreamName="ticks", **configured("ExtendedS3", **members)
    )
    assert refusal.code == "InvalidArgumentException", refusal
    assert not list(plane.service.registry)
    return refusal.message


async def taken(plane: DeliveryPlane, **members: Any) -> None:
    await plane.call("CreateDeliveryStream", DeliveryStreamName="ticks", **configured("ExtendedS3", **members))


@pytest.mark.parametrize(
    ("members", "constraint"),
    [
        (
            {"Prefix": "!{timestamp:yyyy}/"},
            "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions",
        ),
        (
            {"Prefix": "!{timestamp:yyyy}/", "ErrorOutputPrefix": ""},
            "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions",
        ),
        (
            {"ErrorOutputPrefix": "e/!{timestamp:yyyy}/"},
            "ErrorOutputPrefix must contain !{firehose:error-output-type} when it contains expressions",
        ),
        (
            {"Prefix": "!{firehose:error-output-type}/", "ErrorOutputPrefix": ERRORS},
            "Prefix cannot contain !{firehose:error-output-type}",
        ),
        (
            {"Prefix": "x" * 503},
            "Prefix cannot have more than 512 characters once it is evaluated",
        ),
        (
            {"ErrorOutputPrefix": "x" * 512 + "!{firehose:error-output-type}"},
            "ErrorOutputPrefix cannot have more than 512 characters once it is evaluated",
        ),
        (
            {"Prefix": "!{x:y}", "ErrorOutputPrefix": ERRORS},
            (
                "Prefix: !{x:y} has an unknown namespace; there are timestamp, firehose, partitionKeyFromQuery, "
                "partitionKeyFromLambda"
            ),
        ),
    ],
)
async def test_prefixes(plane: DeliveryPlane, members: dict[str, Any], constraint: str) -> None:
    assert await refused(plane, **members) == PREFIX + constraint


async def test_prefixes_that_may_be(plane: DeliveryPlane) -> None:
    await taken(plane, Prefix="!{timestamp:yyyy}/!{firehose:random-string}/", ErrorOutputPrefix=ERRORS)


async def test_prefixes_of_backups_are_checked_too(plane: DeliveryPlane) -> None:
    backup = {**S3, "Prefix": "!{timestamp:yyyy}/"}
    message = await refused(plane, S3BackupMode="Enabled", S3BackupConfiguration=backup)
    assert message.startswith(PREFIX)


@pytest.mark.parametrize(
    "bucket", ["ab", "Lake", "my_bucket", "-lake", "lake.", "la..ke", "10.0.0.1", "x" * 64, "xn--lake"]
)
async def test_bucket_names(plane: DeliveryPlane, bucket: str) -> None:
    message = await refused(plane, BucketARN=f"arn:aws:s3:::{bucket}")
    assert message.startswith(
        f"The BucketARN in ExtendedS3DestinationConfiguration is not valid: {bucket!r} cannot be a bucket's name"
    )


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Asia", "../etc/passwd", "America/"])
async def test_time_zones(plane: DeliveryPlane, zone: str) -> None:
    configuration = configured("ExtendedS3", CustomTimeZone=zone)
    refusal = await plane.refusal("CreateDeliveryStream", DeliveryStreamName="ticks", **configuration)
    assert refusal.code in ("InvalidArgumentException", "ValidationException")
    assert zone in refusal.message


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"EncryptionConfiguration": {}}, "Exactly one of NoEncryptionConfig and KMSEncryptionConfig"),
        ({"CloudWatchLoggingOptions": {"Enabled": True, "LogGroupName": "g"}}, "LogGroupName and LogStreamName"),
        ({"BufferingHints": {"SizeInMBs": 1}}, "you must also specify a value for IntervalInSeconds"),
        ({"S3BackupMode": "Enabled"}, "S3BackupConfiguration must be specified when S3BackupMode is Enabled."),
        (
            {"S3BackupConfiguration": {**S3, "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 59}}},
            "BufferingHints.IntervalInSeconds must be at least 60 in S3BackupConfiguration.",
        ),
    ],
)
async def test_the_rest_of_a_bucket(plane: DeliveryPlane, members: dict[str, Any], words: str) -> None:
    assert words in await refused(plane, **members)


@pytest.mark.parametrize(
    ("conversion", "members", "message"),
    [
        ({}, {"CompressionFormat": "GZIP"}, "CompressionFormat must be UNCOMPRESSED when data format conversion is"),
        (
            {},
            {"BufferingHints": {"SizeInMBs": 63, "IntervalInSeconds": 60}},
            "BufferingHints.SizeInMBs must be at least 64 when data format conversion is enabled.",
        ),
        ({"InputFormatConfiguration": {}}, {}, "InputFormatConfiguration must be specified when data format"),
        ({"OutputFormatConfiguration": {}}, {}, "OutputFormatConfiguration must be specified when data format"),
        ({"SchemaConfiguration": {}}, {}, "SchemaConfiguration.RoleARN must be specified when data format"),
        (
            {"SchemaConfiguration": {"RoleARN": ROLE, "DatabaseName": "d"}},
            {},
            "SchemaConfiguration.TableName must be specified",
        ),
        (
            {"InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}, "HiveJsonSerDe": {}}}},
            {},
            "Exactly one of OpenXJsonSerDe and HiveJsonSerDe must be specified in Deserializer.",
        ),
        (
            {"OutputFormatConfiguration": {"Serializer": {}}},
            {},
            "Exactly one of ParquetSerDe and OrcSerDe must be specified in Serializer.",
        ),
    ],
)
async def test_conversion(
    plane: DeliveryPlane, conversion: dict[str, Any], members: dict[str, Any], message: str
) -> None:
    given = {"DataFormatConversionConfiguration": {**CONVERSION, **conversion}, **members}
    assert (await refused(plane, **given)).startswith(message)
    disabled = {"DataFormatConversionConfiguration": {**CONVERSION, **conversion, "Enabled": False}, **members}
    await taken(plane, **disabled)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"DynamicPartitioningConfiguration": {"Enabled": False}},
            (
                "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is "
                "enabled."
            ),
        ),
        ({}, "Processing Configuration is not enabled when DataPartitioning is enabled."),
        (
            {"Prefix": "x/", "ProcessingConfiguration": processing(extraction("{sector}"))},
            "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled",
        ),
        (
            {"ProcessingConfiguration": processing(processor("RecordDeAggregation", SubRecordType="JSON"))},
            "MetadataExtraction processor should be present when S3 Prefix has partitionKeyFromQuery namespace.",
        ),
        (
            {
                "Prefix": "!{partitionKeyFromLambda:sector}/",
                "ProcessingConfiguration": processing(extraction("{sector}")),
            },
            "Lambda processor should be present when S3 Prefix has partitionKeyFromLambda namespace.",
        ),
        (
            {"ProcessingConfiguration": processing(extraction("{price: .PRICE, symbol}"))},
            (
                "S3 Prefix has partition keys that MetadataExtractionQuery does not extract: sector. It extracts: "
                "price, symbol."
            ),
        ),
        (
            {
                "ProcessingConfiguration": processing(extraction("{sector}")),
                "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 60},
            },
            "BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled.",
        ),
        (
            {"ErrorOutputPrefix": "e/!{partitionKeyFromQuery:sector}/!{firehose:error-output-type}"},
            (
                "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning is "
                "enabled."
            ),
        ),
        (
            {"ErrorOutputPrefix": None},
            PREFIX + "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions",
        ),
    ],
)
async def test_partitioning(plane: DeliveryPlane, members: dict[str, Any], message: str) -> None:
    assert await refused(plane, **{**PARTITIONED, **members}) == message


@pytest.mark.parametrize("query", ["{sector: .SECTOR}", '{"sector": (.a, .b)}', ". | {sector: .x}"])
async def test_partitioning_that_may_be(plane: DeliveryPlane, query: str) -> None:
    await taken(plane, **PARTITIONED, ProcessingConfiguration=processing(extraction(query)))


async def test_small_buffers_without_aws_limits() -> None:
    plane = DeliveryPlane(limits_aws=False)
    hints = {"SizeInMBs": 1, "IntervalInSeconds": 0}
    await taken(
        plane,
        **PARTITIONED,
        BufferingHints=hints,
        ProcessingConfiguration=processing(extraction("{sector}")),
        DataFormatConversionConfiguration=CONVERSION,
        S3BackupMode="Enabled",
        S3BackupConfiguration={**S3, "BufferingHints": hints},
    )


async def test_metadata_extraction_is_for_partitioning(plane: DeliveryPlane) -> None:
    message = await refused(plane, ProcessingConfiguration=processing(extraction("{sector}")))
    assert message == "The MetadataExtraction processor can only be used when Dynamic Partitioning is enabled."
