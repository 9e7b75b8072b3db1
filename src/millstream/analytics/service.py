"""The service: everything that operations work with, and its life from start to close."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from millstream.analytics.lifecycle import Lifecycle
from millstream.analytics.model import Application
from millstream.analytics.ports import Resources, Runner
from millstream.analytics.registry import Registry
from millstream.base.clock import Clock
from millstream.base.scheduler import Scheduler
from millstream.catalog import Catalog
from millstream.wire import Fault


class Settings(msgspec.Struct, kw_only=True, frozen=True):
    """What a server's owner decides about applications. `limits_aws` False lifts AWS's quotas."""

    limits_aws: bool = True


class AnalyticsService:
    """Analytics without its APIs, which `operations.first_of` and `second_of` give, and without the processes that
    run applications, which are the runner's.

    Everything runs in one event loop. `delete_files` deletes all files of an application by its id; it blocks. This is
    the runner's `Catalogued`, too.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        resources: Resources,
        runner: Runner,
        delete_files: Callable[[str], None],
        clock: Clock,
        scheduler: Scheduler,
        settings: Settings,
    ) -> None:
        self.resources = resources
        self.clock = clock
        self.settings = settings
        self.registry = Registry(catalog)
        self.lifecycle = Lifecycle(self.registry, scheduler, clock, runner, delete_files)
        self._runner = runner

    async def start(self) -> None:
        """Take up what the catalog has, and have the processes that are wanted.

        Streams and delivery streams that are sources must be there already.
        """
        self.registry.load()
        for handle in self.registry:
            self._attach(handle.application)
            self.lifecycle.resume(handle)
        self._runner.reconcile()

    async def close(self) -> None:
        """Stop everything that is to happen later. What is under way, the next start carries on."""
        await self.lifecycle.close()

    def applications(self) -> Iterable[Application]:
        """All applications, of all accounts and regions."""
        return [handle.application for handle in self.registry]

    def running(self, application_id: str, run: int) -> None:
        """See `ports.Catalogued`."""
        handle = self.registry.with_id(application_id)
        if handle is not None:
            self.lifecycle.running(handle, run)

    def ended(self, application_id: str, run: int, failure: str | None) -> None:
        """See `ports.Catalogued`."""
        handle = self.registry.with_id(application_id)
        if handle is not None:
            self.lifecycle.ended(handle, run, failure)

    def _attach(self, application: Application) -> None:
        """Have the sources of an application that is to run tell how far they may be read."""
        if not application.is_wanted:
            return
        for one in application.inputs:
            try:
                self.resources.find_source(application.account, application.region, one.kind, one.arn)
            except Fault:
                continue  # it is gone: the application's process will say so
