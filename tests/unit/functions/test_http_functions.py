"""Calling functions over HTTP, at a server that behaves, and at one that does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from millstream.base.clock import SystemClock
from millstream.disk import MemoryDisk
from millstream.firehose.processing.invocation import function_settings
from millstream.firehose.processing.journal import JournalSource
from millstream.firehose.processing.transformation import Transformation
from millstream.functions import FunctionError
from millstream.functions.http import REPLY_BYTES_MAX, HttpFunctions
from millstream.log.store import LogStore
from support.configurations import processor
from support.httpendpoint import Misconduct, Peer, Reply, Request, in_turn
from support.processing import FUNCTION_ARN, MemorySource, chunk, surroundings, to_s3, upper


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with Peer(lambda request: Reply(200, request.body.upper())) as peer:
        yield peer


async def _invoke(url: str | None, arn: str = FUNCTION_ARN, timeout_s: float = 10.0) -> bytes:
    functions = HttpFunctions(url)
    try:
        return await functions.invoke(arn, b"payload", timeout_s)
    finally:
        await functions.close()


async def test_a_function_is_invoked_by_its_name(peer: Peer) -> None:
    assert await _invoke(peer.url + "/") == b"PAYLOAD"
    (request,) = peer.requests
    assert (request.method, request.target) == ("POST", "/2015-03-31/functions/enrich/invocations")
    assert request.headers["x-amz-invocation-type"] == "RequestResponse"
    assert request.headers["x-amz-log-type"] == "None"


@pytest.mark.parametrize(
    ("arn", "target"),
    [
        (FUNCTION_ARN + ":$LATEST", "/2015-03-31/functions/enrich/invocations?Qualifier=%24LATEST"),
        ("enrich", "/2015-03-31/functions/enrich/invocations"),
        ("../x", "/2015-03-31/functions/..%2Fx/invocations"),
    ],
)
async def test_versions_and_plain_names(peer: Peer, arn: str, target: str) -> None:
    await _invoke(peer.url, arn)
    assert peer.requests[0].target == target


async def test_connections_are_kept(peer: Peer) -> None:
    functions = HttpFunctions(peer.url)
    for _ in range(3):
        await functions.invoke(FUNCTION_ARN, b"{}", 10)
    await functions.close()
    assert peer.connections == 1


_FAILED = json.dumps({"errorMessage": "division by zero", "errorType": "ZeroDivisionError"}).encode()
_TIMED_OUT = json.dumps({"errorMessage": "2026-11-23T09:00:00Z 613 Task timed out after 3.00 seconds"}).encode()
_HEADER = (("X-Amz-Function-Error", "Unhandled"),)


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        (Reply(200, _FAILED, _HEADER), "Lambda.FunctionError", "division by zero"),
        (Reply(200, _TIMED_OUT, _HEADER), "Lambda.FunctionTimedOut", "Increase the Timeout"),
        (Reply(403), "Lambda.InvokeAccessDenied", "access policy"),
        (Reply(404), "Lambda.ResourceNotFound", "does not exist"),
        (Reply(413), "Lambda.RequestTooLarge", "BufferSizeInMBs"),
        (Reply(429), "Lambda.InvokeLimitExceeded", "concurrent execution limit"),
        (Reply(400, b"InvalidRequestContentException"), "Lambda.InvocationError", "InvalidRequestContentException"),
        (Reply(502, b"bad gateway"), "Lambda.ServiceException", "502: bad gateway"),
        (Reply(200, b"x" * (REPLY_BYTES_MAX + 1)), "Lambda.ResponseTooLarge", "more than 6291456 bytes"),
        (Misconduct.FLOOD, "Lambda.ResponseTooLarge", "more than 6291456 bytes"),
        (Misconduct.CLOSE, "Lambda.ConnectionError", "did not answer"),
        (Misconduct.TRUNCATE, "Lambda.ConnectionError", "did not answer"),
        (Misconduct.GARBAGE, "Lambda.ConnectionError", "did not answer"),
    ],
)
async def test_failures_have_awss_codes(peer: Peer, answer: Reply | Misconduct, code: str, says: str) -> None:
    peer.handler = lambda _: answer
    with pytest.raises(FunctionError, match=says) as raised:
        await _invoke(peer.url)
    assert raised.value.code == code


@pytest.mark.parametrize("how", [Misconduct.HANG, Misconduct.DRIP])
async def test_a_function_that_never_ends_is_given_up(peer: Peer, how: Misconduct) -> None:
    peer.handler = lambda _: how
    with pytest.raises(FunctionError) as raised:
        await _invoke(peer.url, timeout_s=0.1)
    assert raised.value.code == "Lambda.FunctionTimedOut"


async def test_a_reply_of_just_the_limit_is_taken(peer: Peer) -> None:
    peer.handler = lambda _: Reply(200, b"x" * REPLY_BYTES_MAX)
    assert len(await _invoke(peer.url)) == REPLY_BYTES_MAX


async def test_without_an_endpoint_the_error_says_how_to_have_one() -> None:
    with pytest.raises(FunctionError, match="lambda_endpoint"):
        await _invoke(None)


async def test_an_endpoint_that_nobody_serves(peer: Peer) -> None:
    for url in ("http://127.0.0.1:1", "nonsense", "http://"):
        with pytest.raises(FunctionError) as raised:
            await _invoke(url)
        assert raised.value.code == "Lambda.ConnectionError"


async def test_a_whole_stage_works_with_a_function_that_comes_and_goes() -> None:
    answers = in_turn(Reply(503), Misconduct.CLOSE, Misconduct.GARBAGE, _uppercase)
    chunks = [chunk(b"%d-a" % n, b"%d-b" % n, start=n * 100) for n in range(5)]
    configuration = to_s3(processor("Lambda", LambdaArn=FUNCTION_ARN, BufferIntervalInSeconds="0"))
    settings = function_settings(configuration)
    assert settings is not None
    disk = MemoryDisk()
    pauses_s: list[float] = []

    async def pause(delay_s: float) -> None:
        pauses_s.append(delay_s)

    with ThreadPoolExecutor(2) as threads:
        async with Peer(answers) as peer:
            functions = HttpFunctions(peer.url)
            stage = Transformation(
                MemorySource(chunks),
                LogStore.open(disk, "journal"),
                configuration,
                settings,
                surroundings(clock=SystemClock(), functions=functions, threads=threads),
                start=0,
                lag_bytes=lambda: 0,
                pause=pause,
            )
            running = asyncio.create_task(stage.run())
            await stage.flush()
            running.cancel()
            await asyncio.wait([running])
            await functions.close()
    chunks_kept = JournalSource(disk, "journal").read(0, bytes_max=1 << 20)
    assert [data for one in chunks_kept for data in one.data] == [b"%d-%c" % (n, c) for n in range(5) for c in b"AB"]
    assert len(pauses_s) == 3


def _uppercase(request: Request) -> Reply:
    return Reply.of({"records": [upper(record) for record in request.json()["records"]]})
