"""Sending what is long: replies in parts, and event streams only as fast as their readers take them.

Granian's stream transport queues whatever it is given and says nothing, so a subscriber who stops reading would fill
our memory. Its file response reads on only when the client has read: so the "file" that it is given is a pipe of ours,
a full pipe holds the subscription back, and a pipe without a reader says that the client has gone.

    subscription ──messages──► pipe (64 KiB, in the kernel) ──► Granian ──► client
"""

from __future__ import annotations

import array
import asyncio
import fcntl
import os
import termios
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from granian._granian import RSGIProtocolClosed, RSGIProtocolError

OPEN_S_MAX = 10.0
_POLL_S = 0.002


async def send_parts(proto: Any, headers: list[tuple[str, str]], parts: list[bytes]) -> None:
    """Answer with a body in parts, of known length; a client that goes meanwhile is left alone.

    Granian copies what it is given. A copy of a whole 14 MB reply takes fresh memory from the kernel every time, page
    by page, and holds up the event loop meanwhile; copies of parts reuse the same memory.
    """
    if len(parts) == 1:
        proto.response_bytes(200, headers, parts[0])
        return
    length = str(sum(map(len, parts)))
    transport = proto.response_stream(200, [*headers, ("content-length", length)])
    with suppress(RSGIProtocolClosed, RSGIProtocolError):
        for part in parts:
            await transport.send_bytes(part)


async def send_messages(proto: Any, headers: list[tuple[str, str]], messages: AsyncGenerator[bytes]) -> None:
    """Answer with `messages` as they come; they are closed when this returns.

    Returns when they have ended, when the client has gone, or when the task is cancelled, which the client sees as a
    complete reply.
    """
    task = asyncio.current_task()
    assert task is not None

    def hang_up(_: Any) -> None:
        task.cancel()

    gone = proto.client_disconnect()
    gone.add_done_callback(hang_up)
    pipe = _Pipe()
    try:
        proto.response_file(200, headers, pipe.path)
        async with aclosing(messages):
            async for message in messages:
                await pipe.write(message)
                del message  # it may be long until the next one
    except (BrokenPipeError, asyncio.CancelledError):
        return
    finally:
        gone.remove_done_callback(hang_up)
        gone.cancel()
        pipe.close()


class _Pipe:
    """The write end of a pipe that someone else opens for reading by `path`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.path = f"/proc/self/fd/{self._reader}"

    async def write(self, data: bytes) -> None:
        """Write all of `data`, waiting for room. Raises BrokenPipeError once nobody reads any more."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._writer, rest) :]
            except BlockingIOError:
                await self._writable()
            if self._reader >= 0:
                await self._hand_over()

    async def _writable(self) -> None:
        ready = asyncio.Event()
        self._loop.add_writer(self._writer, ready.set)
        try:
            await ready.wait()
        finally:
            self._loop.remove_writer(self._writer)

    async def _hand_over(self) -> None:
        """Let go of the read end once the other side has its own: then only that one keeps the pipe alive."""
        deadline = self._loop.time() + OPEN_S_MAX
        while self._unread_bytes() and self._loop.time() < deadline:
            await asyncio.sleep(_POLL_S)
        os.close(self._reader)
        self._reader = -1

    def _unread_bytes(self) -> int:
        unread = array.array("i", [0])
        fcntl.ioctl(self._reader, termios.FIONREAD, unread)
        return unread[0]

    def close(self) -> None:
        if self._reader >= 0:
            os.close(self._reader)
        os.close(self._writer)
