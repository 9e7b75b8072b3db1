"""Connections to servers that speak PostgreSQL's protocol."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from millstream.firehose.warehouse.clusterurl import Server

CONNECT_TIMEOUT_S = 30
SILENCE_S_MAX = 120
"""A host that answers no packet for so long is gone: without this a COPY would wait for it for hours."""

COPY_S_MAX = 1800.0
"""A COPY of one object that takes so long hangs: its server answers probes and nothing else (a pool that is paused)."""

_PROBE_INTERVAL_S = 15
_CANCEL_S_MAX = 10.0

Connect = Callable[[], psycopg.Connection[Any]]


def connect(server: Server, user: str, password: str) -> psycopg.Connection[Any]:
    """A connection, which the destination's user and password open, or else those in the URL. Raises psycopg.Error."""
    return psycopg.connect(
        host=server.host,
        port=server.port,
        dbname=server.database,
        user=user or server.user,
        password=password or server.password,
        sslmode=server.ssl_mode,
        connect_timeout=CONNECT_TIMEOUT_S,
        keepalives_idle=_PROBE_INTERVAL_S,
        keepalives_interval=_PROBE_INTERVAL_S,
        keepalives_count=SILENCE_S_MAX // _PROBE_INTERVAL_S - 1,
        tcp_user_timeout=SILENCE_S_MAX * 1000,
        application_name="millstream",
        client_encoding="utf8",
    )


@contextmanager
def bounded(connection: psycopg.Connection[Any], limit_s: float) -> Iterator[None]:
    """Cut the connection off if what is done with it takes longer. Raises OperationalError then."""
    cut = threading.Event()
    timer = threading.Timer(limit_s, _cut_off, [connection, cut])
    timer.daemon = True
    timer.start()
    try:
        yield
    except psycopg.Error as error:
        if cut.is_set():
            raise psycopg.OperationalError(f"not done within {limit_s:g} seconds, and given up") from error
        raise
    finally:
        timer.cancel()


def _cut_off(connection: psycopg.Connection[Any], cut: threading.Event) -> None:
    """Ask the server to let go of the statement, and wait for it no longer."""
    cut.set()
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=_CANCEL_S_MAX)
    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
