"""A consumer that is broken off at any step, left and come back to; in virtual time, checked by `clientworld`."""

from __future__ import annotations

import asyncio
import random

import pytest

from support.clientworld import CheckedLeases, FakeStream, Way, Worker
from support.virtualtime import VirtualClock, run_virtually


async def _steps(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("way", ["iterate", "run", "within"])
def test_cancelled_anywhere_it_ends_and_the_next_one_does_the_rest(way: Way) -> None:
    async def life(clock: VirtualClock) -> None:
        chance, stream = random.Random(way), FakeStream(3)
        leases = CheckedLeases(stream)
        for step in range(120):
            stream.put(chance)
            if step % 40 == 20:
                stream.split(stream.open[0])
            worker = Worker(stream, leases, clock, chance, way=way)
            await _steps(step % 60)
            worker.task.cancel()
            (ended,) = await asyncio.gather(worker.task, return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError)
            async with asyncio.timeout(5):
                while len(asyncio.all_tasks()) > 1:  # a loop that is left without `async with` ends a little later
                    assert way == "iterate", "something goes on"
                    await asyncio.sleep(0.01)
            assert all(lease.owner is None for lease in leases.leases.values())
        last = Worker(stream, leases, clock, chance)
        async with asyncio.timeout(200):
            while not stream.all_done():
                await asyncio.sleep(1)
        await last.stop()

    run_virtually(life)


def test_a_consumer_that_was_closed_begins_anew_with_the_leases_as_they_are_then() -> None:
    async def life(clock: VirtualClock) -> None:
        chance, stream = random.Random(1), FakeStream(1)
        leases = CheckedLeases(stream)
        stream.shards["shardId-000000000000"].count = 30
        worker = Worker(stream, leases, clock, chance)
        async with asyncio.timeout(100):
            while not stream.all_done():
                await asyncio.sleep(0.5)
        await worker.stop()
        (lease,) = leases.leases.values()
        leases.leases[lease.shard_id] = lease._replace(owner="another", counter=lease.counter + 1)
        stream.put(chance)
        async with worker.consumer as consumer:
            await asyncio.sleep(1)
            assert consumer.shards == []
            await asyncio.sleep(15)
            assert consumer.shards == [lease.shard_id]

    run_virtually(life)


def test_a_shard_that_a_list_lacks_is_read_on() -> None:
    async def life(clock: VirtualClock) -> None:
        chance, stream = random.Random(2), FakeStream(2)
        leases = CheckedLeases(stream)
        worker = Worker(stream, leases, clock, chance)
        await asyncio.sleep(30)
        hidden = stream.shards["shardId-000000000001"]
        stream.unlisted.add(hidden.shard_id)
        await asyncio.sleep(120)
        hidden.count = 10
        await asyncio.sleep(30)
        assert stream.all_done()
        await worker.stop()

    run_virtually(life)


def test_leases_that_are_deleted_are_made_again_at_once() -> None:
    async def life(clock: VirtualClock) -> None:
        chance, stream = random.Random(3), FakeStream(2)
        leases = CheckedLeases(stream)
        worker = Worker(stream, leases, clock, chance)
        await asyncio.sleep(10)
        leases.leases.clear()
        await asyncio.sleep(8)
        assert len(worker.consumer.shards) == 2
        await worker.stop()

    run_virtually(life)


def test_a_shard_does_not_end_before_its_children_are_known() -> None:
    async def life(clock: VirtualClock) -> None:
        chance, stream = random.Random(4), FakeStream(1)
        leases = CheckedLeases(stream)
        worker = Worker(stream, leases, clock, chance)
        await asyncio.sleep(10)
        stream.split(stream.open[0])
        stream.unlisted = {child.shard_id for child in stream.open}
        await asyncio.sleep(30)
        assert [lease.checkpoint.is_end for lease in leases.leases.values()] == [False]
        stream.unlisted.clear()
        await asyncio.sleep(10)
        assert len(worker.consumer.shards) == 2
        await worker.stop()

    run_virtually(life)
