"""In which order the shards of a stream are to be read: parents to their end before children."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class Lineage:
    """Which shards may be read now. Facts in: shards that were listed, shards that ended; out: shards to begin with."""

    def __init__(self) -> None:
        self._parents: dict[str, set[str]] = {}
        self._begun: set[str] = set()
        self._ended: set[str] = set()

    def add(self, shards: Iterable[Mapping[str, Any]]) -> None:
        """Take note of shards as ListShards describes them; those known already stay as they are."""
        for shard in shards:
            parents = {shard[key] for key in ("ParentShardId", "AdjacentParentShardId") if key in shard}
            self._parents.setdefault(shard["ShardId"], parents)

    def add_children(self, children: Iterable[Mapping[str, Any]]) -> None:
        """Take note of a shard's ChildShards, as GetRecords describes them."""
        for child in children:
            self._parents.setdefault(child["ShardId"], set(child["ParentShards"]))

    def end(self, shard_id: str) -> None:
        """The shard is read to its end."""
        self._ended.add(shard_id)

    def begin(self) -> list[str]:
        """Shards whose parents are all read, or unknown because they are gone; each is named once."""
        ready = [
            shard_id
            for shard_id, parents in self._parents.items()
            if shard_id not in self._begun and not (parents & self._parents.keys()) - self._ended
        ]
        self._begun.update(ready)
        return sorted(ready)
