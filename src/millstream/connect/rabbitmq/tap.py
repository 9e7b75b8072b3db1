"""Beneath aiormq: takes messages out of the bytes that it would read; it speaks the rest of the protocol.

    socket ─► TappedReader.feed_data ─► DeliveryParser ─┬─► messages, to us
                                                        └─► other frames, to aiormq

aiormq judges by frames whether the broker lives. While messages are all that comes, or nothing is read on purpose, it
is told so by heartbeats of our own making.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, SupportsIndex

from aiormq import TransportFactory
from yarl import URL

from millstream.connect.rabbitmq.frames import HEARTBEAT, BrokenProtocol, DeliveryParser

_HEARTBEAT_S = 5.0


class TappedReader(asyncio.StreamReader):
    """A stream without the messages. While it is on `hold` nothing is read, so that the broker waits."""

    def __init__(self, parser: DeliveryParser, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._parser = parser
        self._clock = loop
        self._told_s = 0.0
        self._is_held = False
        self._carrier: asyncio.Transport | None = None

    def carry(self, transport: asyncio.Transport) -> None:
        """The transport that the bytes come from."""
        self._carrier = transport

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        """Called by the transport."""
        try:
            others = self._parser.feed(bytes(data))
        except BrokenProtocol as error:
            if self._carrier is not None:
                self._carrier.abort()
            self.set_exception(ConnectionResetError(f"the broker does not speak AMQP 0-9-1: {error}"))
            return
        now_s = self._clock.time()
        if not others and now_s - self._told_s > _HEARTBEAT_S:
            others = HEARTBEAT
        if others:
            self._told_s = now_s
            super().feed_data(others)

    def hold(self) -> None:
        """Read nothing until `release`."""
        if not self._is_held and self._carrier is not None and not self._carrier.is_closing():
            self._is_held = True
            self._carrier.pause_reading()
            self._keep_alive()

    def release(self) -> None:
        """Read on."""
        if self._is_held and self._carrier is not None:
            self._is_held = False
            if not self._carrier.is_closing():
                self._carrier.resume_reading()

    def _keep_alive(self) -> None:
        if self._is_held and self._carrier is not None and not self._carrier.is_closing():
            super().feed_data(HEARTBEAT)
            self._clock.call_later(_HEARTBEAT_S, self._keep_alive)


class Tap(TransportFactory):
    """Makes the connection for aiormq. `reader` is there once it is made."""

    def __init__(self, parser: DeliveryParser) -> None:
        self._parser = parser
        self.reader: TappedReader | None = None

    async def create(self, url: URL, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect. Raises OSError."""
        trust = options.pop("ssl_context_provider")
        context = await trust.get_context() if url.scheme == "amqps" else None
        loop = asyncio.get_running_loop()
        reader = TappedReader(self._parser, loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.create_connection(
            lambda: protocol, url.host or "", url.port or 0, ssl=context, **options
        )
        reader.carry(transport)
        self.reader = reader
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
