"""Which records of a request may be written now: routed to shards, and throttled shard by shard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import NamedTuple

from millstream.log import Batch
from millstream.streams.registry import StreamHandle
from millstream.streams.replies import Failed
from millstream.streams.routing import Route
from millstream.wire.faults import ProvisionedThroughputExceededException


class Admitted(NamedTuple):
    """Records of one shard that may be written: their places in the request, and the batch to append."""

    places: Sequence[int]
    route: Route
    batch: Batch
    size_bytes: int


def rate_exceeded(handle: StreamHandle, shard_id: str) -> ProvisionedThroughputExceededException:
    """The fault of everything that is throttled."""
    stream = handle.stream
    return ProvisionedThroughputExceededException(
        f"Rate exceeded for shard {shard_id} in stream {stream.name} under account {stream.account}."
    )


def admit_record(handle: StreamHandle, key: bytes, data: bytes, hash_key: bytes | None) -> Admitted:
    """Admit one record. Raises ProvisionedThroughputExceededException."""
    shard_map = handle.shard_map
    route = shard_map.route(key) if hash_key is None else shard_map.route_hash(hash_key)
    size_bytes = len(key) + len(data)
    if handle.limits.enabled and not handle.limits.of(route.shard).admit_each([size_bytes])[0]:
        raise rate_exceeded(handle, route.shard_id)
    batch = Batch(route.shard, [key], [data], None if hash_key is None else [hash_key])
    return Admitted(_FIRST, route, batch, size_bytes)


def admit_records(
    handle: StreamHandle, keys: list[bytes], data: list[bytes], hash_keys: list[bytes] | None
) -> tuple[list[Admitted], list[Failed]]:
    """Route and throttle the columns of a request; what is throttled is refused record by record, in order."""
    count = len(keys)
    shard_map = handle.shard_map
    grouped: Mapping[Route, Sequence[int]]
    grouped = {shard_map.sole: range(count)} if shard_map.sole else shard_map.group(keys, hash_keys)
    admitted: list[Admitted] = []
    failed: list[Failed] = []
    for route, places in grouped.items():
        batch = Batch(route.shard, keys, data, hash_keys)
        if len(places) < count:
            batch = _pick(batch, places)
        size_bytes = sum(map(len, batch.keys)) + sum(map(len, batch.data))
        if not handle.limits.enabled or handle.limits.of(route.shard).admit(len(places), size_bytes):
            admitted.append(Admitted(places, route, batch, size_bytes))
        else:
            _admit_each(handle, Admitted(places, route, batch, size_bytes), admitted, failed)
    return admitted, failed


_FIRST = range(1)


def _admit_each(handle: StreamHandle, wanted: Admitted, admitted: list[Admitted], failed: list[Failed]) -> None:
    """Sort the records of one shard, which do not all fit, into those that do and those that do not."""
    places, route, batch, _ = wanted
    sizes = [len(key) + len(datum) for key, datum in zip(batch.keys, batch.data, strict=True)]
    fits = handle.limits.of(route.shard).admit_each(sizes)
    fault = rate_exceeded(handle, route.shard_id)
    refused = [place for place, fit in zip(places, fits, strict=True) if not fit]
    failed.append(Failed(refused, fault.code, fault.message))
    chosen = [index for index, fit in enumerate(fits) if fit]
    if chosen:
        kept = [places[index] for index in chosen]
        admitted.append(Admitted(kept, route, _pick(batch, chosen), sum(compress(sizes, fits))))


def _pick(batch: Batch, places: Sequence[int]) -> Batch:
    keys, data, hash_keys = batch.keys, batch.data, batch.hash_keys
    return Batch(
        batch.shard,
        [keys[place] for place in places],
        [data[place] for place in places],
        hash_keys and [hash_keys[place] for place in places],
    )
