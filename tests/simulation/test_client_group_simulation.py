"""Lives of consumer groups in virtual time; a seed is a life. `clientworld` tells what is checked all the time."""

from __future__ import annotations

import asyncio
import os
import random
from typing import TYPE_CHECKING

import pytest

from support.clientworld import CheckedLeases, FakeStream, Way, Worker
from support.virtualtime import VirtualClock, run_virtually

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

SEEDS = range(int(os.environ.get("GROUP_SEEDS", "12")))

WAYS: tuple[Way, ...] = ("iterate", "within", "run")


class Life:
    """A group's life."""

    def __init__(self, clock: VirtualClock, seed: int) -> None:
        self.chance = random.Random(seed)
        self.clock = clock
        self.stream = FakeStream(self.chance.randint(1, 5))
        self.leases = CheckedLeases(self.stream)
        self.workers: list[Worker] = []
        self.losses = self.chance.choice([0.0, 0.02, 0.1])
        self.events: list[Callable[[], Coroutine[None, None, None]]] = [
            *[self.put] * 12,
            self.join,
            self.die,
            self.freeze,
            self.thaw,
            self.stop,
            self.split,
            self.merge,
        ]

    async def live(self, events: int = 80) -> None:
        """Events at random, then peace, until all is done."""
        await self.join()
        for _ in range(events):
            await asyncio.sleep(self.chance.uniform(0.0, 2.0))
            await self.chance.choice(self.events)()
            self.check()
        if not self.workers:
            await self.join()
        await self.thaw()
        for _ in range(600):
            if self.stream.all_done():
                break
            await asyncio.sleep(1.0)
            self.check()
        assert self.stream.all_done(), "not all was handed out"

    async def put(self) -> None:
        self.stream.put(self.chance)

    async def join(self) -> None:
        if len(self.workers) < 5:
            is_manual = self.chance.random() < 0.3
            way = self.chance.choice(WAYS)
            self.workers.append(
                Worker(
                    self.stream, self.leases, self.clock, self.chance, losses=self.losses, is_manual=is_manual, way=way
                )
            )

    async def die(self) -> None:
        if self.workers:
            await self.workers.pop().die()

    async def stop(self) -> None:
        if len(self.workers) > 1 and self.workers[0].line.passing.is_set():
            await self.workers.pop(0).stop()

    async def freeze(self) -> None:
        if self.workers:
            self.chance.choice(self.workers).line.passing.clear()

    async def thaw(self) -> None:
        for worker in self.workers:
            worker.line.passing.set()

    async def split(self) -> None:
        if len(self.stream.open) < 6:
            self.stream.split(self.chance.choice(self.stream.open))

    async def merge(self) -> None:
        if len(self.stream.open) > 1:
            at = self.chance.randrange(len(self.stream.open) - 1)
            self.stream.merge(*self.stream.open[at : at + 2])

    def check(self) -> None:
        for worker in self.workers:
            if worker.task.done():
                worker.task.result()

    async def end(self) -> None:
        for worker in self.workers:
            await worker.die()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_record_is_done_by_somebody_whatever_happens(seed: int) -> None:
    async def life(clock: VirtualClock) -> None:
        it = Life(clock, seed)
        try:
            await it.live()
        finally:
            await it.end()

    run_virtually(life)


def test_shards_are_shared_out_and_taken_over() -> None:
    async def life(clock: VirtualClock) -> None:
        chance, stream = random.Random(1), FakeStream(6)
        leases = CheckedLeases(stream)
        workers = [Worker(stream, leases, clock, chance) for _ in range(3)]
        await asyncio.sleep(60)
        assert sorted(len(worker.consumer.shards) for worker in workers) == [2, 2, 2]
        await workers[0].die()
        await asyncio.sleep(30)
        assert sorted(len(worker.consumer.shards) for worker in workers[1:]) == [3, 3]
        await workers[1].stop()
        await asyncio.sleep(5)  # less than a lease lasts: they were given back
        assert len(workers[2].consumer.shards) == 6
        await workers[2].die()

    run_virtually(life)


def test_after_an_outage_everybody_keeps_what_it_had() -> None:
    async def life(clock: VirtualClock) -> None:
        chance, stream = random.Random(2), FakeStream(4)
        leases = CheckedLeases(stream)
        workers = [Worker(stream, leases, clock, chance) for _ in range(2)]
        await asyncio.sleep(60)
        before, takes = [worker.consumer.shards for worker in workers], leases.takes
        for worker in workers:
            worker.line.passing.clear()
        await asyncio.sleep(300)
        for worker in workers:
            worker.line.passing.set()
        await asyncio.sleep(60)
        assert [worker.consumer.shards for worker in workers] == before
        assert leases.takes == takes
        for worker in workers:
            await worker.die()

    run_virtually(life)


def test_who_leaves_while_a_change_is_under_way_still_gives_everything_back() -> None:
    async def life(clock: VirtualClock) -> None:
        chance, stream = random.Random(3), FakeStream(3)
        leases = CheckedLeases(stream)
        for _ in range(40):
            worker = Worker(stream, leases, clock, chance)
            stream.put(chance)
            await asyncio.sleep(chance.uniform(1.0, 6.0))
            await worker.stop()
            assert [lease.owner for lease in leases.leases.values()] == [None] * 3

    run_virtually(life)
