"""The agent's counters for CloudWatch: PutMetricData with what has been added since the last time.

Metrics are a by-product: what cannot be put waits in a bounded queue, is told of once, and never holds up records.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from contextlib import suppress
from typing import Any, NamedTuple

from millstream.agent.config import AgentConfig
from millstream.agent.hostmetadata import host_metadata
from millstream.agent.metrics import DestinationMetrics, Metrics
from millstream.base.clock import Clock
from millstream.client.errors import CallError, ClientError
from millstream.client.transport import Connection

log = logging.getLogger("millstream.agent.cloudwatch")

_DATA_MAX = 500
"""Data in one request: CloudWatch takes 1,000, and 1 MB."""


_LAST_S = 2.0


class _Counter(NamedTuple):
    metric: str
    field: str
    unit: str


_COUNTERS = (
    _Counter("BytesSent", "bytes_sent", "Bytes"),
    _Counter("RecordsSent", "records_sent", "Count"),
    _Counter("RecordSendAttempts", "record_send_attempts", "Count"),
    _Counter("RecordSendErrors", "record_send_errors", "Count"),
    _Counter("ServiceErrors", "service_errors", "Count"),
)


class Deltas:
    """What has been added to the counters since the last look, as data of PutMetricData."""

    def __init__(self, metrics: Metrics) -> None:
        self.dimensions: list[dict[str, str]] = []
        """What stands beside Destination in all data."""
        self._metrics = metrics
        self._before: dict[tuple[str, str], int] = {}

    def take(self, now_ms: int) -> list[dict[str, Any]]:
        """One datum for each counter of each destination, also where nothing happened, as zeros are news to alarms."""
        return [
            self._datum(destination, counter, now_ms)
            for destination in self._metrics.destinations.values()
            for counter in _COUNTERS
        ]

    def _datum(self, destination: DestinationMetrics, counter: _Counter, now_ms: int) -> dict[str, Any]:
        key, value = (destination.destination, counter.metric), getattr(destination, counter.field)
        added = value - self._before.get(key, 0)
        self._before[key] = value
        return {
            "MetricName": counter.metric,
            "Dimensions": [{"Name": "Destination", "Value": destination.destination}, *self.dimensions],
            "Timestamp": now_ms / 1000,
            "Value": added,
            "Unit": counter.unit,
        }


class CloudWatch:
    """Puts metrics every `cloudwatch.metricsBufferTimeMillis`; `connection` stays the caller's."""

    def __init__(self, config: AgentConfig, connection: Connection, deltas: Deltas, clock: Clock) -> None:
        self._tags_instance = config.cloudwatch_tag_instance
        self._namespace = config.cloudwatch_namespace
        self._period_s = config.cloudwatch_metrics_buffer_time_ms / 1000
        self._connection = connection
        self._deltas = deltas
        self._clock = clock
        self._queue: deque[dict[str, Any]] = deque(maxlen=config.cloudwatch_metrics_queue_size)
        self._is_failing = False

    async def run(self) -> None:
        """Until cancelled; then once more, for a moment at most."""
        if self._tags_instance:
            host = await asyncio.to_thread(host_metadata)
            self._deltas.dimensions = [
                {"Name": "InstanceId", "Value": str(host.get("instanceId") or socket.gethostname())}
            ]
        try:
            while True:
                await asyncio.sleep(self._period_s)
                await self.put()
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_S):  # the end of the last period is worth a moment, and no more
                    await self.put()

    async def put(self) -> None:
        """Put what has been added, and what could not be put before. Raises nothing: what fails is logged, once."""
        self._queue.extend(self._deltas.take(self._clock.now_ms()))
        while self._queue:
            data = [self._queue[i] for i in range(min(_DATA_MAX, len(self._queue)))]
            try:
                await self._connection.call("PutMetricData", Namespace=self._namespace, MetricData=data)
            except ClientError as error:
                self._note(error)
                if not error.is_passing:
                    self._queue.clear()  # they would be refused again
                return
            for _ in data:
                self._queue.popleft()
            if self._is_failing:
                self._is_failing = False
                log.info("metrics are put into CloudWatch again")

    def _note(self, error: ClientError) -> None:
        if self._is_failing:
            return
        self._is_failing = True
        endpoint = self._connection.target.endpoint
        if isinstance(error, CallError) and not error.is_passing and not self._connection.target.is_aws:
            log.info('no metrics for CloudWatch: %s takes none; "cloudwatch.emitMetrics": false ends this', endpoint)
        else:
            log.warning("metrics cannot be put into CloudWatch, which hinders nothing else: %s", error)
