from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.load import GetFeed, LoadError, PutFeed


def body(request: bytes) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(request.partition(b"\r\n\r\n")[2])
    return parsed


def take(feed: PutFeed | GetFeed, reply: bytes) -> int:
    """Hands over a reply as the load generator does: in the midst of a larger, used buffer."""
    buffer = bytearray(b"HTTP/1.1 200 OK\r\n\r\n" + reply + b'"PartitionKey" of an earlier reply')
    return feed.take(buffer, 19, 19 + len(reply))


def records(count: int) -> str:
    return json.dumps([{"PartitionKey": "k", "Data": "QUJD"}] * count)


@pytest.mark.parametrize("mark", ['"FailedRecordCount":0', '"FailedRecordCount": 0'])
def test_a_put_counts_its_records_when_none_failed(mark: str) -> None:
    assert take(PutFeed([b"request"], 500), f'{{"Records":[],{mark}}}'.encode()) == 500


def test_a_put_with_failed_records_voids_the_measurement() -> None:
    with pytest.raises(LoadError, match="failed"):
        take(PutFeed([b"request"], 500), b'{"FailedRecordCount":3,"Records":[]}')


def test_puts_go_round_the_requests_given() -> None:
    feed = PutFeed([b"one", b"two"], 1)
    assert [feed.next_request() for _ in range(3)] == [b"one", b"two", b"one"]


def test_a_reader_follows_its_iterators_and_rewinds_at_the_tip() -> None:
    feed = GetFeed("s", "shardId-000000000002", 1000)
    assert body(feed.next_request())["ShardIteratorType"] == "TRIM_HORIZON"
    assert take(feed, b'{"ShardIterator":"first"}') == 0
    assert body(feed.next_request()) == {"Limit": 1000, "ShardIterator": "first"}
    assert take(feed, f'{{"NextShardIterator":"second","Records":{records(3)}}}'.encode()) == 3
    assert body(feed.next_request()) == {"Limit": 1000, "ShardIterator": "second"}
    assert take(feed, b'{"NextShardIterator":"third","Records":[]}') == 0
    assert body(feed.next_request())["ShardIteratorType"] == "TRIM_HORIZON"


def test_a_reader_finds_the_iterator_behind_many_records_too() -> None:
    feed = GetFeed("s", "shardId-000000000002", 1000)
    take(feed, b'{"ShardIterator": "first"}')
    assert take(feed, f'{{"Records": {records(400)}, "NextShardIterator": "second"}}'.encode()) == 400
    assert body(feed.next_request()) == {"Limit": 1000, "ShardIterator": "second"}


def test_an_iterator_goes_back_escaped_as_it_came() -> None:
    feed = GetFeed("s", "shardId-000000000000", 1000)
    take(feed, rb'{"ShardIterator": "czpz\n"}')
    assert body(feed.next_request())["ShardIterator"] == "czpz\n"


def test_a_reply_without_an_iterator_voids_the_measurement() -> None:
    with pytest.raises(LoadError, match="iterator"):
        take(GetFeed("s", "shardId-000000000000", 1000), b"{}")
