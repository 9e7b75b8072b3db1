"""Running an agent: everything put together, until it is told to stop.

Told to stop (SIGTERM, SIGINT) it stops reading, delivers what it has read for up to `shutdownTimeoutMillis`, saves its
progress and ends; told again it ends without delivering. What was not delivered is read again at the next start. With
`once` it ends when everything is delivered, or when for `shutdownTimeoutMillis` nothing was taken that was to be sent.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from millstream.agent.checkpoints import Checkpoints
from millstream.agent.cloudwatch import CloudWatch, Deltas
from millstream.agent.config import AgentConfig
from millstream.agent.flows import Connections, make_flows
from millstream.agent.metrics import Metrics
from millstream.agent.prometheus import AgentCollector
from millstream.agent.saving import Saver
from millstream.agent.status import StatusReporter
from millstream.agent.targets import cloudwatch_target
from millstream.agent.wakeup import Wakeup
from millstream.base.clock import Clock, SystemClock
from millstream.client.metricsserver import serving
from millstream.client.target import CLOUDWATCH
from millstream.client.transport import Connection

log = logging.getLogger("millstream.agent")

_LOOK_S = 0.05

Run = Callable[[], Coroutine[Any, Any, None]]


def run_agent(
    config: AgentConfig,
    *,
    once: bool = False,
    metrics: tuple[str, int] | None = None,
    state_dir: Path | None = None,
) -> int:
    """Run until stopped; gives the exit code.

    0: stopped as told; with `once`, everything was delivered. 1: told twice to stop; with `once`, something could not
    be delivered. `metrics` is the address and port to serve metrics at; `state_dir` is where checkpoints and status are
    kept, instead of where the configuration says. Raises ConfigurationError, CheckpointError: the agent cannot start.
    """
    if state_dir is not None:
        config = msgspec.structs.replace(config, checkpoint_file=str(state_dir / "checkpoints"))
    counters, clock = Metrics(config.flows), SystemClock()
    checkpoints = Checkpoints(Path(config.checkpoint_file), clock)
    try:
        with serving(AgentCollector(counters), metrics), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(config, checkpoints, counters, clock, once=once))
    finally:
        checkpoints.close()


async def _run(config: AgentConfig, checkpoints: Checkpoints, metrics: Metrics, clock: Clock, *, once: bool) -> int:
    agent = Agent(config, checkpoints, metrics, clock)
    gc.freeze()  # what is there now stays: no collection need look at it
    try:
        with agent.signals():
            return await agent.run(once=once)
    finally:
        agent.close()


class Agent:
    """All flows of a configuration, with what saves, reports and wakes them."""

    def __init__(self, config: AgentConfig, checkpoints: Checkpoints, metrics: Metrics, clock: Clock) -> None:
        """Looks for files. Raises ConfigurationError, CheckpointError."""
        self._config = config
        self._metrics = metrics
        self._clock = clock
        self._stop, self._abort = asyncio.Event(), asyncio.Event()
        self._parts = make_flows(config, checkpoints, metrics, clock, saved=self._note)
        self._flows = self._parts.flows
        self._saver = Saver(checkpoints, {flow.config.flow_id: flow.tail for flow in self._flows})
        self._reporter = StatusReporter(config, metrics, clock, self._gauge)
        self._wakeup = Wakeup(lambda: (path for flow in self._flows for path in flow.directories), self._touched)

    def stop(self) -> None:
        """Stop reading, deliver, end; the second time: end."""
        if self._stop.is_set():
            self._abort.set()
            return
        self._stop.set()
        timeout_s = self._config.shutdown_timeout_ms / 1000
        log.info("told to stop: what has been read is delivered, for up to %g s", timeout_s)

    @contextmanager
    def signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT stop the agent."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def run(self, *, once: bool) -> int:
        """Until stopped; the exit code."""
        log.info("the agent follows %s", ", ".join(flow.config.file_pattern for flow in self._flows))
        async with AsyncExitStack() as stack:
            try:
                connections = Connections(self._config, stack)
                destinations = [
                    await connections.destination(flow.config, self._metrics, self._clock) for flow in self._flows
                ]
                helpers = await self._helpers(stack)
                async with asyncio.TaskGroup() as group:
                    for flow, destination in zip(self._flows, destinations, strict=True):
                        flow.connect(destination, connections.room, group.create_task)
                    is_whole = await self._work(group, helpers, once=once)
            finally:
                await self._saver.save()
                self._parts.report()
                self._reporter.write(is_running=False)
        log.info("the agent ends. %s", self._reporter.line())
        return 0 if is_whole else 1

    def close(self) -> None:
        """Close all files."""
        self._saver.close()
        self._parts.close()

    async def _work(self, group: asyncio.TaskGroup, runs: list[Run], *, once: bool) -> bool:
        """Read and deliver; whether it ended as it should."""
        helpers = [group.create_task(run()) for run in runs]
        readers = [group.create_task(flow.read(final=once)) for flow in self._flows]
        await (self._finished() if once else self._stop.wait())
        for reader in readers:
            reader.cancel()
        await asyncio.wait(readers)
        is_whole = await self._drained(once=once)
        for helper in helpers:
            helper.cancel()
        for flow in self._flows:
            flow.publisher.cancel()
        return is_whole

    async def _helpers(self, stack: AsyncExitStack) -> list[Run]:
        helpers: list[Run] = [self._saver.run, self._reporter.run, self._wakeup.run, self._tidy]
        if self._config.cloudwatch_emit_metrics:
            connection = await stack.enter_async_context(Connection(CLOUDWATCH, cloudwatch_target(self._config)))
            helpers.append(CloudWatch(self._config, connection, Deltas(self._metrics), self._clock).run)
        return helpers

    async def _finished(self) -> None:
        """Everything is read and in, or no flow gets on, or the agent is told to stop."""
        timeout_s = self._config.shutdown_timeout_ms / 1000
        while not self._stop.is_set():
            if all(flow.is_finished or flow.is_stuck(timeout_s) for flow in self._flows):
                return
            await asyncio.sleep(_LOOK_S)

    async def _drained(self, *, once: bool) -> bool:
        """Deliver what has been read, as long as there is time for it."""
        for flow in self._flows:
            flow.flush()
        if self._stop.is_set():
            waits = [asyncio.create_task(each) for each in (self._all_delivered(), self._abort.wait())]
            timeout_s = self._config.shutdown_timeout_ms / 1000
            await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            await asyncio.wait(waits)
        late = [flow.config.flow_id for flow in self._flows if not flow.publisher.is_idle]
        if late:
            log.warning("not everything could be delivered; the next start goes on there: %s", ", ".join(late))
        return all(flow.is_finished for flow in self._flows) if once else not self._abort.is_set()

    async def _all_delivered(self) -> bool:
        for flow in self._flows:
            await flow.publisher.drained()
        return True

    async def _tidy(self) -> None:
        """What is to be done every now and then."""
        while True:
            for flow in self._flows:
                flow.watch(is_watched=self._wakeup.is_watching)
            self._wakeup.look_again()
            self._parts.report()
            await asyncio.sleep(1)

    def _note(self, flow_id: str) -> None:
        self._saver.note(flow_id)

    def _touched(self, paths: list[str]) -> None:
        for flow in self._flows:
            flow.touched(paths)

    def _gauge(self) -> None:
        for flow in self._flows:
            flow.gauge()
