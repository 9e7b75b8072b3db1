"""Requests to destinations that speak HTTP: answers that are bounded in time and size, and patience with failures."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum, auto
from functools import cache
from typing import NamedTuple

import httpx

from millstream.base.errors import MillstreamError
from millstream.firehose.destinations.ledger import Failure
from millstream.firehose.ports import Surroundings
from millstream.firehose.retries import attempts

_CONNECT_S_MAX = 10.0


class Fault(Enum):
    """Why there was no answer."""

    UNREACHABLE = auto()
    CERTIFICATE = auto()  # not one to be trusted, or another host's
    HANDSHAKE = auto()
    TIMEOUT = auto()
    BROKEN = auto()  # the connection was closed, or what came was not HTTP
    OVERLONG = auto()


class NoAnswer(MillstreamError):
    """A request was not answered, or not wholly."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


class Refused(MillstreamError):
    """A destination did not take a request; `code` as in AWS's error logs."""

    def __init__(self, code: str, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.final = final  # trying again will not help


class Answer(NamedTuple):
    """A whole answer, its body as it came."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def text(self) -> str:
        """The body for people."""
        return self.body.decode(errors="replace")


class Exchange:
    """Connections to one destination, kept alive between requests. Redirects are not followed.

    Certificates are judged by the system's store (SSL_CERT_FILE names another). `timeout_s` is for a whole exchange,
    from connecting to the answer's last byte, so that a server that drips is noticed as one that hangs is.
    """

    def __init__(self, *, timeout_s: float, answer_bytes_max: int) -> None:
        self._timeout_s = timeout_s
        self._answer_bytes_max = answer_bytes_max
        self._client = httpx.AsyncClient(
            verify=_trust(),
            timeout=httpx.Timeout(None, connect=_CONNECT_S_MAX),
            headers={"User-Agent": "Millstream", "Accept-Encoding": "identity"},
            trust_env=False,
        )

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, bytes], *, timeout_s: float | None = None
    ) -> Answer:
        """Send a request once. Raises NoAnswer."""
        timeout_s = self._timeout_s if timeout_s is None else min(timeout_s, self._timeout_s)
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._client.stream(
                    "POST", url, content=body, headers=[(name.encode(), value) for name, value in headers.items()]
                ) as response,
            ):
                return Answer(response.status_code, response.headers, await self._body(response))
        except (TimeoutError, httpx.TimeoutException) as error:
            raise NoAnswer(Fault.TIMEOUT, f"no answer within {timeout_s:g} seconds") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoAnswer(_fault(error), str(error) or type(error).__name__) from error

    async def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > self._answer_bytes_max:
                raise NoAnswer(Fault.OVERLONG, f"an answer of more than {self._answer_bytes_max:,} bytes")
        return bytes(body)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


class Patience:
    """How long a destination is tried again, over all requests of one delivery: a Clock, for `retries.attempts`.

    An outage uses the configured duration up once, not once a request, or a parcel of many requests would keep a dead
    destination for hours; what follows is then tried once each. A success gives the whole duration back. Time spent
    in `waiting` does not count.
    """

    def __init__(self, surroundings: Surroundings, duration_s: float) -> None:
        self._clock = surroundings.clock
        self._generator = surroundings.generator
        self._errors = surroundings.errors
        self._duration_s = duration_s
        self._waited_s = 0.0
        self._trouble_since_s: float | None = None

    def now_ms(self) -> int:
        """Wall-clock time."""
        return self._clock.now_ms()

    def monotonic(self) -> float:
        """Seconds that passed, those of waiting excepted."""
        return self._clock.monotonic() - self._waited_s

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Stop the time while an answer is waited for."""
        began_s = self._clock.monotonic()
        try:
            yield
        finally:
            self._waited_s += self._clock.monotonic() - began_s

    def attempts(self) -> AsyncIterator[int]:
        """Count the attempts at one request, from 1."""
        trouble_s = 0.0 if self._trouble_since_s is None else self.monotonic() - self._trouble_since_s
        return attempts(self, self._generator, max(0.0, self._duration_s - trouble_s))

    def failed(self) -> None:
        """An attempt failed."""
        if self._trouble_since_s is None:
            self._trouble_since_s = self.monotonic()

    def succeeded(self) -> None:
        """The destination took something."""
        self._trouble_since_s = None

    async def persist(self, request: Callable[[], Awaitable[None]]) -> Failure | None:
        """Make a request, which raises Refused, until it is taken (None) or given up. Answers count as `waiting`."""
        attempt, refusal = 0, Refused("", "")
        async for attempt in self.attempts():  # noqa: B007 - the last one is what counts
            try:
                with self.waiting():
                    await request()
            except Refused as error:
                refusal = error
                self.failed()
                self._errors.report(error.code, str(error))
                if error.final:
                    break
            else:
                self.succeeded()
                return None
        return Failure(refusal.code, str(refusal), attempt, self.now_ms())


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _fault(error: BaseException) -> Fault:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Fault.CERTIFICATE
        if isinstance(cause, ssl.SSLError):
            return Fault.HANDSHAKE
        cause = cause.__cause__ or cause.__context__
    unreachable = (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.InvalidURL)
    return Fault.UNREACHABLE if isinstance(error, unreachable) else Fault.BROKEN
