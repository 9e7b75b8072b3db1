"""Tags: on streams by the older operations, on streams and consumers by the newer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.kinesis import Kinesis, new_name, refusal, register_consumer, stream_summary, wait_active

if TYPE_CHECKING:
    from collections.abc import Callable


def tags(reply: dict[str, Any]) -> dict[str, str]:
    """Tags of a reply as a dict."""
    return {tag["Key"]: tag["Value"] for tag in reply["Tags"]}


def test_add_list_remove(kinesis: Kinesis, stream: str) -> None:
    kinesis.add_tags_to_stream(StreamName=stream, Tags={"team": "blue", "stage": "test", "empty": ""})
    kinesis.add_tags_to_stream(StreamName=stream, Tags={"team": "green"})
    reply = kinesis.list_tags_for_stream(StreamName=stream)
    assert tags(reply) == {"team": "green", "stage": "test", "empty": ""}
    assert reply["HasMoreTags"] is False
    kinesis.remove_tags_from_stream(StreamName=stream, TagKeys=["team", "never there"])
    assert tags(kinesis.list_tags_for_stream(StreamName=stream)) == {"stage": "test", "empty": ""}


def test_list_in_pages(kinesis: Kinesis, stream: str) -> None:
    kinesis.add_tags_to_stream(StreamName=stream, Tags={f"key-{i}": str(i) for i in range(5)})
    page = kinesis.list_tags_for_stream(StreamName=stream, Limit=2)
    assert [tag["Key"] for tag in page["Tags"]] == ["key-0", "key-1"]
    assert page["HasMoreTags"] is True
    page = kinesis.list_tags_for_stream(StreamName=stream, ExclusiveStartTagKey="key-1")
    assert [tag["Key"] for tag in page["Tags"]] == ["key-2", "key-3", "key-4"]
    assert page["HasMoreTags"] is False


def test_both_ways_see_the_same_tags(kinesis: Kinesis, stream: str) -> None:
    arn = stream_summary(kinesis, stream)["StreamARN"]
    kinesis.tag_resource(ResourceARN=arn, Tags={"a": "1", "b": "2"})
    assert tags(kinesis.list_tags_for_stream(StreamName=stream)) == {"a": "1", "b": "2"}
    assert tags(kinesis.list_tags_for_resource(ResourceARN=arn)) == {"a": "1", "b": "2"}
    kinesis.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert tags(kinesis.list_tags_for_resource(ResourceARN=arn)) == {"b": "2"}


def test_tags_of_consumers(kinesis: Kinesis, stream: str) -> None:
    arn = stream_summary(kinesis, stream)["StreamARN"]
    consumer = register_consumer(kinesis, arn)
    kinesis.tag_resource(ResourceARN=consumer, Tags={"a": "1"})
    assert tags(kinesis.list_tags_for_resource(ResourceARN=consumer)) == {"a": "1"}
    assert tags(kinesis.list_tags_for_resource(ResourceARN=arn)) == {}
    kinesis.untag_resource(ResourceARN=consumer, TagKeys=["a"])
    assert tags(kinesis.list_tags_for_resource(ResourceARN=consumer)) == {}


def test_a_stream_made_with_tags(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    name = make_stream(Tags={"Name": "orders: blue/green", "é": "ü"})
    assert tags(kinesis.list_tags_for_stream(StreamName=name)) == {"Name": "orders: blue/green", "é": "ü"}


def test_terraforms_tags(kinesis: Kinesis, stream: str) -> None:
    wanted = {"terraform:managed": "true", "path": "a/b_c.d=e+f-g@h", "spaces in it": "x y"}
    kinesis.add_tags_to_stream(StreamName=stream, Tags=wanted)
    assert tags(kinesis.list_tags_for_stream(StreamName=stream)) == wanted


def test_fifty_tags_at_most(kinesis: Kinesis, stream: str) -> None:
    kinesis.add_tags_to_stream(StreamName=stream, Tags={f"key-{i}": "" for i in range(50)})
    refused = refusal(kinesis.add_tags_to_stream, StreamName=stream, Tags={"one too many": ""})
    assert refused.code in {"InvalidArgumentException", "LimitExceededException"}
    kinesis.add_tags_to_stream(StreamName=stream, Tags={"key-7": "changed"})
    assert len(kinesis.list_tags_for_stream(StreamName=stream, Limit=50)["Tags"]) == 50


@pytest.mark.parametrize("key", ["a" * 129, "a;b", "a?b"])
def test_tag_keys_that_cannot_be(kinesis: Kinesis, stream: str, key: str) -> None:
    refused = refusal(kinesis.add_tags_to_stream, StreamName=stream, Tags={key: ""})
    assert refused.code in {"ValidationException", "InvalidArgumentException"}
    assert tags(kinesis.list_tags_for_stream(StreamName=stream)) == {}


def test_wording_of_bad_characters(kinesis: Kinesis, stream: str) -> None:
    refused = refusal(kinesis.add_tags_to_stream, StreamName=stream, Tags={"a;b": ""})
    assert refused[:2] == (
        "InvalidArgumentException",
        (
            "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, "
            "_ . / = + - % @."
        ),
    )


def test_tags_of_nothing(kinesis: Kinesis, stream: str, account: str) -> None:
    expected = ("ResourceNotFoundException", f"Stream nowhere under account {account} not found.", 400)
    assert refusal(kinesis.add_tags_to_stream, StreamName="nowhere", Tags={"a": "b"}) == expected
    assert refusal(kinesis.remove_tags_from_stream, StreamName="nowhere", TagKeys=["a"]) == expected
    assert refusal(kinesis.list_tags_for_stream, StreamName="nowhere") == expected
    arn = stream_summary(kinesis, stream)["StreamARN"]
    for resource in (f"{arn}-not", f"{arn}/consumer/nobody:1"):
        refused = refusal(kinesis.list_tags_for_resource, ResourceARN=resource)
        assert refused.code == "ResourceNotFoundException"


def test_tags_while_the_stream_is_being_made(kinesis: Kinesis) -> None:
    name = new_name()
    kinesis.create_stream(StreamName=name, ShardCount=1, Tags={"a": "1"})
    wait_active(kinesis, name)
    assert tags(kinesis.list_tags_for_stream(StreamName=name)) == {"a": "1"}
