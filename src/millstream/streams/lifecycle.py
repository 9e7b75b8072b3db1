"""The state machine of streams and consumers: what happens by itself once a call has been answered.

    stream     CREATING ──► ACTIVE ◄──► UPDATING        consumer   CREATING ──► ACTIVE
                               └──► DELETING ──► gone                             └──► DELETING ──► gone

An operation saves the first status and `Change`, answers, and the scheduler does the rest. All that the rest needs is
in the saved stream, so a start after a crash carries on where the last process stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple

from msgspec.structs import replace

from millstream.base.clock import Clock
from millstream.base.scheduler import Scheduler
from millstream.base.steps import Steps
from millstream.streams.model import (
    Change,
    Consumer,
    ConsumerStatus,
    EncryptionChange,
    Resharding,
    Settling,
    Shard,
    Stream,
    StreamStatus,
)
from millstream.streams.registry import (
    DeleteLog,
    StreamHandle,
    StreamRegistry,
    consumer_not_found,
    stream_not_found,
)
from millstream.streams.resharding import reshard


class Delays(NamedTuple):
    """How long a status lasts before it changes by itself, in milliseconds."""

    create_ms: int
    update_ms: int
    delete_ms: int


class Lifecycle:
    """Moves streams and consumers from status to status."""

    def __init__(
        self,
        registry: StreamRegistry,
        clock: Clock,
        scheduler: Scheduler,
        delete_log: DeleteLog,
        delays: Delays,
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._delete_log = delete_log
        self._delays = delays
        self.on_delete: Callable[[Stream], Awaitable[None]] | None = None
        """Deletes what others keep about a stream; may be called again for one that it was called for already."""
        self._steps = Steps[StreamHandle](
            scheduler, holds=registry.holds, name=lambda handle: f"stream {handle.stream.arn}"
        )

    def resume(self, handle: StreamHandle) -> None:
        """See to what `handle`'s status says is under way: after creation, and for every stream at a start."""
        stream = handle.stream
        if stream.status is StreamStatus.CREATING:
            self._steps.later(self._delays.create_ms, handle, self._activate)
        elif stream.status is StreamStatus.UPDATING:
            self._steps.later(self._delays.update_ms, handle, self._finish_update)
        elif stream.status is StreamStatus.DELETING:
            self._steps.later(self._delays.delete_ms, handle, self._finish_delete)
        for consumer in stream.consumers:
            self.resume_consumer(handle, consumer)

    def update(self, handle: StreamHandle, change: Change, **changes: Any) -> None:
        """Save `changes` and the status UPDATING; `change` follows, and then the status ACTIVE."""
        self._registry.save(handle, status=StreamStatus.UPDATING, change=change, **changes)
        self._steps.later(self._delays.update_ms, handle, self._finish_update)

    def delete(self, handle: StreamHandle) -> None:
        """Save the status DELETING; the stream, its records and its log follow."""
        self._registry.save(handle, status=StreamStatus.DELETING, change=None)
        self._steps.later(self._delays.delete_ms, handle, self._finish_delete)

    def resume_consumer(self, handle: StreamHandle, consumer: Consumer) -> None:
        """See to what the consumer's status says is under way."""
        if consumer.status is ConsumerStatus.CREATING:
            self._steps.later(self._delays.create_ms, handle, partial(self._activate_consumer, consumer=consumer))
        elif consumer.status is ConsumerStatus.DELETING:
            self._end_subscriptions(handle, consumer)
            self._steps.later(self._delays.delete_ms, handle, partial(self._remove_consumer, consumer=consumer))

    async def close(self) -> None:
        """Begin nothing more, and let what has begun come to its next save."""
        await self._steps.close()

    async def _activate(self, handle: StreamHandle) -> None:
        if handle.stream.status is StreamStatus.CREATING:
            self._registry.save(handle, status=StreamStatus.ACTIVE)

    async def _finish_update(self, handle: StreamHandle) -> None:
        if handle.stream.status is not StreamStatus.UPDATING:
            return
        change = handle.stream.change
        if isinstance(change, Resharding):
            # once this is saved the children take the records; only then is it known where the parents end
            shards = reshard(handle.stream, change.starts, self._clock.now_ms())
            next_index = max(handle.stream.next_shard_index, shards[-1].index + 1)
            self._registry.save(handle, shards=shards, next_shard_index=next_index, change=Settling())
        elif isinstance(change, EncryptionChange):
            self._registry.save(handle, encryption_key_id=change.key_id, data_key=change.data_key, change=Settling())
        await handle.log.drain()
        if handle.stream.status is not StreamStatus.UPDATING:  # deleted meanwhile
            return
        self._registry.save(handle, shards=_with_ends(handle), status=StreamStatus.ACTIVE, change=None)

    async def _finish_delete(self, handle: StreamHandle) -> None:
        # the document goes last: after a crash in between, the next start finds it and deletes the rest
        handle.end_subscriptions(fault=stream_not_found(handle.stream.name, handle.stream.account))
        await handle.log.close()
        await asyncio.get_running_loop().run_in_executor(None, self._delete_log, handle.stream.stream_id)
        if self.on_delete is not None:
            await self.on_delete(handle.stream)
        self._registry.remove(handle)

    async def _activate_consumer(self, handle: StreamHandle, consumer: Consumer) -> None:
        active = replace(consumer, status=ConsumerStatus.ACTIVE)
        consumers = [active if other == consumer else other for other in handle.stream.consumers]
        self._registry.save(handle, consumers=consumers)

    async def _remove_consumer(self, handle: StreamHandle, consumer: Consumer) -> None:
        self._end_subscriptions(handle, consumer)
        consumers = [other for other in handle.stream.consumers if other.name != consumer.name]
        self._registry.save(handle, consumers=consumers)

    def _end_subscriptions(self, handle: StreamHandle, consumer: Consumer) -> None:
        fault = consumer_not_found(handle.stream, consumer.name)
        handle.end_subscriptions(handle.stream.consumer_arn(consumer), fault=fault)


def _with_ends(handle: StreamHandle) -> list[Shard]:
    """The shards, with the end offset of those that were closed and are settled now."""
    return [
        replace(shard, end_offset=handle.log.shard_range(shard.index)[1])
        if not shard.is_open and shard.end_offset is None
        else shard
        for shard in handle.stream.shards
    ]
