"""The life of a server process: take the directory and the port, serve, and stop without losing anything.

Stopping (SIGTERM, SIGINT): no more connections; subscriptions end; requests under way are answered, slow uploads cut
off after STOP_GRACE_S; then logs are settled and closed. A second signal ends the process at once.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import logging
import os
import signal
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import uvloop

from millstream.base.clock import SystemClock
from millstream.base.errors import MillstreamError
from millstream.log import LogCorrupt
from millstream.server.config import Settings
from millstream.server.datadir import DataDirectory
from millstream.server.listener import HttpServer, listen
from millstream.server.malloc import keep_freed_memory
from millstream.server.wiring import Platform

log = logging.getLogger("millstream.server")

STOP_GRACE_S = 2.0
STOP_S_MAX = 8.0
_SWEEP_S = 1.0
_SWITCH_INTERVAL_S = 0.0005  # a thread back from a sync waits at most so long for the interpreter, not Python's 5 ms


class Started(NamedTuple):
    """What there is to tell once requests are taken."""

    url: str
    data_dir: Path
    stream_count: int
    certificate: Path | None


def run_server(settings: Settings, on_start: Callable[[Started], None]) -> None:
    """Serve until a signal says to stop; returns when everything is settled.

    Raises MillstreamError, with a text for people, if it cannot start: the directory or the port is taken, a log is
    corrupt, a certificate cannot be read.
    """
    logging.basicConfig(
        level=settings.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    keep_freed_memory()
    directory = DataDirectory(settings.data_dir)
    try:
        uvloop.run(_Process(settings, directory).run(on_start))
    finally:
        directory.close()


class _Process:
    """One run from start to stop."""

    def __init__(self, settings: Settings, directory: DataDirectory) -> None:
        self._settings = settings
        self._directory = directory
        self._stopping = asyncio.Event()

    async def run(self, on_start: Callable[[Started], None]) -> None:
        certificate = self._certificate()
        with listen(self._settings.host, self._settings.port) as listener:
            platform = Platform(self._settings, self._directory, SystemClock())
            server = HttpServer(platform.application, listener, certificate)
            await self._open(platform)
            self._watch_signals()
            started = Started(
                _url(self._settings, listener.getsockname()[1]),
                self._directory.path,
                platform.stream_count,
                certificate[0] if certificate else None,
            )
            await self._serve(platform, server, lambda: on_start(started))
            await platform.close()

    async def _open(self, platform: Platform) -> None:
        try:
            await platform.start()
        except LogCorrupt as error:
            raise MillstreamError(
                f"refusing to start on a damaged log: {self._directory.path}/{error} "
                f"(`millstream log check {self._directory.path}` tells more)"
            ) from error
        gc.collect()
        gc.freeze()  # what start-up made lives as long as the server: full collections need not look at it

    async def _serve(self, platform: Platform, server: HttpServer, on_start: Callable[[], None]) -> None:
        serving = asyncio.create_task(server.run(on_start))
        stopping = asyncio.create_task(self._stopping.wait())
        helpers = [asyncio.create_task(_sweep(platform))]
        if self._settings.demo:
            helpers.append(asyncio.create_task(platform.demo()))
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        if serving.done():
            stopping.cancel()
            raise MillstreamError("the HTTP server ended unexpectedly") from serving.exception()
        await _stop(platform, server, serving)

    def _certificate(self) -> tuple[Path, Path] | None:
        settings = self._settings
        if settings.tls_self_signed:
            from millstream.server.certificate import self_signed  # noqa: PLC0415 - slow to import, seldom needed

            return self_signed(self._directory.tls_path, settings.host, dt.datetime.now(dt.UTC))
        if settings.tls_cert is None or settings.tls_key is None:
            return None
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key)
        except OSError as error:  # ssl.SSLError is one
            raise MillstreamError(
                f"tls_cert {settings.tls_cert} and tls_key {settings.tls_key} cannot be used: {error}"
            ) from error
        return settings.tls_cert, settings.tls_key

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if self._stopping.is_set():
            os._exit(1)  # asked twice: everything acknowledged is on disk anyway
        self._stopping.set()


async def _sweep(platform: Platform) -> None:
    while True:
        await asyncio.sleep(_SWEEP_S)
        platform.intake.cut_off_slow()


async def _stop(platform: Platform, server: HttpServer, serving: asyncio.Task[None]) -> None:
    platform.end_subscriptions()
    server.shut()
    _, unfinished = await asyncio.wait({serving}, timeout=STOP_GRACE_S)
    if unfinished:
        platform.application.end_streams()
        platform.intake.cut_off_all()
        _, unfinished = await asyncio.wait({serving}, timeout=STOP_S_MAX - STOP_GRACE_S)
    if unfinished:
        log.warning("some clients did not take their answers within %d s", STOP_S_MAX)
        serving.cancel()


def _url(settings: Settings, port: int) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"{'https' if settings.is_tls else 'http'}://{host}:{port}"
