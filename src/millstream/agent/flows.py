"""Flows put together from a configuration: tails with their progress, processors, rejects, ways to their streams."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from millstream.agent.checkpoints import Checkpoints
from millstream.agent.config import AgentConfig, FlowConfig
from millstream.agent.entries import put_target_of, record_bytes_max
from millstream.agent.flow import Flow
from millstream.agent.metrics import FlowMetrics, Metrics
from millstream.agent.processors import make_chain
from millstream.agent.publisher import Destination, Room
from millstream.agent.rejects import Rejects, RejectsFile
from millstream.agent.tail import Tail
from millstream.agent.targets import api_of, flow_target
from millstream.base.clock import Clock
from millstream.base.units import MIB
from millstream.client.transport import Connection

_ROOM_BYTES = 12 * MIB


class Parts:
    """The flows of an agent and the files that they hold open."""

    def __init__(self) -> None:
        self.flows: list[Flow] = []
        self._rejects: list[Rejects] = []
        self._files: dict[str, RejectsFile] = {}

    def rejects_of(self, flow: FlowConfig, metrics: FlowMetrics, clock: Clock) -> Callable[[bytes, str], None]:
        """What counts, tells of and keeps the flow's rejected records."""
        file = None
        if flow.rejects_file is not None:
            file = self._files.setdefault(flow.rejects_file, RejectsFile(Path(flow.rejects_file)))
        rejects = Rejects(flow.flow_id, clock, file)
        self._rejects.append(rejects)
        return partial(_reject, rejects, metrics)

    def report(self, *, final: bool = False) -> None:
        """Tell of rejected records that have not been told of."""
        for rejects in self._rejects:
            rejects.report(final=final)

    def close(self) -> None:
        """Close all files."""
        self.report(final=True)
        for flow in self.flows:
            flow.tail.close()
        for file in self._files.values():
            file.close()


def make_flows(
    config: AgentConfig, checkpoints: Checkpoints, metrics: Metrics, clock: Clock, *, saved: Callable[[str], None]
) -> Parts:
    """All flows, not connected yet, with the files that are there now. `saved` is told which flow has progressed.

    Raises ConfigurationError, CheckpointError.
    """
    parts = Parts()
    rejects = [parts.rejects_of(flow, metrics.of_flow(flow), clock) for flow in config.flows]
    chains = [
        make_chain(flow.data_processing_options, reject, clock=clock)
        for flow, reject in zip(config.flows, rejects, strict=True)
    ]
    for flow, chain, reject in zip(config.flows, chains, rejects, strict=True):
        tail = _tail(flow, checkpoints, clock)
        parts.flows.append(Flow(flow, tail, chain, metrics.of_flow(flow), clock, saved=saved, reject=reject))
    checkpoints.expire(config.checkpoint_time_to_live_days)
    return parts


class Connections:
    """Connections to services, one each, and the destinations behind them."""

    def __init__(self, config: AgentConfig, stack: AsyncExitStack) -> None:
        """Connections are closed with `stack`."""
        self.room = Room(_ROOM_BYTES)
        self._config = config
        self._stack = stack
        self._connections: dict[str, Connection] = {}
        self._destinations: dict[str, Destination] = {}

    async def destination(self, flow: FlowConfig, metrics: Metrics, clock: Clock) -> Destination:
        """Where the flow's batches go. Raises ConfigurationError."""
        counters = metrics.of_destination(flow)
        found = self._destinations.get(counters.destination)
        if found is None:
            found = self._destinations[counters.destination] = Destination(
                await self._connection(flow),
                put_target_of(flow),
                counters,
                clock,
                requests_max=self._config.max_sending_threads,
            )
        return found

    async def _connection(self, flow: FlowConfig) -> Connection:
        api = api_of(flow)
        if api.name not in self._connections:
            connection = Connection(api, flow_target(self._config, flow))
            self._connections[api.name] = await self._stack.enter_async_context(connection)
        return self._connections[api.name]


def _tail(flow: FlowConfig, checkpoints: Checkpoints, clock: Clock) -> Tail:
    tail = Tail(flow, checkpoints.load(flow.flow_id), clock, record_bytes_max=record_bytes_max(flow))
    tail.refresh()
    checkpoints.save(flow.flow_id, tail.changed())
    return tail


def _reject(rejects: Rejects, metrics: FlowMetrics, record: bytes, reason: str) -> None:
    metrics.records_rejected += 1
    rejects(record, reason)
