"""Delivery streams: create, delete, describe, list."""

from __future__ import annotations

from typing import Any

import pytest

from millstream.firehose.configuration import parse
from millstream.firehose.model import StreamStatus
from millstream.firehose.operations import streams
from millstream.firehose.operations.destinations import secret_opener
from millstream.firehose.registry import FoundSource
from support.configurations import CONVERSION, DESTINATION_ID, LEAST, PARTITIONED, ROLE, S3, configured, extraction
from support.configurations import processing as processed
from support.delivery_plane import ACCOUNT, DeliveryPlane

ARN = f"arn:aws:firehose:us-east-1:{ACCOUNT}:deliverystream/ticks"
SOURCE_ARN = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/orders"
SOURCE = {"KinesisStreamARN": SOURCE_ARN, "RoleARN": ROLE}

BUCKET = {
    "RoleARN": ROLE,
    "BucketARN": "arn:aws:s3:::lake",
    "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
    "CompressionFormat": "UNCOMPRESSED",
    "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
    "CloudWatchLoggingOptions": {"Enabled": False},
}
UNPROCESSED = {"Enabled": False, "Processors": []}


@pytest.fixture
def plane() -> DeliveryPlane:
    return DeliveryPlane(limits_aws=True)


async def create(plane: DeliveryPlane, name: str = "ticks", **params: Any) -> str:
    """Create, with the least S3 destination unless another is given; returns the ARN. There are call rates."""
    if not any(member.endswith("DestinationConfiguration") for member in params):
        params |= configured("ExtendedS3")
    arn: str = (await plane.call("CreateDeliveryStream", DeliveryStreamName=name, **params))["DeliveryStreamARN"]
    await plane.pass_ms(250)
    return arn


async def described(plane: DeliveryPlane, name: str = "ticks") -> dict[str, Any]:
    reply = await plane.call("DescribeDeliveryStream", DeliveryStreamName=name)
    description: dict[str, Any] = reply["DeliveryStreamDescription"]
    return description


async def test_a_delivery_stream_from_creating_to_gone(plane: DeliveryPlane) -> None:
    created_s = plane.clock.now_ms() / 1000
    reply = await plane.call("CreateDeliveryStream", DeliveryStreamName="ticks", **configured("S3"))
    assert reply == {"DeliveryStreamARN": ARN}
    assert (await described(plane))["DeliveryStreamStatus"] == "CREATING"
    refusal = await plane.refusal("DeleteDeliveryStream", DeliveryStreamName="ticks")
    assert refusal.code == "ResourceInUseException"
    await plane.pass_ms(1_000)
    assert await described(plane) == {
        "DeliveryStreamName": "ticks",
        "DeliveryStreamARN": ARN,
        "DeliveryStreamStatus": "ACTIVE",
        "DeliveryStreamEncryptionConfiguration": {"Status": "DISABLED"},
        "DeliveryStreamType": "DirectPut",
        "VersionId": "1",
        "CreateTimestamp": created_s,
        "Destinations": [
            {
                "DestinationId": DESTINATION_ID,
                "S3DestinationDescription": BUCKET,
                "ExtendedS3DestinationDescription": {
                    **BUCKET,
                    "ProcessingConfiguration": UNPROCESSED,
                    "S3BackupMode": "Disabled",
                    "CustomTimeZone": "UTC",
                },
            }
        ],
        "HasMoreDestinations": False,
    }
    assert await plane.call("DeleteDeliveryStream", DeliveryStreamName="ticks", AllowForceDelete=True) == {}
    assert (await described(plane))["DeliveryStreamStatus"] == "DELETING"
    assert await plane.call("DeleteDeliveryStream", DeliveryStreamName="ticks") == {}
    await plane.pass_ms(60)
    await plane.until(lambda: not list(plane.service.registry))
    refusal = await plane.refusal("DescribeDeliveryStream", DeliveryStreamName="ticks")
    assert refusal.code == "ResourceNotFoundException"
    assert refusal.message == f"Firehose ticks under account {ACCOUNT} not found."


async def test_a_name_is_taken_once(plane: DeliveryPlane) -> None:
    await create(plane)
    refusal = await plane.refusal("CreateDeliveryStream", DeliveryStreamName="ticks", **configured("S3"))
    assert refusal.code == "ResourceInUseException"
    assert refusal.message == f"Firehose ticks under accountId {ACCOUNT} already exists"
    await plane.call("CreateDeliveryStream", region="eu-west-1", DeliveryStreamName="ticks", **configured("S3"))


async def test_everything_survives_a_restart(plane: DeliveryPlane) -> None:
    await create(plane, Tags=[{"Key": "team", "Value": "blue"}], **configured("Splunk"))
    before = await described(plane)
    await plane.crash()
    assert await described(plane) == before


DEFAULTS: dict[str, dict[str, Any]] = {
    "Redshift": {"RetryOptions": {"DurationInSeconds": 3600}, "S3BackupMode": "Disabled"},
    "Elasticsearch": {
        "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
        "RetryOptions": {"DurationInSeconds": 300},
        "IndexRotationPeriod": "OneDay",
        "S3BackupMode": "FailedDocumentsOnly",
        "DocumentIdOptions": {"DefaultDocumentIdFormat": "FIREHOSE_DEFAULT"},
    },
    "AmazonOpenSearchServerless": {
        "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
        "RetryOptions": {"DurationInSeconds": 300},
        "S3BackupMode": "FailedDocumentsOnly",
    },
    "HttpEndpoint": {
        "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
        "RetryOptions": {"DurationInSeconds": 300},
        "RequestConfiguration": {"ContentEncoding": "NONE", "CommonAttributes": []},
        "S3BackupMode": "FailedDataOnly",
    },
    "Splunk": {
        "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 60},
        "RetryOptions": {"DurationInSeconds": 300},
        "HECAcknowledgmentTimeoutInSeconds": 180,
        "S3BackupMode": "FailedEventsOnly",
    },
    "Iceberg": {
        "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
        "RetryOptions": {"DurationInSeconds": 300},
        "S3BackupMode": "FailedDataOnly",
    },
}
DEFAULTS["Amazonopensearchservice"] = DEFAULTS["Elasticsearch"]


@pytest.mark.parametrize("kind", DEFAULTS)
async def test_defaults_of_destinations(plane: DeliveryPlane, kind: str) -> None:
    await create(plane, **configured(kind))
    (destination,) = (await described(plane))["Destinations"]
    assert destination.keys() == {"DestinationId", f"{kind}DestinationDescription"}
    given = {name: value for name, value in LEAST[kind].items() if name not in ("S3Configuration", "Password")}
    if kind == "HttpEndpoint":
        given["EndpointConfiguration"] = {"Url": "https://example.com/in", "Name": "ours"}
    assert destination[f"{kind}DestinationDescription"] == {
        **given,
        **DEFAULTS[kind],
        "S3DestinationDescription": BUCKET,
        "ProcessingConfiguration": UNPROCESSED,
        "CloudWatchLoggingOptions": {"Enabled": False},
    }


@pytest.mark.parametrize(
    ("kind", "member"), [("Redshift", "password"), ("HttpEndpoint", "access_key"), ("Splunk", "token")]
)
async def test_secrets_are_sealed_and_the_worker_opens_them(plane: DeliveryPlane, kind: str, member: str) -> None:
    await create(plane, **configured(kind))
    (handle,) = plane.service.registry
    assert b"secret-1" not in plane.catalog.list("delivery-stream")[0].body
    configuration = parse(handle.stream.destination, secret_opener(plane.service))
    assert getattr(configuration, member) == "secret-1"


@pytest.mark.parametrize("kind", LEAST)
async def test_the_worker_can_read_what_is_kept(plane: DeliveryPlane, kind: str) -> None:
    await create(plane, **configured(kind))
    (handle,) = plane.service.registry
    configuration = parse(handle.stream.destination, secret_opener(plane.service))
    assert configuration.backup_mode == handle.stream.destination.configuration["S3BackupMode"]


async def test_conversion_and_partitioning_buffer_more(plane: DeliveryPlane) -> None:
    await create(plane, "converted", **configured("ExtendedS3", DataFormatConversionConfiguration=CONVERSION))
    partitioned = configured("ExtendedS3", **PARTITIONED, ProcessingConfiguration=processed(extraction("{sector}")))
    await create(plane, "partitioned", **partitioned)
    for name in ("converted", "partitioned"):
        (destination,) = (await described(plane, name))["Destinations"]
        description = destination["ExtendedS3DestinationDescription"]
        assert description["BufferingHints"] == {"SizeInMBs": 128, "IntervalInSeconds": 300}
    assert description["DynamicPartitioningConfiguration"] == {
        "Enabled": True,
        "RetryOptions": {"DurationInSeconds": 300},
    }


async def test_a_source(plane: DeliveryPlane) -> None:
    plane.sources.found[SOURCE_ARN] = FoundSource("orders-1", 4711)
    await create(plane, DeliveryStreamType="KinesisStreamAsSource", KinesisStreamSourceConfiguration=SOURCE)
    description = await described(plane)
    source = description["Source"]["KinesisStreamSourceDescription"]
    assert source.pop("DeliveryStartTimestamp") == description["CreateTimestamp"]
    assert source == SOURCE
    assert description["DeliveryStreamType"] == "KinesisStreamAsSource"
    assert "DeliveryStreamEncryptionConfiguration" not in description
    (handle,) = plane.service.registry
    assert handle.stream.source is not None
    assert (handle.stream.source.stream_id, handle.stream.source.start_position) == ("orders-1", 4711)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"DeliveryStreamType": "KinesisStreamAsSource"},
            "KinesisStreamSourceConfiguration must be specified for KinesisStreamAsSource stream type",
        ),
        (
            {"KinesisStreamSourceConfiguration": SOURCE},
            "KinesisSourceStreamConfig is only applicable for KinesisStreamAsSource stream type",
        ),
        (
            {"DeliveryStreamType": "MSKAsSource"},
            "Millstream does not read from MSK. Use DirectPut, or KinesisStreamAsSource.",
        ),
        (
            {"DeliveryStreamType": "DatabaseAsSource"},
            "Millstream does not read from databases. Use DirectPut, or KinesisStreamAsSource.",
        ),
        (
            {"DeliveryStreamType": "KinesisStreamAsSource", "KinesisStreamSourceConfiguration": SOURCE},
            f"{SOURCE_ARN} in {ACCOUNT} and us-east-1 not found",
        ),
    ],
)
async def test_sources_that_may_not_be(plane: DeliveryPlane, params: dict[str, Any], message: str) -> None:
    refusal = await plane.refusal("CreateDeliveryStream", DeliveryStreamName="ticks", **params, **configured("S3"))
    assert (refusal.code, refusal.message) == ("InvalidArgumentException", message)
    assert not list(plane.service.registry)


async def test_a_throughput_hint_is_remembered(plane: DeliveryPlane) -> None:
    await create(plane, DirectPutSourceConfiguration={"ThroughputHintInMBs": 7})
    assert (await described(plane))["Source"] == {"DirectPutSourceDescription": {"ThroughputHintInMBs": 7}}


async def test_encryption_from_the_beginning(plane: DeliveryPlane) -> None:
    wanted = {"KeyType": "AWS_OWNED_CMK"}
    params = {**configured("S3"), "DeliveryStreamEncryptionConfigurationInput": wanted}
    await plane.call("CreateDeliveryStream", DeliveryStreamName="ticks", **params)
    assert (await described(plane))["DeliveryStreamEncryptionConfiguration"]["Status"] == "ENABLING"
    await plane.pass_ms(60)
    configuration = (await described(plane))["DeliveryStreamEncryptionConfiguration"]
    assert configuration == {"Status": "ENABLED", "KeyType": "AWS_OWNED_CMK"}


async def test_a_source_is_not_encrypted_again(plane: DeliveryPlane) -> None:
    plane.sources.found[SOURCE_ARN] = FoundSource("orders-1", 0)
    refusal = await plane.refusal(
        "CreateDeliveryStream",
        DeliveryStreamName="ticks",
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration=SOURCE,
        DeliveryStreamEncryptionConfigurationInput={"KeyType": "AWS_OWNED_CMK"},
        **configured("S3"),
    )
    assert refusal.code == "InvalidArgumentException"
    assert "type DirectPut" in refusal.message


async def test_the_number_of_delivery_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STREAMS_MAX", 2)
    plane, unlimited = DeliveryPlane(limits_aws=True), DeliveryPlane(limits_aws=False)
    for name in ("a", "b"):
        await create(plane, name)
        await create(unlimited, name)
    await create(unlimited, "c")
    refusal = await plane.refusal("CreateDeliveryStream", DeliveryStreamName="c", **configured("S3"))
    assert refusal.code == "LimitExceededException"
    assert refusal.message == "You have already consumed your firehose quota of 2 hoses. Hoses: [a, b]"


async def test_destinations_are_described_page_by_page(plane: DeliveryPlane) -> None:
    await create(plane)
    reply = await plane.call(
        "DescribeDeliveryStream", DeliveryStreamName="ticks", ExclusiveStartDestinationId=DESTINATION_ID, Limit=1
    )
    description = reply["DeliveryStreamDescription"]
    assert (description["Destinations"], description["HasMoreDestinations"]) == ([], False)


async def test_a_failure_is_described(plane: DeliveryPlane) -> None:
    await create(plane)
    (handle,) = plane.service.registry
    plane.service.registry.save(handle, status=StreamStatus.CREATING_FAILED, failure="no space")
    description = await described(plane)
    assert description["FailureDescription"] == {"Type": "UNKNOWN_ERROR", "Details": "no space"}


async def test_listing() -> None:
    plane = DeliveryPlane()
    plane.sources.found[SOURCE_ARN] = FoundSource("orders-1", 0)
    for number in range(12):
        await create(plane, f"put-{number:02d}")
    await create(plane, "read", DeliveryStreamType="KinesisStreamAsSource", KinesisStreamSourceConfiguration=SOURCE)
    page = await plane.call("ListDeliveryStreams")
    assert page == {"DeliveryStreamNames": [f"put-{n:02d}" for n in range(10)], "HasMoreDeliveryStreams": True}
    page = await plane.call("ListDeliveryStreams", ExclusiveStartDeliveryStreamName="put-09", Limit=10000)
    assert page == {"DeliveryStreamNames": ["put-10", "put-11", "read"], "HasMoreDeliveryStreams": False}
    page = await plane.call("ListDeliveryStreams", DeliveryStreamType="KinesisStreamAsSource")
    assert page == {"DeliveryStreamNames": ["read"], "HasMoreDeliveryStreams": False}
    page = await plane.call("ListDeliveryStreams", region="eu-west-1")
    assert page == {"DeliveryStreamNames": [], "HasMoreDeliveryStreams": False}


async def test_what_the_model_refuses_it_refuses_in_awss_words(plane: DeliveryPlane) -> None:
    refusal = await plane.refusal(
        "CreateDeliveryStream",
        DeliveryStreamName="ticks",
        **configured("ExtendedS3", RoleARN="admin", BufferingHints={"SizeInMBs": 129, "IntervalInSeconds": 901}),
    )
    assert refusal.code == "ValidationException"
    assert refusal.message.startswith("3 validation errors detected: ")
    assert "extendedS3DestinationConfiguration.bufferingHints.sizeInMBs" in refusal.message
    unknown = processed({"Type": "Teleportation", "Parameters": []})
    refusal = await plane.refusal(
        "CreateDeliveryStream", DeliveryStreamName="a", **configured("ExtendedS3", ProcessingConfiguration=unknown)
    )
    assert "extendedS3DestinationConfiguration.processingConfiguration.processors.1.member.type" in refusal.message
    refusal = await plane.refusal("CreateDeliveryStream", DeliveryStreamName="a b", **configured("S3"))
    assert "deliveryStreamName" in refusal.message
    refusal = await plane.refusal(
        "CreateDeliveryStream", DeliveryStreamName="a", S3DestinationConfiguration={"RoleARN": S3["RoleARN"]}
    )
    assert "s3DestinationConfiguration.bucketARN" in refusal.message
