"""A running application: from its place in the source's log onwards, turn by turn, until it is stopped.

    read blocks ─► [preprocessing function] ─► turn: rows, operators, results ─► queues of outputs
                                                 └─ now and then: checkpoint, saved when its results are taken

A turn is a cycle of the data flow (`operators.frames`) over whole blocks of the log, or over none: when all that is in
the log has been read, time alone moves on, and closes windows.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from millstream.analytics.engine.batch import Batch
from millstream.analytics.engine.checkpoint import Checkpoint, StateBroken, decode_checkpoint
from millstream.analytics.engine.deliver import OutputQueue
from millstream.analytics.engine.ports import ApplicationFailed, BlockSource, Transformed, World
from millstream.analytics.engine.program import Prepared, prepare
from millstream.analytics.engine.recent import RecentRows
from millstream.analytics.engine.saver import Saver
from millstream.analytics.engine.turns import Turn, Turns
from millstream.analytics.model import Application
from millstream.base.units import MIB
from millstream.log import FollowedBlock

T = TypeVar("T")

_READ_BYTES = 4 * MIB
_POLL_S = 0.01
_GRACE_MS = 50  # the longest that the log takes from giving a commit its time to telling that it is under way
_HEARTBEAT_MS = 100
_LOOK_S = 2.0  # how often it is seen to that the source still exists


class RunningApplication:
    """Runs one application in one event loop. `on_running` is called with the version that is at work."""

    def __init__(self, application: Application, world: World, on_running: Callable[[int], None]) -> None:
        self._application = application
        self._world = world
        self._on_running = on_running
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="turns")
        self._stopping = False
        self._next: Application | None = None
        self._interrupted = asyncio.Event()
        self._queues: dict[str, OutputQueue] = {}
        self._source: BlockSource | None = None
        self._position = 0
        self._turns: Turns | None = None
        self._looked_s = 0.0
        self._saver = Saver(world.save, world.clock, world.tell)
        self._behind_ms = 0
        self.recent = RecentRows(1000 * world.clock.now_ms())
        self.rows_in = self.rows_out = self.errors = 0

    async def update(self, application: Application) -> None:
        """Go on with another version of the application, between two turns. The version that is at work is told
        again."""
        if application.version == self._application.version:
            if self._turns is not None:
                self._on_running(application.version)
            return
        await self._retarget(application)
        self._next = application
        self._interrupted.set()

    def stop(self) -> None:
        """Have `run` save where it is, and return."""
        self._stopping = True
        self._interrupted.set()

    async def run(self) -> None:
        """Run until `stop`. Raises ApplicationFailed."""
        try:
            prepared = await self._prepare()
            await self._begin(prepared)
            self._on_running(self._application.version)
            while not self._stopping:
                if self._next is not None:
                    await self._change(self._next)
                if not await self._turn():
                    await self._rest()
                if self._saver.is_due:
                    await self._save()
            await self._saver.finish()
            await self._save()
            await self._saver.finish()
        finally:
            await self._saver.close()
            await asyncio.gather(*(queue.close() for queue in self._queues.values()))
            self._thread.shutdown(wait=False)

    async def state_bytes(self) -> int:
        """About how much memory the operators' states take, once no turn is under way."""
        return await self._in_thread(self._turns.flow.state_bytes) if self._turns is not None else 0

    def stream_counts(self) -> dict[str, int]:
        """How many rows each in-application stream has had since the process began."""
        names = self._turns.flow.plan.streams if self._turns is not None else {}
        return dict.fromkeys(names, 0) | self.recent.counts()

    @property
    def behind_bytes(self) -> int:
        """How much of the log is still to be read."""
        return max(0, self._source.end() - self._position) if self._source is not None else 0

    @property
    def behind_ms(self) -> int:
        """How long ago the newest record that was read had arrived, while there are more to read; otherwise 0."""
        return self._behind_ms

    @property
    def checkpoint_ms(self) -> int:
        """When the last checkpoint was saved; 0: not yet."""
        return self._saver.saved_ms

    @property
    def checkpoint_position(self) -> int:
        """The position in the source's log from which it would go on after a crash."""
        return self._saver.position

    async def _prepare(self) -> Prepared:
        tables = {one.table_name: await self._world.read_reference(one) for one in self._application.references}
        return await self._in_thread(lambda: prepare(self._application, tables))

    async def _begin(self, prepared: Prepared) -> None:
        """Find the place to begin at, and take up the state that belongs to it."""
        source = self._application.inputs[0]
        self._source = await self._in_thread(lambda: self._world.open_source(source))
        self._turns = Turns(prepared, self._application.outputs, self._source.sequence_numbers())
        checkpoint = await self._in_thread(self._load)
        if checkpoint is not None and self._goes_on(checkpoint):
            self._position = checkpoint.position
            turns = self._turns
            try:
                anew = await self._in_thread(lambda: turns.restore(checkpoint))
            except StateBroken as error:
                raise _unreadable(error) from error
            if anew:
                self._world.tell("INFO", f"these pumps begin anew, as their queries have changed: {', '.join(anew)}")
        else:
            self._position = source.position or 0
        self._saver.position = self._position
        self._make_queues()

    def _goes_on(self, checkpoint: Checkpoint) -> bool:
        source = self._application.inputs[0]
        if checkpoint.source_id != source.source_id:
            return False
        return checkpoint.run == self._application.run or source.position is None

    def _load(self) -> Checkpoint | None:
        """The checkpoint; None if there is none, or none that can be read where one is not needed to go on."""
        content = self._world.load()
        if content is None:
            return None
        try:
            return decode_checkpoint(content)
        except StateBroken as error:
            if self._application.inputs[0].position is None:
                raise _unreadable(error) from error
            self._world.tell("ERROR", f"{error}: it begins where it was started")
            return None

    def _make_queues(self) -> None:
        for output in self._application.outputs:
            if output.output_id not in self._queues:
                refused = self._refused(output.output_id)
                self._queues[output.output_id] = OutputQueue(output, self._world.sender, refused)

    def _refused(self, output_id: str) -> Callable[[str, str], None]:
        def tell(code: str, message: str) -> None:
            arn = self._queues[output_id].output.arn
            self._world.tell("ERROR", f"{arn} does not take results: {code}: {message}")

        return tell

    async def _retarget(self, application: Application) -> None:
        """Have results go where that version wants them, those that wait included, and let nothing wait for room:
        an output that takes nothing must not keep its application from being changed."""
        wanted = {output.output_id: output for output in application.outputs}
        for output_id, queue in self._queues.items():
            if output_id in wanted:
                queue.output = wanted[output_id]
                await queue.set_bounded(False)
            else:
                await queue.close()

    async def _change(self, application: Application) -> None:
        """Take up another version: pumps whose queries are the same keep what they remember."""
        self._next = None
        self._interrupted.clear()
        before, turns = self._application, self._turns
        assert turns is not None
        self._application = application
        prepared = await self._prepare()
        wanted = {output.output_id for output in application.outputs}
        self._queues = {output_id: queue for output_id, queue in self._queues.items() if output_id in wanted}
        if application.inputs[0].source_id != before.inputs[0].source_id:
            await self._begin(prepared)
        else:
            assert self._source is not None
            after = self._turns = Turns(prepared, application.outputs, self._source.sequence_numbers())
            await self._in_thread(lambda: after.take_over(turns))
            self._make_queues()
        for queue in self._queues.values():
            await queue.set_bounded(True)
        self._saver.is_dirty = True
        self._on_running(application.version)

    async def _turn(self) -> bool:
        """One turn; False if there was nothing to do."""
        turns, source = self._turns, self._source
        assert turns is not None
        assert source is not None
        settled_ms = source.settled_ms(self._world.clock.now_ms() - _GRACE_MS)
        position = self._position
        blocks = await self._in_thread(lambda: source.read(position, bytes_max=_READ_BYTES))
        if blocks:
            await self._take(turns, source, blocks)
            return True
        self._behind_ms = 0
        if not turns.flow.is_timed or settled_ms < turns.until_ms + _HEARTBEAT_MS:
            return False
        await self._put(await self._in_thread(lambda: turns.run(None, settled_ms)))
        return True

    async def _take(self, turns: Turns, source: BlockSource, blocks: list[FollowedBlock]) -> None:
        """A turn over blocks, unless the application changes before a function is done with them."""
        last = blocks[-1]
        self._behind_ms = max(0, self._world.clock.now_ms() - last.arrival_ms) if last.end < source.end() else 0
        batch = await self._in_thread(lambda: Batch(blocks))
        if self._application.inputs[0].processor_arn is not None:
            transformed = await self._transformed(batch)
            if transformed is None:
                return
            batch.replace(transformed)
        turn = await self._in_thread(lambda: turns.run(batch, last.arrival_ms))
        self._position = last.end
        self._saver.is_dirty = True
        await self._put(turn)

    async def _transformed(self, batch: Batch) -> list[Transformed] | None:
        """What the input's function makes of the records; None if there is something else to do before it has."""
        transform = asyncio.ensure_future(self._world.transform(self._application.inputs[0], batch.for_function()))
        interrupted = asyncio.ensure_future(self._interrupted.wait())
        try:
            await asyncio.wait({transform, interrupted}, return_when=asyncio.FIRST_COMPLETED)
            return transform.result() if transform.done() else None
        finally:
            for task in (transform, interrupted):
                task.cancel()
            await asyncio.gather(transform, interrupted, return_exceptions=True)

    async def _put(self, turn: Turn) -> None:
        self.rows_in += turn.rows_in
        self.errors += turn.errors
        self.recent.add(turn.streams)
        for result in turn.results:
            self.rows_out += len(result.data)
            self._saver.is_dirty = True
            await self._queues[result.output_id].add(result.keys, result.data)

    async def _rest(self) -> None:
        """Wait until there may be more to read."""
        source, position = self._source, self._position
        assert source is not None
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + _HEARTBEAT_MS / 1000
        while not self._interrupted.is_set() and source.end() <= position and loop.time() < deadline_s:
            await asyncio.sleep(_POLL_S)
        if source.end() > position or loop.time() < self._looked_s + _LOOK_S:
            return
        self._looked_s = loop.time()
        if not await self._in_thread(source.is_there):
            raise ApplicationFailed(f"its source {self._application.inputs[0].arn} was deleted")

    async def _save(self) -> None:
        """Have a checkpoint made of where it is, to be saved once everything before that is taken by the outputs."""
        turns = self._turns
        assert turns is not None
        source_id, run, position = self._application.inputs[0].source_id, self._application.run, self._position
        await self._saver.begin(
            lambda: turns.checkpoint(run, source_id, position), self._in_thread, self._queues.values()
        )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _unreadable(error: StateBroken) -> ApplicationFailed:
    return ApplicationFailed(f"{error}: start it from NOW or TRIM_HORIZON, or restore its directory from a backup")


def resource_mib() -> int:
    """The memory of this process now, in MiB."""
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() // MIB


def out_of_memory(bytes_max: int | None = None) -> str:
    """Why an application that needs too much memory has stopped, and what to do."""
    more = f"more memory than the {bytes_max // MIB} MiB that it may have" if bytes_max else "more memory than there is"
    return f"it needs {more}: shorten its windows, group by fewer keys, or raise application_memory_mib"
