"""`millstream connect subscription`: options to a running consumer of a log subscription."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import uvloop

from millstream.cli.errors import UsageError
from millstream.client import consume
from millstream.client.metricsserver import serving
from millstream.client.puts import Backoff
from millstream.connect.running import Counters, Stop, log_to_stderr
from millstream.connect.subscription.connector import make_connector
from millstream.connect.subscription.runner import COUNTED, Gathering, Subscription


class Wanted(NamedTuple):
    """The command's options."""

    stream: str
    group: str
    to: str
    settings: Sequence[str]
    latest: bool
    batch: int
    linger_ms: int
    metrics: tuple[str, int] | None
    log_level: str
    endpoint: str | None


def run_subscription(wanted: Wanted) -> None:
    """Run until told to stop. Raises MillstreamErrors that say what to do."""
    log_to_stderr(wanted.log_level)
    uvloop.run(_run(wanted))


def settings_of(pairs: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE pairs. Raises UsageError."""
    settings: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--set takes NAME=VALUE, not {name!r}")
        settings[name] = value
    return settings


async def _run(wanted: Wanted) -> None:
    connector = make_connector(wanted.to, settings_of(wanted.settings))
    consumer = consume(
        wanted.stream,
        group=wanted.group,
        start="latest" if wanted.latest else "trim_horizon",
        checkpoint="manual",
        endpoint=wanted.endpoint,
    )
    labels = {"stream": wanted.stream, "group": wanted.group, "connector": wanted.to}
    counters = Counters("millstream_subscription", labels, COUNTED)
    gathering = Gathering(wanted.batch, wanted.linger_ms)
    with serving(counters, wanted.metrics):
        await Subscription(consumer, connector, gathering, counters, Backoff()).run(Stop().on_signals())
