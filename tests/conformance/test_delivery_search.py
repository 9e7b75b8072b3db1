"""Delivery streams into a real node of OpenSearch, through the public API of a live server."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from support.httpendpoint import Handler, Misconduct, Peer, Reply, Request
from support.kinesis import new_name
from support.livedelivery import LiveDelivery
from support.peerthread import peer_in_thread
from support.searchnode import SearchNode
from support.sharing import TEST_PROCESS
from support.waiting import wait_for


@pytest.fixture
def index() -> str:
    """The name of an index of the test's own."""
    return f"{new_name('index')}-{TEST_PROCESS}"  # test processes share the node


def to_index(delivery: LiveDelivery, url: str, index: str, **members: Any) -> LiveDelivery:
    return delivery.to(
        "Amazonopensearchservice",
        **{
            "ClusterEndpoint": url,
            "IndexName": index,
            "IndexRotationPeriod": "NoRotation",
            "RetryOptions": {"DurationInSeconds": 60},
            **members,
        },
    )


def failed(delivery: LiveDelivery) -> dict[bytes, dict[str, Any]]:
    """The error output by record."""
    return {base64.b64decode(line["rawData"]): line for line in delivery.lines("AmazonOpenSearchService-failed")}


@pytest.mark.parametrize(
    ("rotation", "pattern"),
    [("OneHour", "%Y-%m-%d-%H"), ("OneDay", "%Y-%m-%d"), ("OneWeek", "%G-w%V"), ("OneMonth", "%Y-%m")],
)
def test_indices_rotate(delivery: LiveDelivery, node: SearchNode, index: str, rotation: str, pattern: str) -> None:
    to_index(delivery, node.url, index, IndexRotationPeriod=rotation)
    before = datetime.now(UTC)
    delivery.put(b'{"n": 1}', b'{"n":\n2}')
    delivery.flush()
    names = {f"{index}-{time:{pattern}}" for time in (before, datetime.now(UTC))}
    found = node.call("GET", f"/{index}*")
    assert set(found) <= names
    (name,) = found
    assert sorted(document["n"] for document in node.documents(name).values()) == [1, 2]


def test_only_what_fails_is_in_the_bucket(delivery: LiveDelivery, node: SearchNode, index: str) -> None:
    bad = [b'{"price": "cheap"}', b"no json", b"[1]", b'{"a": "\xff"}', b'{"a": 1} {"a": 2}']
    to_index(delivery, node.url, index)
    delivery.put(b'{"price": 1.5}')
    delivery.flush()
    delivery.put(*bad, b'{"price": 2}')
    delivery.flush()
    assert {document["price"] for document in node.documents(index).values()} == {1.5, 2}
    lines = failed(delivery)
    assert set(lines) == set(bad)
    assert {line["esIndexName"] for line in lines.values()} == {index}
    assert {line["errorCode"] for line in lines.values()} == {"400"}
    assert json.loads(lines[bad[0]]["errorMessage"])["type"] == "mapper_parsing_exception"
    (key,) = delivery.objects()
    assert key.startswith("AmazonOpenSearchService-failed/20")
    counters = delivery.counters()
    assert (counters["DeliveredRecords"], counters["FailedRecords"]) == (2, 5)


def test_all_documents_are_backed_up(delivery: LiveDelivery, node: SearchNode, index: str) -> None:
    to_index(delivery, node.url, index, S3BackupMode="AllDocuments", S3Configuration=delivery.s3(Prefix="all/"))
    delivery.put(b'{"n": 1}', b"broken")
    delivery.flush()
    assert list(delivery.objects("all/2").values()) == [b'{"n": 1}broken']
    assert list(failed(delivery)) == [b"broken"]
    assert len(node.documents(index)) == 1


@pytest.fixture
def before(node: SearchNode) -> Iterator[Peer]:
    """A proxy in front of the node, whose handler tests change: `relay(node)` takes requests to the node."""
    with peer_in_thread(relay(node)) as peer:
        yield peer


def relay(node: SearchNode) -> Handler:
    def handle(request: Request) -> Reply:
        headers = {"Content-Type": request.headers["content-type"]}
        answer = httpx.post(node.url + request.target, content=request.body, headers=headers, timeout=30)
        return Reply(answer.status_code, answer.content)

    return handle


def loses_answers(node: SearchNode) -> Handler:
    def handle(request: Request) -> Misconduct:
        relay(node)(request)
        return Misconduct.CLOSE

    return handle


@pytest.mark.parametrize("trouble", [lambda _: lambda _: Reply(503), loses_answers], ids=["down", "answers lost"])
def test_a_node_that_comes_back_has_every_document_once(
    delivery: LiveDelivery, node: SearchNode, index: str, before: Peer, trouble: Callable[[SearchNode], Handler]
) -> None:
    before.handler = trouble(node)
    to_index(delivery, before.url, index)
    delivery.put(*(b'{"n": %d}' % number for number in range(300)))
    delivery.flush_until(lambda: len(before.requests) >= 2, "the document to be tried again")
    delivery.kill_worker()
    tried = len(before.requests)
    wait_for(lambda: len(before.requests) > tried, "another worker to try")
    before.handler = relay(node)
    delivery.flush()
    documents = node.documents(index)
    assert sorted(document["n"] for document in documents.values()) == list(range(300))
    assert failed(delivery) == {}
    first, last = before.requests[0].body, before.requests[-1].body
    assert first == last


def test_after_the_retry_duration_documents_are_in_the_bucket_and_delivery_goes_on(
    delivery: LiveDelivery, node: SearchNode, index: str, before: Peer
) -> None:
    before.handler = lambda _: Reply(503, b"no shards")
    to_index(delivery, before.url, index, RetryOptions={"DurationInSeconds": 1})
    delivery.put(b'{"n": 1}')
    delivery.flush()
    before.handler = relay(node)
    delivery.put(b'{"n": 2}')
    delivery.flush()
    assert [document["n"] for document in node.documents(index).values()] == [2]
    (line,) = failed(delivery).values()
    assert (line["errorCode"], line["errorMessage"]) == ("503", "no shards")
    assert line["attemptsMade"] >= 2
    assert delivery.error_codes() == ["OS.ServiceException"]
    arrived = datetime.fromtimestamp(line["arrivalTimestamp"] / 1000, UTC)
    assert timedelta() < datetime.now(UTC) - arrived < timedelta(minutes=5)
