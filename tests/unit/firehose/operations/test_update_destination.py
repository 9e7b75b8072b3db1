"""UpdateDestination: versions, what is merged and what replaced, and what is fixed at creation."""

from __future__ import annotations

from typing import Any

import pytest

from millstream.firehose.configuration import parse
from millstream.firehose.operations.destinations import secret_opener
from support.configurations import CONVERSION, DESTINATION_ID, PARTITIONED, ROLE, S3, configured, extraction, processor
from support.configurations import processing as processed
from support.delivery_plane import DeliveryPlane


@pytest.fixture
def plane() -> DeliveryPlane:
    return DeliveryPlane()


async def create(plane: DeliveryPlane, kind: str = "ExtendedS3", **members: Any) -> None:
    await plane.call("CreateDeliveryStream", DeliveryStreamName="ticks", **configured(kind, **members))
    await plane.pass_ms(60)


def update(kind: str, version: int, **members: Any) -> dict[str, Any]:
    """Parameters of UpdateDestination."""
    return {
        "DeliveryStreamName": "ticks",
        "CurrentDeliveryStreamVersionId": str(version),
        "DestinationId": DESTINATION_ID,
        f"{kind}DestinationUpdate": members,
    }


async def updated(plane: DeliveryPlane, kind: str = "ExtendedS3", version: int = 1, **members: Any) -> dict[str, Any]:
    """Update; returns the description of the destination."""
    assert await plane.call("UpdateDestination", **update(kind, version, **members)) == {}
    described = "ExtendedS3" if kind == "S3" else kind
    return await destination(plane, described)


async def destination(plane: DeliveryPlane, kind: str = "ExtendedS3") -> dict[str, Any]:
    reply = await plane.call("DescribeDeliveryStream", DeliveryStreamName="ticks")
    description: dict[str, Any] = reply["DeliveryStreamDescription"]["Destinations"][0][f"{kind}DestinationDescription"]
    return description


async def refused(plane: DeliveryPlane, kind: str = "ExtendedS3", **members: Any) -> str:
    """The message that an update is refused with; nothing changes."""
    before = (await plane.call("DescribeDeliveryStream", DeliveryStreamName="ticks"))["DeliveryStreamDescription"]
    refusal = await plane.refusal("UpdateDestination", **update(kind, 1, **members))
    assert refusal.code == "InvalidArgumentException", refusal
    reply = await plane.call("DescribeDeliveryStream", DeliveryStreamName="ticks")
    assert reply["DeliveryStreamDescription"] == before
    return refusal.message


async def test_an_update_adds_one_to_the_version(plane: DeliveryPlane) -> None:
    await create(plane)
    changes = plane.changes
    await plane.pass_ms(1_000)
    await updated(plane, CompressionFormat="GZIP")
    reply = await plane.call("DescribeDeliveryStream", DeliveryStreamName="ticks")
    description = reply["DeliveryStreamDescription"]
    assert description["VersionId"] == "2"
    assert description["LastUpdateTimestamp"] >= description["CreateTimestamp"] + 1
    assert plane.changes == changes + 1
    refusal = await plane.refusal("UpdateDestination", **update("ExtendedS3", 1, CompressionFormat="ZIP"))
    assert refusal.code == "ConcurrentModificationException"
    assert refusal.message == (
        "Cannot update firehose: ticks since the current version id: 2 and specified version id: 1 do not match"
    )
    await updated(plane, version=2, CompressionFormat="ZIP")


async def test_what_is_missing_keeps_its_value(plane: DeliveryPlane) -> None:
    key = {"KMSEncryptionConfig": {"AWSKMSKeyARN": "arn:aws:kms:us-east-1:123456789012:key/k"}}
    await create(
        plane,
        Prefix="a/",
        EncryptionConfiguration=key,
        BufferingHints={"SizeInMBs": 7, "IntervalInSeconds": 60},
        CloudWatchLoggingOptions={"Enabled": True, "LogGroupName": "g", "LogStreamName": "s"},
    )
    before = await destination(plane)
    after = await updated(plane, Prefix="b/", BufferingHints={"SizeInMBs": 8, "IntervalInSeconds": 70})
    assert after == {**before, "Prefix": "b/", "BufferingHints": {"SizeInMBs": 8, "IntervalInSeconds": 70}}
    after = await updated(plane, version=2, EncryptionConfiguration={"NoEncryptionConfig": "NoEncryption"})
    assert after["EncryptionConfiguration"] == {"NoEncryptionConfig": "NoEncryption"}


async def test_an_s3_update_of_an_extended_destination(plane: DeliveryPlane) -> None:
    await create(plane, CustomTimeZone="Asia/Tokyo", FileExtension=".log")
    after = await updated(plane, "S3", BucketARN="arn:aws:s3:::pond")
    assert (after["BucketARN"], after["CustomTimeZone"], after["FileExtension"]) == (
        "arn:aws:s3:::pond",
        "Asia/Tokyo",
        ".log",
    )


async def test_processors_are_replaced(plane: DeliveryPlane) -> None:
    both = processed(processor("Decompression", CompressionFormat="GZIP"), processor("AppendDelimiterToRecord"))
    await create(plane, ProcessingConfiguration=both)
    one = processed(processor("AppendDelimiterToRecord"))
    assert (await updated(plane, ProcessingConfiguration=one))["ProcessingConfiguration"] == one


async def test_conversion_is_merged(plane: DeliveryPlane) -> None:
    await create(plane, DataFormatConversionConfiguration=CONVERSION)
    after = await updated(
        plane,
        DataFormatConversionConfiguration={"OutputFormatConfiguration": {"Serializer": {"OrcSerDe": {}}}},
    )
    conversion = after["DataFormatConversionConfiguration"]
    assert conversion["OutputFormatConfiguration"] == {"Serializer": {"OrcSerDe": {}}}
    assert conversion["SchemaConfiguration"] == {**CONVERSION["SchemaConfiguration"], "VersionId": "LATEST"}
    off = await updated(
        plane, version=2, DataFormatConversionConfiguration={"Enabled": False}, CompressionFormat="GZIP"
    )
    assert off["CompressionFormat"] == "GZIP"


async def test_what_is_merged_is_checked_as_a_whole() -> None:
    plane = DeliveryPlane(limits_aws=True)
    await create(plane)
    assert await refused(plane, DataFormatConversionConfiguration=CONVERSION) == (
        "BufferingHints.SizeInMBs must be at least 64 when data format conversion is enabled."
    )


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"Prefix": "!{timestamp:yyyy}/"},
            (
                "Ths supplied prefix(es) do not satisfy the following constraint: ErrorOutputPrefix cannot be null or "
                "empty when Prefix contains expressions"
            ),
        ),
        (
            {"DynamicPartitioningConfiguration": {"Enabled": True}},
            (
                "Dynamic Partitioning can be enabled only when a delivery stream is created, and cannot be disabled "
                "later. Create a new delivery stream instead."
            ),
        ),
        ({"S3BackupMode": "Enabled"}, "S3BackupConfiguration must be specified when S3BackupMode is Enabled."),
        (
            {"S3BackupMode": "Enabled", "S3BackupUpdate": {"RoleARN": ROLE}},
            "BucketARN must be specified in S3BackupConfiguration.",
        ),
    ],
)
async def test_updates_that_may_not_be(plane: DeliveryPlane, members: dict[str, Any], message: str) -> None:
    await create(plane)
    assert await refused(plane, **members) == message


async def test_partitioning_is_not_disabled_either(plane: DeliveryPlane) -> None:
    query = processed(extraction("{sector}"))
    await create(plane, **PARTITIONED, ProcessingConfiguration=query)
    await updated(plane, DynamicPartitioningConfiguration={"RetryOptions": {"DurationInSeconds": 0}})
    refusal = await plane.refusal(
        "UpdateDestination", **update("ExtendedS3", 2, DynamicPartitioningConfiguration={"Enabled": False})
    )
    assert refusal.message.startswith("Dynamic Partitioning can be enabled only when")


async def test_backups_can_be_enabled_and_stay(plane: DeliveryPlane) -> None:
    await create(plane)
    after = await updated(plane, S3BackupMode="Enabled", S3BackupUpdate=S3)
    assert after["S3BackupDescription"]["CompressionFormat"] == "UNCOMPRESSED"
    after = await updated(plane, version=2, S3BackupUpdate={"Prefix": "raw/"})
    assert after["S3BackupDescription"]["Prefix"] == "raw/"
    assert after["S3BackupDescription"]["BucketARN"] == S3["BucketARN"]
    refusal = await plane.refusal("UpdateDestination", **update("ExtendedS3", 3, S3BackupMode="Disabled"))
    assert refusal.message == "S3BackupMode cannot be updated from Enabled to Disabled."


async def test_backups_of_other_destinations(plane: DeliveryPlane) -> None:
    await create(plane, "Splunk")
    await updated(plane, "Splunk", S3BackupMode="AllEvents")
    refusal = await plane.refusal("UpdateDestination", **update("Splunk", 2, S3BackupMode="FailedEventsOnly"))
    assert refusal.message == "S3BackupMode cannot be updated from AllEvents to FailedEventsOnly."


@pytest.mark.parametrize(
    ("kind", "member", "value", "attribute"),
    [
        ("Redshift", "Password", "secret-2", "password"),
        (
            "HttpEndpoint",
            "EndpointConfiguration",
            {"Url": "https://example.com", "AccessKey": "secret-2"},
            "access_key",
        ),
        ("Splunk", "HECToken", "secret-2", "token"),
    ],
)
async def test_secrets(plane: DeliveryPlane, kind: str, member: str, value: Any, attribute: str) -> None:
    await create(plane, kind)
    (handle,) = plane.service.registry

    def secret() -> Any:
        return getattr(parse(handle.stream.destination, secret_opener(plane.service)), attribute)

    await updated(plane, kind, RetryOptions={"DurationInSeconds": 1})
    assert secret() == "secret-1"
    await updated(plane, kind, 2, **{member: value})
    assert secret() == "secret-2"


async def test_the_intermediate_bucket_of_redshift(plane: DeliveryPlane) -> None:
    await create(plane, "Redshift")
    command = {"DataTableName": "orders", "CopyOptions": "json 'auto' gzip"}
    after = await updated(plane, "Redshift", S3Update={"CompressionFormat": "GZIP"}, CopyCommand=command)
    assert after["S3DestinationDescription"]["CompressionFormat"] == "GZIP"
    assert after["S3DestinationDescription"]["BucketARN"] == S3["BucketARN"]


async def test_another_kind_of_destination(plane: DeliveryPlane) -> None:
    await create(plane, "Splunk")
    assert await refused(plane, "HttpEndpoint", RoleARN=ROLE) == (
        "The destination changes from Splunk to HttpEndpoint: all of its parameters must be specified. Missing: "
        "EndpointConfiguration, S3Update"
    )
    endpoint = {"Url": "https://example.com"}
    after = await updated(plane, "HttpEndpoint", EndpointConfiguration=endpoint, S3Update=S3)
    assert after["EndpointConfiguration"] == endpoint
    (handle,) = plane.service.registry
    assert handle.stream.destination.secrets == {}
    assert (handle.stream.destination.kind, handle.stream.version) == ("HttpEndpoint", 2)


async def test_search_destinations_stay_what_they_are(plane: DeliveryPlane) -> None:
    await create(plane, "Amazonopensearchservice")
    message = await refused(plane, "S3", **S3)
    assert message.startswith("Switching between Amazonopensearchservice and ExtendedS3 destinations is not supported")
    after = await updated(plane, "Amazonopensearchservice", IndexName="ticks")
    assert (after["IndexName"], after["ClusterEndpoint"]) == ("ticks", "https://search.example.com")


async def test_a_search_destination_moves(plane: DeliveryPlane) -> None:
    await create(plane, "Elasticsearch")
    after = await updated(plane, "Elasticsearch", ClusterEndpoint="https://search.example.com")
    assert after["ClusterEndpoint"] == "https://search.example.com"
    assert "DomainARN" not in after


async def test_what_is_to_be_updated_must_be_there(plane: DeliveryPlane) -> None:
    params = update("ExtendedS3", 1)
    assert (await plane.refusal("UpdateDestination", **params)).code == "ResourceNotFoundException"
    await plane.call("CreateDeliveryStream", DeliveryStreamName="ticks", **configured("S3"))
    assert (await plane.refusal("UpdateDestination", **params)).code == "ResourceInUseException"
    await plane.pass_ms(60)
    refusal = await plane.refusal("UpdateDestination", **{**params, "DestinationId": "destinationId-2"})
    assert refusal.message == "Destination Id destinationId-2 not found"
    del params["ExtendedS3DestinationUpdate"]
    refusal = await plane.refusal("UpdateDestination", **params)
    assert refusal.message == "Exactly one destination update is supported for a Firehose"
