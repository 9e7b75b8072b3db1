"""The commands' client names account and region as SDKs do, and explains what went wrong in a line."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from millstream.cli import client as client_module
from millstream.cli.client import CallError, Client, Target, Unreachable
from millstream.cli.errors import CommandError


def client_of(answer: Callable[[httpx.Request], httpx.Response], **environment: str) -> Client:
    target = Target.find(None, environment)
    return Client(httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url=target.endpoint), target)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_BACK_OFF_S", 0)


async def test_a_call_names_account_and_region() -> None:
    requests = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"StreamNames": []})

    client = client_of(answer, AWS_ACCESS_KEY_ID="123456789012", AWS_REGION="eu-west-1")
    assert await client.call("ListStreams", Limit=3, NextToken=None) == {"StreamNames": []}
    (request,) = requests
    assert request.headers["x-amz-target"] == "Kinesis_20131202.ListStreams"
    assert "Credential=123456789012/" in request.headers["authorization"]
    assert "/eu-west-1/kinesis/aws4_request" in request.headers["authorization"]
    assert json.loads(request.content) == {"Limit": 3}


async def test_without_a_region_the_server_chooses() -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append("authorization" in request.headers)
        return httpx.Response(200)

    assert await client_of(answer).call("ListStreams") == {}
    assert seen == [False]


async def test_faults_keep_code_and_message() -> None:
    body = {"__type": "com.amazonaws#ResourceNotFoundException", "message": "Stream S under account A not found."}
    with pytest.raises(CallError) as raised:
        await client_of(lambda _: httpx.Response(400, json=body)).call("DescribeStream", StreamName="S")
    assert raised.value.code == "ResourceNotFoundException"
    assert str(raised.value) == "Stream S under account A not found. (ResourceNotFoundException)"


async def test_what_is_no_kinesis_endpoint_is_called_so() -> None:
    with pytest.raises(CommandError, match="answered HTTP 404: is that a Kinesis endpoint"):
        await client_of(lambda _: httpx.Response(404, text="<html>")).call("ListStreams")


async def test_a_server_that_is_not_there_is_explained() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(Unreachable, match=r"no server at http://127\.0\.0\.1:4566: start one with `millstream up`"):
        await client_of(answer).call("ListStreams")


async def test_throttled_calls_are_made_again_and_pages_followed() -> None:
    answers = [
        httpx.Response(200, json={"Shards": [1], "NextToken": "next"}),
        httpx.Response(400, json={"__type": "LimitExceededException", "message": "Rate exceeded"}),
        httpx.Response(200, json={"Shards": [2]}),
    ]
    bodies = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return answers.pop(0)

    assert await client_of(answer).pages("ListShards", "Shards", StreamName="s") == [1, 2]
    assert bodies == [{"StreamName": "s"}, {"NextToken": "next"}, {"NextToken": "next"}]


@pytest.mark.parametrize(
    ("option", "environment", "endpoint"),
    [
        (None, {}, "http://127.0.0.1:4566"),
        (None, {"MILLSTREAM_ENDPOINT": "http://m:1/"}, "http://m:1"),
        (None, {"MILLSTREAM_ENDPOINT": "http://m:1", "AWS_ENDPOINT_URL": "http://a:1"}, "http://a:1"),
        (None, {"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_KINESIS": "https://k:1"}, "https://k:1"),
        ("http://o:1", {"AWS_ENDPOINT_URL_KINESIS": "https://k:1"}, "http://o:1"),
    ],
)
def test_where_the_endpoint_comes_from(option: str | None, environment: dict[str, str], endpoint: str) -> None:
    assert Target.find(option, environment).endpoint == endpoint


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4566", "ftp://x", "http://"])
def test_an_endpoint_that_is_no_url_is_refused(endpoint: str) -> None:
    with pytest.raises(CommandError, match="is no URL"):
        Target.find(endpoint, {})
