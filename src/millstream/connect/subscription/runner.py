"""The subscription consumer at work: batches of records to events, events to the connector, then checkpoints."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from millstream.client import Batch, Consumer, LeaseLost
from millstream.client.errors import ClientError
from millstream.client.puts import Backoff
from millstream.connect.running import Counters, Stop, report_status
from millstream.connect.subscription.connector import Connector, ConnectorError
from millstream.connect.subscription.messages import LogEvent, NotASubscription, events_of

log = logging.getLogger("millstream.connect")

COUNTED = {
    "events": "Log events that the connector has taken.",
    "records": "Records of the stream that are done with.",
    "records_unfit": "Records that are none of a log subscription, and were left out.",
    "write_errors": "Writes that failed and were tried again.",
}
_PROBLEM_S = 10.0  # the same trouble is logged this often


class Gathering(NamedTuple):
    """How events are gathered for a write: until there are `events_max`, or the first has waited `linger_ms`."""

    events_max: int = 5000
    linger_ms: int = 1000


class _Unpacked(NamedTuple):
    batch: Batch
    events: list[LogEvent]


class Subscription:
    """Takes what a group of consumers reads to one connector. `run` it once."""

    def __init__(
        self, consumer: Consumer, connector: Connector, gathering: Gathering, counters: Counters, backoff: Backoff
    ) -> None:
        self._consumer = consumer
        self._connector = connector
        self._gathering = gathering
        self._counters = counters
        self._backoff = backoff
        self._unpacked: asyncio.Queue[_Unpacked] = asyncio.Queue(maxsize=2)
        self._told_s = {"unfit": -_PROBLEM_S, "write": -_PROBLEM_S}
        self._events_before = 0

    async def run(self, stop: Stop) -> None:
        """Until `stop` is wanted: what is being written is finished, the rest is read again by whoever comes next.

        Raises ClientErrors and ConnectorErrors that will not pass.
        """
        loop = asyncio.get_running_loop()
        working = loop.create_task(self._work(stop))
        reporting = loop.create_task(report_status(self._status))
        leaving = loop.create_task(stop.at_once.wait())
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            for task in (working, reporting, leaving):
                task.cancel()
            await asyncio.gather(working, reporting, leaving, return_exceptions=True)
            await self._connector.close()

    async def _work(self, stop: Stop) -> None:
        async with self._consumer:
            loop = asyncio.get_running_loop()
            pump = loop.create_task(self._pump())
            wanted = loop.create_task(stop.wanted.wait())
            try:
                while not stop.wanted.is_set():
                    if gathered := await self._gather(pump, wanted):
                        await self._take(gathered, stop)
            finally:
                for task in (pump, wanted):
                    task.cancel()
                await asyncio.gather(pump, wanted, return_exceptions=True)

    async def _pump(self) -> None:
        async for batch in self._consumer:
            await self._unpacked.put(_Unpacked(batch, list(self._events(batch))))

    async def _gather(self, pump: asyncio.Task[None], wanted: asyncio.Task[bool]) -> list[_Unpacked]:
        """Batches for one write; none if it is time to stop. Raises what the consumer failed with."""
        getting = asyncio.get_running_loop().create_task(self._unpacked.get())
        await asyncio.wait((getting, pump, wanted), return_when=asyncio.FIRST_COMPLETED)
        if not getting.done():
            getting.cancel()
            if pump.done():
                pump.result()
            return []
        gathered = [getting.result()]
        with suppress(TimeoutError):
            async with asyncio.timeout(self._gathering.linger_ms / 1000):
                while sum(len(each.events) for each in gathered) < self._gathering.events_max:
                    gathered.append(await self._unpacked.get())
        return gathered

    async def _take(self, gathered: list[_Unpacked], stop: Stop) -> None:
        events = [event for each in gathered for event in each.events]
        for at in range(0, len(events), self._gathering.events_max):
            if not await self._write(events[at : at + self._gathering.events_max], stop):
                return
        for batch, _ in gathered:
            try:
                await batch.checkpoint()
            except LeaseLost as error:
                log.info("%s", error)
            except ClientError as error:
                if not error.is_passing:
                    raise
                self._tell("write", f"not noted as done: {error}; it may be read once more")
            self._counters.add("records", len(batch))

    def _events(self, batch: Batch) -> Iterator[LogEvent]:
        for record in batch.records:
            try:
                yield from events_of(record.data)
            except NotASubscription as error:
                self._counters.add("records_unfit")
                place = f"{batch.shard_id} {record.sequence_number}"
                self._tell("unfit", f"record {place} is left out: {error}")

    async def _write(self, events: list[LogEvent], stop: Stop) -> bool:
        """Write for as long as it takes, or until it fails once more and it is time to stop: False then.

        Raises ConnectorErrors that will not pass.
        """
        attempt = 0
        while True:
            try:
                await self._connector.write(events)
                break
            except ConnectorError as error:
                if not error.is_passing:
                    raise
                self._counters.add("write_errors")
                self._tell("write", f"{error}; trying again")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.delay_ms(attempt) / 1000):
                    await stop.wanted.wait()
                    return False
            attempt += 1
        self._counters.add("events", len(events))
        return True

    def _tell(self, subject: str, text: str) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._told_s[subject] >= _PROBLEM_S:
            self._told_s[subject] = now_s
            log.warning("%s", text)

    def _status(self, seconds: float) -> str:
        events = self._counters["events"]
        rate, self._events_before = int((events - self._events_before) / seconds), events
        shards = len(self._consumer.shards)
        return f"{rate} events/s, {events} in all, {self._counters['records_unfit']} records left out; {shards} shards"
