"""Tags of delivery streams: set, remove, list."""

from __future__ import annotations

from typing import Any

import pytest

from support.configurations import configured
from support.delivery_plane import DeliveryPlane


@pytest.fixture
async def plane() -> DeliveryPlane:
    """With a delivery stream that has two tags."""
    plane = DeliveryPlane()
    tags = [{"Key": "team", "Value": "blue"}, {"Key": "cost"}]
    await plane.call("CreateDeliveryStream", DeliveryStreamName="ticks", Tags=tags, **configured("S3"))
    await plane.pass_ms(60)
    return plane


async def listed(plane: DeliveryPlane, **params: Any) -> list[tuple[str, str]]:
    reply = await plane.call("ListTagsForDeliveryStream", DeliveryStreamName="ticks", **params)
    return [(tag["Key"], tag["Value"]) for tag in reply["Tags"]]


async def tag(plane: DeliveryPlane, **tags: str) -> None:
    given = [{"Key": key, "Value": value} for key, value in tags.items()]
    assert await plane.call("TagDeliveryStream", DeliveryStreamName="ticks", Tags=given) == {}


async def test_tags_are_set_replaced_and_removed(plane: DeliveryPlane) -> None:
    await tag(plane, team="red", Zoo="1")
    assert await listed(plane) == [("Zoo", "1"), ("cost", ""), ("team", "red")]
    assert await plane.call("UntagDeliveryStream", DeliveryStreamName="ticks", TagKeys=["cost", "nobody"]) == {}
    assert await listed(plane) == [("Zoo", "1"), ("team", "red")]


async def test_pages(plane: DeliveryPlane) -> None:
    reply = await plane.call("ListTagsForDeliveryStream", DeliveryStreamName="ticks", Limit=1)
    assert reply == {"Tags": [{"Key": "cost", "Value": ""}], "HasMoreTags": True}
    assert await listed(plane, ExclusiveStartTagKey="cost") == [("team", "blue")]
    assert await listed(plane, ExclusiveStartTagKey="team") == []


@pytest.mark.parametrize("key", ["größe", "名前", "a b", "kubernetes.io/cluster:x", "50%", "user@example.com"])
async def test_characters_that_aws_takes(plane: DeliveryPlane, key: str) -> None:
    await tag(plane, **{key: key})
    assert (key, key) in await listed(plane)


@pytest.mark.parametrize("key", ["aws:x", "a\nb", "a*", "", "x" * 129])
async def test_keys_that_aws_refuses(plane: DeliveryPlane, key: str) -> None:
    refusal = await plane.refusal("TagDeliveryStream", DeliveryStreamName="ticks", Tags=[{"Key": key}])
    assert refusal.code == "ValidationException"
    assert len(await listed(plane)) == 2


async def test_limits(plane: DeliveryPlane) -> None:
    await tag(plane, **{f"key-{number}": "" for number in range(48)})
    refusal = await plane.refusal("TagDeliveryStream", DeliveryStreamName="ticks", Tags=[{"Key": "more"}])
    assert refusal.code == "LimitExceededException"
    twice = [{"Key": "team", "Value": "a"}, {"Key": "team", "Value": "b"}]
    refusal = await plane.refusal("TagDeliveryStream", DeliveryStreamName="ticks", Tags=twice)
    assert refusal.code == "InvalidArgumentException"


async def test_what_is_being_deleted_is_not_tagged(plane: DeliveryPlane) -> None:
    await plane.call("DeleteDeliveryStream", DeliveryStreamName="ticks")
    refusal = await plane.refusal("TagDeliveryStream", DeliveryStreamName="ticks", Tags=[{"Key": "a"}])
    assert refusal.code == "ResourceInUseException"
