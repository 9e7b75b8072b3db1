"""Live servers for the conformance tests: one without AWS's limits for most, one with them, each once per run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from support.kinesis import Kinesis, connect, create_stream, new_account
from support.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _serve(factory: pytest.TempPathFactory, name: str, limits: str) -> Iterator[Server]:
    directory = factory.mktemp(name)
    server = Server(directory / "data", directory / "server.log", limits=limits)
    try:
        yield server.start()
        assert "Traceback" not in server.log_text(), server.log_text()
        assert server.terminate() == 0
    finally:
        server.close()


@pytest.fixture(scope="session")
def unlimited_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with `--limits off`."""
    yield from _serve(tmp_path_factory, "unlimited", "off")


@pytest.fixture(scope="session")
def limited_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with `--limits aws`, the default."""
    yield from _serve(tmp_path_factory, "limited", "aws")


@pytest.fixture
def server(unlimited_server: Server) -> Server:
    """The server of the test; a module about limits overrides this."""
    return unlimited_server


@pytest.fixture
def account() -> str:
    """An account of the test's own."""
    return new_account()


@pytest.fixture
def kinesis(server: Server, account: str) -> Kinesis:
    """A client in the test's own account."""
    return connect(server.url, account)


@pytest.fixture
def make_stream(kinesis: Kinesis) -> Callable[..., str]:
    """Creates an ACTIVE stream and returns its name: `make_stream(shards=1, **members of CreateStream)`."""
    return partial(create_stream, kinesis)


@pytest.fixture
def stream(make_stream: Callable[..., str]) -> str:
    """The name of an ACTIVE stream of one shard."""
    return make_stream()
