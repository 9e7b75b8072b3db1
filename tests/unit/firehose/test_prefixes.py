"""Prefixes of objects' keys. The table is the one in AWS's developer guide, as far as it agrees with the service."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.firehose.prefixes import EVALUATED_CHARACTERS_MAX, PrefixInvalid, parse, random_string

TIME = datetime(2018, 8, 27, 10, 30, tzinfo=UTC)


def evaluated(prefix: str, **values: Any) -> str:
    return parse(prefix).evaluate(values.pop("time", TIME), **{"random_string": "5abf82daaa5", **values})


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("", "2018/08/27/10/"),
        ("orders/", "orders/2018/08/27/10/"),
        ("legacy", "legacy2018/08/27/10/"),
        (
            "myFirehose/DeliveredYear=!{timestamp:yyyy}/anyMonth/rand=!{firehose:random-string}",
            "myFirehose/DeliveredYear=2018/anyMonth/rand=5abf82daaa5",
        ),
        ("year=!{timestamp:yyyy}/month=!{timestamp:MM}/", "year=2018/month=08/"),
        ("!{timestamp:'year='yyyy'/day='dd}/", "year=2018/day=27/"),
        ("!{firehose:random-string}/", "5abf82daaa5/"),
        ("a!b{c}/$", "a!b{c}/$2018/08/27/10/"),
    ],
)
def test_evaluation(prefix: str, expected: str) -> None:
    assert evaluated(prefix) == expected


def test_error_output_types() -> None:
    assert evaluated("failed/!{firehose:error-output-type}/", error_type="processing-failed") == (
        "failed/processing-failed/"
    )
    assert evaluated("myFirehosePrefix/", error_type="processing-failed") == (
        "myFirehosePrefix/processing-failed/2018/08/27/10/"
    )


def test_partition_keys() -> None:
    prefix = "c=!{partitionKeyFromQuery:customer}/!{partitionKeyFromLambda:shop}/!{partitionKeyFromQuery:customer}/"
    partition = (("lambda:shop", "b"), ("query:customer", "a!{timestamp:yyyy}"))
    assert evaluated(prefix, partition=partition) == "c=a!{timestamp:yyyy}/b/a!{timestamp:yyyy}/"
    assert parse(prefix).query_keys == ["customer", "customer"]
    assert parse(prefix).lambda_keys == ["shop"]


def test_time_zones() -> None:
    assert evaluated("", time=TIME.astimezone(ZoneInfo("Asia/Tokyo"))) == "2018/08/27/19/"


def test_every_random_string_is_another_one_and_the_same_again() -> None:
    first = evaluated("!{firehose:random-string}/!{firehose:random-string}/!{firehose:random-string}")
    strings = first.split("/")
    assert len(set(strings)) == 3
    assert all(re.fullmatch("[a-z0-9]{11}", text) for text in strings)
    assert evaluated("!{firehose:random-string}/!{firehose:random-string}/!{firehose:random-string}") == first


def test_random_strings_come_from_their_seed() -> None:
    assert random_string("parcel-1") == random_string("parcel-1") != random_string("parcel-2")
    assert re.fullmatch("[a-z0-9]{11}", random_string(""))


@pytest.mark.parametrize(
    "prefix",
    [
        "!{",
        "a!{timestamp:yyyy",
        "!{timestamp}",
        "!{timestamp:}",
        "!{timestamp:yyyy'}",
        "!{timestamp:bb}",
        "!{firehose:random}",
        "!{partition:x}",
        "!{partitionKeyFromQuery:}",
        "!{!{timestamp:yyyy}}",
    ],
)
def test_what_is_no_prefix(prefix: str) -> None:
    with pytest.raises(PrefixInvalid):
        parse(prefix)


@given(st.text(alphabet="!{}:/'timestamp yMdHfirehose-random-string", max_size=60))
def test_any_text_is_a_prefix_or_invalid(text: str) -> None:
    try:
        prefix = parse(text)
    except PrefixInvalid:
        return
    length = len(prefix.evaluate(TIME, random_string="5abf82daaa5"))
    assert length <= prefix.evaluated_length_max() or prefix.has_partition_keys


def test_the_longest_evaluation() -> None:
    assert parse("x" * 500 + "!{timestamp:MMMM}").evaluated_length_max() == 509
    assert parse("!{timestamp:EEEE}!{firehose:error-output-type}").evaluated_length_max() == 39
    assert EVALUATED_CHARACTERS_MAX == 512
