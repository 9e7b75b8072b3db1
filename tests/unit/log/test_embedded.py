"""Group commit: what appends, watchers and closing may rely on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from millstream.base.clock import ManualClock
from millstream.disk import DiskError, DiskFull, FaultyDisk, MemoryDisk
from millstream.log import Batch, EmbeddedLog, LogError, LogFull, LogStopped, Placement


class Gate:
    """Lets syncs through only while open, and can make them or allocations fail."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.arrived = threading.Event()
        self.syncs = 0
        self.error: DiskError | None = None
        self.fails_on = "sync"

    def decide(self, operation: str, path: str) -> DiskError | None:
        if operation == "sync":
            self.syncs += 1
            self.arrived.set()
            self.open.wait(10)
        return self.error if operation == self.fails_on else None


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def log(gate: Gate) -> Iterator[EmbeddedLog]:
    with ThreadPoolExecutor(2) as executor:
        disk = FaultyDisk(MemoryDisk(), gate.decide)
        yield EmbeddedLog.open(disk, "log", executor=executor, clock=ManualClock())
        gate.open.set()


def batch(shard: int, text: bytes) -> Batch:
    return Batch(shard, [b"k"], [text])


async def test_nothing_is_visible_before_its_sync(log: EmbeddedLog, gate: Gate) -> None:
    await log.append([batch(0, b"first")])
    gate.arrived.clear()
    gate.open.clear()
    append = asyncio.ensure_future(log.append([batch(0, b"second")]))
    await asyncio.to_thread(gate.arrived.wait, 10)
    assert log.shard_range(0) == (0, 1)
    assert not append.done()
    gate.open.set()
    assert (await append)[0].first_offset == 1
    assert log.shard_range(0) == (0, 2)


async def test_appends_during_a_sync_share_the_next_commit(log: EmbeddedLog, gate: Gate) -> None:
    await log.append([batch(0, b"warm up")])
    gate.arrived.clear()
    gate.open.clear()
    first = asyncio.ensure_future(log.append([batch(0, b"0")]))
    await asyncio.to_thread(gate.arrived.wait, 10)
    syncs = gate.syncs
    others = [asyncio.ensure_future(log.append([batch(i % 2, b"%d" % i)])) for i in range(1, 50)]
    await asyncio.sleep(0)
    gate.open.set()
    placements = [(await append)[0] for append in [first, *others]]
    assert gate.syncs == syncs + 1
    data = [log.read(0, p.first_offset, records_max=1, bytes_max=9)[0].data[0] for p in placements[::2]]
    assert data == [b"%d" % i for i in range(0, 50, 2)]


async def test_watchers_hear_of_their_shard_only(log: EmbeddedLog) -> None:
    heard: list[int] = []
    unwatch = log.watch(0, lambda: heard.append(0))
    log.watch(1, lambda: heard.append(1))
    await log.append([batch(0, b"x")])
    assert heard == [0]
    unwatch()
    await log.append([batch(0, b"x"), batch(1, b"x")])
    assert heard == [0, 1]


async def test_a_full_disk_fails_the_append_and_the_next_one_succeeds(log: EmbeddedLog, gate: Gate) -> None:
    await log.append([batch(0, b"x")])
    gate.fails_on, gate.error = "write", DiskFull("log: No space left on device")
    results = await asyncio.gather(log.append([batch(0, b"y")]), log.append([batch(0, b"z")]), return_exceptions=True)
    assert all(isinstance(result, LogFull) for result in results)
    gate.error = None
    assert (await log.append([batch(0, b"y")]))[0].first_offset == 1


async def test_too_many_open_files_fail_the_append_and_the_next_one_succeeds(log: EmbeddedLog, gate: Gate) -> None:
    gate.fails_on, gate.error = "create", DiskError("log: Too many open files")
    with pytest.raises(LogError, match="nothing was written") as caught:
        await log.append([batch(0, b"x")])
    assert not isinstance(caught.value, LogStopped)
    gate.error = None
    assert (await log.append([batch(0, b"y")]))[0].first_offset == 0


async def test_a_failed_sync_fails_this_append_and_all_later_ones(log: EmbeddedLog, gate: Gate) -> None:
    await log.append([batch(0, b"x")])
    gate.error = DiskError("log: Input/output error")
    with pytest.raises(LogStopped):
        await log.append([batch(0, b"y")])
    gate.error = None
    with pytest.raises(LogStopped):
        await log.append([batch(0, b"y")])
    assert log.read(0, 0, records_max=9, bytes_max=99)[0].data == [b"x"]


async def test_close_settles_what_was_taken_and_refuses_the_rest(log: EmbeddedLog) -> None:
    appends = [asyncio.ensure_future(log.append([batch(0, b"%d" % i)])) for i in range(20)]
    await asyncio.sleep(0)
    await log.close()
    assert [(await append)[0].first_offset for append in appends] == list(range(20))
    with pytest.raises(LogStopped):
        await log.append([batch(0, b"late")])


async def test_a_caller_that_gives_up_does_not_disturb_the_others(log: EmbeddedLog, gate: Gate) -> None:
    gate.open.clear()
    gone = asyncio.ensure_future(log.append([batch(0, b"gone")]))
    stays = asyncio.ensure_future(log.append([batch(0, b"stays")]))
    await asyncio.to_thread(gate.arrived.wait, 10)
    gone.cancel()
    gate.open.set()
    await stays
    await log.drain()
    assert log.shard_range(0) == (0, 2)


async def test_closing_a_log_whose_disk_fails_still_closes_it(log: EmbeddedLog, gate: Gate) -> None:
    await log.append([batch(0, b"x")])
    gate.error = DiskError("log: Input/output error")
    append = asyncio.ensure_future(log.append([batch(0, b"y")]))
    await asyncio.sleep(0)
    await log.close()
    with pytest.raises(LogStopped):
        await append
    with pytest.raises(LogStopped, match="closed"):
        await log.append([batch(0, b"late")])


async def test_a_close_under_way_refuses_appends(log: EmbeddedLog, gate: Gate) -> None:
    gate.open.clear()
    taken = asyncio.ensure_future(log.append([batch(0, b"taken")]))
    await asyncio.to_thread(gate.arrived.wait, 10)
    closing = asyncio.ensure_future(log.close())
    await asyncio.sleep(0)
    with pytest.raises(LogStopped, match="closed"):
        await asyncio.wait_for(log.append([batch(0, b"late")]), 0.1)
    gate.open.set()
    await closing
    assert (await taken)[0].first_offset == 0


class LostKey:
    """A cipher whose data key cannot be had."""

    def current(self) -> int:
        return 1

    def seal(self, number: int, plaintext: bytes, aad: bytes) -> bytes:
        raise LogError("there is no data key")

    def open(self, number: int, sealed: bytes, aad: bytes) -> bytes:
        raise LogError("there is no data key")


async def test_a_drain_does_not_fail_with_the_appends_that_it_waits_for() -> None:
    with ThreadPoolExecutor(1) as executor:
        log = EmbeddedLog.open(MemoryDisk(), "log", executor=executor, clock=ManualClock(), cipher=LostKey())
        for end in (log.drain, log.close):
            append = asyncio.ensure_future(log.append([batch(0, b"x")]))
            ended = asyncio.ensure_future(end())
            with pytest.raises(LogError, match="no data key"):
                await append
            await ended
        assert log.shard_range(0) == (0, 0)


async def test_a_busy_log_leaves_a_turn_to_others() -> None:
    loop = asyncio.get_running_loop()
    appends: list[asyncio.Future[list[Placement]]] = []
    done = threading.Event()

    async def one_more() -> None:
        appends.append(asyncio.ensure_future(busy.append([batch(0, b"x")])))
        await asyncio.sleep(0)

    def during_sync(operation: str, path: str) -> None:
        if operation == "sync" and path.startswith("busy") and not done.is_set():
            asyncio.run_coroutine_threadsafe(one_more(), loop).result(10)

    with ThreadPoolExecutor(1) as executor:
        disk = FaultyDisk(MemoryDisk(), during_sync)
        busy, idle = (EmbeddedLog.open(disk, name, executor=executor, clock=ManualClock()) for name in ("busy", "idle"))
        await one_more()
        try:
            await asyncio.wait_for(idle.append([batch(0, b"y")]), 2)
        finally:
            done.set()
            await asyncio.gather(*appends)
            await busy.close()
            await idle.close()
