"""Who has no delivery stream pays for none: no second process, and nothing loaded that only delivery needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from support.firehose import connect_firehose, create_delivery_stream
from support.kinesis import connect, create_stream
from support.waiting import wait_for

if TYPE_CHECKING:
    from support.server import Server

HEAVY = ("duckdb", "httpx", "isal", "jq", "obstore", "psycopg", "pyarrow", "pyiceberg", "cryptography.x509")


def children(server: Server) -> str:
    return Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()


def test_a_worker_is_there_for_those_who_have_a_delivery_stream(server: Server) -> None:
    create_stream(connect(server.url))
    assert children(server) == ""
    create_delivery_stream(connect_firehose(server.url))
    wait_for(lambda: children(server), "the worker")


def test_the_process_that_takes_requests_loads_nothing_of_delivery() -> None:
    program = f"import sys, millstream.server.process; print(*sorted(sys.modules.keys() & {set(HEAVY)!r}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert loaded.split() == []
