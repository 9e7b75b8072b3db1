"""The worker process as its parent sees it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from millstream.base.units import MIB
from millstream.server import children
from millstream.server.children import Worker
from millstream.server.config import load_settings
from support.pipelines import until


class _Process:
    """A process that runs until the test ends."""

    pid = 613
    returncode = None
    stdin = None

    async def wait(self) -> int:
        await asyncio.Event().wait()
        return 0


async def test_a_machine_without_room_for_a_process_gets_its_worker_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [OSError("Cannot allocate memory"), OSError("Resource temporarily unavailable")]

    async def spawn(*_: Any, **__: Any) -> _Process:
        if failures:
            raise failures.pop()
        return _Process()

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spawn)
    monkeypatch.setattr(children, "_PAUSE_S", 0.001)
    monkeypatch.setattr(children, "_STOP_S_MAX", 0)
    worker = Worker(load_settings({}, {}), tmp_path)
    worker.start()
    assert (tmp_path / "progress.db-wal").stat().st_size > 5 * MIB  # at once: records may fill the disk from now on
    await until(lambda: worker.pid == 613, "the worker")
    monkeypatch.setattr(_Process, "kill", lambda _: None, raising=False)
    await worker.stop()
