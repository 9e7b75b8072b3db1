"""One delivery stream at work: its source, the stage that calls a function if there is one, its deliveries.

source ─┬─► [Transformation ─► journal] ─► main delivery ─► destination
        └─► backup delivery, if all source records are to be kept ─► S3
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial

from msgspec.structs import replace

from millstream.base.errors import MillstreamError
from millstream.firehose.configuration import ExtendedS3
from millstream.firehose.destinations import build_destination
from millstream.firehose.destinations.erroroutput import ErrorWriter, FailureDestination
from millstream.firehose.engine.checkpoints import Saver
from millstream.firehose.engine.delivery import Delivery, Parts, renew
from millstream.firehose.engine.ground import Ground
from millstream.firehose.engine.plan import Plan, surroundings
from millstream.firehose.engine.spool import Spool
from millstream.firehose.engine.stage import FunctionStage
from millstream.firehose.engine.tasks import end_tasks
from millstream.firehose.model import DeliveryStream
from millstream.firehose.ports import MAIN, Chain, Chunk, Destination, Lane, Records, RecordSource
from millstream.firehose.processing.chain import build_chain
from millstream.firehose.progress import BACKUP_DELIVERY, FUNCTION_STAGE, MAIN_DELIVERY, Progress
from millstream.firehose.retries import FIRST_PAUSE_S

_log = logging.getLogger(__name__)

_CLOSE_S = 5.0
PARTITIONS_MAX = 500  # AWS's quota of active partitions
_UNLIMITED = 1 << 30
_BROKEN_PAUSE_S = 5.0  # before what broke for a mistake of ours is begun anew


class _AsItIs:
    """The chain of a backup: records as they came."""

    def process(self, chunk: Chunk) -> Sequence[tuple[Lane, Records]]:
        return [(MAIN, chunk.records)]


class Pipeline:
    """A delivery stream at work. Made by `start`; ends with `stop`.

    `is_over`: a new pipeline is due. The function was taken away, and what it had made is delivered; or this one broke.
    """

    def __init__(self, stream: DeliveryStream, ground: Ground, on_over: Callable[[], None]) -> None:
        self.stream = stream
        self.is_over = False
        self._ground = ground
        self._on_over = on_over
        self._plan = Plan.of(stream, ground)
        self._source = ground.open_source(stream)
        self._around = surroundings(stream, ground)
        self._stage: FunctionStage | None = None
        self._ended: FunctionStage | None = None  # one that was taken away, once the main delivery is saved without it
        self._deliveries: dict[str, Delivery] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._destinations: list[Destination] = []
        self._seen: dict[str, int] = {}
        self._flushing: asyncio.Task[None] | None = None
        self._is_stopping = False

    @classmethod
    async def start(cls, stream: DeliveryStream, ground: Ground, on_over: Callable[[], None]) -> Pipeline:
        """Take up a delivery stream where it was left. Raises whatever a broken configuration leads to."""
        ground.scratch.mkdir(parents=True, exist_ok=True)
        pipeline = cls(stream, ground, on_over)
        try:
            await pipeline._start()
        except BaseException:
            await pipeline.stop()
            raise
        return pipeline

    async def _start(self) -> None:
        stream, plan = self.stream, self._plan
        saved, saver = await self._ground.checkpoints.load(stream, MAIN_DELIVERY)
        progress = saved or Progress(
            self._first_position, version=stream.version, routing=plan.routing, place=plan.place
        )
        source: RecordSource = self._source
        start = progress.position
        if plan.function or progress.of_journal:
            source, progress, start = await self._open_stage(progress)
        await self._start_backup(start)
        chain = build_chain(plan.configuration, self._around, after_function=progress.of_journal)
        destination = build_destination(stream.destination.kind, plan.configuration, self._around)
        await self._start_delivery(MAIN_DELIVERY, source, chain, destination, self._adapted(progress), saver)
        if self._ended is not None:
            await self._ended.end()
        if self._stage is not None and plan.function:
            # not before the main delivery is saved as one of the journal: if it were not, the journal would be anew
            self._begin(self._stage.run(self._source, start))
        elif self._stage is not None:
            self._begin(self._drain(self._deliveries[MAIN_DELIVERY]))

    async def _start_backup(self, start: int) -> None:
        """Back up the source's records, from now on if there was no backup before: from where the rest begins, too.

        Before the main delivery moves on from there, or what it delivers until a crash would be in no backup.
        """
        saved, saver = await self._ground.checkpoints.load(self.stream, BACKUP_DELIVERY)
        if self._plan.backup is None:
            await saver.forget()  # of a backup that is no longer wanted: the log need not wait for it
            return
        progress = saved or Progress(start, version=self.stream.version)
        backup = build_destination("ExtendedS3", self._plan.backup, self._around)
        source = self._ground.open_source(self.stream)  # its own: one is read by one thread at a time
        await self._start_delivery(BACKUP_DELIVERY, source, _AsItIs(), backup, progress, saver)

    @property
    def _first_position(self) -> int:
        """Where a new delivery begins: a Kinesis source where the API said, the own log at its front."""
        return self.stream.source.start_position if self.stream.source is not None else 0

    async def _open_stage(self, progress: Progress) -> tuple[RecordSource, Progress, int]:
        """Put the function's stage between the source and the main delivery, or take it away if it is done.

        What the main delivery reads, from where, and where a new journal begins in the source.

        The order of saves matters: whichever is the last before a crash, the source is not trimmed too far, and the
        next start does the rest.
        """
        staged, saver = await self._ground.checkpoints.load(self.stream, FUNCTION_STAGE)
        start = staged.position if staged is not None and progress.of_journal else progress.position
        stage = FunctionStage(self.stream, self._plan.configuration, self._around, self._ground, saver)
        if not progress.of_journal:
            await saver.save(Progress(start))
        journal = await stage.open(progress.position if progress.of_journal else None)
        if not self._plan.function and progress.position >= stage.journal_end:
            self._ended = stage
            in_journal = await asyncio.get_running_loop().run_in_executor(self._ground.reader, stage.source_position)
            start = max(start, in_journal)  # what is saved of it may be older
            return self._source, replace(progress, position=start, of_journal=False, done=[], parcels=[]), start
        self._stage = stage
        if not progress.of_journal:
            progress = replace(progress, position=0, of_journal=True, done=[], parcels=[])
        return journal, progress, start

    async def _drain(self, delivery: Delivery) -> None:
        await delivery.flush()
        self._is_over()

    def _is_over(self) -> None:
        self.is_over = True
        self._on_over()

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.append(task)
        task.add_done_callback(self._on_end)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        """None of the tasks ends by itself but for a mistake of ours: the whole begins anew then."""
        if not self._is_stopping and not self.is_over:
            error = None if task.cancelled() else task.exception()
            _log.error("%s: a task of its delivery ended", self.stream.arn, exc_info=error)
            asyncio.get_running_loop().call_later(_BROKEN_PAUSE_S, self._is_over)

    async def _start_delivery(
        self, name: str, source: RecordSource, chain: Chain, destination: Destination, progress: Progress, saver: Saver
    ) -> None:
        is_main = name == MAIN_DELIVERY
        objects = self._plan.objects if is_main or self._plan.backup is None else self._plan.backup
        partitioned = isinstance(objects, ExtendedS3) and objects.partitioning.enabled
        parts = Parts(
            name=name,
            source=source,
            chain=chain,
            destination=destination,
            failures=FailureDestination(objects, self._around),
            error_writer=ErrorWriter(objects, self._around),
            hints=self._plan.hints if is_main else objects.buffering,
            failure_hints=objects.buffering,
            partitions_max=PARTITIONS_MAX if partitioned and self._ground.limits_aws else _UNLIMITED,
            spool=Spool(self._ground.scratch),
            memory=self._ground.memory,
            reader=self._ground.reader,
            save=partial(self._save_main, saver) if is_main else saver.save,
        )
        self._destinations += (parts.destination, parts.failures)
        await saver.save(progress)
        delivery = self._deliveries[name] = Delivery(parts, progress, self._around)
        self._begin(delivery.run())

    async def _save_main(self, saver: Saver, progress: Progress) -> None:
        await saver.save(progress)
        if self._stage is not None:
            await self._stage.delivered(progress.position)

    def _adapted(self, saved: Progress) -> Progress:
        """Progress made under another configuration, as this one can go on from it.

        Parcels that are not known to be delivered get new keys if it is another place that is configured now; else an
        attempt that nobody heard of is repeated under its key. If records may go into other lanes than before, nothing
        is known of what is behind the low watermark: better twice than never.
        """
        plan = self._plan
        adapted = replace(saved, version=self.stream.version, routing=plan.routing, place=plan.place)
        if saved.routing != plan.routing:
            return replace(adapted, done=[], parcels=[])
        if saved.place != plan.place:
            return replace(adapted, parcels=[renew(parcel, self._ground.generator) for parcel in saved.parcels])
        return adapted

    def poll(self) -> None:
        """Wake what has more to read; called often."""
        for name, delivery in self._deliveries.items():
            end = delivery.source.end()
            if end != self._seen.get(name):
                self._seen[name] = end
                delivery.wake.set()

    def begin_flush(self) -> None:
        """Begin to deliver everything that was put before the call; ends with the pipeline at the latest."""
        if not self.is_flushing:
            self._flushing = asyncio.create_task(self._flush_surely())

    @property
    def is_flushing(self) -> bool:
        """Whether a flush that was begun is not done."""
        return self._flushing is not None and not self._flushing.done()

    async def _flush_surely(self) -> None:
        while True:
            try:
                return await self.flush()
            except MillstreamError as error:  # a checkpoint that could not be saved, say
                self._around.errors.report("Firehose.InternalError", f"what was to be delivered at once waits: {error}")
            await asyncio.sleep(FIRST_PAUSE_S)

    async def flush(self) -> None:
        """Return once everything that was put before the call is delivered."""
        if self._stage is not None:
            await self._stage.flush()
        await asyncio.gather(*(delivery.flush() for delivery in self._deliveries.values()))

    def routes_as(self, stream: DeliveryStream) -> bool:
        """Whether records would go into the same lanes with the configuration of `stream`."""
        return Plan.of(stream, self._ground).routing == self._plan.routing

    async def stop(self, *, flush_s: float = 0, drain_s: float = 0, finish_s: float = 0) -> None:
        """End, after doing one of these for at most so long; what is left waits in the log.

        `flush_s`: deliver all there is; `drain_s`: deliver what is read; `finish_s`: finish what is under way.
        """
        self._is_stopping = True
        deliveries = self._deliveries.values()
        await self._for_at_most(flush_s, self.flush)
        await self._for_at_most(drain_s, *(delivery.drain for delivery in deliveries))
        await self._for_at_most(finish_s, *(delivery.finish_under_way for delivery in deliveries))
        await end_tasks([*self._tasks, *([self._flushing] if self._flushing else [])])
        for destination in self._destinations:
            await self._for_at_most(_CLOSE_S, destination.close)
        if self._stage is not None:
            await self._stage.close()

    async def _for_at_most(self, duration_s: float, *works: Callable[[], Awaitable[None]]) -> None:
        """Do something that may fail, and may take too long, before the end."""
        if not duration_s:
            return
        try:
            async with asyncio.timeout(duration_s):
                await asyncio.gather(*(work() for work in works))
        except TimeoutError:
            _log.warning("%s: not all could be delivered in %g s before a stop", self.stream.arn, duration_s)
        except Exception:  # noqa: BLE001 - it must stop all the same
            _log.exception("%s: does not stop well", self.stream.arn)
