"""A seeded simulation of one log on a disk that fails, fills up and loses power, with keys that change and get lost.

The model is a list of records a shard. A commit that was acknowledged must be there for ever; one that was refused
because the disk was full must never be; one that was cut short by a crash or a failed sync is there whole or not at
all, and stays as it was first seen.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass, field

from millstream.disk import DiskError, DiskFull, FaultyDisk, MemoryDisk
from millstream.log.check import check_directory
from millstream.log.port import Batch, LogError, LogFull, LogStopped
from millstream.log.store import LogStore

DIRECTORY = "streams/log"
CHANGES = frozenset({"create", "write", "allocate", "truncate", "sync", "rename", "remove", "sync_directory"})
Record = tuple[bytes, bytes]


class PowerLoss(BaseException):
    """The machine stops here; no handler of the program runs."""


@dataclass
class Faults:
    """What goes wrong next: a countdown of disk operations to a power loss, and chances of errors."""

    generator: random.Random
    operations_left: int | None = None
    full: bool = False
    failure_chance: float = 0.0
    failing: frozenset[str] = frozenset()

    def decide(self, operation: str, path: str) -> DiskError | None:
        if self.operations_left is not None:
            self.operations_left -= 1
            if self.operations_left < 0:
                raise PowerLoss
        if self.full and operation in {"allocate", "write", "create"} and self.generator.random() < 0.6:
            return DiskFull(f"{path}: No space left on device")
        if operation in self.failing and self.generator.random() < self.failure_chance:
            return DiskError(f"{path}: Input/output error")
        return None


@dataclass
class Keys:
    """A cipher with several data keys, as far as a log can tell; with `lost`, none can be had for new blocks."""

    number: int = 0
    lost: bool = False

    def current(self) -> int:
        return self.number

    def seal(self, number: int, plaintext: bytes, aad: bytes) -> bytes:
        if self.lost:
            raise LogError("there is no data key")
        return bytes([number]) + zlib.crc32(aad).to_bytes(4, "little") + plaintext[::-1]

    def open(self, number: int, sealed: bytes, aad: bytes) -> bytes:
        assert sealed[:5] == bytes([number]) + zlib.crc32(aad).to_bytes(4, "little")
        return sealed[:4:-1]


@dataclass
class Simulation:
    """One run; `run` raises AssertionError with the seed in its message when a promise does not hold."""

    seed: int
    generator: random.Random = field(init=False)
    records: dict[int, list[Record]] = field(default_factory=dict)
    first_offsets: dict[int, int] = field(default_factory=dict)
    now_ms: int = 1_000_000

    def __post_init__(self) -> None:
        self.generator = random.Random(self.seed)
        self.disk = MemoryDisk()
        self.faults = Faults(self.generator)
        self.keys = Keys()
        self.segment_bytes = self.generator.choice([400, 2_000, 20_000])
        self.block_bytes = self.generator.choice([64, 500, 10_000])
        self.store = self._open()

    def _open(self) -> LogStore:
        disk = FaultyDisk(self.disk, self.faults.decide)
        return LogStore.open(
            disk, DIRECTORY, cipher=self.keys, segment_bytes=self.segment_bytes, block_bytes=self.block_bytes
        )

    def run(self, steps: int) -> None:
        """`steps` random steps, then a last power loss and a check of everything."""
        chances = {
            self.commit: 20,
            self.power_loss_within_commit: 3,
            self.power_loss_within_upkeep: 1,
            self.fill_up: 2,
            self.break_sync: 1,
            self.break_anything: 2,
            self.change_key: 1,
            self.trim: 2,
            self.trim_to: 1,
            self.restart: 1,
        }
        for _ in range(steps):
            self.now_ms += self.generator.choice([0, 1, 50, 100_000, -20_000])
            self.generator.choices(list(chances), list(chances.values()))[0]()
            self.check_reads()
        self.power_loss()
        assert all(report.problem is None for report in check_directory(self.disk, DIRECTORY)), self.seed

    def _batches(self) -> list[Batch]:
        batches = []
        for shard in self.generator.sample(range(4), self.generator.randint(1, 4)):
            count = self.generator.randint(1, 5)
            keys = [self.generator.randbytes(self.generator.randint(1, 9)) for _ in range(count)]
            data = [self.generator.randbytes(self.generator.choice([0, 3, 40, 700])) for _ in range(count)]
            batches.append(Batch(shard, keys, data))
        return batches

    def _expect(self, batches: list[Batch]) -> None:
        for batch in batches:
            self.records.setdefault(batch.shard, []).extend(zip(batch.keys, batch.data, strict=True))

    def commit(self) -> None:
        batches = self._batches()
        before = {shard: len(records) for shard, records in self.records.items()}
        placements = self.store.commit(batches, self.now_ms)
        assert [p.first_offset for p in placements] == [before.get(b.shard, 0) for b in batches], self.seed
        self._expect(batches)

    def power_loss_within_commit(self) -> None:
        batches = self._batches()
        self.faults.operations_left = self.generator.randint(0, 8)
        try:
            self.store.commit(batches, self.now_ms)
        except PowerLoss:
            self.power_loss(uncertain=batches)
        else:
            self._expect(batches)
            self.power_loss()

    def fill_up(self) -> None:
        self.faults.full = True
        for _ in range(4):
            batches = self._batches()
            try:
                self.store.commit(batches, self.now_ms)
            except LogFull:
                self.check_reads()
            else:
                self._expect(batches)
        self.faults.full = False

    def break_sync(self) -> None:
        self.faults.failing, self.faults.failure_chance = frozenset({"sync"}), 0.5
        batches: list[Batch] = []
        try:
            for _ in range(5):
                batches = self._batches()
                self.store.commit(batches, self.now_ms)
                self._expect(batches)
        except LogStopped:
            self.faults.failure_chance = 0.0
            try:
                self.store.commit(self._batches(), self.now_ms)
            except LogStopped:
                pass
            else:
                raise AssertionError(f"seed {self.seed}: a log took a write after a failed sync") from None
            self.check_reads()
            self.power_loss(uncertain=batches)
        self.faults.failure_chance = 0.0

    def break_anything(self) -> None:
        """Every change to the disk may fail; then the power goes, with luck after an orderly end."""
        self.faults.failing, self.faults.failure_chance = CHANGES, 0.1
        uncertain: list[Batch] | None = None
        for _ in range(6):
            batches = self._batches()
            try:
                self.store.trim(self._horizon_ms(), self.now_ms)
                uncertain = batches
                self.store.commit(batches, self.now_ms)
                self._expect(batches)
            except (DiskError, LogError):
                if self.store.stopped is not None:
                    break
            uncertain = None
        faults, self.faults.failure_chance = self.faults.failure_chance, 0.0
        self.check_reads()
        if self.generator.random() < 0.5:
            self.faults.failure_chance = faults
            self.store.close()
            self.faults.failure_chance = 0.0
        self.power_loss(uncertain)

    def change_key(self) -> None:
        self.keys.number = self.generator.randint(0, 3)
        self.keys.lost = self.keys.number != 0
        if self.keys.lost:
            try:
                self.store.commit(self._batches(), self.now_ms)
            except LogError:
                self.keys.lost = False
            else:
                raise AssertionError(f"seed {self.seed}: a commit without its key")

    def power_loss_within_upkeep(self) -> None:
        self.faults.operations_left = self.generator.randint(0, 12)
        try:
            self.store.trim(self._horizon_ms(), self.now_ms)
            self.store.close()
        except PowerLoss:
            pass
        self.power_loss()

    def _horizon_ms(self) -> int:
        return self.now_ms - self.generator.choice([10, 50_000, 300_000])

    def trim(self) -> None:
        before_ms = self._horizon_ms()
        ends = {shard: self.store.shard_range(shard)[1] for shard in self.records}
        times = {shard: self.store.find_time(shard, before_ms) for shard in self.records}
        self.store.trim(before_ms, self.now_ms)
        for shard in self.records:
            first, end = self.store.shard_range(shard)
            assert end == ends[shard], self.seed
            assert first <= times[shard], f"seed {self.seed}: trim dropped a record younger than asked"
            self.first_offsets[shard] = first

    def trim_to(self) -> None:
        """Drop what is below a position; everything that was committed after it stays."""
        position = self.store.end_position()
        ends = {shard: self.store.shard_range(shard)[1] for shard in self.records}
        for _ in range(self.generator.randint(0, 3)):
            self.commit()
        self.store.trim_to(position)
        for shard, records in self.records.items():
            first, end = self.store.shard_range(shard)
            assert end == len(records), self.seed
            assert first <= ends.get(shard, 0), f"seed {self.seed}: trim_to dropped a record behind its position"
            self.first_offsets[shard] = first

    def restart(self) -> None:
        if self.generator.random() < 0.5:
            self.store.close()
        self.store = self._open()

    def power_loss(self, uncertain: list[Batch] | None = None) -> None:
        """Lose power, perhaps again while recovering, and see what is there."""
        while True:
            self.disk = self.disk.crash_clone(self.generator)
            self.faults.operations_left = self.generator.choice([None, None, self.generator.randint(0, 12)])
            try:
                self.store = self._open()
                break
            except PowerLoss:
                continue
        self.faults.operations_left = None
        if uncertain is not None and self._survived(uncertain):
            self._expect(uncertain)
        self.check_reads(whole=True)

    def _survived(self, batches: list[Batch]) -> bool:
        there = [
            self.store.shard_range(b.shard)[1] == len(self.records.get(b.shard, ())) + len(b.keys) for b in batches
        ]
        absent = [self.store.shard_range(b.shard)[1] == len(self.records.get(b.shard, ())) for b in batches]
        assert all(there) or all(absent), f"seed {self.seed}: a commit survived in part"
        return all(there)

    def check_reads(self, *, whole: bool = False) -> None:
        """Records that must be there are, at their offsets, and nothing else is.

        Unless `whole`, only a part of them is read, of some shards: most of the time of a run goes into reading.
        """
        for shard, records in self.records.items():
            first, end = self.store.shard_range(shard)
            assert end == len(records), f"seed {self.seed}: shard {shard} ends at {end}, not {len(records)}"
            assert first <= end, self.seed
            if not whole and self.generator.random() < 0.5:
                continue
            offset = first if whole else max(first, self.generator.randint(0, end))
            limit = 10_000 if whole else self.generator.choice([1, 3, 10_000])
            bytes_max = 10**6 if whole else self.generator.choice([1, 900, 10**6])
            stop = end if whole else min(end, offset + 4)
            last_arrival_ms = 0
            while offset < stop:
                runs = self.store.read(shard, offset, records_max=limit, bytes_max=bytes_max)
                assert runs, f"seed {self.seed}: no record at offset {offset} of shard {shard}"
                for run in runs:
                    assert run.first_offset == offset, self.seed
                    assert run.arrival_ms >= last_arrival_ms, self.seed
                    last_arrival_ms = run.arrival_ms
                    expected = records[offset : offset + len(run.keys)]
                    assert list(zip(run.keys, run.data, strict=True)) == expected, self.seed
                    offset += len(run.keys)
