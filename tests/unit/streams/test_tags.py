"""Tags of streams: add, remove, list."""

from __future__ import annotations

from typing import Any

import pytest

from support.control_plane import ACCOUNT, ControlPlane

ARN = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/orders"


async def listed(plane: ControlPlane, **params: Any) -> dict[str, str]:
    """ListTagsForStream, as a dict in its order."""
    reply = await plane.call("ListTagsForStream", StreamName="orders", **params)
    return {tag["Key"]: tag["Value"] for tag in reply["Tags"]}


async def test_tags_are_set_replaced_and_removed(plane: ControlPlane) -> None:
    await plane.create()
    await plane.call("AddTagsToStream", StreamName="orders", Tags={"team": "blue", "cost": "", "Zoo": "1"})
    await plane.call("AddTagsToStream", StreamName="orders", Tags={"team": "red"})
    assert list((await listed(plane)).items()) == [("Zoo", "1"), ("cost", ""), ("team", "red")]
    await plane.call("RemoveTagsFromStream", StreamName="orders", TagKeys=["cost", "nobody"])
    assert await listed(plane) == {"Zoo": "1", "team": "red"}
    assert await plane.status() == "ACTIVE"


async def test_pages(plane: ControlPlane) -> None:
    await plane.create()
    await plane.call("AddTagsToStream", StreamName="orders", Tags=dict.fromkeys("dacb", "x"))
    reply = await plane.call("ListTagsForStream", StreamName="orders", Limit=3)
    assert ([tag["Key"] for tag in reply["Tags"]], reply["HasMoreTags"]) == (["a", "b", "c"], True)
    assert await listed(plane, ExclusiveStartTagKey="c") == {"d": "x"}
    assert await listed(plane, ExclusiveStartTagKey="bb", Limit=1) == {"c": "x"}


@pytest.mark.parametrize(
    "text",
    [
        "ü0 _.",
        "/=+-@",
        "a:b",
        "kubernetes.io/cluster/x",
        "größe",
        "名前",
        "тег",
        "नाम",
        "ÿ",
        "a\u00a0b",
        "user@example.com",
    ],
)
async def test_characters_that_aws_takes(plane: ControlPlane, text: str) -> None:
    await plane.create(Tags={text: text})
    await plane.call("TagResource", ResourceARN=ARN, Tags={text: text + "2"})
    assert await listed(plane) == {text: text + "2"}
    await plane.call("UntagResource", ResourceARN=ARN, TagKeys=[text])
    assert await listed(plane) == {}


INVALID = (
    "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - % @."
)
ILLEGAL = (
    f"stream orders under account {ACCOUNT} because some tags contained illegal characters. The allowed characters "
    "are Unicode letters, white-spaces, '_',',','/','=','+','-','@'."
)


@pytest.mark.parametrize("text", [";", "a!", "a*b", "(x)", "a\\b", "a,b", '"', "&", "#", "\u200b"])
async def test_characters_that_aws_refuses(plane: ControlPlane, text: str) -> None:
    await plane.create()
    for tags in ({text: "x"}, {"x": text}):
        refused = await plane.refusal("AddTagsToStream", StreamName="orders", Tags=tags)
        assert refused == ("InvalidArgumentException", INVALID)
    refused = await plane.refusal("RemoveTagsFromStream", StreamName="orders", TagKeys=[text])
    assert refused == ("InvalidArgumentException", INVALID)


async def test_the_percent_sign_has_words_of_its_own(plane: ControlPlane) -> None:
    await plane.create()
    refused = await plane.refusal("AddTagsToStream", StreamName="orders", Tags={"a": "5%"})
    assert refused == ("InvalidArgumentException", f"Failed to add tags to {ILLEGAL}")
    refused = await plane.refusal("RemoveTagsFromStream", StreamName="orders", TagKeys=["5%"])
    assert refused == ("InvalidArgumentException", f"Failed to remove tags from {ILLEGAL}")


async def test_keys_that_are_reserved(plane: ControlPlane) -> None:
    await plane.create()
    for key in ("aws:cloudformation:stack-name", "AWS:x"):
        refused = await plane.refusal("AddTagsToStream", StreamName="orders", Tags={key: "x"})
        assert refused == (
            "InvalidArgumentException",
            (
                f"Failed to add tags to stream orders under account {ACCOUNT} because tag keys with the prefix aws: "
                "are reserved."
            ),
        )
    await plane.call("AddTagsToStream", StreamName="orders", Tags={"awsome": "aws:value"})


async def test_fifty_tags(plane: ControlPlane) -> None:
    await plane.create(Tags={f"k{number}": "" for number in range(50)})
    await plane.call("AddTagsToStream", StreamName="orders", Tags={"k0": "again"})
    refused = await plane.refusal("AddTagsToStream", StreamName="orders", Tags={"k50": ""})
    assert refused == (
        "InvalidArgumentException",
        (
            f"Failed to add tags to stream orders under account {ACCOUNT} because a given stream cannot have more than "
            "50 tags associated with it."
        ),
    )
    reply = await plane.call("ListTagsForStream", StreamName="orders")
    assert (len(reply["Tags"]), reply["HasMoreTags"]) == (50, False)


async def test_resources_that_are_not_there(plane: ControlPlane) -> None:
    for arn in (ARN, f"{ARN}/consumer/reader:1", f"arn:aws:kinesis:us-east-1:{ACCOUNT}:queue/q"):
        assert (await plane.refusal("ListTagsForResource", ResourceARN=arn)).code == "ResourceNotFoundException"
