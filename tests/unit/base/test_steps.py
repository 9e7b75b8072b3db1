"""Steps that take place later, and again until they succeed."""

from __future__ import annotations

import asyncio

import pytest

from millstream.base.clock import ManualClock
from millstream.base.errors import MillstreamError
from millstream.base.scheduler import ManualScheduler
from millstream.base.steps import RETRY_MS, Steps


class World:
    """A thing called `it`, which is there while `held`; its step fails as long as there are `failures`."""

    def __init__(self) -> None:
        self.scheduler = ManualScheduler(ManualClock())
        self.held = True
        self.failures: list[Exception] = []
        self.begun = self.done = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.steps = Steps[str](self.scheduler, holds=lambda _: self.held, name=str.upper)

    async def step(self, thing: str) -> None:
        assert thing == "it"
        self.begun += 1
        await self.may_end.wait()
        if self.failures:
            raise self.failures.pop()
        self.done += 1

    async def pass_ms(self, ms: int) -> None:
        self.scheduler.advance(ms)
        for _ in range(5):
            await asyncio.sleep(0)


async def test_a_step_is_taken_when_its_time_has_come() -> None:
    world = World()
    world.steps.later(50, "it", world.step)
    await world.pass_ms(49)
    assert world.begun == 0
    await world.pass_ms(1)
    assert world.done == 1


async def test_a_step_that_fails_is_told_of_and_taken_again(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.failures = [MillstreamError("no"), OSError("full")]
    world.steps.later(0, "it", world.step)
    await world.pass_ms(0)
    await world.pass_ms(RETRY_MS)
    assert (world.begun, world.done) == (2, 0)
    await world.pass_ms(RETRY_MS)
    assert (world.begun, world.done) == (3, 1)
    assert [record.getMessage() for record in caplog.records] == [
        "IT: full; trying again in 1000 ms",
        "IT: no; trying again in 1000 ms",
    ]


async def test_what_has_gone_takes_no_steps() -> None:
    world = World()
    world.steps.later(1, "it", world.step)
    world.held = False
    await world.pass_ms(1)
    assert world.begun == 0


async def test_closing_lets_what_has_begun_come_to_its_end_and_begins_nothing() -> None:
    world = World()
    world.may_end.clear()
    world.steps.later(1, "it", world.step)
    world.steps.later(2, "it", world.step)
    await world.pass_ms(1)
    closing = asyncio.create_task(world.steps.close())
    await world.pass_ms(0)
    await world.pass_ms(1)
    assert not closing.done()
    world.may_end.set()
    await closing
    assert (world.begun, world.done) == (1, 1)
