"""What is noted as done is written, whatever interrupts the writing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from contextlib import suppress

from millstream.agent.checkpoints import CheckpointError
from millstream.agent.records import FileId
from millstream.agent.saving import Saver
from millstream.agent.tail.progress import FileProgress

FLOW = "kinesis:s:/log"


class Tail:
    """Has changed once."""

    def __init__(self) -> None:
        self._changes = [FileProgress(FileId(1, 2), "/log", ((0, 10),), 10, 0, b"")]

    def changed(self) -> list[FileProgress]:
        changes, self._changes = self._changes, []
        return changes


class Store:
    """Checkpoints that refuse so many times."""

    def __init__(self, failures: int = 0) -> None:
        self.saved: list[FileProgress] = []
        self._failures = failures

    def save(self, _flow_id: str, changes: Iterable[FileProgress]) -> None:
        if self._failures:
            self._failures -= 1
            raise CheckpointError("the disk is full")
        self.saved += changes


def saver_of(store: Store) -> Saver:
    return Saver(store, {FLOW: Tail()})  # type: ignore[arg-type, dict-item]


async def test_a_writing_that_is_cancelled_before_it_began_is_done_at_the_end() -> None:
    store = Store()
    saver = saver_of(store)
    busy = threading.Event()
    saver._writer.submit(busy.wait, 10)
    saver.note(FLOW)
    running = asyncio.create_task(saver.run())
    while FLOW in saver._dirty:
        await asyncio.sleep(0)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    busy.set()
    assert await saver.save()
    saver.close()
    assert [each.path for each in store.saved] == ["/log"]


async def test_what_cannot_be_written_is_kept_for_the_next_time() -> None:
    store = Store(failures=2)
    saver = saver_of(store)
    saver.note(FLOW)
    assert [await saver.save() for _ in range(3)] == [False, False, True]
    saver.close()
    assert [each.path for each in store.saved] == ["/log"]
