"""An HTTP server that answers as a test wants, also in ways in which no server should."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, NamedTuple

_TLS_HANDSHAKE = b"\x16"


class Request(NamedTuple):
    """A request as it came; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decompressed and parsed."""
        body = gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body
        return json.loads(body)


class Reply(NamedTuple):
    """An answer."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)

    @classmethod
    def of(cls, value: object, status: int = 200) -> Reply:
        """An answer in JSON."""
        return cls(status, json.dumps(value).encode())


class Misconduct(Enum):
    """What is not an answer."""

    HANG = auto()  # say nothing
    CLOSE = auto()  # close the connection
    TRUNCATE = auto()  # promise more than is sent
    GARBAGE = auto()  # send what is not HTTP
    DRIP = auto()  # send a body that goes on and on, slowly
    FLOOD = auto()  # send a body that goes on and on, fast


Handler = Callable[[Request], Reply | Misconduct]


def in_turn(*answers: Reply | Misconduct | Handler) -> Handler:
    """A handler that gives these answers one after the other, and the last one for ever."""
    left = list(answers)

    def answer(request: Request) -> Reply | Misconduct:
        now = left.pop(0) if len(left) > 1 else left[0]
        return now(request) if callable(now) else now

    return answer


class Peer:
    """A server on a free port of the loopback address: `async with Peer(handler) as peer`.

    Without `tls` it answers those who speak TLS all the same as other servers do: with 400, in the clear.
    """

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self.handler = handler
        self._tls = tls
        self.requests: list[Request] = []
        self.connections = 0
        self._over = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Peer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Take a request and answer it; whether another may follow."""
        first = await reader.readexactly(1)
        if first == _TLS_HANDSHAKE:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return False
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        request = Request(method, target, headers, await reader.readexactly(int(headers["content-length"])))
        self.requests.append(request)
        answer = self.handler(request)
        if isinstance(answer, Misconduct):
            await self._misbehave(answer, writer)
            return False
        lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}", f"Content-Length: {len(answer.body)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        writer.write("\r\n".join([*lines, "", ""]).encode() + answer.body)
        await writer.drain()
        return True

    async def _misbehave(self, how: Misconduct, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        if how is Misconduct.HANG:
            await self._over.wait()
        elif how is Misconduct.TRUNCATE:
            writer.write(head % 1000 + b'{"requestId":')
            await writer.drain()
        elif how is Misconduct.GARBAGE:
            writer.write(b"\x15\x03\x01 this is not HTTP\r\n\r\n")
            await writer.drain()
        elif how in (Misconduct.DRIP, Misconduct.FLOOD):
            writer.write(head % 1_000_000_000)
            while not self._over.is_set():
                writer.write(b" " * (1 if how is Misconduct.DRIP else 65536))
                await writer.drain()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._over.wait(), 0.01 if how is Misconduct.DRIP else 0)


def firehose_endpoint(request: Request) -> Reply:
    """An endpoint that takes every request as the documentation says."""
    asked = request.json()
    return Reply.of({"requestId": asked["requestId"], "timestamp": 1_700_000_000_000})
