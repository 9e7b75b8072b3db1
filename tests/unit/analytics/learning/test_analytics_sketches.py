"""Distinct counts and frequent items: exact while small, near the truth when large."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from millstream.analytics.learning.distinct import DistinctCounter, hash_numbers, hash_texts
from millstream.analytics.learning.frequent import Counted, FrequentItems


def counter_of(start: int, stop: int) -> DistinctCounter:
    counter = DistinctCounter()
    counter.add(hash_numbers(np.arange(start, stop)))
    return counter


@pytest.mark.parametrize("count", [0, 1, 9_999, 10_000])
def test_up_to_10000_distinct_items_are_counted_exactly(count: int) -> None:
    counter = counter_of(0, count)
    counter.add(hash_numbers(np.arange(count // 2)))
    assert counter.count() == count


@pytest.mark.parametrize("count", [10_001, 20_000, 65_000, 300_000])
def test_more_are_counted_within_1_5_percent(count: int) -> None:
    for seed in range(3):
        start = seed * 10**9
        assert counter_of(start, start + count).count() == pytest.approx(count, rel=0.015)


def test_many_texts() -> None:
    counter = DistinctCounter()
    counter.add(hash_texts(f"item {number % 40_000}".encode() for number in range(50_000)))
    assert counter.count() == pytest.approx(40_000, rel=0.015)


def test_hashes_stay_the_same_for_ever() -> None:
    """States are read by later versions."""
    assert hash_numbers(np.array([0, 1, -1])).tolist() == [
        16294208416658607535,
        10451216379200822465,
        16490336266968443936,
    ]
    assert hash_texts([b"", b"AMZN"]).tolist() == [13020603013274838756, 3421739827221641700]


@pytest.mark.parametrize(
    "parts", [[(0, 5000), (2500, 6000)], [(0, 5000), (0, 30_000)], [(0, 30_000), (20_000, 50_000)]]
)
def test_merging_counts_what_both_counted(parts: list[tuple[int, int]]) -> None:
    for first, second in (parts, parts[::-1]):
        merged, direct = counter_of(*first), counter_of(*first)
        merged.merge(counter_of(*second))
        direct.add(hash_numbers(np.arange(*second)))
        assert merged.count() == direct.count()


@pytest.mark.parametrize("count", [3000, 30_000])
def test_a_counter_goes_on_from_its_state(count: int) -> None:
    counter = counter_of(0, count)
    again = DistinctCounter.from_state(counter.state())
    for one in (counter, again):
        one.add(hash_numbers(np.arange(count, 2 * count)))
    assert counter.count() == again.count()
    assert again.state_bytes() > 60_000


def count_rows(counter: FrequentItems[int], rows: Sequence[int]) -> None:
    counts = Counter(rows)
    counter.add(list(counts), list(counts.values()), lambda: rows)


def space_saving(rows: Sequence[int], capacity: int) -> dict[int, int]:
    """The algorithm as the paper has it."""
    counts: dict[int, int] = {}
    for row in rows:
        if row in counts:
            counts[row] += 1
        elif len(counts) < capacity:
            counts[row] = 1
        else:
            lowest = min(counts, key=counts.__getitem__)  # the first of these in the order of their coming
            counts[row] = counts.pop(lowest) + 1
    return counts


def test_the_most_frequent_are_exact_while_there_is_room() -> None:
    counter: FrequentItems[str] = FrequentItems()
    counter.add(["b", "a", "c"], [2, 2, 5], list)
    counter.add(["d", "a"], [4, 1], list)
    assert [(one.item, one.times) for one in counter.top(3)] == [("c", 5), ("d", 4), ("a", 3)]
    counter.add(["b"], [1], list)
    assert [one.item for one in counter.top(9)] == ["c", "d", "b", "a"]


@pytest.mark.parametrize("batch", [1, 7, 500])
def test_beyond_that_space_saving_whatever_the_batches(batch: int) -> None:
    rows = np.random.default_rng(1).zipf(1.3, 2000).tolist()
    counter: FrequentItems[int] = FrequentItems(50)
    for start in range(0, len(rows), batch):
        count_rows(counter, rows[start : start + batch])
        if start % 3 == 0:
            entries, known = counter.all(), counter.known
            counter = FrequentItems(50)
            counter.restore([Counted(*entry) for entry in entries], known)
    assert {one.item: one.times for one in counter.all()} == space_saving(rows, 50)


def test_recall_on_a_skewed_stream() -> None:
    rows = np.random.default_rng(2).zipf(1.2, 50_000).tolist()
    counter: FrequentItems[int] = FrequentItems(1000)
    count_rows(counter, rows)
    truth = [item for item, _ in Counter(rows).most_common(20)]
    assert {one.item for one in counter.top(20)} == set(truth)
    assert counter.state_bytes() > 1000
