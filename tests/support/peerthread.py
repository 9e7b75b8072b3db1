"""A `Peer` for tests that are not coroutines: it serves from a thread, for a live server to talk to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from support.httpendpoint import Handler, Peer

_TIMEOUT_S = 10.0


@contextmanager
def peer_in_thread(handler: Handler) -> Iterator[Peer]:
    """A peer that answers until the block ends. Its handler is called in the thread, one call at a time."""
    started: list[Peer] = []
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with Peer(handler) as peer:
            started.append(peer)
            ready.set()
            await over.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, name="peer")
    thread.start()
    try:
        assert ready.wait(_TIMEOUT_S), "the peer did not start"
        yield started[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(_TIMEOUT_S)
