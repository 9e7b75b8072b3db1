"""The shards of a stream, and the leases that a consumer group has to make and may drop because of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from millstream.client.checkpoints import TRIM_HORIZON, Checkpoint
from millstream.client.errors import understanding
from millstream.client.leases import Lease
from millstream.client.transport import Connection


class Shard(NamedTuple):
    """A shard as ListShards tells; hash keys inclusive."""

    shard_id: str
    parents: tuple[str, ...]
    is_open: bool
    hash_key_min: int
    hash_key_max: int


def stream_params(name_or_arn: str) -> dict[str, str]:
    """How calls name a stream."""
    return {"StreamARN" if name_or_arn.startswith("arn:") else "StreamName": name_or_arn}


async def list_shards(connection: Connection, stream: str) -> dict[str, Shard]:
    """All shards that the stream still has records of, by id. Raises as `Connection.call`."""
    found: dict[str, Shard] = {}
    params: dict[str, Any] = stream_params(stream)
    while True:
        reply = await connection.call("ListShards", **params)
        with understanding("ListShards"):
            found |= {shard.shard_id: shard for shard in map(_shard, reply["Shards"])}
        if not reply.get("NextToken"):
            return found
        params = {"NextToken": reply["NextToken"]}


def missing_leases(shards: Mapping[str, Shard], leases: Collection[Lease], start: Checkpoint) -> list[Lease]:
    """The leases to make for shards that have none.

    A descendant of a shard that has a lease is read whole: it goes on where its ancestor ended. Any other begins at
    `start`: with LATEST only those that are open, because the others have nothing to come.
    """
    leased = {lease.shard_id for lease in leases}
    made = []
    for shard in shards.values():
        if shard.shard_id in leased:
            continue
        if _has_leased_ancestor(shard, shards, leased):
            made.append(Lease(shard.shard_id, TRIM_HORIZON, parents=shard.parents))
        elif shard.is_open or start.value != "LATEST":
            made.append(Lease(shard.shard_id, start, parents=shard.parents))
    return made


def expired_leases(shards: Mapping[str, Shard], leases: Iterable[Lease]) -> list[Lease]:
    """The leases of finished shards that the stream has forgotten.

    One that is the parent of a shard which is still there is kept: it says that its children were to be read whole.
    """
    parents = {parent for shard in shards.values() for parent in shard.parents}
    return [
        lease
        for lease in leases
        if lease.checkpoint.is_end and lease.shard_id not in shards and lease.shard_id not in parents
    ]


def _has_leased_ancestor(shard: Shard, shards: Mapping[str, Shard], leased: Collection[str]) -> bool:
    waiting, seen = list(shard.parents), set(shard.parents)
    while waiting:
        shard_id = waiting.pop()
        if shard_id in leased:
            return True
        if shard_id in shards:
            fresh = [parent for parent in shards[shard_id].parents if parent not in seen]
            waiting += fresh
            seen.update(fresh)
    return False


def _shard(described: dict[str, Any]) -> Shard:
    parents = (described.get("ParentShardId"), described.get("AdjacentParentShardId"))
    hash_keys = described["HashKeyRange"]
    return Shard(
        described["ShardId"],
        tuple(parent for parent in parents if parent),
        "EndingSequenceNumber" not in described["SequenceNumberRange"],
        int(hash_keys["StartingHashKey"]),
        int(hash_keys["EndingHashKey"]),
    )
