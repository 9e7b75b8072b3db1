"""Delivery to an HTTP endpoint: the documented protocol."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from millstream.firehose.destinations.http import HttpDestination
from millstream.firehose.ports import Report
from support.destinations import ARRIVAL_MS, STREAM_ARN, Bench, GivenParcel, configured, error_lines
from support.httpendpoint import Handler, Misconduct, Peer, Reply, Request, firehose_endpoint, in_turn


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Surroundings."""
    yield from Bench.set_up(monkeypatch)


async def _deliver(bench: Bench, peer: Peer, parcel: GivenParcel, *, access_key: str = "", **members: Any) -> Report:
    configuration = configured(
        "HttpEndpoint",
        secrets={"AccessKey": access_key},
        **({"EndpointConfiguration": {"Url": f"{peer.url}/take?key=1&b=%2F"}} | members),
    )
    destination = HttpDestination(configuration, bench.surroundings, answer_s_max=1.0)  # type: ignore[arg-type]
    try:
        assert destination.plan(parcel) == ""
        return await destination.deliver(parcel)
    finally:
        await destination.close()


def _data(request: Request) -> list[bytes]:
    return [base64.b64decode(record["data"]) for record in request.json()["records"]]


async def test_a_request_is_as_documented(bench: Bench) -> None:
    records = [b"hello", b"", b"\x00\xff"]
    async with Peer(firehose_endpoint) as peer:
        report = await _deliver(bench, peer, GivenParcel(records), access_key="k3y, with spaces")
        (request,) = peer.requests
    assert report == Report(3, 7, [])
    assert (request.method, request.target) == ("POST", "/take?key=1&b=%2F")
    body = request.json()
    assert set(body) == {"requestId", "timestamp", "records"}
    assert body["timestamp"] == bench.clock.now_ms()
    assert _data(request) == records
    uuid.UUID(body["requestId"])
    expected = {
        "x-amz-firehose-protocol-version": "1.0",
        "x-amz-firehose-request-id": body["requestId"],
        "x-amz-firehose-source-arn": STREAM_ARN,
        "x-amz-firehose-access-key": "k3y, with spaces",
        "content-type": "application/json",
        "content-length": str(len(request.body)),
    }
    assert request.headers.items() >= expected.items()
    assert not {"content-encoding", "x-amz-firehose-common-attributes"} & set(request.headers)


async def test_common_attributes_and_gzip(bench: Bench) -> None:
    members = {
        "ContentEncoding": "GZIP",
        "CommonAttributes": [
            {"AttributeName": "deployment-context", "AttributeValue": "pre-prod"},
            {"AttributeName": "town", "AttributeValue": "Århus"},
        ],
    }
    async with Peer(firehose_endpoint) as peer:
        await _deliver(bench, peer, GivenParcel([b"tick" * 1000]), RequestConfiguration=members)
        (request,) = peer.requests
    assert request.headers["content-encoding"] == "gzip"
    assert len(request.body) < 1000
    assert _data(request) == [b"tick" * 1000]
    attributes = json.loads(request.headers["x-amz-firehose-common-attributes"])
    assert attributes == {"commonAttributes": {"deployment-context": "pre-prod", "town": "Århus"}}
    assert "x-amz-firehose-access-key" not in request.headers


async def test_a_large_parcel_goes_in_requests_of_the_buffers_size(bench: Bench) -> None:
    records = [bytes([n]) * 400_000 for n in range(6)]
    async with Peer(firehose_endpoint) as peer:
        report = await _deliver(
            bench, peer, GivenParcel(records), BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 60}
        )
        assert [len(_data(request)) for request in peer.requests] == [2, 2, 2]
        assert len({request.json()["requestId"] for request in peer.requests}) == 3
        assert peer.connections == 1
    assert report.delivered_records == 6


async def test_a_request_has_at_most_10000_records(bench: Bench) -> None:
    async with Peer(firehose_endpoint) as peer:
        await _deliver(bench, peer, GivenParcel([b"x"] * 10_001))
        assert [len(_data(request)) for request in peer.requests] == [10_000, 1]


async def test_request_ids_are_the_same_whenever_the_parcel_is_delivered(bench: Bench) -> None:
    async with Peer(firehose_endpoint) as peer:
        for parcel_id in (str(uuid.UUID(int=1)), str(uuid.UUID(int=1)), str(uuid.UUID(int=2))):
            await _deliver(bench, peer, GivenParcel([b"x"], parcel_id=parcel_id))
        first, again, other = (request.json()["requestId"] for request in peer.requests)
    assert first == again != other


async def test_failures_are_tried_again_with_growing_pauses_and_one_id(bench: Bench) -> None:
    handler = in_turn(Reply(500), Reply(503), Reply(400), Misconduct.CLOSE, Reply(202), firehose_endpoint)
    async with Peer(handler) as peer:
        report = await _deliver(bench, peer, GivenParcel([b"x"]), RetryOptions={"DurationInSeconds": 300})
        assert len({request.json()["requestId"] for request in peer.requests}) == 1
        assert len(peer.requests) == 6
    assert report == Report(1, 1, [])
    for pause_s, nominal_s in zip(bench.clock.pauses_s, (1, 2, 4, 8, 16), strict=True):
        assert 0.85 * nominal_s <= pause_s <= 1.15 * nominal_s
    assert bench.told.codes == ["HttpEndpoint.DestinationException"] * 3 + [
        "HttpEndpoint.ConnectionReset",
        "HttpEndpoint.DestinationException",
    ]


async def test_after_the_retry_duration_records_are_error_output(bench: Bench) -> None:
    failure = Reply.of({"requestId": "1", "timestamp": 1, "errorMessage": "Unauthorized"}, 401)
    async with Peer(in_turn(failure)) as peer:
        report = await _deliver(bench, peer, GivenParcel([b"a", b"b"]), RetryOptions={"DurationInSeconds": 60})
        attempts = len(peer.requests)
    assert 59 < sum(bench.clock.pauses_s) < 61
    assert (report.delivered_records, report.errors[0].kind) == (0, "http-endpoint-failed")
    first, second = error_lines(report)
    assert first == {
        "attemptsMade": attempts,
        "arrivalTimestamp": ARRIVAL_MS,
        "errorCode": "HttpEndpoint.DestinationException",
        "errorMessage": "The following response was received from the endpoint destination. 401: "
        + failure.body.decode(),
        "attemptEndingTimestamp": bench.clock.now_ms(),
        "rawData": "YQ==",
        "subsequenceNumber": 0,
        "dataId": "0b7d1a52-2f5e-4c0e-9f1d-6a7c1f0e2d31.0",
    }
    assert second["rawData"] == "Yg=="


async def test_without_a_retry_duration_there_is_one_attempt(bench: Bench) -> None:
    async with Peer(in_turn(Reply(500))) as peer:
        assert len(error_lines(await _deliver(bench, peer, GivenParcel([b"a"])))) == 1
        assert len(peer.requests) == 1


async def test_413_is_final_and_the_records_are_kept(bench: Bench) -> None:
    async with Peer(in_turn(Reply(413))) as peer:
        report = await _deliver(bench, peer, GivenParcel([b"a"]), RetryOptions={"DurationInSeconds": 7200})
        assert len(peer.requests) == 1
    assert [line["rawData"] for line in error_lines(report)] == ["YQ=="]


async def test_redirects_are_not_followed(bench: Bench) -> None:
    async with Peer(firehose_endpoint) as elsewhere, Peer(in_turn(Reply(307, headers=(("Location", "/"),)))) as peer:
        peer.handler = in_turn(Reply(307, headers=(("Location", elsewhere.url),)))
        (line,) = error_lines(await _deliver(bench, peer, GivenParcel([b"a"])))
        assert (len(peer.requests), elsewhere.requests) == (1, [])
    assert "destination. 307" in line["errorMessage"]


def _lying(**wrong: Any) -> Handler:
    def answer(request: Request) -> Reply:
        told = {"requestId": request.json()["requestId"], "timestamp": 1} | wrong
        return Reply.of({name: value for name, value in told.items() if value is not None})

    return answer


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        (_lying(requestId="another"), "HttpEndpoint.InvalidResponseFromDestination"),
        (_lying(requestId=None), "HttpEndpoint.InvalidResponseFromDestination"),
        (_lying(timestamp=None), "HttpEndpoint.InvalidResponseFromDestination"),
        (in_turn(Reply(200)), "HttpEndpoint.InvalidResponseFromDestination"),
        (in_turn(Reply(200, b"OK", (("Content-Type", "text/html"),))), "HttpEndpoint.InvalidResponseFromDestination"),
        (in_turn(Reply(200, b"\xff{")), "HttpEndpoint.InvalidResponseFromDestination"),
        (in_turn(Reply(200, b" " * (1 << 20) + b" ")), "HttpEndpoint.ResponseTooLarge"),
        (in_turn(Misconduct.HANG), "HttpEndpoint.RequestTimeout"),
        (in_turn(Misconduct.DRIP), "HttpEndpoint.RequestTimeout"),
        (in_turn(Misconduct.FLOOD), "HttpEndpoint.ResponseTooLarge"),
        (in_turn(Misconduct.CLOSE), "HttpEndpoint.ConnectionReset"),
        (in_turn(Misconduct.TRUNCATE), "HttpEndpoint.ConnectionReset"),
        (in_turn(Misconduct.GARBAGE), "HttpEndpoint.ConnectionReset"),
    ],
)
async def test_an_endpoint_that_hangs_truncates_or_lies_has_not_taken_the_records(
    bench: Bench, handler: Handler, code: str
) -> None:
    async with Peer(in_turn(handler, firehose_endpoint)) as peer:
        first = await _deliver(bench, peer, GivenParcel([b"a"]))
        assert [line["errorCode"] for line in error_lines(first)] == [code]
        peer.handler = in_turn(handler, firehose_endpoint)
        again = await _deliver(bench, peer, GivenParcel([b"a"]), RetryOptions={"DurationInSeconds": 10})
    assert again == Report(1, 1, [])


@pytest.mark.parametrize("timestamp", [1578090903599, "1578090903599"])
async def test_both_documented_forms_of_the_timestamp_are_taken(bench: Bench, timestamp: int | str) -> None:
    async with Peer(_lying(timestamp=timestamp, more="members")) as peer:
        assert (await _deliver(bench, peer, GivenParcel([b"a"]))).errors == []


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1:1/", "HttpEndpoint.ConnectionFailed"),
        ("http://nowhere.invalid/", "HttpEndpoint.ConnectionFailed"),
        ("gopher://127.0.0.1/", "HttpEndpoint.ConnectionFailed"),
        ("http://127.0.0.1:port/", "HttpEndpoint.ConnectionFailed"),
    ],
)
async def test_an_endpoint_that_is_not_there(bench: Bench, url: str, code: str) -> None:
    async with Peer(firehose_endpoint) as peer:
        report = await _deliver(bench, peer, GivenParcel([b"a"]), EndpointConfiguration={"Url": url})
    assert [line["errorCode"] for line in error_lines(report)] == [code]


async def test_an_endpoint_that_speaks_no_tls(bench: Bench) -> None:
    async with Peer(firehose_endpoint) as peer:
        url = peer.url.replace("http:", "https:")
        report = await _deliver(bench, peer, GivenParcel([b"a"]), EndpointConfiguration={"Url": url})
    assert [line["errorCode"] for line in error_lines(report)] == ["HttpEndpoint.SSLHandshakeFailure"]


async def test_an_outage_uses_the_retry_duration_up_once_for_all_requests(bench: Bench) -> None:
    records = [b"x" * 600_000] * 4
    async with Peer(in_turn(Reply(500))) as peer:
        report = await _deliver(
            bench,
            peer,
            GivenParcel(records),
            BufferingHints={"SizeInMBs": 1},
            RetryOptions={"DurationInSeconds": 100},
        )
    assert 99 < sum(bench.clock.pauses_s) < 101
    attempts = [line["attemptsMade"] for line in error_lines(report)]
    assert attempts[0] > 5
    assert attempts[1:] == [1, 1, 1]


@pytest.mark.parametrize(("size_mib", "parcels"), [(1, 4), (5, 4), (16, 2), (64, 1)])
async def test_larger_buffers_are_sent_fewer_at_a_time(bench: Bench, size_mib: int, parcels: int) -> None:
    configuration = configured(
        "HttpEndpoint", EndpointConfiguration={"Url": "http://127.0.0.1/"}, BufferingHints={"SizeInMBs": size_mib}
    )
    destination = HttpDestination(configuration, bench.surroundings)  # type: ignore[arg-type]
    assert destination.parcels_max == parcels
    await destination.close()
