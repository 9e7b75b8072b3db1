"""What the rest of Millstream knows of a record log: values, errors, and the `RecordLog` port."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import msgspec

from millstream.base.errors import MillstreamError


class LogError(MillstreamError):
    """The log cannot do what was asked."""


class LogFull(LogError):
    """The disk is full: nothing was written; the same append may succeed once space returns."""


class LogStopped(LogError):
    """An earlier write or sync failed in a way that leaves the disk's state unknown: no more writes until restart."""


class LogCorrupt(LogError):
    """A block that was once synced no longer reads back: `path` and `position` say where."""

    def __init__(self, path: str, position: int, reason: str) -> None:
        super().__init__(f"{path}: corrupt block at byte {position}: {reason}")
        self.path = path
        self.position = position
        self.reason = reason


class Batch(msgspec.Struct):
    """Records of one shard, in order, to be appended together: columns of equal length.

    `hash_keys`, where any record has an explicit hash key, holds 16 big-endian bytes or b"" a record.
    """

    shard: int
    keys: list[bytes]
    data: list[bytes]
    hash_keys: list[bytes] | None = None


class Placement(NamedTuple):
    """Where a batch went: its records have offsets `first_offset`, `first_offset + 1`, … and one arrival time."""

    first_offset: int
    arrival_ms: int


class RecordRun(NamedTuple):
    """Consecutive records of one shard with one arrival time: columns of equal length.

    `encrypted` says whether they are stored encrypted (their contents here never are).
    """

    first_offset: int
    arrival_ms: int
    keys: list[bytes]
    data: list[bytes]
    encrypted: bool = False


class BlockCipher(Protocol):
    """Encrypts blocks with the data keys of one log."""

    def current(self) -> int:
        """The number of the data key for new blocks; 0: do not encrypt."""
        ...

    def seal(self, number: int, plaintext: bytes, aad: bytes) -> bytes:
        """Encrypt and authenticate with data key `number`."""
        ...

    def open(self, number: int, sealed: bytes, aad: bytes) -> bytes:
        """The inverse of `seal`; raises a `MillstreamError` if the key cannot be had or the bytes were altered."""
        ...


class NoCipher:
    """The cipher of a log that was never encrypted."""

    def current(self) -> int:
        return 0

    def seal(self, number: int, plaintext: bytes, aad: bytes) -> bytes:  # noqa: ARG002
        raise LogError(f"this log has no data key {number}")

    def open(self, number: int, sealed: bytes, aad: bytes) -> bytes:  # noqa: ARG002
        raise LogError(f"this log has no data key {number}")


class RecordLog(Protocol):
    """One append-only log with any number of shards; offsets are per shard, dense, from 0.

    Methods marked blocking read files: call them in a thread. Nothing is visible before it is synced.
    """

    async def append(self, batches: list[Batch]) -> list[Placement]:
        """Append all batches in one commit and return once it is synced, a placement a batch.

        Raises LogStopped, or LogFull or another LogError: then nothing was written, and it may be tried again.
        """
        ...

    def read(self, shard: int, offset: int, *, records_max: int, bytes_max: int) -> list[RecordRun]:
        """Blocking. Synced records from `offset` (or from the first one kept, if that is later).

        `bytes_max` counts data and keys; one record is returned whatever its size. Raises LogCorrupt.
        """
        ...

    def find_time(self, shard: int, time_ms: int) -> int:
        """Blocking. The offset of the first record that arrived at or after `time_ms`; the next offset if none."""
        ...

    def shard_range(self, shard: int) -> tuple[int, int]:
        """(first kept offset, next offset): equal when the shard is empty, (0, 0) when it was never written."""
        ...

    def last_arrival_ms(self, shard: int) -> int | None:
        """Arrival time of the shard's newest record; None if it has none."""
        ...

    def end_position(self) -> int:
        """The log position after the last synced record, from where a follower meets only what comes from now on."""
        ...

    def publish_end(self) -> None:
        """Blocking, shortly. From now on let followers, also in other processes, see how far the log is synced."""
        ...

    def watch(self, shard: int, wake: Callable[[], None]) -> Callable[[], None]:
        """Have `wake` called in the event loop after each commit that touches `shard`; returns what ends that."""
        ...

    async def drain(self) -> None:
        """Return once every append taken so far is settled."""
        ...

    def trim(self, before_ms: int) -> int:
        """Blocking. Drop whole segments whose records all arrived before `before_ms`; returns the bytes freed."""
        ...

    def trim_to(self, position: int) -> int:
        """Blocking. Drop whole segments that end at or before the log position; returns the bytes freed."""
        ...

    async def close(self) -> None:
        """Settle all appends, then close. From the call on the log refuses appends, afterwards reads, too."""
        ...
