"""The application answers every request, and answers as AWS where the request is wrong."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from millstream.base.clock import ManualClock
from millstream.base.errors import MillstreamError
from millstream.server.app import Application
from millstream.server.intake import BODY_BYTES_MAX, Intake
from millstream.wire import CallContext, Encoded, EventStream, Operation, Service
from millstream.wire.faults import ResourceNotFoundException

JSON = "application/x-amz-json-1.1"


class Proto:
    """A connection as Granian shows it to the application: what was answered is in `status`, `headers`, `body`."""

    def __init__(self, body: bytes = b"") -> None:
        self._request = body
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.file: int | None = None

    def __call__(self) -> asyncio.Future[bytes]:
        future = asyncio.get_running_loop().create_future()
        future.set_result(self._request)
        return future

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _Pieces(self._request)

    def client_disconnect(self) -> asyncio.Future[None]:
        return self.gone

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.body = status, dict(headers), body

    def response_file(self, status: int, headers: list[tuple[str, str]], path: str) -> None:
        self.status, self.headers = status, dict(headers)
        self.file = os.open(path, os.O_RDONLY)


class _Pieces:
    def __init__(self, body: bytes) -> None:
        self._pieces = [body]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    def __anext__(self) -> asyncio.Future[bytes]:
        if not self._pieces:
            raise StopAsyncIteration
        future = asyncio.get_running_loop().create_future()
        future.set_result(self._pieces.pop())
        return future


class Scope:
    """A request's head as Granian shows it."""

    query_string = ""

    def __init__(self, method: str, path: str, headers: dict[str, str]) -> None:
        self.method = method
        self.path = path
        self.headers = headers


Handler = Callable[[CallContext, Any], Any]


@pytest.fixture
def intake() -> Intake:
    return Intake(ManualClock())


@pytest.fixture
def serve(intake: Intake) -> Callable[[str, Handler], Application]:
    """Makes an application whose one operation is answered by a handler."""

    def make(operation_name: str, handler: Handler) -> Application:
        service = Service("kinesis", {operation_name: Operation(operation_name, handler)})
        return Application([service], intake, health=lambda: {"status": "ok"}, default_region="eu-west-1")

    return make


async def post(application: Application, operation_name: str, body: bytes = b"{}", **headers: str) -> Proto:
    head = {
        "content-type": JSON,
        "x-amz-target": f"Kinesis_20131202.{operation_name}",
        "content-length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    proto = Proto(body)
    await application(Scope("POST", "/", head), proto)
    return proto


async def test_a_call_reaches_its_handler_and_the_result_its_caller(serve: Any, intake: Intake) -> None:
    calls = []

    def describe_limits(context: CallContext, params: dict[str, Any]) -> dict[str, Any]:
        calls.append((context.operation, context.account, context.region, params))
        return {"ShardLimit": 7, "OpenShardCount": 1, "OnDemandStreamCount": 0, "OnDemandStreamCountLimit": 10}

    reply = await post(serve("DescribeLimits", describe_limits), "DescribeLimits")
    assert reply.status == 200
    assert json.loads(reply.body)["ShardLimit"] == 7
    assert reply.headers["content-type"] == JSON
    assert reply.headers.keys() >= {"x-amzn-RequestId", "x-amz-id-2"}
    assert calls == [("DescribeLimits", "000000000000", "eu-west-1", {})]
    assert intake.held_bytes == 0


async def test_handlers_may_be_coroutines_and_may_encode_themselves(serve: Any) -> None:
    async def describe_limits(_context: CallContext, _params: dict[str, Any]) -> Encoded:
        await asyncio.sleep(0)
        return Encoded([b'{"as":"it is"}'])

    reply = await post(serve("DescribeLimits", describe_limits), "DescribeLimits")
    assert (reply.status, reply.body) == (200, b'{"as":"it is"}')


async def test_faults_are_answered_in_the_codec_of_the_request(serve: Any) -> None:
    def handler(_context: CallContext, _params: dict[str, Any]) -> None:
        raise ResourceNotFoundException("Stream S under account 000000000000 not found.")

    reply = await post(serve("DescribeLimits", handler), "DescribeLimits")
    assert reply.status == 400
    assert json.loads(reply.body) == {
        "__type": "ResourceNotFoundException",
        "message": "Stream S under account 000000000000 not found.",
    }


@pytest.mark.parametrize(
    ("target", "body", "code"),
    [
        ("Kinesis_20131202.Nonsense", b"{}", "UnknownOperationException"),
        ("Kinesis_20131202.CreateQueue", b"{}", "UnsupportedOperationException"),
        ("Firehose_20150804.PutRecord", b"{}", "UnknownOperationException"),
        ("Kinesis_20131202.DescribeLimits", b'{"a', "SerializationException"),
    ],
)
async def test_requests_that_reach_no_handler_are_answered(serve: Any, target: str, body: bytes, code: str) -> None:
    application = serve("DescribeLimits", lambda _context, _params: pytest.fail("called"))
    reply = await post(application, "", body, x_amz_target=target)
    assert reply.status == 400
    assert json.loads(reply.body)["__type"] == code


async def test_our_own_failures_are_logged_with_the_request_id_and_answered_without_details(
    serve: Any, intake: Intake, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(_context: CallContext, _params: dict[str, Any]) -> None:
        raise ZeroDivisionError("secret")

    reply = await post(serve("DescribeLimits", handler), "DescribeLimits", b"{} ")
    assert (reply.status, json.loads(reply.body)) == (500, {"__type": "InternalFailure"})
    assert reply.headers["x-amzn-RequestId"] in caplog.text
    assert "ZeroDivisionError: secret" in caplog.text
    assert intake.held_bytes == 0


async def test_errors_for_people_are_logged_in_a_line(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    def handler(_context: CallContext, _params: dict[str, Any]) -> None:
        raise MillstreamError("catalog.db: no space left on device")

    reply = await post(serve("DescribeLimits", handler), "DescribeLimits")
    assert reply.status == 500
    assert "no space left on device" in caplog.text
    assert "Traceback" not in caplog.text


async def test_bodies_that_are_too_large_are_refused_and_the_connection_ends(serve: Any) -> None:
    application = serve("DescribeLimits", lambda _context, _params: pytest.fail("called"))
    reply = await post(application, "DescribeLimits", b"x", content_length=str(BODY_BYTES_MAX + 1))
    assert reply.status == 413
    assert reply.headers["connection"] == "close"


async def test_a_full_house_says_when_to_come_again() -> None:
    service = Service("kinesis", {})
    application = Application([service], Intake(ManualClock(), held_bytes_max=1), health=dict, default_region="r-1")
    reply = await post(application, "ListStreams")
    assert reply.status == 503
    assert json.loads(reply.body)["__type"] == "ServiceUnavailable"
    assert reply.headers["retry-after"] == "1"


async def test_health_needs_no_body_and_no_target(serve: Any) -> None:
    proto = Proto()
    await serve("DescribeLimits", lambda _context, _params: None)(Scope("GET", "/health", {}), proto)
    assert (proto.status, json.loads(proto.body)) == (200, {"status": "ok"})


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("PUT", "/"), ("GET", "/favicon.ico")])
async def test_other_requests_are_refused_as_aws_does(serve: Any, method: str, path: str) -> None:
    proto = Proto()
    await serve("DescribeLimits", lambda _context, _params: None)(Scope(method, path, {}), proto)
    assert proto.status == 403
    assert b"<AccessDeniedException>" in proto.body


class Subscription:
    """An event stream that sends what it is told to, and knows whether it was closed."""

    def __init__(self, *messages: bytes) -> None:
        self.closed = asyncio.Event()
        self.more = asyncio.Event()
        self._messages = messages

    async def messages(self) -> AsyncIterator[bytes]:
        try:
            for message in self._messages:
                yield message
            await self.more.wait()
        finally:
            self.closed.set()


async def read_all(fd: int, size_bytes: int | None = None) -> bytes:
    """What a client reads from the reply: everything, or so many bytes."""

    def read() -> bytes:
        got = b""
        while chunk := os.read(fd, 65536 if size_bytes is None else min(65536, size_bytes - len(got))):
            got += chunk
        return got

    return await asyncio.get_running_loop().run_in_executor(None, read)


async def subscribe(serve: Any, subscription: Subscription) -> tuple[Application, Proto, asyncio.Task[None]]:
    application = serve("DescribeLimits", lambda _context, _params: EventStream(subscription.messages()))
    proto = Proto(b"{}")
    head = {"content-type": JSON, "x-amz-target": "Kinesis_20131202.DescribeLimits", "content-length": "2"}
    task = asyncio.create_task(application(Scope("POST", "/", head), proto))
    while proto.file is None:
        await asyncio.sleep(0)
    return application, proto, task


async def test_an_event_stream_is_sent_as_it_comes_and_ends_when_it_ends(serve: Any) -> None:
    subscription = Subscription(b"initial", b"x" * 300_000, b"last")
    _, proto, task = await subscribe(serve, subscription)
    assert proto.file is not None
    assert proto.headers["content-type"] == "application/vnd.amazon.eventstream"
    assert len(await read_all(proto.file, 300_011)) == 300_011
    subscription.more.set()
    assert await read_all(proto.file) == b""
    await task
    os.close(proto.file)


async def test_a_reader_that_stops_holds_the_stream_back(serve: Any) -> None:
    subscription = Subscription(*[b"x" * 100_000] * 100)
    _, proto, task = await subscribe(serve, subscription)
    assert proto.file is not None
    await read_all(proto.file, 100_000)
    for _ in range(1000):
        await asyncio.sleep(0)
    assert not subscription.closed.is_set()
    assert len(await read_all(proto.file, 9_900_000)) == 9_900_000
    subscription.more.set()
    await task
    os.close(proto.file)


async def test_a_reader_that_goes_away_ends_the_stream(
    serve: Any, intake: Intake, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    subscription = Subscription(b"initial", b"x" * 300_000)
    _, proto, task = await subscribe(serve, subscription)
    assert proto.file is not None
    await read_all(proto.file, 7)
    os.close(proto.file)
    await task
    assert subscription.closed.is_set()
    assert intake.held_bytes == 0
    assert caplog.text == ""


async def test_a_lost_connection_ends_an_idle_stream(serve: Any) -> None:
    subscription = Subscription(b"initial")
    _, proto, task = await subscribe(serve, subscription)
    assert proto.file is not None
    await read_all(proto.file, 7)
    proto.gone.set_result(None)
    await task
    assert subscription.closed.is_set()
    os.close(proto.file)


async def test_stopping_ends_streams_as_complete_replies(serve: Any) -> None:
    subscription = Subscription(b"initial")
    application, proto, task = await subscribe(serve, subscription)
    assert proto.file is not None
    await read_all(proto.file, 7)
    application.end_streams()
    assert await read_all(proto.file) == b""
    await task
    assert subscription.closed.is_set()
    os.close(proto.file)
