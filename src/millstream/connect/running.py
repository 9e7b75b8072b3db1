"""What all connectors need to run as services: signals, counters for Prometheus, and a line that says how it goes."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from millstream.client.errors import ConfigurationError

log = logging.getLogger("millstream.connect")

STATUS_S = 30.0


class Counters(Collector):
    """Numbers that only grow, and gauges that are asked for. `labels` are of all: what comes from where to where.

    `described` has each counter's name, as Prometheus will show it without `_total`, and what it counts.
    """

    def __init__(self, prefix: str, labels: Mapping[str, str], described: Mapping[str, str]) -> None:
        self._prefix = prefix
        self._labels = dict(labels)
        self._described = dict(described)
        self._values = dict.fromkeys(described, 0)
        self._gauges: dict[str, tuple[str, Callable[[], float]]] = {}

    def __getitem__(self, name: str) -> int:
        return self._values[name]

    def add(self, name: str, count: int = 1) -> None:
        """Count."""
        self._values[name] += count

    def gauge(self, name: str, description: str, value: Callable[[], float]) -> None:
        """Show what `value` gives when asked; it is called in another thread."""
        self._gauges[name] = (description, value)

    def collect(self) -> Iterable[Metric]:
        """As Prometheus's library asks for it."""
        names, values = list(self._labels), list(self._labels.values())
        for name, description in self._described.items():
            counter = CounterMetricFamily(f"{self._prefix}_{name}", description, labels=names)
            counter.add_metric(values, self._values[name])
            yield counter
        for name, (description, value) in self._gauges.items():
            gauge = GaugeMetricFamily(f"{self._prefix}_{name}", description, labels=names)
            gauge.add_metric(values, value())
            yield gauge


class Stop:
    """Somebody wants the program to end: first asked, it finishes what it has in hand; asked again, it just leaves."""

    def __init__(self) -> None:
        self.wanted = asyncio.Event()
        self.at_once = asyncio.Event()

    def ask(self) -> None:
        """Ask once more."""
        (self.at_once if self.wanted.is_set() else self.wanted).set()

    def on_signals(self) -> Stop:
        """Let SIGTERM and SIGINT ask. Within a running event loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ask)
        return self


async def report_status(line: Callable[[float], str], period_s: float = STATUS_S) -> None:
    """Log `line(seconds since the last one)` over and over."""
    loop = asyncio.get_running_loop()
    while True:
        began_s = loop.time()
        await asyncio.sleep(period_s)
        log.info("%s", line(loop.time() - began_s))


def log_to_stderr(level: str = "info") -> None:
    """Log as services do under a service manager: one line an event on stderr, with the time."""
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ConfigurationError(f"no log level {level!r}: it is debug, info, warning or error")
    logging.basicConfig(stream=sys.stderr, level=number, format="%(asctime)s %(levelname)s %(message)s", force=True)
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # what it would tell is told here, once, and what to do
