"""The service: everything that operations work with, and its life from start to close."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

import msgspec

from millstream.base.clock import Clock
from millstream.base.scheduler import Scheduler
from millstream.catalog import Catalog
from millstream.security import Keyring, TokenSealer
from millstream.streams.lifecycle import Delays, Lifecycle
from millstream.streams.limits import StreamLimits
from millstream.streams.maintenance import Maintenance
from millstream.streams.registry import DeleteLog, OpenLog, StreamRegistry

_log = logging.getLogger(__name__)


class Settings(msgspec.Struct, kw_only=True, frozen=True):
    """What a server's owner decides about data streams.

    `limits_aws` False lifts AWS's quotas: throughput, call rates, numbers of streams and consumers, and how much a
    stream may be resharded; `shard_limit` always holds. Delays are how long a status lasts before it changes by itself.
    `subscription_ms` is the life of a SubscribeToShard, `keep_alive_ms` how long it is silent at most.
    """

    limits_aws: bool = True
    shard_limit: int = 20_000
    create_delay_ms: int = 50
    update_delay_ms: int = 50
    delete_delay_ms: int = 50
    expiry_interval_ms: int = 60_000
    scaling_interval_ms: int = 10_000
    subscription_ms: int = 300_000
    keep_alive_ms: int = 5_000


class StreamsService:
    """Kinesis Data Streams without its API, which `operations_of` gives; everything runs in one event loop."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        open_log: OpenLog,
        delete_log: DeleteLog,
        clock: Clock,
        scheduler: Scheduler,
        keyring: Keyring,
        sealer: TokenSealer,
        settings: Settings,
    ) -> None:
        self.catalog = catalog
        self.clock = clock
        self.scheduler = scheduler
        self.keyring = keyring
        self.sealer = sealer
        self.settings = settings
        make_limits = partial(StreamLimits, clock, settings.limits_aws)
        self.registry = StreamRegistry(catalog, open_log, delete_log, keyring, make_limits)
        delays = Delays(settings.create_delay_ms, settings.update_delay_ms, settings.delete_delay_ms)
        self.lifecycle = Lifecycle(self.registry, clock, scheduler, delete_log, delays)
        self.maintenance = Maintenance(
            self.registry,
            self.lifecycle,
            clock,
            scheduler,
            expiry_interval_ms=settings.expiry_interval_ms,
            scaling_interval_ms=settings.scaling_interval_ms,
        )

    async def start(self) -> None:
        """Take up what the catalog has, carry on what a stop interrupted, and begin maintenance."""
        self.registry.load()
        for handle in self.registry:
            self.lifecycle.resume(handle)
        self.maintenance.start()

    async def close(self) -> None:
        """End subscriptions, stop everything that is to happen later, and close all logs.

        Changes under way stay as the catalog has them: the next start carries them on.
        """
        await self.maintenance.stop()
        await self.lifecycle.close()
        handles = list(self.registry)
        for handle in handles:
            handle.end_subscriptions()
        ends = await asyncio.gather(*(handle.log.close() for handle in handles), return_exceptions=True)
        for handle, error in zip(handles, ends, strict=True):
            if error is not None:
                _log.error("stream %s: its log did not close well: %s", handle.stream.arn, error)
