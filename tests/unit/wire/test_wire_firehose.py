"""What Firehose's model has and no other's: fractions, patterns of Unicode classes, hosts that are not AWS's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millstream.wire import Codec, Operation, Service
from millstream.wire.faults import SerializationException, ValidationException

ROLE = "arn:aws:iam::123456789012:role/firehose"


@pytest.fixture(scope="module")
def firehose() -> Service:
    return Service("firehose", {name: Operation(name, print) for name in ("CreateDeliveryStream", "TagDeliveryStream")})


def decoded(firehose: Service, operation: str, **params: Any) -> Any:
    return firehose.decode(firehose.find(operation), Codec.JSON, json.dumps(params).encode())


def with_padding(value: Any) -> dict[str, Any]:
    serializer = {"OrcSerDe": {"PaddingTolerance": value}}
    conversion = {"OutputFormatConfiguration": {"Serializer": serializer}}
    bucket = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::lake", "DataFormatConversionConfiguration": conversion}
    return {"DeliveryStreamName": "ticks", "ExtendedS3DestinationConfiguration": bucket}


@pytest.mark.parametrize("value", [0, 0.05, 1])
def test_fractions(firehose: Service, value: float) -> None:
    params = decoded(firehose, "CreateDeliveryStream", **with_padding(value))
    bucket = params["ExtendedS3DestinationConfiguration"]
    serializer = bucket["DataFormatConversionConfiguration"]["OutputFormatConfiguration"]["Serializer"]
    assert serializer == {"OrcSerDe": {"PaddingTolerance": value}}


def test_fractions_out_of_bounds(firehose: Service) -> None:
    with pytest.raises(ValidationException, match=r"paddingTolerance' failed .* less than or equal to 1"):
        decoded(firehose, "CreateDeliveryStream", **with_padding(1.5))
    with pytest.raises(ValidationException):
        decoded(firehose, "CreateDeliveryStream", **with_padding(10**400))
    with pytest.raises(SerializationException):
        decoded(firehose, "CreateDeliveryStream", **with_padding("0.5"))


@pytest.mark.parametrize("key", ["größe", "名前", "нет", "a b", "a\u00a0b", "x:y/z=+-@%", "_.1"])
def test_characters_of_tags(firehose: Service, key: str) -> None:
    decoded(firehose, "TagDeliveryStream", DeliveryStreamName="ticks", Tags=[{"Key": key, "Value": key}])


@pytest.mark.parametrize("key", ["aws:x", "a*", "a\tb", "a\n", "a;b"])
def test_characters_that_tags_have_not(firehose: Service, key: str) -> None:
    with pytest.raises(ValidationException, match="regular expression pattern"):
        decoded(firehose, "TagDeliveryStream", DeliveryStreamName="ticks", Tags=[{"Key": key}])


def test_hosts_of_ones_own(firehose: Service) -> None:
    bucket = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::lake"}
    endpoint = {"EndpointConfiguration": {"Url": "http://localhost:8080/in"}, "S3Configuration": bucket}
    decoded(firehose, "CreateDeliveryStream", DeliveryStreamName="a", HttpEndpointDestinationConfiguration=endpoint)
    search = {"RoleARN": ROLE, "ClusterEndpoint": "http://opensearch:9200", "IndexName": "a", "S3Configuration": bucket}
    decoded(firehose, "CreateDeliveryStream", DeliveryStreamName="a", ElasticsearchDestinationConfiguration=search)
