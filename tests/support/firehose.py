"""Firehose clients for tests, and what tests do with delivery streams over and over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from botocore.exceptions import ClientError

from support.clients import client
from support.configurations import S3
from support.kinesis import new_name
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

Firehose: TypeAlias = Any  # a boto3 client; its type stubs would refuse the wrong input that tests send on purpose


def connect_firehose(url: str, account: str = "000000000000", region: str = "us-east-1", **config: Any) -> Firehose:
    """A client that sends anything, valid or not, and never retries; its access key id is the account."""
    return client("firehose", url, account, region, **config)


def to_bucket(**members: Any) -> dict[str, Any]:
    """An ExtendedS3DestinationConfiguration of the least that is allowed, with `members` added."""
    return {**S3, **members}


def slowly(call: Callable[..., Any], /, **params: Any) -> Any:
    """Call, and call again while the answer is that the call rate is too high; as SDKs do with their retries on."""

    def attempt() -> tuple[Any] | None:
        try:
            return (call(**params),)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ThrottlingException":
                raise
            return None

    return wait_for(attempt, "the call rate to allow a call", interval_s=0.1)[0]


def describe_delivery_stream(firehose: Firehose, name: str) -> dict[str, Any]:
    """DescribeDeliveryStream's description."""
    reply = slowly(firehose.describe_delivery_stream, DeliveryStreamName=name)
    description: dict[str, Any] = reply["DeliveryStreamDescription"]
    return description


def create_delivery_stream(firehose: Firehose, **params: Any) -> str:
    """Create a delivery stream to a bucket, or as `params` say, wait until it is ACTIVE, and return its name."""
    name: str = params.pop("DeliveryStreamName", None) or new_name("delivery")
    if not any(member.endswith("DestinationConfiguration") for member in params):
        params["ExtendedS3DestinationConfiguration"] = to_bucket()
    slowly(firehose.create_delivery_stream, DeliveryStreamName=name, **params)
    wait_for(
        lambda: describe_delivery_stream(firehose, name)["DeliveryStreamStatus"] == "ACTIVE",
        f"delivery stream {name} to be ACTIVE",
    )
    return name


def records_of(*data: bytes) -> list[dict[str, bytes]]:
    """Records of PutRecordBatch."""
    return [{"Data": datum} for datum in data]
