"""Clusters that are busy, dead, or do not tell the truth."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from millstream.firehose.destinations.search import SearchDestination
from millstream.firehose.ports import DeliveryError, Report
from support.destinations import ARRIVAL_MS, Bench, GivenParcel, configured, error_lines
from support.httpendpoint import Handler, Misconduct, Peer, Reply, Request, in_turn


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Surroundings."""
    yield from Bench.set_up(monkeypatch)


def _ids(request: Request) -> list[str]:
    return [json.loads(line)["index"]["_id"].rpartition(".")[2] for line in request.body.splitlines()[::2]]


def _outcomes(*statuses: int) -> Reply:
    items = [{"index": {"status": status} | ({"error": {"type": "e"}} if status > 299 else {})} for status in statuses]
    return Reply.of({"errors": any(status > 299 for status in statuses), "items": items})


def _takes_all(request: Request) -> Reply:
    return _outcomes(*[201] * len(_ids(request)))


async def _deliver(bench: Bench, url: str, records: list[bytes], *, error_kind: str = "", **members: Any) -> Report:
    members = {"ClusterEndpoint": url, "IndexName": "ticks", "IndexRotationPeriod": "NoRotation"} | members
    destination = SearchDestination(
        configured("Elasticsearch", **members),  # type: ignore[arg-type]
        bench.surroundings,
        error_kind=error_kind or "elasticsearch-failed",
        answer_s_max=1.0,
    )
    parcel = GivenParcel(records)
    parcel.key = destination.plan(parcel)
    try:
        return await destination.deliver(parcel)
    finally:
        await destination.close()


async def test_only_failed_documents_are_sent_again(bench: Bench) -> None:
    async with Peer(in_turn(_outcomes(201, 429, 400, 503), _outcomes(429, 201), _takes_all)) as peer:
        report = await _deliver(
            bench, peer.url, [b'{"n":0}', b'{"n":1}', b'{"n":2}', b'{"n":3}'], RetryOptions={"DurationInSeconds": 300}
        )
        assert [_ids(request) for request in peer.requests] == [["0", "1", "2", "3"], ["1", "3"], ["1"]]
        assert peer.requests[0].target.startswith("/_bulk")
        assert peer.requests[0].headers["content-type"] == "application/x-ndjson"
    assert (report.delivered_records, report.delivered_bytes) == (3, 21)
    (line,) = error_lines(report)
    assert (line["errorCode"], line["attemptsMade"], base64.b64decode(line["rawData"])) == ("400", 1, b'{"n":2}')


async def test_after_the_retry_duration_documents_are_error_output_as_documented(bench: Bench) -> None:
    async with Peer(in_turn(Reply(503, b"no shards"))) as peer:
        report = await _deliver(
            bench, peer.url, [b'{"n": 0}'], RetryOptions={"DurationInSeconds": 300}, TypeName="tick"
        )
        attempts = len(peer.requests)
    assert 299 < sum(bench.clock.pauses_s) < 301
    assert report.errors[0].kind == "elasticsearch-failed"
    assert error_lines(report) == [
        {
            "attemptsMade": attempts,
            "arrivalTimestamp": ARRIVAL_MS,
            "errorCode": "503",
            "errorMessage": "no shards",
            "attemptEndingTimestamp": bench.clock.now_ms(),
            "esDocumentId": "0b7d1a52-2f5e-4c0e-9f1d-6a7c1f0e2d31.0",
            "esIndexName": "ticks",
            "esTypeName": "tick",
            "rawData": base64.b64encode(b'{"n": 0}').decode(),
        }
    ]
    assert set(bench.told.codes) == {"ES.ServiceException"}


async def test_a_collections_error_output_has_its_own_names(bench: Bench) -> None:
    async with Peer(in_turn(Reply(403))) as peer:
        report = await _deliver(bench, "", [b"{}"], ClusterEndpoint=None, CollectionEndpoint=peer.url)
    (line,) = error_lines(report)
    assert (line["osIndexName"], line["osDocumentId"][-2:]) == ("ticks", ".0")
    assert not [name for name in line if name.startswith("es")]
    assert bench.told.codes == ["AOSS.AccessDenied"]


async def test_user_and_password_of_the_url_are_sent_and_told_to_nobody(bench: Bench) -> None:
    async with Peer(in_turn(Reply(401), _takes_all)) as peer:
        url = peer.url.replace("//", "//reader:s3cret@")
        report = await _deliver(bench, url, [b"{}"], RetryOptions={"DurationInSeconds": 5})
        assert {request.headers["authorization"] for request in peer.requests} == {"Basic cmVhZGVyOnMzY3JldA=="}
    assert report.delivered_records == 1  # a credential that fails is mended by someone: nothing is dropped
    assert bench.told.codes == ["ES.AccessDenied"]
    assert "s3cret" not in str(bench.told.errors)


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        (in_turn(Misconduct.HANG), "RequestTimeout"),
        (in_turn(Misconduct.DRIP), "RequestTimeout"),
        (in_turn(Misconduct.CLOSE), "ConnectionFailed"),
        (in_turn(Misconduct.TRUNCATE), "ConnectionFailed"),
        (in_turn(Misconduct.GARBAGE), "ConnectionFailed"),
        (in_turn(Reply(200, b"<html>all is well</html>")), "InvalidResponse"),
        (in_turn(Reply(200, b'{"errors":false,"items":[{"index":{"st')), "InvalidResponse"),
        (in_turn(_outcomes(201)), "InvalidResponse"),  # of two
        (in_turn(Reply(200, b'{"errors":false}')), "InvalidResponse"),
        (in_turn(Reply(302)), "302"),
    ],
)
async def test_a_cluster_that_hangs_truncates_or_lies_has_not_indexed(
    bench: Bench, handler: Handler, code: str
) -> None:
    async with Peer(handler) as peer:
        report = await _deliver(bench, peer.url, [b"{}", b"{}"])
        assert report.delivered_records == 0
        assert [line["errorCode"] for line in error_lines(report)] == [code, code]
        peer.handler = in_turn(handler, _takes_all)
        again = await _deliver(bench, peer.url, [b"{}", b"{}"], RetryOptions={"DurationInSeconds": 10})
        assert again == Report(2, 4, [])
        assert _ids(peer.requests[-1]) == _ids(peer.requests[0])


async def test_a_request_that_is_too_large_is_halved(bench: Bench) -> None:
    def small_only(request: Request) -> Reply:
        return Reply(413) if len(_ids(request)) > 3 or b"vast" in request.body else _takes_all(request)

    async with Peer(small_only) as peer:
        report = await _deliver(bench, peer.url, [b"{}"] * 9 + [b'{"a":"vast"}'])
    assert report.delivered_records == 9
    assert [(line["errorCode"], line["attemptsMade"]) for line in error_lines(report)] == [("413", 1)]
    assert not bench.clock.pauses_s


async def test_a_dead_cluster_is_given_the_retry_duration_once_for_all_of_a_parcel(bench: Bench) -> None:
    async with Peer(in_turn(Reply(503))) as peer:
        report = await _deliver(bench, peer.url, [b"{}"] * 25_000, RetryOptions={"DurationInSeconds": 300})
    assert 299 < sum(bench.clock.pauses_s) < 301
    attempts = [line["attemptsMade"] for line in error_lines(report)]
    assert attempts[0] > 5
    assert attempts[-1] == 1


async def test_a_cluster_that_takes_something_now_and_then_is_given_the_whole_duration_again(bench: Bench) -> None:
    handler = in_turn(*[Reply(503)] * 5, _takes_all, *[Reply(503)] * 5, _takes_all)
    async with Peer(handler) as peer:
        report = await _deliver(bench, peer.url, [b"{}"] * 20_000, RetryOptions={"DurationInSeconds": 40})
    assert report == Report(20_000, 40_000, [])


async def test_a_domain_without_a_known_endpoint_keeps_its_parcels(bench: Bench) -> None:
    with pytest.raises(DeliveryError, match="ClusterEndpoint") as raised:
        await _deliver(bench, "", [b"{}"], ClusterEndpoint=None, DomainARN="arn:aws:es:eu-west-1:1:domain/d")
    assert raised.value.code == "ES.ResourceNotFound"


async def test_a_delivery_may_be_cancelled(bench: Bench) -> None:
    async with Peer(in_turn(Misconduct.HANG)) as peer:
        delivery = asyncio.create_task(_deliver(bench, peer.url, [b"{}"], RetryOptions={"DurationInSeconds": 300}))
        while not peer.requests:
            await asyncio.sleep(0)
        delivery.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivery
