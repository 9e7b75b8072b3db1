"""The state machine of applications: what happens once a call has been answered.

    READY ──► STARTING ──► RUNNING ──► UPDATING ──► RUNNING ──► STOPPING ──► READY ──► DELETING ──► gone
                  └────────────┴───────────┴── its process failed ──► READY

An operation saves a status and answers; the runner sees to the process, and says when it is at work and when it has
ended. All that it takes is in the saved application, so a start after a crash carries on where the last server
stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec.structs import replace

from millstream.analytics.model import Application, Input, Status
from millstream.analytics.ports import Runner
from millstream.analytics.registry import Handle, Registry, next_version
from millstream.base.clock import Clock
from millstream.base.errors import MillstreamError
from millstream.base.scheduler import Scheduler
from millstream.base.steps import RETRY_MS, Steps


class Lifecycle:
    """Moves applications from status to status. `delete_files` blocks, and deletes all files of an application id."""

    def __init__(
        self,
        registry: Registry,
        scheduler: Scheduler,
        clock: Clock,
        runner: Runner,
        delete_files: Callable[[str], None],
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._runner = runner
        self._delete_files = delete_files
        self._deleting: set[str] = set()
        self._steps = Steps[Handle](
            scheduler, holds=registry.holds, name=lambda handle: f"application {handle.application.arn}"
        )

    def resume(self, handle: Handle) -> None:
        """See to what the runner does not, at a start: there are no processes yet, so what is DELETING can go."""
        if handle.application.status is Status.DELETING:
            self._steps.later(0, handle, self._finish_delete)

    def start(self, handle: Handle, inputs: tuple[Input, ...]) -> None:
        """Save the status STARTING, and from where each input is read; RUNNING follows."""
        run = handle.application.run + 1
        self._save(handle, status=Status.STARTING, run=run, inputs=inputs, failure=None)
        self._runner.reconcile()

    def stop(self, handle: Handle) -> None:
        """Save the status STOPPING; READY follows."""
        self._save(handle, status=Status.STOPPING)
        self._runner.reconcile()

    def revise(self, handle: Handle, changes: dict[str, Any]) -> Application:
        """Save the next version; one that is RUNNING is UPDATING until its process has taken it up."""
        if handle.application.status is Status.RUNNING:
            changes = changes | {"status": Status.UPDATING}
        self._registry.save(handle, next_version(handle.application, self._clock.now_ms(), **changes))
        if handle.application.is_wanted:
            self._runner.reconcile()
        return handle.application

    def delete(self, handle: Handle) -> None:
        """Save the status DELETING; once it has no process, its files follow, and it."""
        has_process = handle.application.status is not Status.READY
        self._save(handle, status=Status.DELETING)
        if has_process:
            self._runner.reconcile()
        else:
            self._steps.later(0, handle, self._finish_delete)

    def running(self, handle: Handle, run: int) -> None:
        """The process of run number `run` works with what the catalog has."""
        self._surely(handle, partial(self._now_running, handle, run))

    def ended(self, handle: Handle, run: int, failure: str | None) -> None:
        """The process of run number `run` has ended. One that is not the present run's changes nothing."""
        self._surely(handle, partial(self._now_ended, handle, run, failure))

    async def close(self) -> None:
        """Begin nothing more, and let what has begun come to its end."""
        await self._steps.close()

    def _save(self, handle: Handle, **changes: Any) -> None:
        self._registry.save(handle, replace(handle.application, **changes))

    def _surely(self, handle: Handle, settle: Callable[[], None]) -> None:
        """Do it now; if that cannot be saved, again and again until it can: the runner tells things only once."""

        async def step(_: Handle) -> None:
            settle()

        try:
            settle()
        except (MillstreamError, OSError):
            self._steps.later(RETRY_MS, handle, step)

    def _now_running(self, handle: Handle, run: int) -> None:
        application = handle.application
        if application.run == run and application.status in (Status.STARTING, Status.UPDATING):
            self._save(handle, status=Status.RUNNING)

    def _now_ended(self, handle: Handle, run: int, failure: str | None) -> None:
        application = handle.application
        if application.run != run:
            return
        if application.status is Status.DELETING:
            self._steps.later(0, handle, self._finish_delete)
        elif application.status is Status.STOPPING or (application.is_wanted and failure is not None):
            self._save(handle, status=Status.READY, failure=failure)

    async def _finish_delete(self, handle: Handle) -> None:
        # the document goes last: after a crash in between, the next start finds it and deletes the rest
        application_id = handle.application.application_id
        if application_id in self._deleting:
            return
        self._deleting.add(application_id)
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._delete_files, application_id)
            self._registry.remove(handle)
        finally:
            self._deleting.discard(application_id)
