"""The worker process: delivery streams at work, apart from the process that takes requests.

It is a child of that process, which tells it things through its standard input (see `children`), and it never outlives
it: the kernel kills it with its parent, and the lock on the data directory's `worker.lock` keeps a second one out for
as long as the first lives. It reads the catalog and the logs, and writes checkpoints, spool, journals, local objects.
"""

from __future__ import annotations

import asyncio
import faulthandler
import fcntl
import gc
import json
import logging
import os
import random
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import uvloop

from millstream.base.clock import SystemClock
from millstream.base.errors import MillstreamError
from millstream.catalog import SqliteCatalog
from millstream.disk import RealDisk
from millstream.firehose.engine.buffers import Memory
from millstream.firehose.engine.checkpoints import Checkpoints
from millstream.firehose.engine.ground import Ground
from millstream.firehose.engine.tasks import end_tasks
from millstream.firehose.engine.worker import DeliveryWorker
from millstream.firehose.errorlog import StreamErrorLog
from millstream.firehose.model import KIND, DeliveryStream
from millstream.firehose.secrets import SEAL_PURPOSE
from millstream.functions.http import HttpFunctions
from millstream.glue import GlueTables
from millstream.objects import from_settings
from millstream.security import Keyring, TokenSealer
from millstream.server.childhood import die_with_parent
from millstream.server.config import Settings, load_settings
from millstream.server.datadir import DataPaths
from millstream.server.followed import FollowedLogs
from millstream.server.malloc import keep_freed_memory
from millstream.server.storesettings import store_settings
from millstream.telemetry import Outbox

_log = logging.getLogger("millstream.worker")

_READERS = 2  # threads that read and process: more would only wait for the interpreter
_THREADS = 32  # threads that may wait for a destination
_CONVERTERS = 2  # threads that convert to Parquet and ORC, mostly in the interpreter, with some 100 MiB each
_GC_THRESHOLD = 50_000  # decoding a batch of JSON makes thousands of objects, none of them garbage yet
_HANG_S_MAX = 60.0


def main() -> None:
    """Work until the parent says stop, or is gone."""
    die_with_parent()
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as unbuffered:  # what follows is for _obey to read
        line = unbuffered.readline()
    if not line:
        return
    settings = load_settings(json.loads(line)["settings"], {})
    logging.basicConfig(
        level=settings.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal sends them to all: the parent says when it is time
        signal.signal(number, signal.SIG_IGN)
    gc.set_threshold(_GC_THRESHOLD)
    keep_freed_memory()
    try:
        uvloop.run(_run(settings))
    except MillstreamError as error:
        _log.error("the worker cannot work: %s", error)
        sys.exit(1)


async def _run(settings: Settings) -> None:
    paths = DataPaths(settings.data_dir.absolute())
    lock = os.open(paths.path / "worker.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)  # waits for the end of one that is dying
    worker = DeliveryWorker(*_ground(settings, paths))
    working = asyncio.create_task(worker.run())
    watched = asyncio.create_task(_be_watched())
    obeying = asyncio.create_task(_obey(worker))
    await asyncio.wait({working, watched, obeying}, return_when=asyncio.FIRST_COMPLETED)
    flush_s = obeying.result() if obeying.done() else 0.0
    for task in (working, watched):
        if task.done():  # for a mistake of ours: another worker goes on from what is saved
            raise MillstreamError(f"one of its tasks ended: {task.exception()!r}")
    await end_tasks([working])
    await worker.close(flush_s=flush_s)
    await end_tasks([watched])


async def _be_watched() -> None:
    """Have this process end, telling where it hangs, if its event loop does not move any more: the next one may."""
    while True:
        faulthandler.dump_traceback_later(_HANG_S_MAX, exit=True)
        await asyncio.sleep(_HANG_S_MAX / 10)


def _ground(settings: Settings, paths: DataPaths) -> tuple[Ground, Callable[[], list[DeliveryStream]]]:
    clock, disk = SystemClock(), RealDisk(paths.path)
    root_key = paths.read_root_key()
    sealer = TokenSealer(root_key)
    catalog = SqliteCatalog(paths.catalog_path, read_only=True, any_thread=True)
    followed = FollowedLogs(disk, catalog, Keyring(root_key))
    logs = Outbox(paths.logs_path)
    ground = Ground(
        data_dir=paths.path,
        disk=disk,
        clock=clock,
        generator=random.Random(),  # noqa: S311 - names and pauses, not secrets
        reader=ThreadPoolExecutor(_READERS, thread_name_prefix="read"),
        threads=ThreadPoolExecutor(_THREADS, thread_name_prefix="deliver"),
        converters=ThreadPoolExecutor(_CONVERTERS, thread_name_prefix="convert"),
        checkpoints=Checkpoints(lambda: SqliteCatalog(paths.progress_path)),
        memory=Memory(),
        stores=from_settings(store_settings(settings), paths.objects_path),
        functions=HttpFunctions(settings.lambda_endpoint),
        tables=GlueTables(catalog),
        open_source=followed.open,
        journal_cipher=followed.journal_cipher,
        open_secret=lambda text: sealer.open(text, SEAL_PURPOSE).decode(),
        error_log=lambda stream: StreamErrorLog(stream, logs, clock),
        scratch=paths.scratch_path,
        sequence_numbers=followed.sequence_numbers,
        limits_aws=settings.limits == "aws",
    )

    def wanted() -> list[DeliveryStream]:
        return [msgspec.json.decode(document.body, type=DeliveryStream) for document in catalog.list(KIND)]

    return ground, wanted


async def _obey(worker: DeliveryWorker) -> float:
    """Do what the parent says until it says stop, or is gone; how long buffers may still be delivered."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    while line := await reader.readline():
        match _message(line):
            case {"do": "reconcile"}:
                worker.reconcile()
            case {"do": "flush", "stream_id": str(stream_id)}:
                worker.flush(stream_id)
            case {"do": "stop", "flush_s": float(flush_s)}:
                return flush_s
            case _:
                _log.error("what the parent says is not understood: %.200r", line)
    return 0.0


def _message(line: bytes) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None


if __name__ == "__main__":
    main()
