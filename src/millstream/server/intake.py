"""Taking request bodies in: bounded in size, in time and in sum, whatever clients do.

A body of up to WHOLE_BYTES_MAX that declares its length is counted in full and read in one piece. Larger ones, and
those that declare nothing, come in pieces and count as they arrive, so that a client who only promises megabytes
holds none. What is held stays counted until the request is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any, Protocol, cast

from granian._granian import RSGIProtocolClosed, RSGIProtocolError

from millstream.base.clock import Clock
from millstream.base.errors import MillstreamError
from millstream.base.units import MIB
from millstream.wire.faults import (
    Fault,
    RequestEntityTooLargeException,
    RequestTimeoutException,
    ServiceUnavailable,
)

BODY_BYTES_MAX = 20 * MIB  # 10 MiB of records are 13.4 MiB in base64
WHOLE_BYTES_MAX = 1 * MIB
HELD_BYTES_MAX = 512 * MIB
UPLOAD_S_MAX = 30.0
DISCARD_BYTES_MAX = 256 * MIB
DISCARD_S_MAX = 30.0


class ClientGone(MillstreamError):
    """The client hung up before its request was whole: there is nobody to answer."""


class BodySource(Protocol):
    """What is needed of Granian's RSGI protocol: the whole body as one future, or its pieces."""

    def __call__(self) -> Awaitable[bytes]: ...
    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Intake:
    """Reads the bodies of one server and keeps count of what it holds of them."""

    def __init__(self, clock: Clock, *, held_bytes_max: int = HELD_BYTES_MAX) -> None:
        self.held_bytes = 0
        self._clock = clock
        self._held_bytes_max = held_bytes_max
        self._waits: dict[Any, float] = {}  # what is waited for, and until when

    async def take(self, source: BodySource, declared: str | None) -> bytes:
        """The body, whose size is in `held_bytes` until `release` is told of it.

        Raises a Fault for bodies that are too large, too slow or too many, and ClientGone.
        """
        if declared is None:
            return await self._take_pieces(source, None)
        size_bytes = int(declared) if declared.isdecimal() else BODY_BYTES_MAX + 1
        if size_bytes == 0:
            return b""
        if size_bytes > BODY_BYTES_MAX:
            raise too_large()
        if size_bytes > WHOLE_BYTES_MAX:
            return await self._take_pieces(source, size_bytes)
        self._hold(size_bytes)
        try:
            return await self._wait(source(), self._clock.monotonic() + UPLOAD_S_MAX)
        except BaseException:
            self.held_bytes -= size_bytes
            raise

    def release(self, body: bytes) -> None:
        """The request with this body is answered."""
        self.held_bytes -= len(body)

    async def discard(self, source: BodySource) -> None:
        """Throw away what the client of an answered request still sends, within bounds.

        Many clients listen only once they have sent everything: hanging up on them would lose them the answer.
        """
        deadline = self._clock.monotonic() + DISCARD_S_MAX
        discarded_bytes = 0
        try:
            pieces = _pieces(source)
            while discarded_bytes < DISCARD_BYTES_MAX:
                discarded_bytes += len(await self._wait(anext(pieces), deadline))
        except (StopAsyncIteration, ClientGone, Fault):
            return

    def cut_off_slow(self) -> None:
        """End every wait whose time is up; to be called about once a second."""
        now = self._clock.monotonic()
        for future in [future for future, deadline in self._waits.items() if deadline <= now]:
            future.cancel()

    def cut_off_all(self) -> None:
        """End every wait: the server stops."""
        for future in list(self._waits):
            future.cancel()

    async def _take_pieces(self, source: BodySource, size_bytes: int | None) -> bytes:
        deadline = self._clock.monotonic() + UPLOAD_S_MAX
        pieces: list[bytes] = []
        held_bytes = 0
        try:
            incoming = aiter(source)
            while True:
                piece = await self._wait(anext(incoming), deadline)
                if held_bytes + len(piece) > BODY_BYTES_MAX:
                    raise too_large()
                self._hold(len(piece))
                held_bytes += len(piece)
                pieces.append(piece)
        except StopAsyncIteration:
            if size_bytes is not None and size_bytes != held_bytes:
                self.held_bytes -= held_bytes
                raise ClientGone("the body ended early") from None
            return b"".join(pieces)
        except BaseException:
            self.held_bytes -= held_bytes
            raise

    def _hold(self, size_bytes: int) -> None:
        if self.held_bytes + size_bytes > self._held_bytes_max:
            raise ServiceUnavailable("Too many request bodies are under way. Please retry.")
        self.held_bytes += size_bytes

    async def _wait(self, future: Any, deadline: float) -> bytes:
        self._waits[future] = deadline
        try:
            return await future  # type: ignore[no-any-return]
        except (RSGIProtocolClosed, RSGIProtocolError) as error:
            raise ClientGone("the connection closed") from error
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise  # we are stopped, not the wait
            raise RequestTimeoutException("The request body did not arrive in time.") from None
        finally:
            del self._waits[future]


def _pieces(source: BodySource) -> AsyncIterator[bytes]:
    """What is left of a body, whether or not some of it was read in pieces."""
    try:
        return aiter(source)
    except RSGIProtocolError:  # Granian begins only once, and is its own iterator
        return cast("AsyncIterator[bytes]", source)


def too_large() -> Fault:
    """The fault for a body over BODY_BYTES_MAX."""
    return RequestEntityTooLargeException(f"Request size exceeds the maximum of {BODY_BYTES_MAX} bytes.")
