"""A proxy between a client and an HTTP server that fails as networks and servers do: at random by seed, or as told."""

from __future__ import annotations

import asyncio
import random
import re
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_S3_ERROR = "<Error><Code>{code}</Code><Message>As the test wants it.</Message></Error>"
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d+)", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding:[ \t]*chunked", re.IGNORECASE | re.MULTILINE)
_EXPECT = re.compile(rb"\r\nexpect:[^\r]*", re.IGNORECASE)
_CONNECTION = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)


class Fault(StrEnum):
    """What may become of a request."""

    NONE = "none"
    SLOW_DOWN = "slow down"  # 503, not passed on
    FORBIDDEN = "forbidden"  # 403, not passed on
    DROPPED = "dropped"  # the connection ends before the request was passed on
    APPLIED_BUT_500 = "applied but 500"  # a lie: it was done
    APPLIED_BUT_DROPPED = "applied but dropped"  # it was done, and nobody hears of it
    CUT_BUT_200 = "cut but 200"  # a lie: half of the body is passed on, whatever comes of it
    TRUNCATED_REPLY = "truncated reply"  # the connection ends in the middle of the answer
    HANGING = "hanging"  # no answer, ever


LIES = (Fault.APPLIED_BUT_500, Fault.APPLIED_BUT_DROPPED, Fault.CUT_BUT_200)


class Request(NamedTuple):
    """A request on its way through."""

    method: str
    target: str
    head: bytes
    body: bytes


def at_random(seed: int, share: float, faults: tuple[Fault, ...]) -> Callable[[Request], Fault]:
    """Has about `share` of the requests fail, in any of these ways."""
    generator = random.Random(seed)
    return lambda _: generator.choice(faults) if generator.random() < share else Fault.NONE


class FaultyProxy:
    """A running proxy; `choose` decides what becomes of a request, and may be replaced at any time."""

    def __init__(self, target_url: str, choose: Callable[[Request], Fault]) -> None:
        self.choose = choose
        self.done: Counter[Fault] = Counter()
        self.url = ""
        self._target = urlsplit(target_url)
        self._connections: set[asyncio.Task[None]] = set()  # asyncio itself would let them be garbage

    def heal(self) -> None:
        """Have no request fail any more."""
        self.choose = lambda _: Fault.NONE

    async def serve(self, is_up: Callable[[], None], end: asyncio.Event) -> None:
        """Pass requests on until `end` is set."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        is_up()
        await end.wait()
        server.close()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._handle(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            request = await _read_request(reader, writer)
            fault = self.choose(request)
            self.done[fault] += 1
            if fault is Fault.HANGING:
                await reader.read()  # until the client has had enough
            writer.write(await self._answer(request, fault))
            await writer.drain()
        with suppress(ConnectionError):
            writer.close()

    async def _answer(self, request: Request, fault: Fault) -> bytes:
        if fault in (Fault.DROPPED, Fault.HANGING):
            return b""
        if fault is Fault.SLOW_DOWN:
            return _reply(503, "SlowDown")
        if fault is Fault.FORBIDDEN:
            return _reply(403, "AccessDenied")
        if fault is Fault.CUT_BUT_200:
            await self._pass_on(request._replace(body=request.body[: len(request.body) // 2]))
            return b'HTTP/1.1 200 OK\r\nETag: "0"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
        answer = await self._pass_on(request)
        if fault is Fault.APPLIED_BUT_500:
            return _reply(500, "InternalError")
        if fault is Fault.APPLIED_BUT_DROPPED:
            return b""
        return answer[: len(answer) // 2] if fault is Fault.TRUNCATED_REPLY else answer

    async def _pass_on(self, request: Request) -> bytes:
        reader, writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        try:
            head = _CONNECTION.sub(b"", request.head).removesuffix(b"\r\n\r\n")
            if _LENGTH.search(head):
                head = _LENGTH.sub(b"Content-Length: %d" % len(request.body), head)
            writer.write(head + b"\r\nConnection: close\r\n\r\n" + request.body)
            return await reader.read()
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    if _EXPECT.search(head):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        head = _EXPECT.sub(b"", head)
    body = b""
    if length := _LENGTH.search(head):
        body = await reader.readexactly(int(length[1]))
    elif _CHUNKED.search(head):
        while not body.endswith(b"0\r\n\r\n"):
            body += await reader.readuntil(b"\r\n")
    method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
    return Request(method, target, head, body)


def _reply(status: int, code: str) -> bytes:
    body = _S3_ERROR.format(code=code)
    head = f"HTTP/1.1 {status} No\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n{body}".encode()


@contextmanager
def faulty_proxy(target_url: str, choose: Callable[[Request], Fault]) -> Iterator[FaultyProxy]:
    """Run a proxy in a thread."""
    proxy = FaultyProxy(target_url, choose)
    is_up = threading.Event()
    loop = asyncio.new_event_loop()
    end = asyncio.Event()

    async def run() -> None:
        await proxy.serve(is_up.set, end)
        for _ in range(10):  # what was accepted last becomes a task, and transports close, in a few steps
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), name="faulty-proxy")
    thread.start()
    try:
        assert is_up.wait(10), "the proxy does not start"
        yield proxy
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(10)
        loop.close()
