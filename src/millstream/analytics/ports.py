"""What this room's control plane needs of others; `server` connects it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from millstream.analytics.model import Application, Input, ResourceKind, Start


class FoundSource(NamedTuple):
    """A stream or delivery stream, and where its log begins and ends now."""

    source_id: str
    begin_position: int
    end_position: int


class Resources(Protocol):
    """The streams, delivery streams and objects of this server."""

    def find_source(self, account: str, region: str, kind: ResourceKind, arn: str) -> FoundSource:
        """A source, which from now on tells readers how far it may be read. Raises InvalidArgumentException with why
        not."""
        ...

    def check_target(self, account: str, region: str, kind: ResourceKind, arn: str) -> None:
        """Raises InvalidArgumentException if records cannot be put there at all (it does not exist, wrong kind)."""
        ...

    async def sample(self, account: str, region: str, kind: ResourceKind, arn: str, start: Start) -> list[bytes]:
        """Some of the records of a source, for discovering their schema: the newest, or those that come within some
        seconds.

        De-aggregated. Raises Faults.
        """
        ...

    async def read_object(self, account: str, region: str, bucket_arn: str, key: str, *, bytes_max: int) -> bytes:
        """The beginning of an object. Raises Faults."""
        ...

    async def transform(self, account: str, region: str, function_arn: str, records: list[bytes]) -> list[bytes]:
        """The records as a preprocessing function returns them. Raises Faults."""
        ...


class Runner(Protocol):
    """Who runs applications: processes that follow what the registry has."""

    def reconcile(self) -> None:
        """Some application has changed: start, change or stop its process. It reports through `service`."""
        ...


class Catalogued(Protocol):
    """What the runner tells the service."""

    def running(self, application_id: str, run: int) -> None:
        """The application's process is at work with what the catalog has: STARTING and UPDATING end."""
        ...

    def ended(self, application_id: str, run: int, failure: str | None) -> None:
        """The application's process has ended: STOPPING ends, and with a failure the application is READY, and says
        why."""
        ...


def source_position(source: FoundSource, start: Start) -> int | None:
    """Input.position for a start."""
    if start is Start.LAST_STOPPED_POINT:
        return None
    return source.end_position if start is Start.NOW else source.begin_position


__all__ = ["Application", "Catalogued", "FoundSource", "Input", "Resources", "Runner", "source_position"]
