"""Consumers: a stream's records in batches, shared out between all workers of a group."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Literal

from millstream.base.clock import Clock, SystemClock
from millstream.client.checkpoints import Checkpoint, Start, starting_checkpoint
from millstream.client.errors import ConfigurationError
from millstream.client.lane import Batch, Lane, LeaseLost
from millstream.client.leasebook import LeaseBook
from millstream.client.leases import LeaseStore
from millstream.client.leasestores import store_for
from millstream.client.membership import Membership
from millstream.client.pace import CALL_S, Pace
from millstream.client.puts import Backoff
from millstream.client.shardreader import ShardGone, ShardReader, Source
from millstream.client.target import KINESIS, GetCredentials, find_target
from millstream.client.transport import Connection
from millstream.wire.sigv4 import Credentials

Handler = Callable[[Batch], Awaitable[None]]

_GONE_S = 1.0  # before asking again for a shard that the service does not know


def consume(
    stream: str,
    *,
    group: str,
    start: Start = "trim_horizon",
    checkpoint: Literal["auto", "manual"] = "auto",
    endpoint: str | None = None,
    region: str | None = None,
    credentials: Credentials | GetCredentials | None = None,
    leases: LeaseStore | None = None,
    lease_s: float = 10.0,
    checkpoint_s: float = 1.0,
    prefetch: int = 4,
    records_max: int | None = None,
    idle_s_max: float = 1.0,
) -> Consumer:
    """Read a stream (name or ARN) as one of the workers of `group`: `async for batch in consume("clicks", group="g"):`.

    Every record is handed out to one of the group's workers, at least once, and per shard in order. Asking for the next
    batch means that the one before is done; what is done is saved every `checkpoint_s` and at the end. With
    `checkpoint="manual"` only `await batch.checkpoint()` saves anything.

    `start` is where the group begins in shards that it has never read: "trim_horizon", "latest" or a time. `lease_s` is
    how long a worker may be silent before others take its shards over; all workers should have the same. At most
    `prefetch` batches, of `records_max` records at most, are kept ready. A shard without news is asked every
    `idle_s_max` seconds. Leases are kept by Millstream itself, or on AWS in a DynamoDB table named as the group, unless
    `leases` says otherwise. The rest is found as AWS's SDKs do, and without any is a Millstream on this machine.

    Raises ConfigurationError.
    """
    if checkpoint not in ("auto", "manual"):
        raise ConfigurationError(f"checkpoint={checkpoint!r}: it has to be 'auto' or 'manual'")
    if min(lease_s, checkpoint_s, idle_s_max) <= 0 or prefetch < 1:
        raise ConfigurationError("lease_s, checkpoint_s and idle_s_max have to be above 0, and prefetch at least 1")
    if not group:
        raise ConfigurationError("the group needs a name")
    target = find_target(KINESIS, endpoint=endpoint, region=region, credentials=credentials)
    connection = Connection(KINESIS, target)
    return Consumer(
        connection,
        stream,
        leases or store_for(target, stream, group),
        start=starting_checkpoint(start),
        is_manual=checkpoint == "manual",
        lease_s=lease_s,
        checkpoint_s=checkpoint_s,
        prefetch=prefetch,
        records_max=records_max,
        idle_s_max=idle_s_max,
    )


class Consumer:
    """One worker of a group; `consume` makes it. Works while it is iterated, or within `async with`."""

    def __init__(
        self,
        connection: Connection,
        stream: str,
        leases: LeaseStore,
        *,
        start: Checkpoint,
        is_manual: bool,
        lease_s: float,
        checkpoint_s: float,
        prefetch: int,
        records_max: int | None,
        idle_s_max: float,
        clock: Clock | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._connection = connection
        self._stream = stream
        self._store = leases
        self._is_manual = is_manual
        self._idle_s_max = idle_s_max
        self._call_s = CALL_S if connection.target.is_aws else 0.0
        self._chance = chance or random.Random()  # noqa: S311 - no secret
        self._book = LeaseBook(self.worker, lease_s, self._chance)
        self._membership = Membership(
            self._book,
            leases,
            connection,
            stream,
            start=start,
            checkpoint_s=checkpoint_s,
            clock=clock or SystemClock(),
            on_change=self._reconcile,
        )
        self._source = Source(connection, stream, records_max, Backoff(), asyncio.Semaphore(prefetch))
        self._handlers = 0
        self._lanes: dict[str, Lane] = {}
        self._ready: deque[Lane] = deque()
        self._changed = asyncio.Event()
        self._failure: BaseException | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Consumer:
        self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def __aiter__(self) -> AsyncIterator[Batch]:
        """Batches, without end. One that is in hand when the loop is left is not done: it will be handed out again.

        Outside of `async with` the consumer is closed when the loop is left. Raises CallError.
        """
        is_own = self._keeper is None
        self._open()
        batch: Batch | None = None
        try:
            while True:
                batch = await self._take()
                yield batch
                self._done(batch)
                batch = None
        finally:
            if is_own:
                await self.close()
            elif batch is not None:
                self._restart(batch)

    async def run(self, handler: Handler, *, concurrency: int = 4) -> None:
        """Call `handler` with every batch, without end: for up to `concurrency` shards at once, one batch of each.

        A batch is done when its handler returns; the first exception of a handler ends it all and is raised.
        """
        is_own = self._keeper is None
        self._open()
        while self._handlers < concurrency:
            self._handlers += 1
            self._source.slots.release()  # batches of shards whose handlers work must not keep those of others away
        handlers = [asyncio.ensure_future(self._handle(handler)) for _ in range(concurrency)]
        try:
            ended, _ = await asyncio.wait(handlers, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in handlers:
                task.cancel()
            await asyncio.gather(*handlers, return_exceptions=True)
            if is_own:
                await self.close()

    async def close(self) -> None:
        """Save what is done and hand the shards over to the other workers."""
        keeper, self._keeper = self._keeper, None
        tasks = [task for task in (keeper, *(lane.task for lane in self._lanes.values())) if task is not None]
        for lane in self._lanes.values():
            self._drop(lane)
        self._lanes.clear()
        self._notify()
        for task in tasks:
            task.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
            if keeper is not None:
                await self._membership.leave()
        finally:
            await self._store.close()
            await self._connection.close()

    @property
    def shards(self) -> list[str]:
        """The shards that this worker reads now."""
        return sorted(self._lanes)

    def _open(self) -> None:
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._membership.run(), name=f"leases of {self._stream}")
            self._keeper.add_done_callback(self._note_end)

    async def _handle(self, handler: Handler) -> None:
        while True:
            batch = await self._take()
            try:
                await handler(batch)
            except BaseException:
                self._restart(batch)
                raise
            self._done(batch)

    async def _take(self) -> Batch:
        """The next batch whose shard has none in hand and is surely ours."""
        while True:
            if self._failure is not None:
                raise self._failure
            for lane in self._ready:
                if lane.ready is not None and lane.in_hand is None and self._membership.is_sure(lane.shard_id):
                    self._ready.remove(lane)
                    return self._hand_out(lane, lane.ready)
            await self._changed.wait()

    def _hand_out(self, lane: Lane, batch: Batch) -> Batch:
        lane.ready, lane.in_hand = None, batch
        lane.handed_out.set()
        self._source.slots.release()
        return batch

    def _done(self, batch: Batch) -> None:
        """The program is done with a batch; if the shard was lost meanwhile, that is nobody's business any more."""
        lane = self._lanes.get(batch.shard_id)
        if lane is None or lane.in_hand is not batch:
            return
        lane.in_hand = None
        if not self._is_manual:
            self._book.progress(batch.shard_id, batch.end)
        self._notify()

    async def _checkpoint(self, lane: Lane, place: Checkpoint) -> None:
        if not lane.is_lost:
            self._book.progress(lane.shard_id, place)
            self._notify()
            await self._saved(lane)
        if lane.is_lost:
            raise LeaseLost(f"{lane.shard_id} of {self._stream} is not read here any more: nothing was saved")

    async def _saved(self, lane: Lane) -> None:
        """Wait until the store has what was noted of a shard, or the shard is lost."""
        self._membership.save_soon()
        while not lane.is_lost and not self._book.is_saved(lane.shard_id):
            if self._failure is not None:
                raise self._failure
            await self._changed.wait()

    def _reconcile(self, lost: list[str]) -> None:
        """Read the shards whose leases are held and no others."""
        held = self._book.held
        for shard_id in [*lost, *(self._lanes.keys() - held)]:
            if (lane := self._lanes.pop(shard_id, None)) is not None:
                self._drop(lane)
        for shard_id in held:
            if shard_id not in self._lanes and not self._book.checkpoint(shard_id).is_end:
                self._start(shard_id)
        self._notify()

    def _start(self, shard_id: str) -> None:
        lane = self._lanes[shard_id] = Lane(shard_id)
        lane.task = asyncio.create_task(self._read(lane), name=f"{shard_id} of {self._stream}")
        lane.task.add_done_callback(self._note_end)

    def _drop(self, lane: Lane) -> None:
        if lane.ready is not None:
            self._ready.remove(lane)
            self._source.slots.release()
        lane.stop()

    def _restart(self, batch: Batch) -> None:
        """Hand a batch that is not done out again, and what came after it."""
        lane = self._lanes.get(batch.shard_id)
        if lane is None or lane.in_hand is not batch:
            return
        self._drop(self._lanes.pop(batch.shard_id))
        self._reconcile([])

    async def _read(self, lane: Lane) -> None:
        """A lane's task: read the shard to its end."""
        pace = Pace(self._call_s, self._idle_s_max, self._chance)
        reader = ShardReader(self._source, lane.shard_id, self._book.checkpoint(lane.shard_id), pace)
        last: Batch | None = None
        while True:
            try:
                await self._begin(lane, reader)
                while (chunk := await reader.read()) is not None:
                    last = Batch(lane.shard_id, chunk, partial(self._checkpoint, lane))
                    await self._offer(lane, last)
                break
            except ShardGone:
                self._membership.doubt(lane.shard_id)
                await asyncio.sleep(_GONE_S)
        while not lane.is_idle or (last is not None and self._book.checkpoint(lane.shard_id).order < last.end.order):
            await self._changed.wait()
        self._membership.finish(lane.shard_id)

    async def _begin(self, lane: Lane, reader: ShardReader) -> None:
        """Nothing is handed out from LATEST before it is saved where that is."""
        place = await reader.begin()
        if place.order > self._book.checkpoint(lane.shard_id).order:
            self._book.progress(lane.shard_id, place)
            await self._saved(lane)

    async def _offer(self, lane: Lane, batch: Batch) -> None:
        """Put a batch up for the program; returns when it is handed out."""
        lane.ready = batch
        lane.handed_out.clear()
        self._ready.append(lane)
        self._notify()
        await lane.handed_out.wait()

    def _note_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = self._failure or error
            self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
