"""What subscriptions know of the rest: the groups that they follow, and the places that they put records into."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, Protocol

from millstream.logs.model import LogGroup
from millstream.logs.store import Followed, GroupHandle


class Kind(Enum):
    """What kind of place a destination is; the value is the service's name in an ARN."""

    STREAM = "kinesis"
    DELIVERY_STREAM = "firehose"


class Destination(NamedTuple):
    """A stream or a delivery stream, of the account and region of the log group."""

    kind: Kind
    arn: str

    @property
    def account(self) -> str:
        """The account that owns it."""
        return self.arn.split(":")[4]

    @property
    def region(self) -> str:
        """The region that it is in."""
        return self.arn.split(":")[3]


class Outgoing(NamedTuple):
    """A record to be put; a delivery stream takes no notice of the partition key."""

    partition_key: str
    data: bytes


class Outcome(NamedTuple):
    """Which records were not put (their indexes), and the error of the first of those. All others are durable."""

    failed: list[int]
    code: str = ""
    message: str = ""


class Destinations(Protocol):
    """Puts records, at most 500 of at most 4 MiB together."""

    async def put(self, destination: Destination, records: list[Outgoing]) -> Outcome:
        """Never raises for what the destination answers: that it is not there is an outcome, too."""
        ...


class Groups(Protocol):
    """The part of the store of log groups that subscriptions need; see `LogGroupStore`."""

    on_deleted: list[Callable[[LogGroup], None]]

    def get_by_id(self, group_id: str) -> GroupHandle | None:
        """The group of that life."""
        ...

    def watch(self, group_id: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Have `wake` called in the event loop after new events; returns what ends that."""
        ...

    async def end_position(self, handle: GroupHandle) -> int:
        """From where one follows only what comes from now on."""
        ...

    async def follow(self, handle: GroupHandle, position: int, *, bytes_max: int) -> Followed:
        """The next events from `position` on."""
        ...
