"""The connector `elasticsearch` and clusters that are not as they should be."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from millstream.connect.subscription import elasticsearch
from millstream.connect.subscription.connector import ConnectorError, make_connector
from millstream.connect.subscription.messages import LogEvent
from support.httpendpoint import Misconduct, Peer, Reply, Request, in_turn

if TYPE_CHECKING:
    from support.httpendpoint import Handler

EVENTS = [LogEvent(str(n), 1_763_923_500_042, "hello", "111", "group", "stream") for n in range(3)]


def statuses(*found: int) -> Reply:
    return Reply.of({"items": [{"index": {"status": status, "error": {"reason": "no"}}} for status in found]})


async def written(answers: Handler, **settings: str) -> list[Request]:
    """The requests that writing EVENTS takes."""
    async with Peer(answers) as peer:
        connector = make_connector("elasticsearch", {"url": f"{peer.url}/es", **settings})
        try:
            await connector.write(EVENTS)
        finally:
            await connector.close()
        return list(peer.requests)


def ids(request: Request) -> list[str]:
    return [json.loads(line)["index"]["_id"] for line in request.body.splitlines()[::2]]


async def test_what_the_cluster_is_too_busy_for_is_sent_again_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elasticsearch, "_PAUSES_S", (0.0, 0.0))
    requests = await written(in_turn(statuses(201, 429, 201), statuses(201)))
    assert [ids(request) for request in requests] == [["0", "1", "2"], ["1"]]


async def test_what_does_not_fit_is_sent_without_its_fields_and_then_left_out(caplog: pytest.LogCaptureFixture) -> None:
    requests = await written(in_turn(statuses(201, 400, 201), statuses(400)))
    assert [ids(request) for request in requests] == [["0", "1", "2"], ["1"]]
    assert "event 1 of group is left out" in caplog.text


@pytest.mark.parametrize(
    "answer", [statuses(429, 429, 429), Reply(503), Reply(429), Misconduct.CLOSE, Reply(body=b"x")]
)
async def test_what_may_pass(monkeypatch: pytest.MonkeyPatch, answer: Reply | Misconduct) -> None:
    monkeypatch.setattr(elasticsearch, "_PAUSES_S", (0.0,))
    with pytest.raises(ConnectorError) as caught:
        await written(in_turn(answer))
    assert caught.value.is_passing


async def test_what_will_not_pass() -> None:
    with pytest.raises(ConnectorError, match="answered HTTP 403: go away") as caught:
        await written(in_turn(Reply(403, b"go away")))
    assert not caught.value.is_passing


async def test_requests_are_signed_for_amazons_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    (request,) = await written(in_turn(statuses(201, 201, 201)), sign="yes")
    assert request.target == "/es/_bulk"
    scope = r"Credential=AKID/\d{8}/eu-west-1/es/aws4_request"
    signed = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=content-type;host;x-amz-date, Signature="
    assert re.match(signed, request.headers["authorization"])
    assert "x-amz-date" in request.headers
