"""A running application over a log in memory, with outputs and a checkpoint that tests hold up or break."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from millstream.analytics.engine.application import RunningApplication
from millstream.analytics.engine.checkpoint import decode_checkpoint
from millstream.analytics.engine.ports import ApplicationFailed, Refused, Transformed, TransformRecord, World
from millstream.analytics.model import Application, Input, Output, Reference, ResourceKind
from millstream.analytics.records.schema import RecordColumn, Schema
from millstream.base.clock import ManualClock
from millstream.disk import DiskError, MemoryDisk
from millstream.log import Batch, LogFollower
from millstream.log.store import LogStore

SCHEMA = Schema(
    columns=(
        RecordColumn(name="K", sql_type="VARCHAR(16)", mapping="$.k"),
        RecordColumn(name="N", sql_type="BIGINT", mapping="$.n"),
    )
)
COPY = """\
CREATE STREAM "OUT" (k VARCHAR(16), n BIGINT);
CREATE PUMP "COPY" AS INSERT INTO "OUT" SELECT STREAM k, n FROM "SOURCE_SQL_STREAM_001";
"""
COUNTS = """\
CREATE STREAM "OUT" (k VARCHAR(16), n BIGINT);
CREATE PUMP "COUNT" AS INSERT INTO "OUT" SELECT STREAM k, COUNT(*) FROM "SOURCE_SQL_STREAM_001" AS s
GROUP BY k, STEP(s.ROWTIME BY INTERVAL '1' SECOND);
"""


class Source(LogFollower):
    """A log of one shard, which is written as well as followed."""

    def __init__(self, clock: ManualClock) -> None:
        disk = MemoryDisk()
        disk.make_directory("log")
        self.store = LogStore.open(disk, "log/one")
        self.store.share_end()
        self.clock = clock
        self.exists = True
        super().__init__(disk, "log/one")

    def put(self, *numbers: int, key: str = "a") -> None:
        data = [json.dumps({"k": key, "n": number}).encode() for number in numbers]
        self.store.commit([Batch(0, [b"k"] * len(data), data)], self.clock.now_ms())

    def is_there(self) -> bool:
        return self.exists

    def sequence_numbers(self) -> Callable[[int, int, int], str]:
        return lambda shard, offset, _: f"{shard}-{offset}"


class Surroundings:
    """The world of an application. Outputs take results while `open` is set, but for those in `refusing`."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.source = Source(self.clock)
        self.taken: dict[str, list[Any]] = {}
        self.open = asyncio.Event()
        self.open.set()
        self.refusing: set[str] = set()
        self.checkpoint: bytes | None = None
        self.saves = 0
        self.is_disk_full = False
        self.told: list[str] = []
        self.transform: Callable[[list[TransformRecord]], list[Transformed]] | None = None

    def world(self) -> World:
        return World(
            clock=self.clock,
            open_source=lambda _: self.source,
            sender=self,
            load=lambda: self.checkpoint,
            save=self._save,
            read_reference=self._no_reference,
            transform=self._transform,
            tell=lambda _, message: self.told.append(message),
        )

    async def put(self, output: Output, keys: list[bytes], data: list[bytes]) -> Refused | None:
        await self.open.wait()
        if output.arn in self.refusing:
            return Refused(list(range(len(data))), "ResourceNotFoundException", "there is no such stream")
        self.taken.setdefault(output.arn, []).extend(json.loads(datum)["N"] for datum in data)
        return None

    def _save(self, content: bytes) -> None:
        if self.is_disk_full:
            raise DiskError("No space left on device")
        self.saves += 1
        self.checkpoint = content

    async def _no_reference(self, reference: Reference) -> bytes:
        raise ApplicationFailed(f"{reference.table_name} is not there")

    async def _transform(self, source: Input, records: list[TransformRecord]) -> list[Transformed]:
        while self.transform is None:
            await asyncio.sleep(0.001)
        return self.transform(records)

    @property
    def saved(self) -> int:
        """The position of the checkpoint; -1 without one."""
        return decode_checkpoint(self.checkpoint).position if self.checkpoint else -1

    @asynccontextmanager
    async def running(self, application: Application, *, killed: bool = False) -> AsyncIterator[RunningApplication]:
        """An application at work; at the end it is stopped, or killed."""
        versions: list[int] = []
        running = RunningApplication(application, self.world(), versions.append)
        task = asyncio.create_task(running.run())
        ticking = asyncio.create_task(self._tick())
        try:
            await until(lambda: bool(versions) or task.done())
            yield running
            if not killed:
                running.stop()
                await asyncio.wait_for(task, 10)
        finally:
            for each in (task, ticking):
                each.cancel()
            await asyncio.gather(task, ticking, return_exceptions=True)

    async def _tick(self) -> None:
        """Let time go on, a hundred times as fast."""
        while True:
            await asyncio.sleep(0.001)
            self.clock.advance(100)


def application(code: str = COPY, *, outputs: tuple[str, ...] = ("first",), **changes: Any) -> Application:
    """An application with outputs to these ARNs."""
    source = Input(
        input_id="1.1",
        name_prefix="SOURCE_SQL_STREAM",
        kind=ResourceKind.STREAM,
        arn="arn:source",
        source_id="one",
        schema=SCHEMA,
        position=0,
        processor_arn=changes.pop("processor_arn", None),
    )
    made = tuple(
        Output(output_id=f"2.{at}", name="OUT", kind=ResourceKind.STREAM, arn=arn) for at, arn in enumerate(outputs)
    )
    return Application(
        application_id="app",
        account="000000000000",
        region="us-east-1",
        name="app",
        created_ms=0,
        updated_ms=0,
        code=code,
        inputs=(source,),
        outputs=made,
        run=1,
        **changes,
    )


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


@pytest.fixture
async def world() -> Surroundings:
    return Surroundings()


async def test_a_checkpoint_is_saved_when_the_outputs_have_taken_what_is_before_it(world: Surroundings) -> None:
    async with world.running(application()) as running:
        world.open.clear()
        world.source.put(1, 2)
        await until(lambda: running.rows_out == 2)
        world.source.put(3)
        await until(lambda: running.rows_out == 3)  # turns go on meanwhile
        assert world.saves == 0
        world.open.set()
        await until(lambda: world.saved == world.source.store.end_position())
        assert world.taken == {"first": [1, 2, 3]}


async def test_what_was_not_taken_is_put_again_by_the_next_process(world: Surroundings) -> None:
    async with world.running(application()):
        world.source.put(1)
        await until(lambda: world.saved == world.source.store.end_position())
    world.open.clear()
    async with world.running(application(), killed=True) as running:
        world.source.put(2)
        await until(lambda: running.rows_out == 1)
    world.open.set()
    async with world.running(application()):
        await until(lambda: world.taken == {"first": [1, 2]})


async def test_a_full_disk_holds_up_nothing_and_is_told_once(world: Surroundings) -> None:
    async with world.running(application()) as running:
        world.is_disk_full = True
        for number in range(5):
            world.source.put(number)
            await until(lambda number=number: running.rows_out == number + 1)  # type: ignore[misc]
        await until(lambda: bool(world.told))
        assert world.saved == -1
        world.is_disk_full = False
        await until(lambda: world.saved == world.source.store.end_position())
        assert [message for message in world.told if "No space left" in message] == world.told[:1]


async def test_one_output_that_takes_nothing_holds_up_no_other(world: Surroundings) -> None:
    world.refusing.add("first")
    async with world.running(application(outputs=("first", "second"))) as running:
        for number in range(20):
            world.source.put(number)
            await until(lambda number=number: running.rows_out == 2 * number + 2)  # type: ignore[misc]
        await until(lambda: world.taken == {"second": list(range(20))})
        assert world.saved == -1
        await until(lambda: "first does not take results" in "".join(world.told))
        world.refusing.clear()
        await until(lambda: world.taken["second"] == world.taken.get("first"))


async def test_an_output_that_takes_nothing_can_be_taken_away_or_sent_elsewhere(world: Surroundings) -> None:
    world.refusing |= {"first", "second"}
    before = application(outputs=("first", "second"))
    async with world.running(before) as running:
        world.source.put(1)
        await until(lambda: running.rows_out == 2)
        elsewhere = msgspec.structs.replace(before.outputs[0], arn="third")
        await running.update(msgspec.structs.replace(before, version=2, outputs=(elsewhere,)))
        await until(lambda: world.taken == {"third": [1]})
        await until(lambda: world.saved == world.source.store.end_position())


async def test_a_window_waits_for_what_is_being_committed(world: Surroundings) -> None:
    store = world.source.store
    async with world.running(application(COUNTS)) as running:
        world.source.put(1)
        world.clock.advance(-world.clock.now_ms() % 1000)
        arrival_ms = world.clock.now_ms()
        store._tell_commit(arrival_ms)  # a slow disk: what has arrived cannot be read yet
        await until(lambda: running.rows_in == 1 and world.clock.now_ms() > arrival_ms + 5_000)
        data = [b'{"k": "a", "n": 2}'] * 3
        store.commit([Batch(0, [b"k"] * 3, data)], arrival_ms)
        await until(lambda: sum(world.taken.get("first", [])) == 4)
        assert sorted(world.taken["first"]) == [1, 3]
        rows = [json.loads(row) for row in running.recent.after("OUT", -1, 10)[1]]
        assert len({row["ROWTIME"] for row in rows}) == 2


async def test_a_function_that_does_not_answer_keeps_nobody_from_stopping_it(world: Surroundings) -> None:
    async with world.running(application(processor_arn="arn:function")) as running:
        world.source.put(1)
        await asyncio.sleep(0.01)
        assert running.rows_in == 0
    world.transform = lambda records: [Transformed(record.data) for record in records]
    async with world.running(application(processor_arn="arn:function")):
        await until(lambda: world.taken == {"first": [1]})


async def test_a_source_that_is_deleted_ends_it(world: Surroundings) -> None:
    world.source.exists = False
    with pytest.raises(ApplicationFailed, match="arn:source was deleted"):
        await asyncio.wait_for(RunningApplication(application(), world.world(), lambda _: None).run(), 10)


async def test_the_same_version_is_told_again_and_changes_nothing(world: Surroundings) -> None:
    one = application()
    async with world.running(one) as running:
        turns = running._turns
        await running.update(one)
        world.source.put(1)
        await until(lambda: running.rows_out == 1)
        assert running._turns is turns


@pytest.mark.parametrize(
    ("position", "taken"), [(0, [1, 2]), (None, [2])], ids=["from the start", "from where it stopped"]
)
async def test_where_another_start_goes_on(world: Surroundings, position: int | None, taken: list[int]) -> None:
    one = application()
    async with world.running(one):
        world.source.put(1)
        await until(lambda: world.taken == {"first": [1]})
    world.taken.clear()
    source = msgspec.structs.replace(one.inputs[0], position=position)
    async with world.running(msgspec.structs.replace(one, run=2, inputs=(source,))):
        world.source.put(2)
        await until(lambda: world.taken == {"first": taken})


async def test_a_broken_checkpoint_matters_only_to_who_wants_to_go_on(world: Surroundings) -> None:
    one = application()
    world.checkpoint = b"broken"
    source = msgspec.structs.replace(one.inputs[0], position=None)
    with pytest.raises(ApplicationFailed, match="TRIM_HORIZON"):
        async with world.running(msgspec.structs.replace(one, inputs=(source,))):
            pass
    world.source.put(1)
    async with world.running(one):
        await until(lambda: world.taken == {"first": [1]})
