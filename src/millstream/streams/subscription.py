"""Enhanced fan-out: what one SubscribeToShard sends, pulled by whoever writes it to the connection.

A `Subscription` sleeps until something may have changed: a commit to its shard, a change of its stream, a timer, its
end. It then reads from its position and yields one event, so it holds at most one event's worth of records whatever
the speed of its reader. Every event says where to continue, idle ones too; the last one of a closed shard names its
children instead.

Life: opened by an operation, it is one of its stream's `subscriptions` until five seconds have passed *and* it is over,
because within these five seconds no other may take its place.
Source: API reference, SubscribeToShard.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import NamedTuple

from millstream.base.clock import Clock, monotonic_ms
from millstream.base.scheduler import Cancel, Scheduler
from millstream.base.tokens import TokenBucket
from millstream.base.units import MIB
from millstream.streams.limits import READ_BYTES_PER_S
from millstream.streams.model import Shard
from millstream.streams.reading import Reading, read_shard
from millstream.streams.registry import StreamHandle
from millstream.streams.replies import subscription_event
from millstream.streams.sequence import position_number
from millstream.wire.eventstream import event, exception, initial_response
from millstream.wire.faults import Fault, InternalFailure, InternalFailureException

TAKE_OVER_MS = 5_000
EVENT_RECORDS_MAX = 10_000
EVENT_BYTES_MAX = 2 * MIB


class Timing(NamedTuple):
    """How long a subscription lives, and how long it is silent at most."""

    life_ms: int
    keep_alive_ms: int


class Subscription:
    """One SubscribeToShard under way. `opened_ms` (monotonic) tells a later call whether it may take over."""

    def __init__(
        self,
        handle: StreamHandle,
        consumer_arn: str,
        shard: Shard,
        offset: int,
        *,
        clock: Clock,
        scheduler: Scheduler,
        timing: Timing,
    ) -> None:
        """Take the place of any subscription of the same consumer to the same shard; `messages` sends nothing yet."""
        self.opened_ms = monotonic_ms(clock)
        self._handle = handle
        self._key = consumer_arn, shard.index
        self._shard = shard
        self._offset = offset
        self._clock = clock
        self._scheduler = scheduler
        self._timing = timing
        self._bucket = TokenBucket(READ_BYTES_PER_S, clock.monotonic()) if handle.limits.enabled else None
        self._awake = asyncio.Event()
        self._silent_until_ms = self.opened_ms  # the first event comes at once, even without records
        self._over = False
        self._fault: Fault | None = None
        self._cancel_expiry: Cancel = scheduler.call_later(timing.life_ms, self.end)
        handle.subscriptions[self._key] = self

    def wake(self) -> None:
        """Look at the stream again."""
        self._awake.set()

    def end(self, fault: Fault | None = None) -> None:
        """Send nothing more, but for `fault` if there is one. The first call counts."""
        if self._over:
            return
        self._over = True
        self._fault = fault
        self._cancel_expiry()
        self._awake.set()
        guarded_ms = self.opened_ms + TAKE_OVER_MS - monotonic_ms(self._clock)
        if guarded_ms > 0 and self._handle.limits.enabled:
            self._scheduler.call_later(guarded_ms, self._forget)
        else:
            self._forget()

    def _forget(self) -> None:
        if self._handle.subscriptions.get(self._key) is self:
            del self._handle.subscriptions[self._key]

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """The messages of the event stream, `initial-response` first. Close it, or run it to its end."""
        unwatch = self._handle.log.watch(self._shard.index, self.wake)
        try:
            yield initial_response()
            while not self._over:
                if message := await self._next():
                    yield message
                    del message  # while it waits a subscription holds no records
            if self._fault is not None:
                yield exception(self._fault)
        finally:
            unwatch()
            self.end()

    async def _next(self) -> bytes | None:
        """The next event, if there is one; else None after something may have changed."""
        self._awake.clear()
        reading = await self._read()
        if reading is None or self._over:
            return None
        now_ms = monotonic_ms(self._clock)
        if not reading.runs and not reading.children and now_ms < self._silent_until_ms:
            await self._sleep(self._silent_until_ms - now_ms)
            return None
        self._silent_until_ms = now_ms + self._timing.keep_alive_ms
        self._offset = reading.next_offset
        if reading.children:
            self.end()
        return event("SubscribeToShardEvent", self._encode(reading))

    async def _read(self) -> Reading | None:
        """What there is from the position on; None if it has to wait, or if reading failed, which ends it all."""
        if self._bucket is not None:
            self._bucket.refill(self._clock.monotonic())
            if self._bucket.level < 0:
                await self._sleep(int(-self._bucket.level * 1000 / READ_BYTES_PER_S) + 1)
                return None
        try:
            reading = await read_shard(
                self._handle,
                self._shard,
                self._offset,
                records_max=EVENT_RECORDS_MAX,
                bytes_max=EVENT_BYTES_MAX,
                clock=self._clock,
            )
        except Fault as fault:
            self.end(InternalFailureException(fault.message) if isinstance(fault, InternalFailure) else fault)
            return None
        if self._bucket is not None:
            self._bucket.level -= reading.size_bytes
        return reading

    async def _sleep(self, delay_ms: int) -> None:
        """Sleep until something may have changed, `delay_ms` at most."""
        cancel = self._scheduler.call_later(delay_ms, self.wake)
        try:
            await self._awake.wait()
        finally:
            cancel()

    def _encode(self, reading: Reading) -> bytes:
        continuation = None
        if not reading.children:
            continuation = position_number(self._shard, reading.next_offset, self._clock.now_ms())
        return subscription_event(self._shard, reading, continuation)
