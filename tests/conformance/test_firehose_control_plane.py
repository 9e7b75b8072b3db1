"""Delivery streams as boto3 sees them: made, described, listed, updated, tagged, deleted."""

from __future__ import annotations

from typing import Any

import pytest

from support.configurations import DESTINATION_ID, LEAST, S3, configured
from support.firehose import Firehose, connect_firehose, create_delivery_stream, describe_delivery_stream
from support.kinesis import Kinesis, create_stream, new_name, refusal, stream_summary
from support.server import Server
from support.waiting import wait_for


@pytest.fixture
def firehose(server: Server, account: str) -> Firehose:
    return connect_firehose(server.url, account, parameter_validation=True)


@pytest.mark.parametrize("kind", LEAST)
def test_every_destination_can_be_made_described_and_deleted(firehose: Firehose, kind: str) -> None:
    name = create_delivery_stream(firehose, **configured(kind))
    (destination,) = describe_delivery_stream(firehose, name)["Destinations"]
    described = "ExtendedS3" if kind == "S3" else kind
    description: dict[str, Any] = destination[f"{described}DestinationDescription"]
    assert "Password" not in description
    bucket = description if described == "ExtendedS3" else description["S3DestinationDescription"]
    assert bucket["BucketARN"] == S3["BucketARN"]
    firehose.delete_delivery_stream(DeliveryStreamName=name)
    wait_for(lambda: name not in firehose.list_delivery_streams()["DeliveryStreamNames"], f"{name} to be gone")
    assert refusal(firehose.describe_delivery_stream, DeliveryStreamName=name).code == "ResourceNotFoundException"


def test_timestamps_and_arns(firehose: Firehose, account: str) -> None:
    name = create_delivery_stream(firehose)
    description = describe_delivery_stream(firehose, name)
    assert description["DeliveryStreamARN"] == f"arn:aws:firehose:us-east-1:{account}:deliverystream/{name}"
    assert description["CreateTimestamp"].year >= 2024
    assert "LastUpdateTimestamp" not in description


def test_updates(firehose: Firehose) -> None:
    name = create_delivery_stream(firehose)
    update = {"DeliveryStreamName": name, "DestinationId": DESTINATION_ID, "CurrentDeliveryStreamVersionId": "1"}
    firehose.update_destination(**update, ExtendedS3DestinationUpdate={"CompressionFormat": "GZIP"})
    description = describe_delivery_stream(firehose, name)
    assert description["VersionId"] == "2"
    destination = description["Destinations"][0]
    assert destination["ExtendedS3DestinationDescription"]["CompressionFormat"] == "GZIP"
    assert destination["S3DestinationDescription"]["CompressionFormat"] == "GZIP"
    stale = refusal(firehose.update_destination, **update, S3DestinationUpdate={"Prefix": "a/"})
    assert stale.code == "ConcurrentModificationException"
    assert stale.message == (
        f"Cannot update firehose: {name} since the current version id: 2 and specified version id: 1 do not match"
    )


def test_prefixes_are_refused_in_awss_words(firehose: Firehose) -> None:
    wrong = refusal(
        firehose.create_delivery_stream,
        DeliveryStreamName=new_name("delivery"),
        **configured("ExtendedS3", Prefix="year=!{timestamp:yyyy}/"),
    )
    assert (wrong.code, wrong.status) == ("InvalidArgumentException", 400)
    assert wrong.message == (
        "Ths supplied prefix(es) do not satisfy the following constraint: ErrorOutputPrefix cannot be null or empty "
        "when Prefix contains expressions"
    )


def test_a_data_stream_as_the_source(firehose: Firehose, kinesis: Kinesis) -> None:
    stream = create_stream(kinesis)
    source = {"KinesisStreamARN": stream_summary(kinesis, stream)["StreamARN"], "RoleARN": S3["RoleARN"]}
    params = {"DeliveryStreamType": "KinesisStreamAsSource", "KinesisStreamSourceConfiguration": source}
    name = create_delivery_stream(firehose, **params)
    described = describe_delivery_stream(firehose, name)["Source"]["KinesisStreamSourceDescription"]
    assert described["KinesisStreamARN"] == source["KinesisStreamARN"]
    source["KinesisStreamARN"] += "-missing"
    missing = refusal(
        firehose.create_delivery_stream, DeliveryStreamName=new_name("delivery"), **params, **configured("S3")
    )
    assert missing.code in ("ResourceNotFoundException", "InvalidArgumentException")


def test_listing(firehose: Firehose) -> None:
    names = sorted(create_delivery_stream(firehose) for _ in range(3))
    page = firehose.list_delivery_streams(Limit=2)
    assert (page["DeliveryStreamNames"], page["HasMoreDeliveryStreams"]) == (names[:2], True)
    page = firehose.list_delivery_streams(ExclusiveStartDeliveryStreamName=names[1], DeliveryStreamType="DirectPut")
    assert (page["DeliveryStreamNames"], page["HasMoreDeliveryStreams"]) == (names[2:], False)


def test_tags(firehose: Firehose) -> None:
    name = create_delivery_stream(firehose, Tags=[{"Key": "team", "Value": "größe"}])
    firehose.tag_delivery_stream(DeliveryStreamName=name, Tags=[{"Key": "cost", "Value": "1"}, {"Key": "a"}])
    firehose.untag_delivery_stream(DeliveryStreamName=name, TagKeys=["a"])
    reply = firehose.list_tags_for_delivery_stream(DeliveryStreamName=name)
    assert reply["Tags"] == [{"Key": "cost", "Value": "1"}, {"Key": "team", "Value": "größe"}]
    assert reply["HasMoreTags"] is False
