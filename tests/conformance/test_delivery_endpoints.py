"""Delivery streams to HTTP endpoints and to Splunk, through the public API of a live server."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.httpendpoint import Misconduct, Peer, Reply, Request, firehose_endpoint, in_turn
from support.livedelivery import LiveDelivery
from support.peerthread import peer_in_thread
from support.splunkserver import TOKEN, Collector


@pytest.fixture
def peer() -> Iterator[Peer]:
    """An endpoint that takes everything, until a test gives it another handler."""
    with peer_in_thread(firehose_endpoint) as peer:
        yield peer


def to_endpoint(delivery: LiveDelivery, peer: Peer, **members: Any) -> LiveDelivery:
    endpoint = {"Url": f"{peer.url}/take", "Name": "taker", "AccessKey": "k3y"}
    retry = {"DurationInSeconds": 60}
    return delivery.to("HttpEndpoint", **{"EndpointConfiguration": endpoint, "RetryOptions": retry, **members})


def taken(peer: Peer) -> dict[str, list[bytes]]:
    """The records of requests by id, those of a request that came again once."""
    return {
        request.json()["requestId"]: [base64.b64decode(record["data"]) for record in request.json()["records"]]
        for request in peer.requests
    }


def test_records_arrive_by_the_documented_protocol(delivery: LiveDelivery, peer: Peer) -> None:
    attributes = [{"AttributeName": "stage", "AttributeValue": "prod"}]
    to_endpoint(delivery, peer, RequestConfiguration={"ContentEncoding": "GZIP", "CommonAttributes": attributes})
    delivery.put(b"one", b"\x00\xff")
    delivery.flush()
    (request,) = peer.requests
    (records,) = taken(peer).values()
    assert records == [b"one", b"\x00\xff"]
    assert request.headers["x-amz-firehose-access-key"] == "k3y"
    assert request.headers["x-amz-firehose-request-id"] == request.json()["requestId"]
    assert request.headers["x-amz-firehose-source-arn"].endswith(f"deliverystream/{delivery.name}")
    assert json.loads(request.headers["x-amz-firehose-common-attributes"]) == {"commonAttributes": {"stage": "prod"}}
    assert delivery.objects() == {}


def lies(request: Request) -> Reply:
    return Reply.of({"requestId": "another", "timestamp": 1})


def test_a_request_keeps_its_id_through_failures_lies_and_a_killed_worker(delivery: LiveDelivery, peer: Peer) -> None:
    peer.handler = in_turn(Reply(500), lies, Misconduct.HANG)
    to_endpoint(delivery, peer)
    delivery.put(b"a", b"b")
    delivery.flush_until(lambda: len(peer.requests) == 3, "three attempts")
    peer.handler = firehose_endpoint
    delivery.kill_worker()
    delivery.flush()
    assert list(taken(peer).values()) == [[b"a", b"b"]]
    assert len(peer.requests) == 4
    assert set(delivery.error_codes()) == {
        "HttpEndpoint.DestinationException",
        "HttpEndpoint.InvalidResponseFromDestination",
    }
    assert delivery.objects() == {}


@pytest.mark.parametrize(("status", "duration_s"), [(413, 7200), (400, 1)])
def test_what_an_endpoint_refuses_is_error_output(
    delivery: LiveDelivery, peer: Peer, status: int, duration_s: int
) -> None:
    peer.handler = lambda _: Reply(status)
    to_endpoint(delivery, peer, RetryOptions={"DurationInSeconds": duration_s})
    delivery.put(b"a", b"b")
    delivery.flush()
    attempts = len(peer.requests)
    assert attempts == 1 or status == 400  # 413 is final
    peer.handler = firehose_endpoint
    delivery.put(b"c")
    delivery.flush()
    lines = delivery.lines("http-endpoint-failed")
    assert [base64.b64decode(line["rawData"]) for line in lines] == [b"a", b"b"]
    assert {line["errorCode"] for line in lines} == {"HttpEndpoint.DestinationException"}
    assert {line["attemptsMade"] for line in lines} == {attempts}
    assert list(taken(peer).values())[-1] == [b"c"]


def test_all_data_is_backed_up_while_the_endpoint_is_down(delivery: LiveDelivery, peer: Peer) -> None:
    peer.handler = in_turn(Reply(500))
    to_endpoint(delivery, peer, S3BackupMode="AllData", S3Configuration=delivery.s3(Prefix="all/"))
    delivery.put(b"a", b"b")
    delivery.flush_until(lambda: delivery.objects("all/"), "the backup")
    assert list(delivery.objects("all/").values()) == [b"ab"]
    peer.handler = firehose_endpoint
    delivery.flush()
    assert list(taken(peer).values()) == [[b"a", b"b"]]


def to_splunk(delivery: LiveDelivery, peer: Peer, **members: Any) -> LiveDelivery:
    return delivery.to(
        "Splunk",
        **{
            "HECEndpoint": peer.url,
            "HECEndpointType": "Raw",
            "HECToken": TOKEN,
            "HECAcknowledgmentTimeoutInSeconds": 180,
            "RetryOptions": {"DurationInSeconds": 60},
            **members,
        },
    )


@pytest.mark.parametrize(
    ("endpoint_type", "kept"),
    [("Raw", lambda collector: collector.raw), ("Event", lambda collector: collector.events)],
)
def test_splunk_has_what_it_acknowledged(
    delivery: LiveDelivery, peer: Peer, endpoint_type: str, kept: Callable[[Collector], list[bytes]]
) -> None:
    collector = Collector(polls_before_ack=2, busy=1)
    peer.handler = collector
    to_splunk(delivery, peer, HECEndpointType=endpoint_type)
    delivery.put(b'{"event": "a"}\n', b'{"event": "b"}\n')
    delivery.flush()
    assert kept(collector) == [b'{"event": "a"}\n{"event": "b"}\n']
    assert delivery.error_codes() == ["Splunk.IndexerBusy"]


def test_what_splunk_never_acknowledged_is_sent_again_by_the_next_worker(delivery: LiveDelivery, peer: Peer) -> None:
    collector = Collector(polls_before_ack=10_000)
    peer.handler = collector
    to_splunk(delivery, peer)
    delivery.put(b"event\n")
    delivery.flush_until(lambda: len(peer.requests) >= 2, "the acknowledgement to be asked for")
    collector.polls_before_ack = 1
    delivery.kill_worker()
    delivery.flush()
    assert collector.raw == [b"event\n"] * 2  # at least once
    assert len({request.headers["x-splunk-request-channel"] for request in peer.requests}) == 1
    assert delivery.objects() == {}


def test_what_splunk_refuses_is_error_output(delivery: LiveDelivery, peer: Peer) -> None:
    peer.handler = Collector()
    to_splunk(delivery, peer, HECToken="another", RetryOptions={"DurationInSeconds": 0})
    delivery.put(b"a", b"b")
    delivery.flush()
    lines = delivery.lines("splunk-failed")
    assert [base64.b64decode(line["rawData"]) for line in lines] == [b"a", b"b"]
    assert {line["errorCode"] for line in lines} == {"Splunk.InvalidToken"}
