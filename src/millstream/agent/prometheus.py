"""The agent's counters, as Prometheus has them at `--metrics-port`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from millstream.agent.metrics import DestinationMetrics, FlowMetrics, Metrics

_PREFIX = "millstream_agent"


class _Series(NamedTuple):
    name: str
    help: str
    value: Callable[[Any], float]
    kind: type[CounterMetricFamily | GaugeMetricFamily] = CounterMetricFamily


def _of(attribute: str) -> Callable[[Any], float]:
    return lambda counters: float(getattr(counters, attribute))


_OF_DESTINATIONS = (
    _Series("sent_bytes", "Bytes of data that the service acknowledged.", _of("bytes_sent")),
    _Series("sent_records", "Records that the service acknowledged.", _of("records_sent")),
    _Series("send_attempt_records", "Records in requests, the first time or again.", _of("record_send_attempts")),
    _Series("send_error_records", "Records that came back as failed.", _of("record_send_errors")),
    _Series("service_errors", "Requests that failed as a whole, but for throttling.", _of("service_errors")),
    _Series("throttled_requests", "Requests of which records were throttled.", _of("throttles")),
)
_OF_FLOWS = (
    _Series("parsed_records", "Records found in files.", _of("records_parsed")),
    _Series("read_bytes", "Bytes read from files.", _of("bytes_read")),
    _Series("acknowledged_records", "Records of files that are in the stream.", _of("records_acknowledged")),
    _Series("acknowledged_bytes", "Bytes of files that are done with.", _of("bytes_acknowledged")),
    _Series("rejected_records", "Records that cannot be processed or sent.", _of("records_rejected")),
    _Series("cut_records", "Records longer than the stream takes that were cut off.", _of("records_cut")),
    _Series("lost_bytes", "Bytes that were truncated or deleted before they could be read.", _of("bytes_lost")),
    _Series("files", "Files that are followed.", _of("files"), GaugeMetricFamily),
    _Series("open_files", "Files that are open.", _of("files_open"), GaugeMetricFamily),
    _Series("behind_bytes", "Bytes in files that are not acknowledged.", _of("bytes_behind"), GaugeMetricFamily),
)


class AgentCollector(Collector):
    """Reads the counters when Prometheus asks: nothing is kept twice."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """As prometheus_client calls it, from a thread of its own; numbers of one moment may be a batch apart."""
        yield from _families(_OF_DESTINATIONS, ("destination",), list(self._metrics.destinations.values()))
        yield from _families(_OF_FLOWS, ("flow", "destination"), list(self._metrics.flows.values()))


def _families(
    series: tuple[_Series, ...],
    labels: tuple[str, ...],
    counters: list[DestinationMetrics] | list[FlowMetrics],
) -> Iterator[Metric]:
    for name, text, value, kind in series:
        family = kind(f"{_PREFIX}_{name}", text, labels=labels)
        for counted in counters:
            family.add_metric([getattr(counted, label) for label in labels], value(counted))
        yield family
