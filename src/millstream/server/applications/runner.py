"""The processes of SQL applications, as the api process sees them: started, told things, started again, stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

from millstream.analytics.model import Application, Status
from millstream.analytics.ports import Catalogued
from millstream.server.applications.channel import Progress, Rows
from millstream.server.applications.child import ApplicationProcess
from millstream.server.applications.puts import Puts
from millstream.server.config import Settings


class ApplicationRunner:
    """Has a process for every application that is wanted. To be used from one event loop.

    `applications` are those that there are, as the catalog has them. `service` is told what becomes of them.
    """

    def __init__(
        self, settings: Settings, data_dir: Path, puts: Puts, applications: Callable[[], Iterable[Application]]
    ) -> None:
        self._settings = asdict(settings) | {"data_dir": data_dir}
        self._puts = puts
        self._applications = applications
        self._processes: dict[str, ApplicationProcess] = {}
        self._closing = False
        self.service: Catalogued | None = None

    def reconcile(self) -> None:
        """See Runner.reconcile."""
        if self._closing:
            return
        known = {application.application_id: application for application in self._applications()}
        for application in known.values():
            self._follow(application)
        for application_id, process in list(self._processes.items()):
            if application_id not in known:
                process.stop()

    def progress(self, application_id: str) -> Progress | None:
        """How an application goes, if it is at work."""
        process = self._processes.get(application_id)
        return process.progress if process is not None else None

    def floor(self, source_id: str) -> int | None:
        """The lowest position in that stream's log from which an application would read again; None: no one would."""
        readers = (
            one
            for one in self._applications()
            if one.is_wanted and any(source.source_id == source_id for source in one.inputs)
        )
        return min(map(self._floor, readers), default=None)

    def _floor(self, application: Application) -> int:
        progress = self.progress(application.application_id)
        return progress.checkpoint_position if progress is not None else 0

    async def tail(self, application_id: str, stream: str, after: int, rows_max: int) -> Rows | None:
        """Rows of an in-application stream; None if the application is not at work."""
        process = self._processes.get(application_id)
        return await process.tail(stream, after, rows_max) if process is not None else None

    def process_id(self, application_id: str) -> int | None:
        """The process of an application at work."""
        process = self._processes.get(application_id)
        return process.pid if process is not None else None

    async def close(self) -> None:
        """Have every application save where it is, and end their processes. They go on after the next start."""
        self._closing = True
        processes = list(self._processes.values())
        for process in processes:
            process.stop()
        await asyncio.gather(*(process.wait() for process in processes), return_exceptions=True)

    def _follow(self, application: Application) -> None:
        process = self._processes.get(application.application_id)
        if process is not None:
            process.follow(application)
        elif application.is_wanted:
            process = ApplicationProcess(self._settings, self._puts, application, self._ended, self._running)
            self._processes[application.application_id] = process
        elif application.status in (Status.STOPPING, Status.DELETING):
            self._tell_ended(application, None)

    def _running(self, application: Application) -> None:
        if self.service is not None:
            self.service.running(application.application_id, application.run)

    def _ended(self, application: Application, failure: str | None) -> None:
        self._processes.pop(application.application_id, None)
        if self._closing:
            return
        self._tell_ended(application, failure)
        asyncio.get_running_loop().call_soon(self.reconcile)  # it may have been started again meanwhile

    def _tell_ended(self, application: Application, failure: str | None) -> None:
        if self.service is not None:
            self.service.ended(application.application_id, application.run, failure)
