"""A worker's membership in its group: leases kept, taken, saved and given back; the shell around `LeaseBook`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from millstream.base.clock import Clock
from millstream.client.checkpoints import SHARD_END, Checkpoint
from millstream.client.errors import ClientError
from millstream.client.leasebook import RENEWALS, LeaseBook
from millstream.client.leases import Lease, LeaseStore
from millstream.client.puts import Backoff
from millstream.client.shards import Shard, expired_leases, list_shards, missing_leases
from millstream.client.transport import Connection

log = logging.getLogger("millstream.client")

SHARDS_S = 60.0  # shards are listed this often; also when one has been read to its end
LEAVE_S_MAX = 5.0  # how long leaving waits for a service that does not answer

OnChange = Callable[[list[str]], None]
"""Told after each change, and of the shards whose leases were lost since."""


class Membership:
    """Keeps the leases of one worker; its task is `run`."""

    def __init__(
        self,
        book: LeaseBook,
        store: LeaseStore,
        connection: Connection,
        stream: str,
        *,
        start: Checkpoint,
        checkpoint_s: float,
        clock: Clock,
        on_change: OnChange,
    ) -> None:
        self.book = book
        self._store = store
        self._connection = connection
        self._stream = stream
        self._start = start
        self._checkpoint_s = checkpoint_s
        self._clock = clock
        self._on_change = on_change
        self._shards: dict[str, Shard] = {}
        self._shards_due_s = self._balance_due_s = float("-inf")
        self._finished: set[str] = set()
        self._doubted: set[str] = set()
        self._wake = asyncio.Event()

    def is_sure(self, shard_id: str) -> bool:
        """Whether a shard may be read on: nobody else can have taken its lease."""
        return self.book.is_sure(shard_id, self._clock.monotonic())

    def save_soon(self) -> None:
        """Save checkpoints now, rather than when it is time to."""
        self._wake.set()

    def finish(self, shard_id: str) -> None:
        """All records of a shard are done with: make its children's leases, then save its end."""
        self._finished.add(shard_id)
        self._balance_due_s = float("-inf")
        self._wake.set()

    def doubt(self, shard_id: str) -> None:
        """List the shards again: the service said that there is no such shard."""
        self._doubted.add(shard_id)
        self._shards_due_s = self._balance_due_s = float("-inf")
        self._wake.set()

    async def run(self) -> None:
        """Keep leases until cancelled. Raises CallError if the service refuses for good."""
        backoff, failures = Backoff(200, round(1000 * self.book.lease_s / RENEWALS / 2)), 0
        while True:
            self._wake.clear()
            wait_s = self._checkpoint_s
            try:
                await self._turn()
                failures = 0
            except ClientError as error:
                if not error.is_passing:
                    raise
                self._balance_due_s = float("-inf")  # what has become of our changes is to be seen
                if not failures:
                    log.warning("leases of %s cannot be kept for now: %s", self._stream, error)
                wait_s = backoff.delay_ms(failures) / 1000
                failures += 1
            await self._wait(wait_s, is_failing=failures > 0)

    async def leave(self) -> None:
        """Save all checkpoints and give all leases back, so that others need not wait until they expire.

        A refusal may mean that a change of ours, which `run` was broken off in, took place: then it is done again.
        """
        try:
            async with asyncio.timeout(LEAVE_S_MAX):
                for _ in range(2):
                    changes = self.book.release()
                    if not changes or all(await self._store.replace(changes)):
                        return
                    self.book.observe(await self._store.load(), self._clock.monotonic())
        except (ClientError, TimeoutError) as error:
            log.warning("leases of %s were not given back, they will expire: %s", self._stream, error or "no answer")
        finally:
            self.book.observe((), self._clock.monotonic())
            self._balance_due_s = float("-inf")

    async def _wait(self, wait_s: float, *, is_failing: bool) -> None:
        if is_failing:
            await asyncio.sleep(wait_s)
            return
        wait_s = max(0.0, min(wait_s, self._balance_due_s - self._clock.monotonic()))
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _turn(self) -> None:
        now_s = self._clock.monotonic()
        if now_s < self._balance_due_s:
            await self._apply(self.book.plan(now_s, balance=False))
            return
        await self._observe()
        if self._finished or not self.book.leases or now_s >= self._shards_due_s:
            await self._look_at_shards(now_s)
        self._balance_due_s = now_s + self.book.lease_s / RENEWALS
        await self._apply(self.book.plan(self._clock.monotonic()))

    async def _observe(self) -> None:
        leases = await self._store.load()
        lost = self.book.observe(leases, self._clock.monotonic())
        self._finished.difference_update(lost)
        self._on_change(lost)

    async def _look_at_shards(self, now_s: float) -> None:
        self._shards = await list_shards(self._connection, self._stream)
        missing = missing_leases(self._shards, self.book.leases, self._start)
        if missing:
            await self._store.create(missing)
            await self._observe()
        await self._store.delete(expired_leases(self._shards, self.book.leases))
        self._shards_due_s = now_s + SHARDS_S
        self._save_ends()

    def _save_ends(self) -> None:
        """Note the ends of shards that are finished, once their children are known, and of those that are gone.

        That a shard is not listed is not enough: a list may be behind, and what is in the shard would be lost.
        """
        parents = {parent for shard in self._shards.values() for parent in shard.parents}
        for shard_id in self.book.held:
            is_listed = shard_id in self._shards
            if shard_id in self._finished and (shard_id in parents or not is_listed):
                self.book.progress(shard_id, SHARD_END)
            elif shard_id in self._doubted and not is_listed:
                log.warning(
                    "%s of %s is gone; it was read up to %s", shard_id, self._stream, self.book.checkpoint(shard_id)
                )
                self.book.progress(shard_id, SHARD_END)
        self._doubted.clear()

    async def _apply(self, changes: list[Lease]) -> None:
        if not changes:
            return
        sent_s = self._clock.monotonic()
        took = await self._store.replace(changes)
        for change, it_took in zip(changes, took, strict=True):
            self.book.settle(change, it_took, sent_s)
            if it_took and change.checkpoint.is_end:
                self._finished.discard(change.shard_id)
                self._balance_due_s = float("-inf")  # its children can be taken
        if not all(took):
            self._balance_due_s = float("-inf")
        self._on_change([])
