"""What a running application needs of the world; `server.applications.process` connects it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from millstream.analytics.model import Input, Output, Reference
from millstream.base.clock import Clock
from millstream.base.errors import MillstreamError
from millstream.log import FollowedBlock


class ApplicationFailed(MillstreamError):
    """The application cannot go on until its owner changes something; the text says what."""


class BlockSource(Protocol):
    """The log of a stream or a delivery stream."""

    def end(self) -> int:
        """The position up to which it may be read now."""
        ...

    def settled_ms(self, now_ms: int) -> int:
        """Up to when all that has arrived may be read, if it is now `now_ms`; see LogFollower.settled_ms."""
        ...

    def is_there(self) -> bool:
        """Blocking. Whether the stream still exists."""
        ...

    def sequence_numbers(self) -> Callable[[int, int, int], str]:
        """(shard, offset, arrival_ms) -> the record's sequence number."""
        ...

    def read(self, position: int, *, bytes_max: int) -> list[FollowedBlock]:
        """Blocking. Blocks from `position` on; see LogFollower.read."""
        ...


class Refused(NamedTuple):
    """Records that an output did not take: their places, and why."""

    places: list[int]
    code: str
    message: str


class Sender(Protocol):
    """Puts results where they are to go."""

    async def put(self, output: Output, keys: list[bytes], data: list[bytes]) -> Refused | None:
        """Put records; None once all are taken."""
        ...


class World(NamedTuple):
    """Everything around a running application.

    `open_source` opens an input's source, raising ApplicationFailed if it is gone; `read_reference` gives the bytes of
    a reference table's object; `transform` has records processed by a function; `load` and `save` keep the checkpoint
    (blocking; `save` raises DiskError); `tell` tells the owner something: (level, message).
    """

    clock: Clock
    open_source: Callable[[Input], BlockSource]
    sender: Sender
    load: Callable[[], bytes | None]
    save: Callable[[bytes], None]
    read_reference: ReadReference
    transform: Transform
    tell: Callable[[str, str], None]


class ReadReference(Protocol):
    """Reads reference tables."""

    async def __call__(self, reference: Reference) -> bytes:
        """The object's bytes. Raises ApplicationFailed."""
        ...


class Transformed(NamedTuple):
    """A record as a function returned it: `data`, or None if it was dropped or failed; `failure` says why it
    failed."""

    data: bytes | None
    failure: str = ""


class Transform(Protocol):
    """Has records processed by a function."""

    async def __call__(self, source: Input, records: list[TransformRecord]) -> list[Transformed]:
        """The records, each as the input's function returned it, in order. Tries again until the function answers."""
        ...


class TransformRecord(NamedTuple):
    """A record on its way to a function."""

    data: bytes
    key: bytes
    shard: int
    offset: int
    arrival_ms: int
