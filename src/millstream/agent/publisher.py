"""Publishing: batches go to their destination, several at a time, each until all of it is in or has been rejected.

What gets in is acknowledged at once; what fails, and only that, is sent again. Outages and throttles are waited out,
and so are errors that only a person can end (no such stream, no permission): nothing is dropped because a destination
is not there. A record is rejected only if it alone is refused by a destination that takes others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from millstream.agent.config import FlowConfig
from millstream.agent.entries import is_ordered
from millstream.agent.metrics import DestinationMetrics
from millstream.agent.packing import Batch
from millstream.agent.records import Span
from millstream.agent.troubles import Troubles
from millstream.base.clock import Clock
from millstream.client.errors import CallError, ClientError
from millstream.client.puts import Backoff, Outcome, PutTarget, put_all
from millstream.client.transport import Connection

_ABOUT_RECORDS = frozenset({"HTTP 413", "InvalidArgumentException", "SerializationException", "ValidationException"})

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
OnDone = Callable[[list[Span], int], None]
OnRefused = Callable[[bytes, str], None]


class Room:
    """Bytes that batches may hold in memory, of all flows together. May be exceeded by what one read gives."""

    def __init__(self, bytes_max: int) -> None:
        self._left_bytes = bytes_max
        self._freed = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be read now."""
        return self._left_bytes <= 0

    def take(self, size_bytes: int) -> None:
        """Hold so many bytes more."""
        self._left_bytes -= size_bytes

    def give(self, size_bytes: int) -> None:
        """Hold so many bytes less; wakes all that wait."""
        self._left_bytes += size_bytes
        self._freed.set()
        self._freed = asyncio.Event()

    async def freed(self) -> None:
        """Returns when something was given back."""
        await self._freed.wait()


class Destination:
    """A stream or delivery stream, with what all flows into it share."""

    def __init__(
        self,
        connection: Connection,
        target: PutTarget,
        metrics: DestinationMetrics,
        clock: Clock,
        *,
        requests_max: int,
    ) -> None:
        """`requests_max` requests are under way at once."""
        self.connection = connection
        self.target = target
        self.metrics = metrics
        self.clock = clock
        self.troubles = Troubles(metrics.destination, clock)
        self.slots = asyncio.Semaphore(requests_max)
        self.requests_taken = 0

    def note(self, sent: int, size_bytes: int, outcome: Outcome) -> None:
        """Count a request of `sent` entries, of which `size_bytes` got in."""
        failed, metrics = len(outcome.failed), self.metrics
        metrics.record_send_attempts += sent
        metrics.records_sent += sent - failed
        metrics.bytes_sent += size_bytes
        self.requests_taken += failed < sent
        if outcome.problem is None or not failed:
            self.troubles.note_success()
            return
        metrics.record_send_errors += failed
        is_throttle = isinstance(outcome.problem, CallError) and outcome.problem.is_throttle
        metrics.throttles += is_throttle
        metrics.service_errors += failed == sent and not is_throttle
        metrics.note_error(str(outcome.problem), self.clock.now_ms())
        self.troubles.note(outcome.problem)


class Publisher:
    """Sends the batches of one flow."""

    def __init__(
        self, flow: FlowConfig, destination: Destination, room: Room, *, spawn: Spawn, done: OnDone, refused: OnRefused
    ) -> None:
        """`done` is told which bytes of files are in, and how many records they were; `refused` what never will be."""
        self.destination = destination
        self.room = room
        self.done = done
        self.refused = refused
        self.backoff = Backoff(flow.retry_initial_backoff_ms, flow.retry_max_backoff_ms)
        self.progress_s = destination.clock.monotonic()
        """When something got in last, or was submitted after a rest; by the clock's `monotonic`."""
        self._capacity = flow.publish_queue_capacity
        self._spawn = spawn
        self._turn = asyncio.Semaphore(1 if is_ordered(flow) else self._capacity + 1)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be submitted now."""
        return len(self._tasks) >= self._capacity or self.room.is_full

    @property
    def is_idle(self) -> bool:
        """Whether everything submitted is in."""
        return not self._tasks

    def submit(self, batch: Batch) -> None:
        """Send a batch as soon as it is its turn."""
        if not self._tasks:
            self.progress_s = self.destination.clock.monotonic()
        self.room.take(batch.data_bytes)
        task = self._spawn(self._send(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self.room.give(batch.data_bytes))

    async def drained(self) -> None:
        """Returns when everything submitted is in."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def cancel(self) -> None:
        """Give up what is not in: it is not acknowledged."""
        for task in self._tasks:
            task.cancel()

    async def _send(self, batch: Batch) -> None:
        async with self._turn, self.destination.slots:
            await _Delivery(self, batch).run()


class _Delivery:
    """One batch on its way: parts of it that are still to be sent, in order."""

    def __init__(self, publisher: Publisher, batch: Batch) -> None:
        self._publisher = publisher
        self._destination = publisher.destination
        self._batch = batch
        self._part: Sequence[int] = range(len(batch.entries))
        self._waiting: Sequence[int] = self._part
        self._rest: deque[Sequence[int]] = deque()
        self._taken_before = self._destination.requests_taken

    async def run(self) -> None:
        """Returns when each entry is in or has been rejected."""
        while self._waiting or self._rest:
            self._part = self._waiting = self._waiting or self._rest.popleft()
            try:
                await self._put()
            except ClientError as error:
                self._destination.note(len(self._waiting), 0, Outcome(self._waiting, error))
                await self._after(error)

    async def _put(self) -> None:
        entries, part = self._batch.entries, self._part
        await put_all(
            self._destination.connection,
            self._destination.target,
            entries if len(part) == len(entries) else [entries[i] for i in part],
            backoff=self._publisher.backoff,
            on_attempt=self._note,
        )

    def _note(self, sent: Sequence[int], outcome: Outcome) -> None:
        """A request was answered; indices are into `_part`."""
        part, batch = self._part, self._batch
        failed = set(outcome.failed)
        taken = [part[i] for i in sent if i not in failed] if failed or len(sent) < len(part) else part
        self._waiting = [part[i] for i in outcome.failed]
        is_whole = len(taken) == len(batch.entries)
        size_bytes = batch.data_bytes if is_whole else sum(len(batch.entries[i].Data) for i in taken)
        self._destination.note(len(sent), size_bytes, outcome)
        if taken:
            self._publisher.progress_s = self._destination.clock.monotonic()
            spans = batch.spans() if is_whole else batch.spans_of(taken)
            self._publisher.done(spans, batch.records_in(taken))

    async def _after(self, error: ClientError) -> None:
        """An error that will not pass by itself: find the record that it is about, if it is about one; else wait."""
        has_taken = self._destination.requests_taken > self._taken_before
        if not isinstance(error, CallError) or error.code not in _ABOUT_RECORDS or not self._destination.requests_taken:
            await self._wait()
        elif len(self._waiting) > 1:
            self._halve()
        elif has_taken:
            self._reject(error)
        elif self._rest:
            self._rest.append(self._waiting)  # the others will tell whether it is the record's fault
            self._waiting = ()
        else:
            await self._wait()

    async def _wait(self) -> None:
        await asyncio.sleep(self._publisher.backoff.delay_ms(30) / 1000)

    def _halve(self) -> None:
        middle = len(self._waiting) // 2
        self._rest.appendleft(self._waiting[middle:])
        self._waiting = self._waiting[:middle]

    def _reject(self, error: CallError) -> None:
        [i] = self._waiting
        self._waiting = ()
        self._publisher.refused(self._batch.entries[i].Data, str(error))
        self._publisher.done(self._batch.spans_of([i]), 0)
