"""A SQL application's own process: it reads the source's log, computes, and gives the results to its parent to put.

It reads the catalog and the logs, and writes the application's checkpoint and its log events; nothing else. It never
outlives its parent: the kernel kills it with that, and it ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import logging
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
import uvloop

from millstream.analytics.engine.application import RunningApplication, out_of_memory, resource_mib
from millstream.analytics.engine.ports import ApplicationFailed
from millstream.analytics.model import KIND, Application
from millstream.base.units import MIB
from millstream.catalog import SqliteCatalog
from millstream.server.applications.channel import (
    Begin,
    Crashed,
    Failed,
    Progress,
    PutDone,
    Rows,
    Running,
    Stop,
    Tail,
    Update,
    receive_from_parent,
)
from millstream.server.applications.world import Parent, make_world
from millstream.server.childhood import die_with_parent
from millstream.server.config import load_settings
from millstream.server.datadir import DataPaths
from millstream.server.malloc import keep_freed_memory

_log = logging.getLogger("millstream.application")

_READ_BYTES = 1 << 20
_PROGRESS_S = 1.0
_MEMORY_S = 0.1
_STOP_S_MAX = 5.0  # for the outputs to take what was given them: what they do not take they are given again
_OOM_SCORE = b"500"  # whom the kernel ends first when the machine runs out of memory: not the server


def main() -> None:
    """Run one application until the parent says stop, or is gone."""
    die_with_parent()
    channel = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what anything prints must not get into the channel
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal sends them to all: the parent says when it is time
        signal.signal(number, signal.SIG_IGN)
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # an application is one of many
    gc.set_threshold(50_000)
    keep_freed_memory()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError), open("/proc/self/oom_score_adj", "wb") as score:
        score.write(_OOM_SCORE)
    code = uvloop.run(_run(channel))
    sys.stderr.flush()
    os._exit(code)  # not waiting for a turn that is under way


async def _run(channel: int) -> int:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_READ_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    begin = await receive_from_parent(reader)
    if not isinstance(begin, Begin):
        return 0
    parent = Parent(await _open_writer(channel))
    try:
        return await _run_application(begin, parent, reader)
    except ApplicationFailed as error:
        return await _end(parent, Failed(str(error)), 0)
    except MemoryError:
        return await _end(parent, Failed(out_of_memory(None)), 0)
    except BaseException as error:  # noqa: BLE001 - Polars' own panics, too: whatever it was, the owner must hear of it
        _log.exception("application %s: Millstream made a mistake", begin.name)
        return await _end(parent, Crashed("".join(traceback.format_exception_only(error)).strip()), 1)


async def _end(parent: Parent, message: Failed | Crashed, code: int) -> int:
    parent.say(message)
    await parent.flush()
    return code


async def _run_application(begin: Begin, parent: Parent, reader: asyncio.StreamReader) -> int:
    settings = load_settings(begin.settings, {})
    logging.basicConfig(
        level=settings.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    paths = DataPaths(settings.data_dir.absolute())
    catalog = SqliteCatalog(paths.catalog_path, read_only=True, any_thread=True)
    application = _find(catalog, begin)
    if application is None:
        return 0
    directory = paths.application_path(application.application_id)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)  # waits for the end of one that is dying
    world = make_world(settings, paths, catalog, application, parent)
    running = RunningApplication(application, world, lambda version: parent.say(Running(version)))
    work = _Work(running, partial(_find, catalog, begin), parent, settings.application_memory_mib * MIB)
    return await work.run(reader)


async def _open_writer(channel: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.streams.FlowControlMixin(loop=loop), os.fdopen(channel, "wb", buffering=0)
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)


class _Work:
    """An application at work, and what its parent wants of it meanwhile."""

    def __init__(
        self,
        running: RunningApplication,
        find: Callable[[], Application | None],
        parent: Parent,
        memory_bytes_max: int,
    ) -> None:
        self._running = running
        self._find = find
        self._parent = parent
        self._memory_bytes_max = memory_bytes_max
        self._told_to_stop = asyncio.Event()

    async def run(self, reader: asyncio.StreamReader) -> int:
        """Work until the parent says stop; the exit code. Raises what the work raises."""
        parts = (self._running.run(), self._obey(reader), self._tell_progress(), self._mind_memory())
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(part) for part in parts]
        stop: asyncio.Task[Any] = asyncio.create_task(self._told_to_stop.wait())
        try:
            await asyncio.wait([*tasks, stop], return_when=asyncio.FIRST_COMPLETED)
            if stop.done():  # an output that takes nothing must not keep it from ending
                await asyncio.wait(tasks, timeout=_STOP_S_MAX, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in (*tasks, stop):
                task.cancel()
            await asyncio.gather(*tasks, stop, return_exceptions=True)
        await self._parent.flush()
        return 0

    async def _obey(self, reader: asyncio.StreamReader) -> None:
        """Do what the parent says until it is gone."""
        while (message := await receive_from_parent(reader)) is not None:
            match message:
                case Stop():
                    self._running.stop()
                    self._told_to_stop.set()
                case Update():
                    if (application := self._find()) is not None:
                        await self._running.update(application)
                case PutDone():
                    self._parent.settle(message)
                case Tail():
                    self._parent.say(_tail(self._running, message))
                case Begin():
                    _log.error("told to begin twice")
        os._exit(0)  # the parent is gone: nobody will put anything, and what is saved is saved

    async def _tell_progress(self) -> None:
        while True:
            self._parent.say(await _progress(self._running))
            await asyncio.sleep(_PROGRESS_S)

    async def _mind_memory(self) -> None:
        """Also within a turn, which may make much of little. Raises ApplicationFailed."""
        while resource_mib() * MIB <= self._memory_bytes_max:
            await asyncio.sleep(_MEMORY_S)
        raise ApplicationFailed(out_of_memory(self._memory_bytes_max))


async def _progress(running: RunningApplication) -> Progress:
    return Progress(
        rows_in=running.rows_in,
        rows_out=running.rows_out,
        errors=running.errors,
        behind_ms=running.behind_ms,
        behind_bytes=running.behind_bytes,
        state_bytes=await running.state_bytes(),
        memory_bytes=resource_mib() * MIB,
        streams=running.stream_counts(),
        checkpoint_ms=running.checkpoint_ms,
        checkpoint_position=running.checkpoint_position,
    )


def _tail(running: RunningApplication, asked: Tail) -> Rows:
    following, rows = running.recent.after(asked.stream, asked.after, asked.rows_max)
    counts = running.stream_counts()
    return Rows(asked.number, following, rows, asked.stream in counts, counts)


def _find(catalog: SqliteCatalog, begin: Begin) -> Application | None:
    document = catalog.get(KIND, begin.account, begin.region, begin.name)
    application = msgspec.json.decode(document.body, type=Application) if document else None
    return application if application is not None and application.application_id == begin.application_id else None


if __name__ == "__main__":
    main()
