"""Ports for servers of the tests, which two of them never get at the same time."""

from __future__ import annotations

import os
import random
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST = 10_000
_EACH = 2_000
_PROCESSES = 10  # all below 32,768, where Linux takes the ports of outgoing connections from
_given: set[int] = set()


def free_port(ports: Sequence[int] = range(_FIRST, _FIRST + _PROCESSES * _EACH)) -> int:
    """A TCP port of the loopback address that nothing listens on.

    Each test process has its own part of the ports, and none is a port that an outgoing connection gets, so it is still
    free when the server takes it. None is given twice: the server of the first time may be yet to start.
    """
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PROCESSES
    share = len(ports) // _PROCESSES
    own = ports[process * share : (process + 1) * share]
    for port in random.sample(own, len(own)):
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closing connections do not hold it
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _given.add(port)
            return port
    raise AssertionError(f"no port of {own} is free")
