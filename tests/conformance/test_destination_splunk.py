"""Delivery to Splunk's HTTP event collector: tokens, channels, acknowledgements, and what goes wrong with them."""

from __future__ import annotations

import datetime as dt
import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millstream.firehose.destinations.splunk import SplunkDestination
from millstream.firehose.ports import Report
from millstream.server.certificate import self_signed
from support.destinations import ARRIVAL_MS, Bench, GivenParcel, configured, error_lines
from support.httpendpoint import Handler, Misconduct, Peer, Reply, in_turn
from support.splunkserver import TOKEN, Collector


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Surroundings."""
    yield from Bench.set_up(monkeypatch)


async def _deliver(bench: Bench, peer: Peer, records: list[bytes], *, token: str = TOKEN, **members: Any) -> Report:
    members = {"HECEndpoint": peer.url, "HECAcknowledgmentTimeoutInSeconds": 180} | members
    configuration = configured("Splunk", secrets={"HECToken": token}, **members)
    destination = SplunkDestination(configuration, bench.surroundings, answer_s_max=1.0)  # type: ignore[arg-type]
    try:
        return await destination.deliver(GivenParcel(records))
    finally:
        await destination.close()


async def test_raw_records_are_sent_as_they_are_and_are_delivered_once_acknowledged(bench: Bench) -> None:
    collector = Collector(polls_before_ack=3)
    async with Peer(collector) as peer:
        report = await _deliver(bench, peer, [b"one\n", b"two", b"", b"three"])
        sent, *polls = peer.requests
        assert peer.connections == 1
    assert report == Report(4, 12, [])
    assert collector.raw == [b"one\ntwothree"]
    assert sent.target.startswith("/services/collector/raw")
    channel = sent.headers["x-splunk-request-channel"]
    uuid.UUID(channel)
    assert [poll.headers["x-splunk-request-channel"] for poll in polls] == [channel] * 3
    assert [poll.json() for poll in polls] == [{"acks": [0]}] * 3
    assert bench.clock.pauses_s == [1, 2]


async def test_the_event_endpoint(bench: Bench) -> None:
    collector = Collector()
    async with Peer(collector) as peer:
        await _deliver(bench, peer, [b'{"event":"a"}', b'{"event":"b"}'], HECEndpointType="Event")
    assert (collector.events, collector.raw) == ([b'{"event":"a"}{"event":"b"}'], [])


async def test_records_without_data_are_not_sent(bench: Bench) -> None:
    async with Peer(Collector()) as peer:
        assert await _deliver(bench, peer, [b"", b""]) == Report(2, 0, [])
        assert peer.requests == []


async def test_a_busy_indexer_is_tried_again(bench: Bench) -> None:
    collector = Collector(busy=3)
    async with Peer(collector) as peer:
        report = await _deliver(bench, peer, [b"a"], RetryOptions={"DurationInSeconds": 300})
    assert report.errors == []
    assert collector.raw == [b"a"]
    assert bench.told.codes == ["Splunk.IndexerBusy"] * 3
    assert [round(pause_s) for pause_s in bench.clock.pauses_s] == [1, 2, 4]


async def test_what_is_not_acknowledged_in_time_is_error_output(bench: Bench) -> None:
    async with Peer(Collector(polls_before_ack=10_000)) as peer:
        report = await _deliver(bench, peer, [b"a", b"b"])
    assert sum(bench.clock.pauses_s) == pytest.approx(180, abs=1)
    assert max(bench.clock.pauses_s) == 10
    assert (report.delivered_records, report.errors[0].kind) == (0, "splunk-failed")
    first, second = error_lines(report)
    assert first.pop("errorMessage").startswith("Did not receive an acknowledgement from HEC before")
    assert first == {
        "attemptsMade": 1,
        "arrivalTimestamp": ARRIVAL_MS,
        "errorCode": "Splunk.AckTimeout",
        "attemptEndingTimestamp": bench.clock.now_ms(),
        "rawData": "YQ==",
        "EventId": "0b7d1a52-2f5e-4c0e-9f1d-6a7c1f0e2d31.0",
    }
    assert second["EventId"].endswith(".1")


async def test_waiting_for_acknowledgements_does_not_use_the_retry_duration_up(bench: Bench) -> None:
    collector = Collector(polls_before_ack=10_000)

    def acknowledge_from_the_third_on() -> None:
        if len(collector.raw) == 3:
            collector.polls_before_ack = 1

    async with Peer(collector) as peer:
        bench.clock.on_pause = acknowledge_from_the_third_on
        report = await _deliver(bench, peer, [b"a"], RetryOptions={"DurationInSeconds": 30})
    assert report.errors == []
    assert len(collector.raw) == 4  # the third was sent before
    assert bench.clock.now_ms() - ARRIVAL_MS > 3 * 180_000


@pytest.mark.parametrize(
    ("collector", "token", "code"),
    [
        (Collector(), "another", "Splunk.InvalidToken"),
        (Collector(acks=False), TOKEN, "Splunk.DisabledAck"),
        (in_turn(Reply.of({"text": "Token disabled", "code": 1}, 403)), TOKEN, "Splunk.DisabledToken"),
        (in_turn(Reply.of({"text": "Invalid data format", "code": 6}, 400)), TOKEN, "Splunk.InvalidDataFormat"),
        (in_turn(Reply.of({"text": "Incorrect index", "code": 7}, 400)), TOKEN, "Splunk.InvalidIndex"),
        (in_turn(Reply.of({"text": "Internal server error", "code": 8}, 500)), TOKEN, "Splunk.ServerError"),
        (in_turn(Reply(503, b"<html>busy")), TOKEN, "Splunk.IndexerBusy"),
        (in_turn(Reply(404, b"<html>no such page")), TOKEN, "Splunk.ServerError"),
        (in_turn(Reply(200, b"")), TOKEN, "Splunk.ServerError"),
        (in_turn(Reply(200, b'{"code":0,"ackId":"7"}')), TOKEN, "Splunk.ServerError"),
        (
            in_turn(Reply.of({"code": 0, "ackId": 7}), Reply.of({"code": 11}, 400)),
            TOKEN,
            "Splunk.ProxyWithoutStickySessions",
        ),
        (in_turn(Misconduct.HANG), TOKEN, "Splunk.ConnectionTimeout"),
        (in_turn(Misconduct.DRIP), TOKEN, "Splunk.ConnectionTimeout"),
        (in_turn(Misconduct.CLOSE), TOKEN, "Splunk.ConnectionClosed"),
        (in_turn(Misconduct.TRUNCATE), TOKEN, "Splunk.ConnectionClosed"),
        (in_turn(Misconduct.GARBAGE), TOKEN, "Splunk.ConnectionClosed"),
        (in_turn(Misconduct.FLOOD), TOKEN, "Splunk.ServerError"),
    ],
)
async def test_each_failure_has_its_code(bench: Bench, collector: Handler, token: str, code: str) -> None:
    async with Peer(collector) as peer:
        report = await _deliver(bench, peer, [b"a"], token=token)
    assert [line["errorCode"] for line in error_lines(report)] == [code]
    assert bench.told.codes == [code]
    assert token not in bench.told.errors[0][1]


async def test_a_question_for_an_acknowledgement_may_fail(bench: Bench) -> None:
    taken = Reply.of({"code": 0, "ackId": 7})
    unknown, acknowledged = Reply.of({"acks": {}}), Reply.of({"acks": {"7": True}})
    async with Peer(in_turn(taken, Misconduct.CLOSE, Reply(503), unknown, acknowledged)) as peer:
        assert await _deliver(bench, peer, [b"a"]) == Report(1, 1, [])
    assert len(peer.requests) == 5


async def test_a_collector_that_is_not_there(bench: Bench) -> None:
    async with Peer(Collector()) as peer:
        report = await _deliver(bench, peer, [b"a"], HECEndpoint="http://127.0.0.1:1")
        assert [line["errorCode"] for line in error_lines(report)] == ["Splunk.InvalidEndpoint"]
        report = await _deliver(bench, peer, [b"a"], HECEndpoint=peer.url.replace("http:", "https:"))
        assert [line["errorCode"] for line in error_lines(report)] == ["Splunk.SSLHandshake"]


async def test_a_certificate_that_nobody_vouches_for_is_refused(bench: Bench, tmp_path: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*self_signed(tmp_path / "tls", "127.0.0.1", dt.datetime.now(dt.UTC)))
    collector = Collector()
    async with Peer(collector, tls) as peer:
        report = await _deliver(bench, peer, [b"a"])
    assert [line["errorCode"] for line in error_lines(report)] == ["Splunk.SSLUnverified"]
    assert collector.raw == []


async def test_a_proxys_cookie_comes_back_to_it(bench: Bench) -> None:
    collector = Collector()

    def sticky(request: Any) -> Reply:
        reply = collector(request)
        return reply._replace(headers=(*reply.headers, ("Set-Cookie", "node=b; Path=/")))

    async with Peer(sticky) as peer:
        await _deliver(bench, peer, [b"a"])
        assert peer.requests[1].headers["cookie"] == "node=b"
