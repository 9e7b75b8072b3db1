"""Resharding as arithmetic: which shards close, which open, and with what ranges.

Any reshard is said by where the open shards are to start. It is carried out as AWS does: shards are split at the new
starts, then pieces are merged over the starts that go. Shards in between are short-lived: they open and close at once,
without records, and readers pass through them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise

from msgspec.structs import replace

from millstream.base.hashkeys import HASH_KEY_COUNT, even_ranges
from millstream.streams.model import Shard, Stream


def first_shards(count: int, now_ms: int) -> list[Shard]:
    """The shards of a new stream: equal parts of the hash key space."""
    return [
        Shard(index=index, start_hash=low, end_hash=high, created_s=now_ms // 1000, opened_ms=now_ms)
        for index, (low, high) in enumerate(even_ranges(count))
    ]


def even_starts(open_shards: list[Shard], target: int) -> list[int]:
    """Where `target` shards start that divide the hash key space as evenly as UpdateShardCount does.

    New starts are the even ones, but for those close (within half a range) to a start that is there already: scaling
    down, each of those is taken instead, so that it needs nothing but merges; scaling up, one in each shard that would
    otherwise be cut twice, so that each is cut once. From even ranges this gives AWS's numbers of shards: n splits and
    2n - m merges on the way up from n to m, n - m merges on the way down.
    """
    current = [shard.start_hash for shard in open_shards]
    wanted = [low for low, _ in even_ranges(target)]
    if target <= len(current):
        return _snap_all(wanted, current, HASH_KEY_COUNT // target // 2)
    return _snap_doubles(wanted, current, HASH_KEY_COUNT // target // 2)


def _snap_all(wanted: list[int], current: list[int], reach: int) -> list[int]:
    starts: list[int] = []
    for start in wanted:
        place = bisect_left(current, start)
        near = min(current[max(0, place - 1) : place + 1], key=lambda there: abs(there - start))
        taken = starts and near <= starts[-1]
        starts.append(start if taken or abs(near - start) > reach else near)
    return starts


def _snap_doubles(wanted: list[int], current: list[int], reach: int) -> list[int]:
    starts = set(wanted)
    for low, high in pairwise([*current, HASH_KEY_COUNT]):
        inside = wanted[bisect_right(wanted, low) : bisect_left(wanted, high)]
        if len(inside) < 2:
            continue
        gaps = [(inside[0] - low, inside[0], low), (high - inside[-1], inside[-1], high)]
        for gap, start, edge in sorted(gaps):
            if gap <= reach and edge not in starts and edge != HASH_KEY_COUNT:
                starts.remove(start)
                starts.add(edge)
                break
    return sorted(starts)


def halved_starts(open_shards: list[Shard], indexes: set[int]) -> list[int]:
    """Where the open shards start once those of `indexes` are split in the middle."""
    starts = [shard.start_hash for shard in open_shards]
    starts += [
        (shard.start_hash + shard.end_hash + 1) // 2
        for shard in open_shards
        if shard.index in indexes and shard.end_hash > shard.start_hash
    ]
    return sorted(starts)


def reshard(stream: Stream, starts: list[int], now_ms: int) -> list[Shard]:
    """All shards of `stream`, by index, once its open shards start at `starts` (ascending, the first 0)."""
    plan = _Plan(stream, now_ms)
    pieces: list[Shard] = []
    for shard in stream.open_shards:
        inside = starts[bisect_right(starts, shard.start_hash) : bisect_right(starts, shard.end_hash)]
        pieces += plan.split(shard, inside)
    bounds = [bisect_left(pieces, start, key=lambda piece: piece.start_hash) for start in starts]
    for first, end in pairwise([*bounds, len(pieces)]):
        plan.merge(pieces[first:end])
    return sorted(plan.shards.values(), key=lambda shard: shard.index)


class _Plan:
    def __init__(self, stream: Stream, now_ms: int) -> None:
        self.shards = {shard.index: shard for shard in stream.shards}
        self._next_index = stream.next_shard_index
        self._now_ms = now_ms

    def split(self, shard: Shard, starts: list[int]) -> list[Shard]:
        """Cut a shard at `starts`, the middle one first; returns the pieces in order."""
        if not starts:
            return [shard]
        middle = len(starts) // 2
        cut = starts[middle]
        self._close(shard)
        low = self._open(shard.start_hash, cut - 1, [shard])
        high = self._open(cut, shard.end_hash, [shard])
        return self.split(low, starts[:middle]) + self.split(high, starts[middle + 1 :])

    def merge(self, group: list[Shard]) -> None:
        """Make one shard of adjacent ones, pair by pair, so that the lineage stays short."""
        while len(group) > 1:
            merged = [self._merge(low, high) for low, high in zip(group[::2], group[1::2], strict=False)]
            group = merged + group[len(merged) * 2 :]

    def _merge(self, low: Shard, high: Shard) -> Shard:
        self._close(low)
        self._close(high)
        return self._open(low.start_hash, high.end_hash, [low, high])

    def _close(self, shard: Shard) -> None:
        self.shards[shard.index] = replace(shard, closed_ms=self._now_ms)

    def _open(self, start: int, end: int, parents: list[Shard]) -> Shard:
        shard = Shard(
            index=self._next_index,
            start_hash=start,
            end_hash=end,
            created_s=max(self._now_ms // 1000, *(parent.created_s + 1 for parent in parents)),
            opened_ms=self._now_ms,
            parents=[parent.index for parent in parents],
        )
        self._next_index += 1
        self.shards[shard.index] = shard
        return shard
