"""Leases: which worker of a consumer group reads which shard and how far it has come; the port to their store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from millstream.client.checkpoints import Checkpoint


class Lease(NamedTuple):
    """One shard's lease. Every change adds 1 to `counter`: whoever last saw another counter may not change it.

    An owner renews its leases by changing nothing but the counter. There is no time in it: everybody goes by how long
    they themselves have seen the same counter, so clocks need not agree.
    """

    shard_id: str
    checkpoint: Checkpoint
    owner: str | None = None
    counter: int = 0
    parents: tuple[str, ...] = ()
    owner_switches: int = 0
    """How often the owner changed since the checkpoint last did."""


class LeaseStore(Protocol):
    """Where the leases of one consumer group are kept. Calls raise CallError, Unreachable.

    After an error nobody knows whether a change took place: load again.
    """

    async def load(self) -> list[Lease]:
        """All leases, as they are now."""
        ...

    async def create(self, leases: Sequence[Lease]) -> None:
        """Add these, but for shards that have a lease already."""
        ...

    async def replace(self, leases: Sequence[Lease]) -> list[bool]:
        """Put each in the place of that with the counter before its own; tells for each whether that was there."""
        ...

    async def delete(self, leases: Sequence[Lease]) -> None:
        """Delete those that still have the counters given."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class MemoryLeases:
    """Leases in this process, for tests: give the same one to every consumer of a group."""

    def __init__(self) -> None:
        self.leases: dict[str, Lease] = {}

    async def load(self) -> list[Lease]:
        """All leases."""
        return list(self.leases.values())

    async def create(self, leases: Sequence[Lease]) -> None:
        """Add what is not there."""
        for lease in leases:
            self.leases.setdefault(lease.shard_id, lease)

    async def replace(self, leases: Sequence[Lease]) -> list[bool]:
        """Compare and set."""
        return [self._replace(lease) for lease in leases]

    async def delete(self, leases: Sequence[Lease]) -> None:
        """Compare and delete."""
        for lease in leases:
            if self.leases.get(lease.shard_id) == lease:
                del self.leases[lease.shard_id]

    async def close(self) -> None:
        """Nothing to let go of."""

    def _replace(self, lease: Lease) -> bool:
        stored = self.leases.get(lease.shard_id)
        fits = stored is not None and stored.counter == lease.counter - 1
        if fits:
            self.leases[lease.shard_id] = lease
        return fits
