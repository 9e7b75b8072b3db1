"""Live servers for the conformance tests: one without AWS's limits for most, one with them, each once per run."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import pytest

from support.commandline import CommandLine
from support.functionserver import FunctionServer
from support.kinesis import Kinesis, connect, create_stream, new_account, new_name
from support.livedelivery import LiveDelivery
from support.searchnode import SearchNode, start_node
from support.server import Server
from support.sharing import shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


def _serve(factory: pytest.TempPathFactory, name: str, limits: str, options: Sequence[str] = ()) -> Iterator[Server]:
    directory = factory.mktemp(name)
    server = Server(directory / "data", directory / "server.log", limits=limits, options=options)
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


@pytest.fixture(scope="session")
def functions() -> Iterator[FunctionServer]:
    """Functions for `delivery_server` to call."""
    with FunctionServer.serve() as functions:
        yield functions


@pytest.fixture(scope="module")
def delivery_server(tmp_path_factory: pytest.TempPathFactory, functions: FunctionServer) -> Iterator[Server]:
    """A server whose worker tests may kill, and which can call functions.

    One a module: a worker that dies often comes back later and later.
    """
    yield from _serve(tmp_path_factory, "delivery", "off", ["--lambda-endpoint", functions.url])


@pytest.fixture
def delivery(delivery_server: Server) -> LiveDelivery:
    """A delivery stream of the test's own, still to be made."""
    return LiveDelivery(delivery_server)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchNode]:
    """A node of OpenSearch, one for all test processes of the run."""
    with shared(tmp_path_factory, "opensearch", start_node) as url:
        yield SearchNode(url)


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


@pytest.fixture
def environment(server: Server, account: str) -> dict[str, str]:
    """What tells a command where the server is and who asks."""
    return {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@pytest.fixture
def command(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    """`command("deliver", "put", "NAME", lines="…")`."""
    return CommandLine(environment, tmp_path, monkeypatch, capsys)


@pytest.fixture
def bucket(server: Server) -> Path:
    """The directory of a bucket of the test's own in the local store; it need not be there yet."""
    return server.data_dir / "objects" / new_name("bucket")
