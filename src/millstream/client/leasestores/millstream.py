"""Leases in Millstream: operations of its own (ListLeases, PutLeases, DeleteLeases). They go with the stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from millstream.client.checkpoints import parse_checkpoint
from millstream.client.errors import understanding
from millstream.client.leases import Lease
from millstream.client.shards import stream_params
from millstream.client.transport import Connection

LEASES_MAX = 1000  # in one call


class MillstreamLeases:
    """The leases of one group of readers of one stream; see `LeaseStore`. It closes the connection."""

    def __init__(self, connection: Connection, stream: str, group: str) -> None:
        self._connection = connection
        self._names = {**stream_params(stream), "GroupName": group}

    async def load(self) -> list[Lease]:
        """All leases."""
        reply = await self._connection.call("ListLeases", **self._names)
        with understanding("ListLeases"):
            return [_lease(described) for described in reply["Leases"]]

    async def create(self, leases: Sequence[Lease]) -> None:
        """Add what is not there."""
        await self._put([_described(lease) for lease in leases])

    async def replace(self, leases: Sequence[Lease]) -> list[bool]:
        """Compare and set."""
        refused = await self._put([{**_described(lease), "ExpectedCounter": lease.counter - 1} for lease in leases])
        return [lease.shard_id not in refused for lease in leases]

    async def delete(self, leases: Sequence[Lease]) -> None:
        """Compare and delete."""
        keys = [{"ShardId": lease.shard_id, "ExpectedCounter": lease.counter} for lease in leases]
        for part in _parts(keys):
            await self._connection.call("DeleteLeases", **self._names, Leases=part)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def _put(self, leases: list[dict[str, Any]]) -> set[str]:
        refused: set[str] = set()
        for part in _parts(leases):
            reply = await self._connection.call("PutLeases", **self._names, Leases=part)
            with understanding("PutLeases"):
                refused.update(reply["RefusedShardIds"])
        return refused


def _parts(items: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    return [items[i : i + LEASES_MAX] for i in range(0, len(items), LEASES_MAX)]


def _described(lease: Lease) -> dict[str, Any]:
    described = {
        "ShardId": lease.shard_id,
        "Checkpoint": str(lease.checkpoint),
        "Counter": lease.counter,
        "ParentShardIds": lease.parents,
        "OwnerSwitches": lease.owner_switches,
    }
    return described if lease.owner is None else {**described, "Owner": lease.owner}


def _lease(described: dict[str, Any]) -> Lease:
    return Lease(
        described["ShardId"],
        parse_checkpoint(described["Checkpoint"]),
        described.get("Owner"),
        described["Counter"],
        tuple(described["ParentShardIds"]),
        described["OwnerSwitches"],
    )
