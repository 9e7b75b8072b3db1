"""The service: everything that operations work with, and its life from start to close."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

from millstream.base.clock import Clock
from millstream.base.scheduler import Scheduler
from millstream.catalog import Catalog
from millstream.firehose.backlog import Backlog, Positions
from millstream.firehose.lifecycle import Delays, Lifecycle
from millstream.firehose.registry import Files, Registry, Sources
from millstream.security import Keyring, TokenSealer

_log = logging.getLogger(__name__)


class Settings(msgspec.Struct, kw_only=True, frozen=True):
    """What a server's owner decides about delivery streams.

    `limits_aws` False lifts AWS's quotas: throughput, call rates, the number of delivery streams. Delays are how long a
    status lasts before it changes by itself. `trim_interval_ms`: how often delivered records are dropped.
    `warehouse_paths` True: `duckdb:` cluster URLs may name files anywhere, not only in the data directory.
    """

    limits_aws: bool = True
    create_delay_ms: int = 50
    update_delay_ms: int = 50
    delete_delay_ms: int = 50
    trim_interval_ms: int = 10_000
    warehouse_paths: bool = False


class FirehoseService:
    """Firehose without its API, which `operations_of` gives, and without delivery, which is the worker's.

    Everything runs in one event loop. `read_positions` tells where deliveries stand; it blocks. `on_change` is called
    after every change of a delivery stream: whoever runs the worker puts a function there that wakes it.
    `other_readers` says for a delivery stream's id from which position in its log others still read it.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        files: Files,
        sources: Sources,
        read_positions: Callable[[], Positions],
        clock: Clock,
        scheduler: Scheduler,
        keyring: Keyring,
        sealer: TokenSealer,
        settings: Settings,
    ) -> None:
        self.catalog = catalog
        self.sources = sources
        self.clock = clock
        self.scheduler = scheduler
        self.keyring = keyring
        self.sealer = sealer
        self.settings = settings
        self.on_change: Callable[[], None] = _ignored
        self.registry = Registry(catalog, files, keyring, clock, limits_aws=settings.limits_aws, changed=self._changed)
        delays = Delays(settings.create_delay_ms, settings.update_delay_ms, settings.delete_delay_ms)
        self.lifecycle = Lifecycle(self.registry, scheduler, files, delays)
        self.other_readers: Callable[[str], int | None] = _nobody
        self.backlog = Backlog(
            self.registry, scheduler, read_positions, settings.trim_interval_ms, self._read_by_others
        )

    async def start(self) -> None:
        """Take up what the catalog has, carry on what a stop interrupted, and begin trimming.

        Data streams that are sources must be there already.
        """
        self.registry.load()
        for handle in self.registry:
            stream = handle.stream
            if stream.source is not None:
                self.sources.attach(stream.source)
            self.lifecycle.resume(handle)
        self.backlog.start()

    async def close(self) -> None:
        """Stop everything that is to happen later, and close all logs.

        Changes under way stay as the catalog has them: the next start carries them on.
        """
        await self.backlog.stop()
        await self.lifecycle.close()
        logs = [(handle, handle.log) for handle in self.registry if handle.log is not None]
        ends = await asyncio.gather(*(log.close() for _, log in logs), return_exceptions=True)
        for (handle, _), error in zip(logs, ends, strict=True):
            if error is not None:
                _log.error("delivery stream %s: its log did not close well: %s", handle.stream.arn, error)

    def _read_by_others(self, stream_id: str) -> int | None:
        return self.other_readers(stream_id)

    def _changed(self) -> None:
        self.on_change()


def _nobody(_: str) -> None:
    """Who reads delivery streams' logs where there are no applications."""


def _ignored() -> None:
    """What changes lead to where nobody runs a worker."""
