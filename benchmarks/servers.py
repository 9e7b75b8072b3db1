"""The servers under comparison: how each is started, and what it keeps on disk.

Every server runs with its own throttling off or out of the way, its artificial delays short, its log at errors
where there is an option for it, and otherwise as its makers ship it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from benchmarks.install import CargoRecipe, NpmRecipe, PipRecipe, Recipe
from benchmarks.machine import free_port

PEERS = Path(__file__).parent / ".peers"
MILLSTREAM = "millstream"


class Launch(msgspec.Struct, frozen=True):
    """A command line and what it needs in the environment besides our own."""

    command: list[str]
    environment: dict[str, str] = {}


class Server(msgspec.Struct, frozen=True):
    """A server by the name the tables use. `recipe` is None for Millstream, which is here already."""

    name: str
    keeps: str
    launch: Callable[[int, Path], Launch]
    recipe: Recipe | None = None
    has_firehose: bool = False

    @property
    def version(self) -> str:
        """The pinned version; empty for Millstream, which is measured as it stands."""
        return self.recipe.version if self.recipe else ""


KINESALITE = NpmRecipe(PEERS, "kinesalite", "3.3.3")
KINESIS_LOCAL = NpmRecipe(PEERS, "kinesis-local", "0.6.2")
MOTO = PipRecipe(PEERS, "moto", "5.2.5", extras="[server]")
MINISTACK = PipRecipe(PEERS, "ministack", "1.5.33")
FERROKINESIS = CargoRecipe(PEERS, "ferrokinesis", "0.7.0")


def _millstream(port: int, directory: Path) -> Launch:
    command = [str(Path(sys.executable).with_name("millstream")), "up", "--port", str(port)]
    return Launch([*command, "--data-dir", str(directory / "data"), "--limits", "off", "--no-demo"])


def _kinesalite(port: int, directory: Path) -> Launch:
    command = ["node", str(KINESALITE.package / "cli.js"), "--port", str(port)]
    options = ["--path", str(directory / "data"), "--shardLimit", "1000", "--createStreamMs", "10"]
    return Launch(command + options)


def _kinesis_local(port: int, _: Path) -> Launch:
    package = KINESIS_LOCAL.package
    environment = {
        "KINESIS_MOCK_PLAIN_PORT": str(port),
        "KINESIS_MOCK_TLS_PORT": str(free_port()),
        "KINESIS_MOCK_CERT_PATH": str(package / "server.json"),
        "SHARD_LIMIT": "1000",
        "CREATE_STREAM_DURATION": "10ms",
        "LOG_LEVEL": "ERROR",
    }
    return Launch(["node", str(package / "main.js")], environment)


def _moto(port: int, _: Path) -> Launch:
    return Launch([str(MOTO.commands / "moto_server"), "-H", "127.0.0.1", "-p", str(port)])


def _ministack(port: int, directory: Path) -> Launch:
    environment = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "SERVICES": "kinesis,firehose,s3",
        "LOG_LEVEL": "ERROR",
        "STATE_DIR": str(directory / "data"),
    }
    return Launch([str(MINISTACK.commands / "ministack")], environment)


def _ferrokinesis(port: int, _: Path) -> Launch:
    command = [str(FERROKINESIS.commands / "ferrokinesis"), "--port", str(port), "--log-level", "error"]
    return Launch([*command, "--shard-limit", "1000", "--create-stream-ms", "10"])


def _ferrokinesis_durable(port: int, directory: Path) -> Launch:
    in_memory = _ferrokinesis(port, directory)
    return Launch([*in_memory.command, "--state-dir", str(directory / "data")])


SERVERS = (
    Server(MILLSTREAM, "every record, synced before it is acknowledged", _millstream, has_firehose=True),
    Server("kinesalite", "every record, in LevelDB, not synced", _kinesalite, KINESALITE),
    Server("kinesis-local", "nothing (a dump every 5 s can be asked for)", _kinesis_local, KINESIS_LOCAL),
    Server("moto", "nothing", _moto, MOTO, has_firehose=True),
    Server("ministack", "nothing (a dump at shutdown can be asked for)", _ministack, MINISTACK, has_firehose=True),
    Server("ferrokinesis", "nothing (its default)", _ferrokinesis, FERROKINESIS),
    Server(
        "ferrokinesis-wal",
        "every record, synced call by call (`--state-dir`)",
        _ferrokinesis_durable,
        FERROKINESIS,
    ),
)
