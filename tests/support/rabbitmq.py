"""A real RabbitMQ, as Debian packages it, in a directory of the test's own; and what tests do with queues.

Debian's own start script insists on its user and directories: the package's inner one is run, which takes all from the
environment. An Erlang node wants a port mapper (epmd) and would leave one behind as a daemon: each broker gets one of
its own, on a port of its own, that ends with it. Works as root and without a host name that resolves.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import aiormq
import pytest
from pamqp.commands import Basic

from support.certificates import certificates
from support.ports import free_port
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from support.sharing import Keeper

T = TypeVar("T")

_INSTALLED = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
_START_S = 60.0
_RUN = """
epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 & mapper=$!
"$0" & broker=$!
trap 'kill $broker' TERM
while kill -0 $broker 2>/dev/null; do wait $broker; done
kill $mapper
"""
_CONFIGURATION = """
listeners.tcp.1 = 127.0.0.1:{port}
listeners.ssl.1 = 127.0.0.1:{tls_port}
ssl_options.cacertfile = {authority}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {key}
ssl_options.verify = verify_none
disk_free_limit.absolute = 1MB
log.console = true
log.console.level = warning
log.file = false
"""


def is_installed() -> bool:
    """Whether this machine has RabbitMQ."""
    return bool(_INSTALLED)


class Broker(NamedTuple):
    """Where a broker is."""

    port: int
    tls_port: int
    authority: str
    """The file with the certificate that its own is signed with."""

    @property
    def url(self) -> str:
        """Without TLS."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @property
    def tls_url(self) -> str:
        """With TLS."""
        return f"amqps://guest:guest@127.0.0.1:{self.tls_port}/"

    def answers(self) -> bool:
        """Whether it speaks AMQP."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as probe:
                probe.sendall(b"AMQP\x00\x00\x09\x01")
                return probe.recv(1) == b"\x01"
        except OSError:
            return False

    def queue(self, name: str, **arguments: Any) -> Queue:
        """Declare a durable queue."""
        queue = Queue(self.url, name)
        queue.declare(**arguments)
        return queue


class _Setup(NamedTuple):
    broker: Broker
    command: list[str]
    environment: dict[str, str]


def _set_up(directory: Path) -> _Setup:
    """All that a broker in this directory needs to be started, once or again."""
    if not is_installed():
        pytest.skip("rabbitmq-server is not installed: .ci/run installs it")
    ports = [free_port() for _ in range(4)]
    authority, certificate, key = certificates(directory)
    broker = Broker(ports[0], ports[1], str(authority))
    (directory / "rabbitmq.conf").write_text(
        _CONFIGURATION.format(
            port=broker.port, tls_port=broker.tls_port, authority=authority, certificate=certificate, key=key
        )
    )
    (directory / "enabled").write_text("[].")
    _link_core(directory / "plugins")
    environment = {
        "HOME": str(directory),
        "ERL_EPMD_PORT": str(ports[2]),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_DIST_PORT": str(ports[3]),
        "RABBITMQ_NODENAME": f"test{broker.port}@localhost",
        "RABBITMQ_MNESIA_BASE": str(directory / "data"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(directory / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled"),
        "RABBITMQ_PLUGINS_DIR": str(directory / "plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the node: signals reach it
    }
    return _Setup(broker, ["sh", "-c", _RUN, str(_INSTALLED[-1])], environment)


def _link_core(directory: Path) -> None:
    """The broker looks through all plugins when it starts, also those that are not enabled: it is given none."""
    directory.mkdir()
    for part in _INSTALLED[-1].parents[1].joinpath("plugins").iterdir():
        if part.name.startswith("rabbitmq_prelaunch") or not part.name.startswith("rabbitmq_"):
            (directory / part.name).symlink_to(part)


def start_shared(keeper: Keeper) -> list[Any]:
    """Start a broker for all test processes of the run: the members of its `Broker`."""
    setup = _set_up(keeper.directory)
    ended = keeper.run(setup.command, **setup.environment)
    wait_for(lambda: ended() or setup.broker.answers(), "RabbitMQ", timeout_s=_START_S, interval_s=0.1)
    return list(setup.broker)


class OwnBroker:
    """A broker that a test may kill and start again, with the same data and ports."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._setup = _set_up(directory)
        self._output = directory / "output"
        self._process: subprocess.Popen[bytes] | None = None
        self.broker = self._setup.broker

    def start(self) -> OwnBroker:
        """Start, and return when it answers."""
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                self._setup.command,
                env=os.environ | self._setup.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        wait_for(self._answers, "RabbitMQ", timeout_s=_START_S, interval_s=0.1)
        return self

    def kill(self) -> None:
        """SIGKILL all of it."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def stop(self) -> None:
        """Let it end as a service manager would."""
        assert self._process is not None, "it was never started"
        self._process.terminate()
        self._process.wait(30)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._output.read_text(errors="replace")[-4000:]
        return self.broker.answers()


class Queue(NamedTuple):
    """A queue of a broker, from a test's side."""

    url: str
    name: str

    def declare(self, **arguments: Any) -> None:
        """Make it: durable, with these arguments (`x_dead_letter_exchange=…`)."""
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        self._do(lambda channel: channel.queue_declare(self.name, durable=True, arguments=named))

    def delete(self) -> None:
        """Delete it with all that is in it."""
        self._do(lambda channel: channel.queue_delete(self.name))

    def ready(self) -> int:
        """How many messages wait that no consumer has."""
        return self._do(lambda channel: channel.queue_declare(self.name, passive=True)).message_count or 0

    def publish(self, bodies: Iterable[bytes], *, headers: dict[str, Any] | None = None) -> None:
        """Put persistent messages into it; returns once the broker has them."""

        async def publish(channel: aiormq.abc.AbstractChannel) -> None:
            properties = Basic.Properties(delivery_mode=2, headers=headers)
            waiting = []
            for body in bodies:
                put = channel.basic_publish(body, routing_key=self.name, properties=properties)
                waiting.append(asyncio.ensure_future(put))
                if len(waiting) == 500:
                    await asyncio.gather(*waiting)
                    waiting.clear()
            await asyncio.gather(*waiting)

        self._do(publish)

    def take(self) -> bytes | None:
        """One message out of it."""

        async def take(channel: aiormq.abc.AbstractChannel) -> bytes | None:
            message = await channel.basic_get(self.name, no_ack=True)
            return message.body if message.delivery_tag else None

        return self._do(take)

    def _do(self, action: Callable[[Any], Awaitable[T]]) -> T:
        async def act() -> T:
            async with aiormq.connect(self.url) as connection:
                return await action(await connection.channel())

        return asyncio.run(act())
