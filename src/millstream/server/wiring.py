"""What a server is made of, and how the parts meet."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from millstream import __version__
from millstream.base.clock import Clock
from millstream.base.scheduler import LoopScheduler
from millstream.catalog import SqliteCatalog
from millstream.disk import RealDisk
from millstream.log import BlockCipher, EmbeddedLog, RecordLog
from millstream.security import Keyring, TokenSealer
from millstream.server.app import Application
from millstream.server.config import Settings
from millstream.server.datadir import DataDirectory
from millstream.server.demo import Market, run_demo
from millstream.server.inprocess import InProcessClient
from millstream.server.intake import Intake
from millstream.streams import Settings as StreamsSettings
from millstream.streams import StreamsService, operations_of
from millstream.wire import Service

COMMIT_THREADS = 16  # logs that can be committing at the same time


class Platform:
    """Everything that serves requests, on one data directory, in one event loop.

    One process holds it all for now: there is no worker yet that a supervisor would have to look after.
    """

    def __init__(self, settings: Settings, directory: DataDirectory, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._started_s = clock.monotonic()
        self._disk = RealDisk(directory.path)
        self._commits = ThreadPoolExecutor(COMMIT_THREADS, thread_name_prefix="commit")
        root_key = directory.root_key()
        self._catalog = SqliteCatalog(directory.catalog_path)
        self.streams = StreamsService(
            catalog=self._catalog,
            open_log=self._open_log,
            delete_log=self._delete_log,
            clock=clock,
            scheduler=LoopScheduler(),
            keyring=Keyring(root_key),
            sealer=TokenSealer(root_key),
            settings=StreamsSettings(
                limits_aws=settings.limits == "aws",
                shard_limit=settings.shard_limit,
                create_delay_ms=settings.create_delay_ms,
                update_delay_ms=settings.update_delay_ms,
                delete_delay_ms=settings.delete_delay_ms,
            ),
        )
        self._kinesis = Service("kinesis", operations_of(self.streams))
        self.intake = Intake(clock)
        self.application = Application([self._kinesis], self.intake, health=self.health, default_region=settings.region)

    async def start(self) -> None:
        """Open every log and take up what was under way. Raises LogCorrupt, and MillstreamErrors of other kinds."""
        await self.streams.start()

    async def close(self) -> None:
        """Settle and close everything."""
        await self.streams.close()
        self._commits.shutdown()
        self._catalog.close()

    def end_subscriptions(self) -> None:
        """Let every SubscribeToShard send its last event."""
        for handle in self.streams.registry:
            handle.end_subscriptions()

    async def demo(self) -> None:
        """Feed the demo stream until cancelled."""
        market = Market(random.Random(self._clock.now_ms()))  # noqa: S311 - prices, not secrets
        await run_demo(InProcessClient(self._kinesis, self._settings.region), market)

    def health(self) -> dict[str, Any]:
        """What GET /health answers."""
        return {
            "status": "ok",
            "version": __version__,
            "uptime_s": round(self._clock.monotonic() - self._started_s, 3),
            "streams": self.stream_count,
        }

    @property
    def stream_count(self) -> int:
        """Streams of all accounts and regions."""
        return sum(1 for _ in self.streams.registry)

    def _open_log(self, stream_id: str, cipher: BlockCipher) -> RecordLog:
        return EmbeddedLog.open(
            self._disk, _log_directory(stream_id), executor=self._commits, clock=self._clock, cipher=cipher
        )

    def _delete_log(self, stream_id: str) -> None:
        self._disk.remove_tree(_log_directory(stream_id))


def _log_directory(stream_id: str) -> str:
    return f"streams/{stream_id}"
