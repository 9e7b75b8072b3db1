"""Which shards close and open, and with what ranges."""

from __future__ import annotations

from itertools import pairwise

import pytest

from millstream.base.hashkeys import HASH_KEY_COUNT, HASH_KEY_MAX
from millstream.streams.model import Shard, Stream
from millstream.streams.resharding import even_starts, first_shards, halved_starts, reshard

NOW_MS = 1_700_000_000_000


def stream_of(shards: list[Shard]) -> Stream:
    """A stream with those shards."""
    return Stream(
        account="123456789012",
        region="us-east-1",
        name="orders",
        stream_id="a" * 20 + "-aaa",
        created_ms=NOW_MS,
        shards=shards,
        next_shard_index=len(shards),
    )


def shares(stream: Stream) -> list[float]:
    """How much of an even share of the hash key space each open shard has; asserts that they cover it."""
    opened = stream.open_shards
    assert opened[0].start_hash == 0
    assert opened[-1].end_hash == HASH_KEY_MAX
    assert all(low.end_hash + 1 == high.start_hash for low, high in pairwise(opened))
    return [(shard.end_hash - shard.start_hash + 1) * len(opened) / HASH_KEY_COUNT for shard in opened]


def scaled(stream: Stream, target: int, now_ms: int = NOW_MS + 60_000) -> Stream:
    """The stream after UpdateShardCount."""
    return stream_of(reshard(stream, even_starts(stream.open_shards, target), now_ms))


@pytest.mark.parametrize(
    ("count", "target", "total"),
    [(2, 4, 6), (4, 5, 15), (10, 13, 37), (4, 2, 6), (5, 3, 7), (10, 3, 17), (1, 2, 3), (2, 1, 3), (3, 3, 3)],
)
def test_the_number_of_shards_after_scaling_is_awss(count: int, target: int, total: int) -> None:
    after = scaled(stream_of(first_shards(count, NOW_MS)), target)
    assert len(after.shards) == total
    assert len(after.open_shards) == target


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 10, 16, 31])
def test_scaling_leaves_ranges_as_even_as_awss_number_of_shards_allows(count: int) -> None:
    for target in range(1, 2 * count + 1):
        found = shares(scaled(stream_of(first_shards(count, NOW_MS)), target))
        assert len(found) == target
        assert min(found) >= 0.5
        assert max(found) <= (1.5 if target > count else 2)  # scaling down only merges
        if target == 2 * count or count % target == 0:
            assert found == pytest.approx([1] * target)


@pytest.mark.parametrize("target", [1, 2, 3, 4, 5, 9, 20])
def test_scaling_evens_out_what_manual_splits_left(target: int) -> None:
    stream = stream_of(first_shards(2, NOW_MS))
    for start in (2, 5, 1000, 2**126, 2**127 + 7):
        starts = sorted({*(shard.start_hash for shard in stream.open_shards), start})
        stream = stream_of(reshard(stream, starts, NOW_MS + 1000))
    found = shares(scaled(stream, target))
    assert len(found) == target
    assert min(found) >= 0.5
    assert max(found) <= 1.5


def test_lineage_is_adjacent_and_sequence_numbers_grow_along_it() -> None:
    stream = stream_of(first_shards(10, NOW_MS))
    for target in (13, 26, 13, 7, 4, 1):
        stream = scaled(stream, target, NOW_MS)  # the clock stands still
        by_index = {shard.index: shard for shard in stream.shards}
        for shard in stream.shards:
            parents = [by_index[index] for index in shard.parents]
            assert len(parents) <= 2
            for parent in parents:
                assert parent.closed_ms is not None
                assert parent.created_s < shard.created_s
                assert parent.start_hash <= shard.end_hash
                assert shard.start_hash <= parent.end_hash
            if len(parents) == 2:
                assert parents[0].end_hash + 1 == parents[1].start_hash
                assert (shard.start_hash, shard.end_hash) == (parents[0].start_hash, parents[1].end_hash)
    assert [shard.index for shard in stream.shards] == list(range(len(stream.shards)))


def test_the_lineage_of_a_great_change_is_short() -> None:
    stream = scaled(stream_of(first_shards(1, NOW_MS)), 1000, NOW_MS)
    assert max(shard.created_s for shard in stream.shards) <= NOW_MS // 1000 + 11
    stream = scaled(stream, 1, NOW_MS)
    assert max(shard.created_s for shard in stream.shards) <= NOW_MS // 1000 + 22


def test_halving_splits_the_shards_named() -> None:
    stream = stream_of(first_shards(4, NOW_MS))
    after = stream_of(reshard(stream, halved_starts(stream.open_shards, {1, 3}), NOW_MS))
    assert shares(after) == pytest.approx([1.5, 0.75, 0.75, 1.5, 0.75, 0.75])


def test_a_shard_of_one_hash_key_is_not_halved() -> None:
    stream = stream_of(first_shards(1, NOW_MS))
    stream = stream_of(reshard(stream, [0, 1], NOW_MS))
    assert halved_starts(stream.open_shards, {1}) == [0, 1]
