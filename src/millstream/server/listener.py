"""The HTTP side: a listening socket of our own, and Granian serving it inside our event loop.

Why our own socket: Granian binds with SO_REUSEPORT, so two servers could share a port and each would get half of the
connections. Ours is exclusive, says in one line why it cannot be had, and hands two limits down to every connection:
TCP_NODELAY, and TCP_USER_TIMEOUT, by which the kernel drops a client that stops reading what we send.
"""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from granian import _granian
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.log import LogLevels
from granian.server.embed import Server

from millstream.base.errors import MillstreamError

BACKLOG = 1024
UNREAD_MS_MAX = 30_000
HEADER_MS_MAX = 30_000
STREAMS_MAX = 2_000  # event streams at a time: each holds a thread of Granian's while it waits

Handler = Callable[[Any, Any], Awaitable[None]]


class ListenError(MillstreamError):
    """The address cannot be listened on; the text says why."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound to `host` and `port` (0: any free port) and to nothing else; raises ListenError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise ListenError(f"cannot listen on {host}: {getattr(error, 'strerror', None) or error}") from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS_MAX)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        hint = "; choose another with --port" if error.errno == errno.EADDRINUSE else ""
        raise ListenError(f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}{hint}") from error
    return listener


class HttpServer(Server):
    """Granian (HTTP/1.1, and HTTP/2 by prior knowledge or ALPN) on a socket that is already listening."""

    def __init__(self, handler: Handler, listener: socket.socket, certificate: tuple[Path, Path] | None = None) -> None:
        self._listener = listener
        cert, key = certificate or (None, None)
        super().__init__(
            target=handler,
            interface=Interfaces.RSGI,
            http=HTTPModes.auto,
            websockets=False,
            backlog=BACKLOG,
            backpressure=_connections_max(),
            runtime_blocking_threads=STREAMS_MAX + 16,
            http1_settings=HTTP1Settings(header_read_timeout=HEADER_MS_MAX),
            http2_settings=HTTP2Settings(max_headers_size=64 * 1024),
            log_level=LogLevels.error,
            log_dictconfig={"handlers": {}, "loggers": {"_granian": {"propagate": True}}},
            ssl_cert=cert,
            ssl_key=key,
            ssl_protocol_min=SSLProtocols.tls12,
        )

    def _init_shared_socket(self) -> None:
        holder: Any = _granian.SocketHolder  # its stub tells of another platform
        self._shd = holder(self._listener.detach(), False, BACKLOG)  # from now on Granian closes it

    async def run(self, started: Callable[[], None]) -> None:
        """Serve until `stop`; returns once every connection has ended. `started` is called when requests are taken."""
        asyncio.get_running_loop().call_soon(started)
        await self.serve()

    def shut(self) -> None:
        """Take no more connections, and end each one once its requests are answered."""
        self.signal_handler_interrupt()  # type: ignore[no-untyped-call]


def _connections_max() -> int:
    """Connections at a time: half of the file descriptors that the process may have, raised as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(64, max(soft, wanted) // 2)
