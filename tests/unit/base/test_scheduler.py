"""Schedulers: what was asked for happens when it is due, unless it was taken back."""

from __future__ import annotations

import asyncio

from millstream.base.clock import ManualClock
from millstream.base.scheduler import LoopScheduler, ManualScheduler


def test_manual_calls_happen_in_order_of_time_and_see_their_moment() -> None:
    clock = ManualClock(1000)
    scheduler = ManualScheduler(clock)
    seen: list[tuple[str, int]] = []
    for name, delay_ms in (("c", 30), ("a", 10), ("b", 10), ("later", 31)):
        scheduler.call_later(delay_ms, lambda name=name: seen.append((name, clock.now_ms())))  # type: ignore[misc]
    scheduler.advance(30)
    assert seen == [("a", 1010), ("b", 1010), ("c", 1030)]
    assert clock.now_ms() == 1030
    scheduler.advance(1)
    assert seen[3:] == [("later", 1031)]


def test_manual_calls_that_were_taken_back_do_not_happen() -> None:
    scheduler = ManualScheduler(ManualClock())
    seen: list[str] = []
    cancel = scheduler.call_later(10, lambda: seen.append("x"))
    cancel()
    cancel()
    scheduler.advance(100)
    assert seen == []


def test_manual_calls_may_ask_for_more() -> None:
    scheduler = ManualScheduler(ManualClock())
    seen: list[int] = []

    def again() -> None:
        seen.append(len(seen))
        scheduler.call_later(10, again)

    scheduler.call_later(10, again)
    scheduler.advance(35)
    assert seen == [0, 1, 2]


async def test_the_loops_calls() -> None:
    scheduler = LoopScheduler()
    happened: list[str] = []
    done = asyncio.Event()
    cancel = scheduler.call_later(1, lambda: happened.append("taken back"))
    cancel()
    scheduler.call_later(2, lambda: happened.append("due"))
    scheduler.call_later(3, done.set)
    await asyncio.wait_for(done.wait(), 10)
    assert happened == ["due"]
