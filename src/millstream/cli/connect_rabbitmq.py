"""`millstream connect rabbitmq`: options to a running connector."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import uvloop

from millstream.cli.errors import UsageError
from millstream.client.metricsserver import serving
from millstream.client.puts import PutTarget, into_delivery_stream, into_stream
from millstream.client.target import find_target
from millstream.client.transport import Connection
from millstream.connect.rabbitmq import Connector, Options, Oversize, Shaping, find_broker
from millstream.connect.running import Stop, log_to_stderr


class Wanted(NamedTuple):
    """The command's options."""

    queue: str
    deliver: str | None
    stream: str | None
    url: str | None
    url_file: Path | None
    ca: Path | None
    declare: bool
    key: str
    escape: bool
    newline: bool
    oversize: str
    consumers: int
    prefetch: int
    linger_ms: int
    puts: int
    metrics: tuple[str, int] | None
    log_level: str
    endpoint: str | None


def run_rabbitmq(wanted: Wanted) -> None:
    """Run the connector until it is told to stop. Raises MillstreamErrors that say what to do."""
    log_to_stderr(wanted.log_level)
    uvloop.run(_run(options_of(wanted), _target_of(wanted), wanted))


def options_of(wanted: Wanted) -> Options:
    """The connector's options. Raises UsageError, ConfigurationError."""
    try:
        oversize = Oversize(wanted.oversize)
    except ValueError:
        raise UsageError(f"--oversize is reject, split or drop, not {wanted.oversize!r}") from None
    return Options(
        broker=find_broker(wanted.url, wanted.url_file, wanted.ca),
        queue=wanted.queue,
        declare=wanted.declare,
        consumers=wanted.consumers,
        prefetch=wanted.prefetch,
        linger_ms=wanted.linger_ms,
        puts_max=wanted.puts,
        shaping=Shaping(wanted.escape, wanted.newline, oversize, wanted.key),
    )


def _target_of(wanted: Wanted) -> PutTarget:
    if wanted.stream is not None:
        return into_stream(wanted.stream)
    return into_delivery_stream(wanted.deliver or "")


async def _run(options: Options, target: PutTarget, wanted: Wanted) -> None:
    where = find_target(target.api, endpoint=wanted.endpoint)
    async with Connection(target.api, where) as connection:
        connector = Connector(options, target, connection)
        with serving(connector.counters, wanted.metrics):
            await connector.run(Stop().on_signals())
