"""Consumers: register, deregister, describe, list."""

from __future__ import annotations

from typing import Any

import pytest

from millstream.wire.faults import Fault
from support.control_plane import ACCOUNT, ControlPlane

ARN = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/orders"


class Subscribed:
    """A subscription that only remembers how it was ended."""

    opened_ms = 0

    def __init__(self) -> None:
        self.faults: list[Fault | None] = []

    def wake(self) -> None:
        pass

    def end(self, fault: Fault | None = None) -> None:
        self.faults.append(fault)


async def register(plane: ControlPlane, name: str = "reader", **params: Any) -> dict[str, Any]:
    """RegisterStreamConsumer, and wait until it is ACTIVE."""
    reply = await plane.call("RegisterStreamConsumer", StreamARN=ARN, ConsumerName=name, **params)
    await plane.pass_ms(60)
    consumer: dict[str, Any] = reply["Consumer"]
    return consumer


async def describe(plane: ControlPlane, **address: str) -> dict[str, Any]:
    """DescribeStreamConsumer."""
    description: dict[str, Any] = (await plane.call("DescribeStreamConsumer", **address))["ConsumerDescription"]
    return description


async def test_a_consumer_is_creating_and_then_active(plane: ControlPlane) -> None:
    await plane.create()
    created_ms = plane.clock.now_ms()
    reply = await plane.call("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="reader")
    assert reply["Consumer"] == {
        "ConsumerName": "reader",
        "ConsumerARN": f"{ARN}/consumer/reader:{created_ms // 1000}",
        "ConsumerStatus": "CREATING",
        "ConsumerCreationTimestamp": created_ms / 1000,
    }
    await plane.pass_ms(60)
    description = await describe(plane, StreamARN=ARN, ConsumerName="reader")
    assert description == reply["Consumer"] | {"ConsumerStatus": "ACTIVE", "StreamARN": ARN}
    assert (await plane.summary())["ConsumerCount"] == 1


async def test_a_deregistered_consumer_is_deleting_and_then_gone(plane: ControlPlane) -> None:
    await plane.create()
    arn = (await register(plane))["ConsumerARN"]
    await plane.call("DeregisterStreamConsumer", ConsumerARN=arn)
    assert (await describe(plane, ConsumerARN=arn))["ConsumerStatus"] == "DELETING"
    assert (await plane.refusal("DeregisterStreamConsumer", ConsumerARN=arn)).code == "ResourceInUseException"
    await plane.pass_ms(60)
    for address in ({"ConsumerARN": arn}, {"StreamARN": ARN, "ConsumerName": "reader"}):
        assert await plane.refusal("DescribeStreamConsumer", **address) == (
            "ResourceNotFoundException",
            f"Consumer reader under stream orders not found for account {ACCOUNT}.",
        )
    assert (await plane.summary())["ConsumerCount"] == 0


async def test_a_consumers_subscriptions_end_with_it(plane: ControlPlane) -> None:
    handle = await plane.create()
    subscriptions = {}
    for name in ("first", "second"):
        arn = (await register(plane, name))["ConsumerARN"]
        subscriptions[arn, 0] = handle.subscriptions[arn, 0] = Subscribed()
    first, second = subscriptions
    await plane.call("DeregisterStreamConsumer", ConsumerARN=first[0])
    [fault] = subscriptions[first].faults
    assert fault is not None
    assert (fault.code, fault.message) == (
        "ResourceNotFoundException",
        f"Consumer first under stream orders not found for account {ACCOUNT}.",
    )
    assert subscriptions[second].faults == []


async def test_a_name_is_taken_once_a_stream(plane: ControlPlane) -> None:
    await plane.create()
    await plane.create("other")
    await register(plane)
    assert await plane.refusal("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="reader") == (
        "ResourceInUseException",
        f"Consumer reader under stream orders already exists for account {ACCOUNT}.",
    )
    other = ARN.replace("orders", "other")
    await plane.call("RegisterStreamConsumer", StreamARN=other, ConsumerName="reader")


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ({}, "InvalidArgumentException"),
        ({"ConsumerName": "reader"}, "InvalidArgumentException"),
        ({"StreamARN": ARN}, "InvalidArgumentException"),
        ({"StreamARN": ARN, "ConsumerName": "nobody"}, "ResourceNotFoundException"),
        ({"ConsumerARN": f"{ARN}/consumer/reader:1"}, "ResourceNotFoundException"),
        ({"ConsumerARN": f"{ARN}x/consumer/reader:1"}, "ResourceNotFoundException"),
    ],
)
async def test_consumers_that_are_not_there(plane: ControlPlane, address: dict[str, str], code: str) -> None:
    await plane.create()
    await register(plane)
    for operation in ("DescribeStreamConsumer", "DeregisterStreamConsumer"):
        assert (await plane.refusal(operation, **address)).code == code


async def test_all_three_members_must_agree(plane: ControlPlane) -> None:
    await plane.create()
    await plane.create("other")
    arn = (await register(plane))["ConsumerARN"]
    agreeing = {"ConsumerARN": arn, "ConsumerName": "reader", "StreamARN": ARN}
    assert (await describe(plane, **agreeing))["ConsumerARN"] == arn
    for differing in ({"ConsumerName": "other"}, {"StreamARN": ARN.replace("orders", "other")}):
        refused = await plane.refusal("DescribeStreamConsumer", **{**agreeing, **differing})
        assert refused.code == "InvalidArgumentException"


async def test_consumers_are_listed_by_name_in_pages(plane: ControlPlane) -> None:
    await plane.create()
    for name in ("c", "a", "b"):
        await register(plane, name)
    first = await plane.call("ListStreamConsumers", StreamARN=ARN, MaxResults=2)
    assert [consumer["ConsumerName"] for consumer in first["Consumers"]] == ["a", "b"]
    rest = await plane.call("ListStreamConsumers", StreamARN=ARN, NextToken=first["NextToken"])
    assert [consumer["ConsumerName"] for consumer in rest["Consumers"]] == ["c"]
    assert "NextToken" not in rest
    await plane.create("other")
    other = ARN.replace("orders", "other")
    refused = await plane.refusal("ListStreamConsumers", StreamARN=other, NextToken=first["NextToken"])
    assert refused.code == "InvalidArgumentException"


async def test_limits(limited: ControlPlane) -> None:
    await limited.create()
    for turn in range(20):
        await limited.call("RegisterStreamConsumer", StreamARN=ARN, ConsumerName=f"reader-{turn}")
        await limited.pass_ms(200)
    refused = await limited.refusal("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="one-too-many")
    assert refused == (
        "LimitExceededException",
        (
            f"This request would exceed the limit on the number of consumers for stream orders under account "
            f"{ACCOUNT}. Limit: 20."
        ),
    )


async def test_five_may_be_creating() -> None:
    plane = ControlPlane(limits_aws=True, create_delay_ms=5000)
    await plane.call("CreateStream", StreamName="orders", ShardCount=1)
    await plane.skip_ms(5000)
    for turn in range(5):
        await plane.call("RegisterStreamConsumer", StreamARN=ARN, ConsumerName=f"reader-{turn}")
    await plane.skip_ms(1000)
    refused = await plane.refusal("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="sixth")
    assert refused == (
        "LimitExceededException",
        (
            f"This request would exceed the limit on the number of consumers of stream orders under account {ACCOUNT} "
            "that can simultaneously be in CREATING. Limit: 5."
        ),
    )


async def test_tags_of_a_consumer(plane: ControlPlane) -> None:
    await plane.create()
    arn = (await register(plane, Tags={"team": "blue"}))["ConsumerARN"]
    await plane.call("TagResource", ResourceARN=arn, Tags={"cost": "42"})
    await plane.call("UntagResource", ResourceARN=arn, TagKeys=["team", "none"])
    reply = await plane.call("ListTagsForResource", ResourceARN=arn)
    assert reply == {"Tags": [{"Key": "cost", "Value": "42"}]}
    assert (await plane.call("ListTagsForResource", ResourceARN=ARN)) == {"Tags": []}
