"""Lives of a delivery, by seed: the worker is killed at any moment, the store fails, hangs, and lies about success.

Whatever happens, once all is over every record is in exactly one object, in its partition, in the order of the log.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import defaultdict
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

from millstream.catalog import CatalogError
from millstream.disk import DiskFull
from millstream.firehose.configuration import BufferingHints
from millstream.firehose.engine import ledger
from millstream.firehose.engine.buffers import Memory
from millstream.firehose.engine.delivery import Delivery, Parts
from millstream.firehose.engine.spool import Spool
from millstream.firehose.ports import (
    Chunk,
    DeliveryError,
    ErrorOutput,
    Lane,
    Parcel,
    Report,
    Surroundings,
)
from millstream.firehose.progress import Progress
from support.virtualtime import InlineExecutor, VirtualClock, run_virtually

SEEDS = range(int(os.environ["SEED"]), int(os.environ["SEED"]) + 1) if "SEED" in os.environ else range(150)


class _Log:
    """A source that grows; retention may drop its front."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []

    def put(self, records: list[bytes], now_ms: int) -> None:
        start = self.end()
        size = 64 + sum(map(len, records))
        self.chunks.append(Chunk(start, start + size, 0, 0, now_ms, [b"k"] * len(records), records))

    def end(self) -> int:
        return self.chunks[-1].end if self.chunks else 0

    def read(self, position: int, *, bytes_max: int) -> list[Chunk]:
        return [chunk for chunk in self.chunks if chunk.start >= position][: 1 + bytes_max % 7]


class _ByFirstByte:
    """Partitions by the first byte; "x" fails, "-" is dropped."""

    def process(self, chunk: Chunk) -> list[tuple[Lane, list[bytes]]]:
        lanes: dict[Lane, list[bytes]] = defaultdict(list)
        for record in chunk.data:
            if record.startswith(b"x"):
                lanes[Lane("processing-failed")].append(record)
            elif not record.startswith(b"-"):
                lanes[Lane("", (("query:p", record[:1].decode()),))].append(record)
        return list(lanes.items())


class _Store:
    """Objects by key; what it does to a put is up to the seed."""

    def __init__(self, generator: random.Random) -> None:
        self.objects: dict[str, list[bytes]] = {}
        self.generator = generator
        self.is_reliable = False

    async def put(self, key: str, records: list[bytes]) -> None:
        fate = 1.0 if self.is_reliable else self.generator.random()
        await asyncio.sleep(self.generator.random() * 2)
        if fate < 0.15:
            raise DeliveryError("S3.SlowDown", "slow down")
        self.objects[key] = records
        if fate < 0.3:
            raise DeliveryError("S3.InternalError", "it was put all the same")
        if fate < 0.35:
            raise ValueError("our own mistake")
        if fate < 0.4:
            await asyncio.sleep(300)


class _Destination:
    parcels_max = 3

    def __init__(self, store: _Store, failure: bool) -> None:
        self._store = store
        self._prefix = "errors" if failure else "data"
        self._failure = failure

    def plan(self, parcel: Parcel) -> str:
        partition = dict(parcel.lane.partition).get("query:p", "")
        return f"{self._prefix}/{partition}/{parcel.parcel_id}"

    async def deliver(self, parcel: Parcel) -> Report:
        records = [record for records in parcel.record_lists() for record in records]
        assert b"".join(records) == b"".join(parcel.pieces())
        assert len(records) == parcel.record_count
        rejected = [] if self._failure else [record for record in records if b"reject" in record]
        await self._store.put(parcel.key, [record for record in records if record not in rejected])
        errors = [ErrorOutput("rejected", lambda: [b"|".join(rejected)], len(rejected))] if rejected else []
        return Report(len(records) - len(rejected), parcel.size_bytes, errors)

    async def close(self) -> None:
        pass


class _ErrorWriter:
    def __init__(self, store: _Store) -> None:
        self._store = store

    def plan(self, kind: str, time_ms: int, parcel_id: str) -> str:
        return f"errors/{kind}/{parcel_id}"

    async def write(self, key: str, lines: Any) -> None:
        while True:
            with suppress(DeliveryError, ValueError):
                await self._store.put(key, b"".join(lines()).split(b"|"))
                return


class _Catalog:
    """Keeps progress; a save may fail with or without having been done."""

    def __init__(self, generator: random.Random) -> None:
        self.progress = Progress(0)
        self.generator = generator
        self.is_reliable = False

    async def save(self, progress: Progress) -> None:
        await asyncio.sleep(self.generator.random() * 0.01)
        fate = 1.0 if self.is_reliable else self.generator.random()
        if fate < 0.02:
            raise CatalogError("the disk is full")
        assert progress.position >= self.progress.position
        self.progress = progress
        await asyncio.sleep(self.generator.random() * 0.01)
        if fate < 0.04:
            raise CatalogError("nobody knows")


class _Errors:
    last_error: str | None = None
    last_error_ms: int | None = None

    def report(self, code: str, message: str, **details: Any) -> None:
        self.last_error = code


class _Life:
    """One source, one store, and a delivery that is killed again and again."""

    def __init__(self, seed: int, clock: VirtualClock, directory: Path) -> None:
        self.generator = random.Random(seed)
        self.clock = clock
        self.log = _Log()
        self.store = _Store(self.generator)
        self.catalog = _Catalog(self.generator)
        self.spool = Spool(directory)
        self.errors = _Errors()
        self.chain = _ByFirstByte()
        self.put_records: list[bytes] = []
        size_mib = self.generator.choice([0.0001, 0.001, 0.01])
        self.hints = BufferingHints(size_mib, self.generator.choice([0, 2, 30]))
        self.partitions_max = self.generator.choice([2, 500])
        self.memory: Memory | None = None

    def delivery(self) -> Delivery:
        around = cast(
            "Surroundings",
            type(
                "Around",
                (),
                {"clock": self.clock, "generator": self.generator, "errors": self.errors, "stream_arn": ""},
            )(),
        )
        parts = Parts(
            name="main",
            source=self.log,
            chain=self.chain,
            destination=_Destination(self.store, failure=False),
            failures=_Destination(self.store, failure=True),
            error_writer=cast("Any", _ErrorWriter(self.store)),
            hints=self.hints,
            failure_hints=self.hints,
            partitions_max=self.partitions_max,
            spool=self.spool,
            memory=self.memory or Memory(self.generator.choice([10_000, 1 << 27])),
            reader=cast("Executor", InlineExecutor()),
            save=self.catalog.save,
        )
        return Delivery(parts, self.catalog.progress, around)

    def put(self) -> None:
        records = []
        for _ in range(self.generator.randint(1, 20)):
            number = len(self.put_records)
            word = self.generator.choice(["", "", "", "reject"])
            padding = "." * self.generator.choice([0, 3, 300])
            record = f"{self.generator.choice('abcx-')}{number:06d}{word}{padding}".encode()
            self.put_records.append(record)
            records.append(record)
        self.log.put(records, self.clock.now_ms())

    async def live(self) -> None:
        """Records come in while the delivery runs for a while, and is then killed."""
        delivery = self.delivery()
        running = asyncio.create_task(delivery.run())
        for _ in range(self.generator.randint(0, 12)):
            self.put()
            delivery.wake.set()
            await asyncio.sleep(self.generator.random() * self.generator.choice([0.01, 1, 10]))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def end(self) -> None:
        """All faults are over: everything is delivered."""
        self.store.is_reliable = self.catalog.is_reliable = True
        delivery = self.delivery()
        running = asyncio.create_task(delivery.run())
        await asyncio.wait_for(delivery.flush(), 3_600)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    def check(self) -> None:
        stored = [record for records in self.store.objects.values() for record in records]
        expected = [record for record in self.put_records if not record.startswith(b"-")]
        assert sorted(stored) == sorted(expected)
        for key, records in self.store.objects.items():
            kind, partition = key.split("/")[:2]
            assert records == sorted(records, key=lambda record: record[1:7])
            if kind == "data":
                assert {record[:1].decode() for record in records} <= {partition}
        progress = self.catalog.progress
        assert (progress.position, progress.parcels, progress.done) == (self.log.end(), [], [])


@pytest.mark.parametrize("seed", SEEDS)
def test_every_record_is_delivered_exactly_once(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not seed % 3:
        monkeypatch.setattr(ledger, "LANES_AHEAD_MAX", 2)

    async def main(clock: VirtualClock) -> None:
        life = _Life(seed, clock, tmp_path)
        for _ in range(life.generator.randint(1, 8)):
            await life.live()
        await life.end()
        life.check()

    run_virtually(main)


def test_a_store_that_is_down_holds_reading_back(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        life = _Life(1, clock, tmp_path)
        life.hints = BufferingHints(0.0001, 1)
        life.store.put = _never  # type: ignore[method-assign]
        delivery = life.delivery()
        running = asyncio.create_task(delivery.run())
        for _ in range(500):
            life.put()
            delivery.wake.set()
            await asyncio.sleep(0.1)
        assert len(life.catalog.progress.parcels) < 20
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        del life.store.put
        await life.end()
        life.check()

    run_virtually(main)


def test_a_parcel_that_is_stuck_does_not_have_all_others_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "LANES_AHEAD_MAX", 8)

    async def main(clock: VirtualClock) -> None:
        life = _Life(1, clock, tmp_path)
        life.hints, life.partitions_max, life.store.is_reliable = BufferingHints(1, 1), 500, True
        delivered = life.store.put

        async def put(key: str, records: list[bytes]) -> None:
            await (_never if key.startswith("data/A/") else delivered)(key, records)

        life.store.put = put  # type: ignore[method-assign]
        delivery = life.delivery()
        running = asyncio.create_task(delivery.run())
        for number in range(60):
            life.put_records.append(b"%c%06d" % (ord("A") + number % 55, number))
            life.log.put(life.put_records[-1:], clock.now_ms())
            delivery.wake.set()
            await asyncio.sleep(4)
        assert len(life.catalog.progress.done) == 8
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        life.store.put = delivered  # type: ignore[method-assign]
        await life.end()
        life.check()

    run_virtually(main)


def test_a_mistake_of_ours_is_told_to_users_and_loses_nothing(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        life = _Life(1, clock, tmp_path)
        life.chain = _Mistaken()
        life.put()
        running = asyncio.create_task(life.delivery().run())
        await asyncio.sleep(10)
        assert life.errors.last_error == "Firehose.InternalError"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        life.chain = _ByFirstByte()
        await life.end()
        life.check()

    run_virtually(main)


def test_who_asks_sees_what_waits_and_why(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        life = _Life(1, clock, tmp_path)
        life.catalog.is_reliable = True
        life.hints = BufferingHints(0.0001, 0)  # cut before it is ever saved as buffered
        life.store.put = _never  # type: ignore[method-assign]
        life.put()
        put_ms = clock.now_ms()
        running = asyncio.create_task(life.delivery().run())
        await asyncio.sleep(5)
        assert life.catalog.progress.counters.oldest_waiting_ms == put_ms
        assert life.catalog.progress.counters.last_error is None
        life.errors.report("S3.SlowDown", "reported by a destination that tries again by itself")
        life.errors.last_error_ms = clock.now_ms()
        await asyncio.sleep(3)
        assert life.catalog.progress.counters.last_error == "S3.SlowDown"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

        life.errors = _Errors()  # of a new process
        del life.store.put
        await life.end()
        assert life.catalog.progress.counters.last_error == "S3.SlowDown"

    run_virtually(main)


def test_a_wall_clock_that_jumps_loses_nothing_and_delays_nothing(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        life = _Life(3, clock, tmp_path)
        life.hints = BufferingHints(1, 30)
        life.store.is_reliable = life.catalog.is_reliable = True
        delivery = life.delivery()
        running = asyncio.create_task(delivery.run())
        for jump_ms in (0, -86_400_000, 3_600_000, 10 * 86_400_000, -(10**12)):
            clock.start_ms += jump_ms
            life.put()
            delivery.wake.set()
            await asyncio.sleep(60)
            assert delivery.progress.position == life.log.end()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        life.check()

    run_virtually(main)


def test_error_output_that_fails_does_not_repeat_the_delivery(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        life = _Life(4, clock, tmp_path)
        life.store.is_reliable = life.catalog.is_reliable = True
        faults: list[Exception] = [DiskFull("no room"), OSError("an odd one")]
        puts: list[str] = []
        really_put = life.store.put

        async def put(key: str, records: list[bytes]) -> None:
            puts.append(key)
            if key.startswith("errors/rejected/") and faults:
                raise faults.pop()
            await really_put(key, records)

        life.store.put = put  # type: ignore[method-assign]
        life.put_records = [b"a000000reject", b"a000001"]
        life.log.put(life.put_records, clock.now_ms())
        await life.end()
        life.check()
        assert len([key for key in puts if key.startswith("data/")]) == 1

    run_virtually(main)


def test_a_full_scratch_disk_does_not_keep_recorded_parcels_from_being_delivered(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        life = _Life(5, clock, tmp_path)
        life.hints = BufferingHints(0.01, 1)
        life.store.put = _never  # type: ignore[method-assign]
        for _ in range(5):
            life.log.put([b"a%06d" % number + bytes(9_000) for number in range(10)], clock.now_ms())
        running = asyncio.create_task(life.delivery().run())
        await asyncio.sleep(30)
        assert life.catalog.progress.parcels
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        del life.store.put
        life.spool.append = _full  # type: ignore[method-assign]
        life.memory = Memory(10_000)
        await life.end()
        assert life.catalog.progress.position == life.log.end()

    run_virtually(main)


def _full(pieces: Any) -> Any:
    raise DiskFull("no room")


class _Mistaken(_ByFirstByte):
    def process(self, chunk: Chunk) -> list[tuple[Lane, list[bytes]]]:
        raise TypeError("not callable")


async def _never(key: str, records: list[bytes]) -> None:
    await asyncio.sleep(100_000)
    raise DeliveryError("S3.Unreachable", "down")
