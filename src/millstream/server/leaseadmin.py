"""Operations of Millstream's own for groups of readers of a data stream: leases, which the client library works with.

All leases of a group are one document of the catalog, named by the stream's id and the group: a stream made again under
the same name has none. They are read and written in a thread of their own, so that nobody's put waits for a renewal's
sync. What a lease means, only its readers know: here it is compared and set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from millstream.catalog import SqliteCatalog
from millstream.streams.model import Stream, StreamStatus
from millstream.streams.registry import stream_not_found
from millstream.wire import CallContext, Operation
from millstream.wire.faults import LimitExceededException
from millstream.wire.operation import Result

GROUPS_MAX = 100  # a stream
LEASES_MAX = 25_000  # a group

_KIND = "leases"
_T = TypeVar("_T")

Params = dict[str, Any]


class Lease(msgspec.Struct, frozen=True, omit_defaults=True):
    """One shard's lease, as the catalog has it."""

    checkpoint: str
    counter: int
    owner: str | None = None
    parents: list[str] = []
    owner_switches: int = 0


Leases = dict[str, Lease]


class Handle(Protocol):
    """A stream as the registry has it."""

    stream: Stream


class Streams(Protocol):
    """Finds data streams."""

    def find(self, context: CallContext, params: Mapping[str, Any]) -> Handle:
        """The stream that a call's StreamName or StreamARN names. Raises ResourceNotFoundException and others."""
        ...


class LeaseTables:
    """The leases of all groups, in the catalog at `path`."""

    def __init__(self, path: Path | str) -> None:
        self._catalog = SqliteCatalog(path, any_thread=True)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="leases")

    async def read(self, stream: Stream, group: str) -> Leases:
        """The leases of a group by shard; none if there is no such group. Raises CatalogError."""
        return (await self._run(self._load, stream, group))[0]

    async def change(self, stream: Stream, group: str, change: Callable[[Leases], bool]) -> None:
        """Have `change` alter the leases of a group; they are saved if it returns True. Nothing comes between.

        Raises CatalogError, and LimitExceededException if that is a group, or a lease, too many.
        """
        await self._run(self._change, stream, group, change)

    async def delete(self, stream: Stream) -> None:
        """Delete the leases of all groups of a stream. Raises CatalogError."""
        await self._run(self._delete, stream)

    def close(self) -> None:
        """Let go of the catalog, when what is under way is done."""
        self._thread.shutdown()
        self._catalog.close()

    async def _run(self, function: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(function, *arguments))

    def _load(self, stream: Stream, group: str) -> tuple[Leases, int]:
        document = self._catalog.get(_KIND, stream.account, stream.region, f"{stream.stream_id}/{group}")
        if document is None:
            return {}, 0
        return msgspec.json.decode(document.body, type=Leases), document.version

    def _change(self, stream: Stream, group: str, change: Callable[[Leases], bool]) -> None:
        leases, version = self._load(stream, group)
        if not change(leases):
            return
        name = f"{stream.stream_id}/{group}"
        if not leases:
            if version:
                self._catalog.delete(_KIND, stream.account, stream.region, name, version)
            return
        if len(leases) > LEASES_MAX:
            raise LimitExceededException(f"Group {group} of stream {stream.name} would have over {LEASES_MAX} leases.")
        if not version and len(self._groups(stream)) >= GROUPS_MAX:
            raise LimitExceededException(
                f"Stream {stream.name} has {GROUPS_MAX} groups already: delete the leases of one that is not needed."
            )
        body = msgspec.json.encode(leases)
        self._catalog.put(_KIND, stream.account, stream.region, name, body, version)

    def _groups(self, stream: Stream) -> list[tuple[str, int]]:
        """Names and versions of the documents of a stream."""
        documents = self._catalog.list(_KIND, stream.account, stream.region)
        return [(each.name, each.version) for each in documents if each.name.startswith(f"{stream.stream_id}/")]

    def _delete(self, stream: Stream) -> None:
        for name, version in self._groups(stream):
            self._catalog.delete(_KIND, stream.account, stream.region, name, version)


class Ports(NamedTuple):
    """What these operations work with."""

    streams: Streams
    tables: LeaseTables


def operations_of(ports: Ports) -> dict[str, Operation]:
    """A part of the API `Service("millstream", …)`."""
    functions: dict[str, Callable[..., Result | Awaitable[Result]]] = {
        "ListLeases": list_leases,
        "PutLeases": put_leases,
        "DeleteLeases": delete_leases,
    }
    return {name: Operation(name, partial(function, ports)) for name, function in functions.items()}


async def list_leases(ports: Ports, context: CallContext, params: Params) -> dict[str, Any]:
    """All leases of a group."""
    stream = ports.streams.find(context, params).stream
    leases = await ports.tables.read(stream, params["GroupName"])
    return {"Leases": [_described(shard_id, lease) for shard_id, lease in sorted(leases.items())]}


async def put_leases(ports: Ports, context: CallContext, params: Params) -> dict[str, Any]:
    """Add leases, and change those that are still at the counter expected."""
    stream = ports.streams.find(context, params).stream
    if stream.status is StreamStatus.DELETING:
        raise stream_not_found(stream.name, context.account)  # what its deletion has deleted must not come back
    refused: list[str] = []
    await ports.tables.change(stream, params["GroupName"], partial(_put, params["Leases"], refused))
    return {"RefusedShardIds": refused}


async def delete_leases(ports: Ports, context: CallContext, params: Params) -> dict[str, Any]:
    """Delete leases that are still at the counter expected, or all of the group."""
    stream = ports.streams.find(context, params).stream
    await ports.tables.change(stream, params["GroupName"], partial(_delete, params.get("Leases")))
    return {}


def _put(changes: list[Params], refused: list[str], leases: Leases) -> bool:
    for change in changes:
        shard_id = change["ShardId"]
        stored = leases.get(shard_id)
        if (None if stored is None else stored.counter) != change.get("ExpectedCounter"):
            refused.append(shard_id)
            continue
        parents = change.get("ParentShardIds", [] if stored is None else stored.parents)
        leases[shard_id] = Lease(
            change["Checkpoint"], change["Counter"], change.get("Owner"), parents, change.get("OwnerSwitches", 0)
        )
    return len(refused) < len(changes)


def _delete(keys: list[Params] | None, leases: Leases) -> bool:
    before = len(leases)
    if keys is None:
        leases.clear()
        return True
    for key in keys:
        stored = leases.get(key["ShardId"])
        if stored is not None and stored.counter == key["ExpectedCounter"]:
            del leases[key["ShardId"]]
    return len(leases) < before


def _described(shard_id: str, lease: Lease) -> dict[str, Any]:
    return {
        "ShardId": shard_id,
        "Owner": lease.owner,
        "Counter": lease.counter,
        "Checkpoint": lease.checkpoint,
        "ParentShardIds": lease.parents,
        "OwnerSwitches": lease.owner_switches,
    }
