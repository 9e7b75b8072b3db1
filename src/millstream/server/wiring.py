"""What a server is made of, and how the parts meet."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from millstream import __version__
from millstream.analytics.model import Application as SqlApplication
from millstream.analytics.operations import first_of, second_of
from millstream.analytics.service import AnalyticsService
from millstream.analytics.service import Settings as AnalyticsSettings
from millstream.base.clock import Clock
from millstream.base.scheduler import LoopScheduler
from millstream.catalog import SqliteCatalog
from millstream.disk import RealDisk
from millstream.firehose.backlog import read_positions
from millstream.firehose.model import DeliveryStream
from millstream.firehose.operations import operations_of as delivery_operations_of
from millstream.firehose.service import FirehoseService
from millstream.firehose.service import Settings as FirehoseSettings
from millstream.functions import Functions
from millstream.glue import GlueService
from millstream.glue import operations_of as glue_operations_of
from millstream.log import BlockCipher, EmbeddedLog, RecordLog
from millstream.logs import LogsApi, LogsService, LogsSettings, SavedIndexes
from millstream.objects import from_settings
from millstream.security import Keyring, TokenSealer
from millstream.server.admin import Ports as AdminPorts
from millstream.server.admin import operations_of as admin_operations_of
from millstream.server.app import Application
from millstream.server.applicationadmin import Ports as ApplicationPorts
from millstream.server.applicationadmin import operations_of as application_operations_of
from millstream.server.applications.puts import Puts
from millstream.server.applications.resources import ServerResources
from millstream.server.applications.runner import ApplicationRunner
from millstream.server.children import Worker
from millstream.server.config import Settings
from millstream.server.datadir import DataDirectory, application_directory, stream_log_directory
from millstream.server.deliveries import DeliveryFiles, StreamSources
from millstream.server.demo import Market, run_demo
from millstream.server.demolake import Clients, ensure_lake
from millstream.server.demolog import DemoLog
from millstream.server.demosql import ensure_application
from millstream.server.inprocess import InProcessClient
from millstream.server.intake import Intake
from millstream.server.leaseadmin import LeaseTables
from millstream.server.leaseadmin import Ports as LeasePorts
from millstream.server.leaseadmin import operations_of as lease_operations_of
from millstream.server.logfiles import LogFiles
from millstream.server.logsubscriptions import SubscriptionPuts
from millstream.server.ownlogs import OwnLogs
from millstream.server.progressreader import ProgressReader
from millstream.server.storesettings import store_settings
from millstream.streams import Settings as StreamsSettings
from millstream.streams import StreamsService, operations_of
from millstream.wire import Service

COMMIT_THREADS = 16  # logs that can be committing at the same time


class _Shared(NamedTuple):
    """What every service of streams is made with."""

    catalog: SqliteCatalog
    clock: Clock
    scheduler: LoopScheduler
    keyring: Keyring
    sealer: TokenSealer


class Platform:
    """Everything that serves requests, on one data directory, in one event loop; and the worker, its child process."""

    def __init__(self, settings: Settings, directory: DataDirectory, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._started_s = clock.monotonic()
        self._disk = RealDisk(directory.path)
        self._commits = ThreadPoolExecutor(COMMIT_THREADS, thread_name_prefix="commit")
        self._catalog = SqliteCatalog(directory.catalog_path)
        root_key = directory.root_key()
        shared = _Shared(self._catalog, clock, LoopScheduler(), Keyring(root_key), TokenSealer(root_key))
        self.streams = self._make_streams(shared)
        self._sources = StreamSources(self.streams)
        self.firehose = self._make_firehose(shared, directory)
        self._functions: Functions | None = None
        puts = Puts(self.streams, self.firehose)
        self._runner = ApplicationRunner(settings, directory.path, puts, self._applications)
        self.analytics = self._make_analytics(shared, directory)
        self._runner.service = self.analytics
        self.firehose.other_readers = self._runner.floor
        self._worker = Worker(settings, directory.path)
        self.logs = LogsService(
            catalog=self._catalog,
            files=LogFiles(self._disk, self._commits, clock),
            saved=SavedIndexes(directory.log_index_path),
            destinations=SubscriptionPuts(self.streams, self.firehose),
            clock=clock,
            settings=LogsSettings(limits_aws=settings.limits == "aws"),
        )
        self._own_logs = OwnLogs(directory.logs_path, self.logs)
        self._kinesis = Service("kinesis", operations_of(self.streams))
        self._glue = Service("glue", glue_operations_of(GlueService(catalog=self._catalog, clock=clock)))
        self._firehose = Service("firehose", delivery_operations_of(self.firehose))
        applications = ApplicationPorts(self.analytics.registry, self._runner)
        self._leases = LeaseTables(directory.catalog_path)
        self.streams.lifecycle.on_delete = self._leases.delete
        own = admin_operations_of(self._admin_ports(directory)) | application_operations_of(applications)
        own |= lease_operations_of(LeasePorts(self.streams.registry, self._leases))
        admin = Service("millstream", own)
        self.intake = Intake(clock)
        self._analytics = Service("kinesisanalytics", first_of(self.analytics))
        second = Service("kinesisanalyticsv2", second_of(self.analytics))
        self._logs_api = LogsApi(self.logs)
        services = [self._kinesis, self._firehose, self._glue, self._analytics, second, self._logs_api, admin]
        self.application = Application(services, self.intake, health=self.health, default_region=settings.region)

    def _make_streams(self, shared: _Shared) -> StreamsService:
        settings = self._settings
        return StreamsService(
            **shared._asdict(),
            open_log=self._open_log,
            delete_log=self._delete_log,
            settings=StreamsSettings(
                limits_aws=settings.limits == "aws",
                shard_limit=settings.shard_limit,
                create_delay_ms=settings.create_delay_ms,
                update_delay_ms=settings.update_delay_ms,
                delete_delay_ms=settings.delete_delay_ms,
            ),
        )

    def _make_firehose(self, shared: _Shared, directory: DataDirectory) -> FirehoseService:
        settings = self._settings
        service = FirehoseService(
            **shared._asdict(),
            files=DeliveryFiles(self._disk, self._commits, self._clock),
            sources=self._sources,
            read_positions=partial(read_positions, directory.progress_path),
            settings=FirehoseSettings(
                limits_aws=settings.limits == "aws",
                create_delay_ms=settings.create_delay_ms,
                update_delay_ms=settings.update_delay_ms,
                delete_delay_ms=settings.delete_delay_ms,
                warehouse_paths=settings.warehouse_paths,
            ),
        )
        service.on_change = self._on_deliveries_changed
        return service

    def _applications(self) -> Iterable[SqlApplication]:
        return self.analytics.applications()

    def _make_analytics(self, shared: _Shared, directory: DataDirectory) -> AnalyticsService:
        settings = self._settings
        stores = from_settings(store_settings(settings), directory.objects_path)
        return AnalyticsService(
            catalog=shared.catalog,
            resources=ServerResources(self.streams, self.firehose, stores, self._connect_functions),
            runner=self._runner,
            delete_files=lambda application_id: self._disk.remove_tree(application_directory(application_id)),
            clock=shared.clock,
            scheduler=shared.scheduler,
            settings=AnalyticsSettings(limits_aws=settings.limits == "aws"),
        )

    def _connect_functions(self) -> Functions:
        from millstream.functions.http import HttpFunctions  # noqa: PLC0415 - it loads an HTTP client

        if self._functions is None:
            self._functions = HttpFunctions(self._settings.lambda_endpoint)
        return self._functions

    def _admin_ports(self, directory: DataDirectory) -> AdminPorts:
        return AdminPorts(
            delivery_streams=self.firehose.registry,
            log_end=self._log_end,
            progress=ProgressReader(self._disk, directory.progress_path),
            logs=self._own_logs,
            flush=self._worker.flush,
            clock=self._clock,
        )

    async def start(self) -> None:
        """Open every log and take up what was under way. Raises LogCorrupt, and MillstreamErrors of other kinds."""
        await self.streams.start()
        await self.firehose.start()
        await self.analytics.start()
        await self.logs.start()
        self._own_logs.start()
        self._on_deliveries_changed()

    async def close(self) -> None:
        """Settle and close everything; before that, the worker delivers what it can in a few seconds."""
        await asyncio.gather(self._worker.stop(), self._runner.close())
        await self._own_logs.close()
        await self.logs.close()
        await self.analytics.close()
        await self.firehose.close()
        await self.streams.close()
        self._commits.shutdown()
        self._leases.close()
        self._catalog.close()

    def _on_deliveries_changed(self) -> None:
        """Have a worker as soon as there is something for it to do: who only has streams pays for no second process."""
        if any(True for _ in self.firehose.registry):
            self._worker.start()
            self._worker.reconcile()

    def _log_end(self, stream: DeliveryStream) -> int | None:
        """Where the log that a delivery stream reads ends now; None if it is gone."""
        if stream.source is not None:
            return self._sources.end(stream.source)
        return self.firehose.registry.log_end(stream)

    def end_subscriptions(self) -> None:
        """Let every SubscribeToShard send its last event."""
        for handle in self.streams.registry:
            handle.end_subscriptions()

    async def demo(self) -> None:
        """Feed the demo stream, and have it delivered to the data lake, until cancelled."""
        region = self._settings.region
        clients = Clients(
            *(InProcessClient(service, region) for service in (self._kinesis, self._firehose, self._glue))
        )
        market = Market(random.Random(self._clock.now_ms()))  # noqa: S311 - prices, not secrets
        analytics = InProcessClient(self._analytics, region)
        log = DemoLog(InProcessClient(self._logs_api, region))
        await asyncio.gather(
            ensure_lake(clients),
            ensure_application(clients.kinesis, analytics),
            run_demo(clients.kinesis, market, log.note),
            log.run(),
        )

    def health(self) -> dict[str, Any]:
        """What GET /health answers."""
        return {
            "status": "ok",
            "version": __version__,
            "uptime_s": round(self._clock.monotonic() - self._started_s, 3),
            "streams": self.stream_count,
            "delivery_streams": sum(1 for _ in self.firehose.registry),
        }

    @property
    def stream_count(self) -> int:
        """Streams of all accounts and regions."""
        return sum(1 for _ in self.streams.registry)

    def _open_log(self, stream_id: str, cipher: BlockCipher) -> RecordLog:
        return EmbeddedLog.open(
            self._disk, stream_log_directory(stream_id), executor=self._commits, clock=self._clock, cipher=cipher
        )

    def _delete_log(self, stream_id: str) -> None:
        self._disk.remove_tree(stream_log_directory(stream_id))
