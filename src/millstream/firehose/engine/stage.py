"""The function stage of a pipeline: the journal between a delivery stream's source and its main delivery.

While there is one, the main delivery's progress is in positions of the journal (`Progress.of_journal`), and the stage
keeps a progress document of its own, which says how far the source may be trimmed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from millstream.base.errors import MillstreamError
from millstream.base.units import MIB
from millstream.firehose.configuration import Configuration
from millstream.firehose.engine.checkpoints import Saver
from millstream.firehose.engine.ground import Ground
from millstream.firehose.engine.tasks import end_tasks, is_being_cancelled
from millstream.firehose.model import DeliveryStream
from millstream.firehose.ports import RecordSource, Surroundings
from millstream.firehose.processing.invocation import function_settings
from millstream.firehose.processing.journal import JournalSource, source_point
from millstream.firehose.processing.transformation import Transformation
from millstream.firehose.progress import Progress
from millstream.firehose.retries import pause_s
from millstream.log.store import LogStore

_SEGMENT_BYTES = 32 * MIB
_SAVE_INTERVAL_S = 5.0
_STEADY_S = 60.0  # a run so long was no failed start

_log = logging.getLogger(__name__)


class FunctionStage:
    """Keeps a delivery stream's function at work. `open` before anything else.

    Without a function in the configuration (any more) nothing is added to the journal; what it has is still delivered.
    """

    def __init__(
        self,
        stream: DeliveryStream,
        configuration: Configuration,
        around: Surroundings,
        ground: Ground,
        saver: Saver,
    ) -> None:
        self._directory = f"firehose/{stream.stream_id}/processed"
        self._configuration = configuration
        self._settings = function_settings(configuration)
        self._around = around
        self._ground = ground
        self._cipher = ground.journal_cipher(stream)
        self._journal: LogStore | None = None
        self._transformation: Transformation | None = None
        self._saver = saver
        self._saved = -1
        self._trimmed = 0
        self._delivered = 0

    async def open(self, delivered: int | None) -> JournalSource:
        """The journal, of which so much is delivered, as a source; None: an empty one. Raises LogCorrupt, DiskError."""
        await self._in_thread(lambda: self._open(anew=delivered is None))
        self._delivered = delivered or 0
        return JournalSource(self._ground.disk, self._directory, self._cipher)

    def _open(self, *, anew: bool) -> None:
        if anew:
            self._ground.disk.remove_tree(self._directory)
        self._journal = LogStore.open(
            self._ground.disk, self._directory, cipher=self._cipher, segment_bytes=_SEGMENT_BYTES
        )
        self._journal.share_end()

    @property
    def journal_end(self) -> int:
        """The position after what the journal has."""
        assert self._journal is not None
        return self._journal.end_position()

    def source_position(self) -> int:
        """Blocking. Up to where the source is in the journal, as that says itself. Raises JournalError."""
        assert self._journal is not None
        point = source_point(self._journal)
        return point.position if point is not None else 0

    async def run(self, source: RecordSource, start: int) -> None:
        """Call the function for what comes from `source`, until cancelled; a new journal begins at `start` in it."""
        saving = asyncio.create_task(self._save_positions())
        clock = self._around.clock
        failures = 0
        try:
            while True:
                began_s = clock.monotonic()
                await self._run_once(source, start)
                failures = 1 if clock.monotonic() - began_s > _STEADY_S else failures + 1
                await asyncio.sleep(pause_s(failures, self._around.generator))
                await self._in_thread(self._reopen)
        finally:
            await end_tasks([saving])

    async def _run_once(self, source: RecordSource, start: int) -> None:
        """Return when the stage has failed, in whatever way."""
        try:
            await self._run(source, start)
        except (MillstreamError, OSError) as error:
            self._around.errors.report("Firehose.InternalError", f"the function stage starts again: {error}")
        except Exception:  # noqa: BLE001 - ours: told, and answered as any other failure
            _log.exception("%s: the function stage starts again", self._around.stream_arn)
        except asyncio.CancelledError:
            if is_being_cancelled():
                raise
            _log.error("%s: the function stage was cancelled from within", self._around.stream_arn)

    async def _run(self, source: RecordSource, start: int) -> None:
        assert self._journal is not None
        assert self._settings is not None
        self._transformation = Transformation(
            source,
            self._journal,
            self._configuration,
            self._settings,
            self._around,
            start=start,
            lag_bytes=lambda: self.journal_end - self._delivered,
        )
        await self._transformation.run()

    def _reopen(self) -> None:
        """Open the journal anew: one whose sync failed takes no more writes."""
        if self._journal is not None:
            self._journal.close()
        with suppress(MillstreamError, OSError):  # tried again with the next start
            self._open(anew=False)

    async def _save_positions(self) -> None:
        while True:
            await asyncio.sleep(_SAVE_INTERVAL_S)
            try:
                await self._save_position()
            except MillstreamError as error:  # tried again: until then, the source keeps more than it needs to
                self._around.errors.report("Firehose.InternalError", f"the function stage's position: {error}")

    async def _save_position(self) -> None:
        """Let the source go as far as it is in the journal."""
        if self._transformation is not None and self._transformation.position > self._saved:
            position = self._transformation.position
            await self._saver.save(Progress(position))
            self._saved = position

    async def flush(self) -> None:
        """Return once all that the source has now is in the journal."""
        while self._settings is not None:
            try:
                if self._transformation is not None:
                    await self._transformation.flush()
                    await self._save_position()
                    return
            except asyncio.CancelledError:  # this call, or the run that it waited for
                if is_being_cancelled():
                    raise
            await asyncio.sleep(0.1)

    async def delivered(self, position: int) -> None:
        """The journal is delivered up to `position`: let go of what is before."""
        self._delivered = position
        if position - self._trimmed >= _SEGMENT_BYTES and self._transformation is not None:
            try:
                await self._in_thread(partial(self._transformation.trim_to, position))
            except MillstreamError as error:  # tried again later
                self._around.errors.report("Firehose.InternalError", f"the function stage's journal: {error}")
            self._trimmed = position

    async def end(self) -> None:
        """There is no such stage any more: its journal is delivered."""
        await self.close()
        await self._saver.forget()

    async def close(self) -> None:
        """Close the journal; nothing of the stage may run any more."""
        if self._journal is not None:
            await self._in_thread(self._journal.close)

    async def _in_thread(self, fn: Callable[[], object]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._ground.reader, fn)
