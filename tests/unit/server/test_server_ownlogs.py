"""Log events of our own: out of the outbox into log groups, made if missing; what cannot be moved waits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from millstream.base.clock import ManualClock
from millstream.catalog import SqliteCatalog
from millstream.disk import RealDisk
from millstream.log import LogFull
from millstream.logs import LogsService, SavedIndexes
from millstream.logs.service import OWN_RETENTION_DAYS
from millstream.logs.subscriptions import Destination, Outcome, Outgoing
from millstream.server.logfiles import LogFiles
from millstream.server.ownlogs import OwnLogs
from millstream.telemetry import Outbox

AT = ("1", "us-east-1", "group")


class World:
    """A logs service, an outbox, and who moves events from one to the other; nobody subscribes."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock()
        files = LogFiles(RealDisk(path), ThreadPoolExecutor(1), self.clock)
        saved = SavedIndexes(path / "index.db")
        catalog = SqliteCatalog(path / "catalog.db", any_thread=True)
        self.logs = LogsService(catalog=catalog, files=files, saved=saved, destinations=self, clock=self.clock)
        self.path = path / "logs.db"
        self.own = OwnLogs(self.path, self.logs)

    async def put(self, destination: Destination, records: list[Outgoing]) -> Outcome:
        """See Destinations."""
        raise AssertionError

    async def newest(self, *, group: str = "group", **params: object) -> list[tuple[int, str]]:
        filters = {"stream": None, "start_ms": 0, "text": "", "events_max": 10, **params}
        return await self.own.newest("1", "us-east-1", group, **filters)  # type: ignore[arg-type]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.logs.start()
    yield world
    await world.own.close()
    await world.logs.close()


async def test_events_are_moved_into_groups_that_are_made(world: World) -> None:
    assert await world.newest() == []
    outbox, now_ms = Outbox(world.path), world.clock.now_ms()
    outbox.append(*AT, "s", [(now_ms + 1, "second"), (now_ms, "first")])
    outbox.append(*AT, "t", [(now_ms + 2, "third")])
    assert await world.newest(events_max=2) == [(now_ms + 2, "third"), (now_ms + 1, "second")]
    assert await world.newest(stream="s", text="f") == [(now_ms, "first")]
    assert await world.newest(start_ms=now_ms + 2) == [(now_ms + 2, "third")]
    assert await world.newest(stream="u") == []
    handle = world.logs.store.get(*AT)
    assert handle is not None
    assert handle.group.retention_days == OWN_RETENTION_DAYS
    assert outbox.take(after=0, events_max=10) == []
    outbox.append(*AT, "s", [(now_ms + 3, "more")])
    assert len(await world.newest()) == 4
    outbox.close()


async def test_what_one_group_cannot_take_waits_and_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox, now_ms = Outbox(world.path), world.clock.now_ms()
    outbox.append(*AT, "s", [(now_ms, "waits")])
    outbox.append("1", "us-east-1", "other", "s", [(now_ms, "goes")])
    append = world.logs.append_own

    async def refuse(account: str, region: str, group: str, stream: str, events: list[tuple[int, str]]) -> None:
        if group == "group":
            raise LogFull("the disk is full")
        await append(account, region, group, stream, events)

    monkeypatch.setattr(world.logs, "append_own", refuse)
    assert await world.newest(group="other") == [(now_ms, "goes")]
    assert await world.newest() == []
    monkeypatch.setattr(world.logs, "append_own", append)
    assert await world.newest() == [(now_ms, "waits")]
    assert await world.newest(group="other") == [(now_ms, "goes")]
    outbox.close()
