"""Which shard a record goes to: the open shards of a stream by their hash key ranges.

A `ShardMap` is immutable and built anew when shards change, so that one assignment switches all producers at once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from millstream.base.hashkeys import HASH_KEY_MAX, hash_key_bytes, md5
from millstream.streams.model import Shard
from millstream.streams.sequence import number_base


class Route(NamedTuple):
    """An open shard as the put path needs it: everything that a reply repeats is computed once."""

    shard: int
    shard_id: str
    number_base: int


class ShardMap:
    """The open shards, ordered by hash key."""

    def __init__(self, shards: Iterable[Shard]) -> None:
        """Take the open ones of `shards`, whose ranges are adjacent and cover the hash key space."""
        opened = sorted((shard for shard in shards if shard.is_open), key=lambda shard: shard.start_hash)
        self.starts = [shard.start_hash.to_bytes(16, "big") for shard in opened]
        self.shards = [shard.index for shard in opened]
        self.routes = [
            Route(shard.index, shard.shard_id, number_base(shard.created_s, shard.index)) for shard in opened
        ]
        self.sole = self.routes[0] if len(self.routes) == 1 else None

    def route(self, partition_key: bytes) -> Route:
        """The shard of a record without explicit hash key."""
        if self.sole is not None:
            return self.sole
        return self.route_hash(hash_key_bytes(partition_key))

    def route_hash(self, hash_key: bytes) -> Route:
        """The shard of a hash key of 16 big-endian bytes."""
        return self.routes[bisect_right(self.starts, hash_key) - 1]

    def group(self, keys: list[bytes], hash_keys: list[bytes] | None) -> dict[Route, list[int]]:
        """Places of the records in the request, by shard and in order. `hash_keys` has b"" where none was given."""
        starts = self.starts
        if hash_keys is None:
            digests = [md5(key).digest() for key in keys]
        else:
            digests = [given or md5(key).digest() for given, key in zip(hash_keys, keys, strict=True)]
        places: list[list[int]] = [[] for _ in range(len(starts) + 1)]
        for place, digest in enumerate(digests):
            places[bisect_right(starts, digest)].append(place)
        return {route: found for route, found in zip(self.routes, places[1:], strict=True) if found}


def explicit_hash_key(text: str) -> bytes | None:
    """An ExplicitHashKey as 16 big-endian bytes; None if it is not in 0 … 2^128-1."""
    number = int(text)
    return number.to_bytes(16, "big") if number <= HASH_KEY_MAX else None
