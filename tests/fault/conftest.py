"""Servers that may be killed: each test makes its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes a server, not started yet: `make_server(data_dir=…, **options of Server)`; none outlives the test."""
    made: list[Server] = []

    def make(data_dir: Path | None = None, **options: Any) -> Server:
        log_path = tmp_path / f"server-{len(made)}.log"
        made.append(Server(data_dir or tmp_path / "data", log_path, **options))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def server(make_server: Callable[..., Server]) -> Server:
    """A running server."""
    return make_server().start()
