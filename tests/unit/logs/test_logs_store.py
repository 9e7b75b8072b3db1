"""Log groups on a disk: opened when needed, closed when idle, caught up after a crash, trimmed, followed, deleted."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from millstream.base.clock import ManualClock
from millstream.catalog import SqliteCatalog
from millstream.disk import RealDisk
from millstream.log import RecordLog
from millstream.logs import lending
from millstream.logs.group import AHEAD_MS
from millstream.logs.lending import GroupHandle
from millstream.logs.model import DAY_MS, LogGroup
from millstream.logs.reading import cut_at, read_page
from millstream.logs.savedindex import SavedIndexes
from millstream.logs.store import LogGroupStore
from millstream.logs.sweep import Limits, Range
from millstream.server.logfiles import LogFiles
from millstream.wire.faults import ResourceNotFoundException

ACCOUNT, REGION = "1", "us-east-1"


class World:
    """A store on a real disk, which can be started anew as after a crash."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = ManualClock()
        self.disk = RealDisk(path)
        self.executor = ThreadPoolExecutor(2)
        self.restart()

    def restart(self) -> None:
        """A new process: what the last one had in memory is gone."""
        self.catalog = SqliteCatalog(self.path / "catalog.db", any_thread=True)
        self.files = LogFiles(self.disk, self.executor, self.clock)
        self.saved = SavedIndexes(self.path / "index.db")
        self.store = LogGroupStore(self.catalog, self.files, self.saved, self.clock)
        self.store.load()

    async def make(self, name: str, *streams: str) -> GroupHandle:
        group_id, now_ms = uuid.uuid4().hex, self.clock.now_ms()
        group = LogGroup(account=ACCOUNT, region=REGION, name=name, group_id=group_id, created_ms=now_ms)
        handle = self.store.create(group)
        for stream in streams:
            await self.store.create_stream(handle, stream)
        return handle

    def handle(self, name: str) -> GroupHandle:
        handle = self.store.get(ACCOUNT, REGION, name)
        assert handle is not None
        return handle

    async def put(self, handle: GroupHandle, stream: str, *messages: str) -> None:
        times = [self.clock.now_ms()] * len(messages)
        await self.store.put(handle, stream, times, [message.encode() for message in messages])

    async def read(self, name: str, *streams: str) -> list[str]:
        async with self.store.using(self.handle(name)) as opened:
            states = [opened.streams[stream] for stream in streams] or list(opened.streams.values())
            everything = Range(cut_at(0), cut_at(10**13))
            page = await read_page(opened, states, everything, forward=True, limits=Limits())
            return [event.message for event in page.events]

    async def close(self) -> None:
        await self.store.close()
        self.saved.close()
        self.catalog.close()
        self.executor.shutdown()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    await world.close()


async def test_a_group_is_found_again_with_its_events(world: World) -> None:
    handle = await world.make("g", "a", "b")
    await world.put(handle, "a", "1")
    await world.put(handle, "b", "2")
    await world.store.close()
    world.restart()
    assert world.handle("g").opened is None
    assert world.store.stored_bytes(world.handle("g")) == 2 * 27
    assert await world.read("g") == ["1", "2"]


async def test_after_a_crash_an_index_catches_up(world: World) -> None:
    handle = await world.make("g", "a", "b")
    await world.put(handle, "a", "saved")
    await world.store.close()
    world.restart()
    for n in range(3):
        await world.put(world.handle("g"), "a", f"{n}", f"{n}!")
    await world.put(world.handle("g"), "b", "other")
    world.restart()
    assert await world.read("g", "a") == ["saved", "0", "0!", "1", "1!", "2", "2!"]
    await world.put(world.handle("g"), "a", "after")
    assert (await world.read("g", "a"))[-2:] == ["2!", "after"]
    assert await world.read("g", "b") == ["other"]


@pytest.mark.parametrize("content", [None, b"no database", b""])
async def test_a_lost_or_damaged_index_is_made_again(world: World, content: bytes | None) -> None:
    handle = await world.make("g", "a")
    await world.put(handle, "a", "1", "2")
    await world.store.close()
    world.saved.close()
    (world.path / "index.db").unlink()
    if content is not None:
        (world.path / "index.db").write_bytes(content * 1000)
    world.restart()
    assert await world.read("g") == ["1", "2"]


async def test_an_index_of_another_layout_is_begun_anew(world: World) -> None:
    world.saved.close()
    db = sqlite3.connect(world.path / "index.db")
    db.execute("PRAGMA user_version = 9")
    db.close()
    world.restart()
    assert world.saved.load("g") == {}


async def test_idle_groups_close_and_open_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lending, "OPEN_MAX", 2)
    handles = [await world.make(f"g{n}", "a") for n in range(4)]
    for handle in handles:
        world.clock.advance(10)
        await world.put(handle, "a", "1")
    await world.store.close_idle()
    assert [handle.opened is not None for handle in handles] == [False, False, True, True]
    async with world.store.using(handles[3]):
        world.clock.advance(100_000)
        await world.store.close_idle()
        assert [handle.opened is not None for handle in handles] == [False, False, False, True]
    for handle in handles:
        await world.put(handle, "a", "2")
    assert [await world.read(f"g{n}") for n in range(4)] == [["1", "2"]] * 4


async def test_puts_while_a_group_closes_and_opens_lose_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lending, "IDLE_S_MAX", -1.0)
    handle = await world.make("g", "a")

    async def put(name: str) -> None:
        for n in range(20):
            await world.put(handle, "a", f"{name}{n}")

    async def close() -> None:
        for _ in range(30):
            await world.store.close_idle()
            await asyncio.sleep(0)

    await asyncio.gather(put("x"), put("y"), close())
    assert sorted(await world.read("g")) == sorted(f"{name}{n}" for name in "xy" for n in range(20))


async def test_a_put_whose_caller_is_gone_is_stored_and_seen(world: World) -> None:
    handle = await world.make("g", "a")
    task = asyncio.create_task(world.put(handle, "a", "1"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await world.put(handle, "a", "2")
    assert await world.read("g") == ["1", "2"]


async def test_a_group_is_opened_once_though_the_first_caller_gives_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.put(await world.make("g", "a"), "a", "1")
    await world.store.close()
    world.restart()
    opening, go_on = threading.Event(), threading.Event()
    opened: list[str] = []
    open_log = world.files.open_log

    def open_slowly(group_id: str) -> RecordLog:
        opened.append(group_id)
        opening.set()
        go_on.wait()
        return open_log(group_id)

    monkeypatch.setattr(world.files, "open_log", open_slowly)
    handle = world.handle("g")
    following = asyncio.create_task(world.store.follow(handle, 0, bytes_max=1000))
    await asyncio.to_thread(opening.wait)
    following.cancel()
    putting = asyncio.create_task(world.put(handle, "a", "2"))
    await asyncio.gather(following, return_exceptions=True)
    go_on.set()
    await putting
    assert len(opened) == 1
    assert await world.read("g") == ["1", "2"]


async def test_a_deleted_log_stream_is_gone_and_its_name_begins_anew(world: World) -> None:
    handle = await world.make("g", "a", "b")
    await world.put(handle, "b", "old")
    await world.store.delete_stream(handle, "b")
    with pytest.raises(ResourceNotFoundException, match="log stream"):
        await world.put(handle, "b", "nowhere")
    await world.store.close()
    world.restart()
    await world.store.create_stream(world.handle("g"), "b")
    await world.put(world.handle("g"), "b", "new")
    assert await world.read("g") == ["new"]


async def test_a_deleted_group_leaves_nothing(world: World) -> None:
    handle = await world.make("g", "a")
    await world.put(handle, "a", "1")
    deleted: list[str] = []
    world.store.on_deleted.append(lambda group: deleted.append(group.name))
    await world.store.delete(handle)
    assert deleted == ["g"]
    assert world.files.group_ids() == []
    assert world.catalog.list("log-stream") == []
    with pytest.raises(ResourceNotFoundException, match="log group"):
        await world.put(handle, "a", "2")
    world.restart()
    assert list(world.store) == []


async def test_directories_of_no_group_are_deleted_at_a_start(world: World) -> None:
    (world.path / "logs" / "left").mkdir(parents=True)
    world.restart()
    assert world.files.group_ids() == []


def log_bytes(world: World) -> int:
    return sum(path.stat().st_size for path in (world.path / "logs").rglob("*.log"))


async def test_expired_events_are_trimmed_by_segments(world: World) -> None:
    handle = await world.make("g", "a")
    await world.put(handle, "a", "x" * 500_000)
    world.store.save(handle, retention_days=1)
    world.clock.advance(DAY_MS + 1)
    await world.put(handle, "a", "new")
    await world.store.trim(handle)
    assert log_bytes(world) > 500_000  # an event of a time that is still kept might have arrived as early as that
    assert await world.read("g") == ["new"]
    world.clock.advance(AHEAD_MS)
    await world.store.trim(handle)
    assert log_bytes(world) < 500_000
    assert await world.read("g") == ["new"]


async def test_the_space_of_deleted_log_streams_comes_back(world: World) -> None:
    handle = await world.make("g", "a", "b")
    await world.put(handle, "a", "x" * 5_000_000)
    world.clock.advance(1000)
    await world.store.delete_stream(handle, "a")
    await world.store.close()
    world.restart()
    await world.store.trim(world.handle("g"))
    assert log_bytes(world) < 200_000
    await world.put(world.handle("g"), "b", "kept")
    assert await world.read("g") == ["kept"]


async def test_an_event_that_comes_while_deleted_ones_are_dropped_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = await world.make("g", "a", "b")
    await world.put(handle, "a", "x" * 5_000_000)
    await world.store.delete_stream(handle, "a")
    async with world.store.using(handle) as opened:
        log, loop = opened.log, asyncio.get_running_loop()
        shard, shard_range = opened.streams["b"].stream.shard, log.shard_range

        def range_and_then_a_put(asked: int) -> tuple[int, int]:
            found = shard_range(asked)
            if asked == shard and found == (0, 0):
                asyncio.run_coroutine_threadsafe(world.put(handle, "b", "kept"), loop).result()
            return found

        with monkeypatch.context() as patches:
            patches.setattr(log, "shard_range", range_and_then_a_put)
            await asyncio.to_thread(opened.trim, 0)
    assert await world.read("g") == ["kept"]
    await world.store.trim(handle)
    assert await world.read("g") == ["kept"]


async def test_a_group_is_followed_in_the_order_of_commits(world: World) -> None:
    handle = await world.make("g", "a", "b", "gone")
    await world.put(handle, "a", "before")
    position = await world.store.end_position(handle)
    woken: list[int] = []
    unwatch = world.store.watch(handle.group.group_id, lambda: woken.append(1))
    assert (await world.store.follow(handle, position, bytes_max=1000)).runs == []
    await world.put(handle, "a", "1", "2")
    await world.put(handle, "gone", "unseen")
    await world.put(handle, "b", "3")
    await world.store.delete_stream(handle, "gone")
    assert len(woken) == 3
    followed = await world.store.follow(handle, position, bytes_max=1_000_000)
    assert [(run.log_stream, run.messages) for run in followed.runs] == [("a", [b"1", b"2"]), ("b", [b"3"])]
    assert [len(run.ids(handle.group)) for run in followed.runs] == [2, 1]
    assert (await world.store.follow(handle, followed.position, bytes_max=1000)).runs == []
    unwatch()
    await world.put(handle, "a", "4")
    assert len(woken) == 3
    await world.store.close()
    world.restart()
    again = await world.store.follow(world.handle("g"), followed.position, bytes_max=1000)
    assert [run.messages for run in again.runs] == [[b"4"]]
