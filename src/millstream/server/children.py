"""The worker process, as its parent sees it: started, told things, started again when it dies, stopped.

The parent writes lines of JSON to the worker's standard input:

    {"settings": {...}}                             the first line
    {"do": "reconcile"}                             the catalog has changed
    {"do": "flush", "stream_id": "..."}             deliver what that delivery stream has buffered
    {"do": "stop", "flush_s": 5.0}                  deliver what can be delivered in that time, and end

When the input ends the worker ends, too: it never outlives its parent (see `worker`). Before the first one starts, the
parent takes what a worker must have also on a full disk (see `firehose.room`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from millstream.base.errors import MillstreamError
from millstream.firehose.room import Room
from millstream.server.config import Settings
from millstream.server.datadir import DataPaths

_log = logging.getLogger("millstream.server")

STOP_FLUSH_S = 5.0
_STOP_S_MAX = 10.0
_PAUSE_S = 0.2
_PAUSE_S_MAX = 30.0
_STEADY_S = 10.0  # a worker that lived so long is replaced at once


class Worker:
    """The worker process of a server. To be used from one event loop, that of the server's main thread."""

    def __init__(self, settings: Settings, data_dir: Path) -> None:
        self._settings = asdict(settings) | {"data_dir": data_dir}
        self._paths = DataPaths(data_dir)
        self._room = Room(self._paths.progress_path)
        self._process: asyncio.subprocess.Process | None = None
        self._minding: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """The worker's process id while it runs."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Have a worker from now on; once is enough.

        Blocking, while room on the disk is taken: on return it is, so that what is put from now on finds it taken.
        """
        if self._minding is None and not self._stopping:
            self._take_room()
            self._minding = asyncio.create_task(self._mind())

    def reconcile(self) -> None:
        """Tell the worker that delivery streams have changed."""
        self._tell({"do": "reconcile"})

    def flush(self, stream_id: str) -> None:
        """Tell the worker to deliver what a delivery stream has buffered."""
        self._tell({"do": "flush", "stream_id": stream_id})

    async def stop(self) -> None:
        """Let the worker deliver what it can in a few seconds, and end it."""
        self._stopping = True
        if self._minding is None:
            return
        self._tell({"do": "stop", "flush_s": STOP_FLUSH_S})
        process = self._process
        if process is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _STOP_S_MAX)
            if process.returncode is None:
                _log.warning(
                    "the worker did not end within %d s: what it has not delivered waits in the logs", _STOP_S_MAX
                )
                process.kill()
        self._minding.cancel()
        await asyncio.gather(self._minding, return_exceptions=True)
        with suppress(MillstreamError):
            self._room.close()

    def _tell(self, message: dict[str, Any]) -> None:
        process = self._process
        if process is not None and process.returncode is None and process.stdin is not None:
            with suppress(OSError, RuntimeError):  # it has just died: the next one begins by reading the catalog
                process.stdin.write(json.dumps(message).encode() + b"\n")

    async def _mind(self) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            code = await self._run()
            if self._stopping:
                return
            failures = 0 if loop.time() - began_s > _STEADY_S else failures + 1
            pause_s = min(_PAUSE_S_MAX, _PAUSE_S * 2**failures) * random.uniform(0.8, 1.2)  # noqa: S311
            _log.error("the worker ended (%s): a new one takes over in %.1f s, from the last checkpoint", code, pause_s)
            await asyncio.sleep(pause_s)
            self._take_room()

    def _take_room(self) -> None:
        """Have what a worker needs to start and to deliver, before records can fill the disk."""
        if self._room.is_taken:
            return
        try:
            self._paths.scratch_path.mkdir(parents=True, exist_ok=True)
            self._room.take()
        except (MillstreamError, OSError) as error:
            _log.error("if the disk becomes full, deliveries may stop: there is no room for their progress: %s", error)

    async def _run(self) -> int | str:
        """One worker from its start to its end; its exit code, or why there is none."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "millstream.server.worker", stdin=asyncio.subprocess.PIPE
            )
        except OSError as error:  # no memory, no process, no file descriptor: there may be, later
            return str(error)
        known = {name: str(value) for name, value in self._settings.items() if value is not None}
        self._tell({"settings": known})
        return await self._process.wait()
