"""Random cut forests: what they score high, that trees stay what they are said to be, that nothing breaks them."""

from __future__ import annotations

import numpy as np
import pytest

from millstream.analytics.learning.forest import VALUE_MAX, Forest, ForestSize
from millstream.analytics.learning.randomness import Floats

FEW = ForestSize(tree_count=20, sample_size=128, time_decay=1000)
SMALL = ForestSize(tree_count=5, sample_size=16, time_decay=40)


def check_trees(forest: Forest) -> None:
    """Boxes are those of the points below, cuts part them, masses are those of the samples."""
    trees = forest._trees
    for tree in range(trees.tree_count):
        leaves, _ = check_node(forest, int(trees.root[tree]), -1)
        used, counts = np.unique(forest._leaves[tree], return_counts=True)
        assert leaves == set(used.tolist())
        assert trees.mass[used].tolist() == counts.tolist()
        free = trees.free[tree, : trees.free_count[tree]]
        assert len(set(free.tolist())) == trees.width - (2 * len(used) - 1)


def check_node(forest: Forest, node: int, parent: int) -> tuple[set[int], Floats]:
    trees = forest._trees
    assert trees.parent[node] == parent
    dimension = int(trees.dimension[node])
    if dimension < 0:
        return {node}, trees.box[node]
    below, below_box = check_node(forest, int(trees.child[2 * node]), node)
    above, above_box = check_node(forest, int(trees.child[2 * node + 1]), node)
    assert -below_box[trees.dimensions + dimension] <= trees.cut[node] < above_box[dimension]
    box = np.minimum(below_box, above_box)
    assert box.tolist() == trees.box[node].tolist()
    sides = -(box[: trees.dimensions] + box[trees.dimensions :])
    assert trees.extent[node] == pytest.approx(sides.sum(), rel=1e-12)
    return below | above, box


def naive_score(forest: Forest, point: Floats) -> float:
    """The score of a point, node by node as the definition has it."""
    trees, total = forest._trees, 0.0
    size = forest.size.sample_size
    for root in trees.root.tolist():
        node, depth, left, score = root, 0, 1.0, 0.0
        while trees.dimension[node] >= 0:
            low, high = trees.box[node, : len(point)], -trees.box[node, len(point) :]
            grown = np.maximum(high, point) - np.minimum(low, point)
            chance = (grown - (high - low)).sum() / grown.sum()
            score += left * chance / (depth + 1)
            left *= 1 - chance
            node = int(trees.child[2 * node + (point[trees.dimension[node]] > trees.cut[node])])
            depth += 1
        mass = trees.mass[node]
        known = trees.box[node, : len(point)].tolist() == point.tolist()
        at_leaf = (1 - mass / (2 * size)) / (depth + np.log2(1 + mass)) if known else 1 / (depth + 1)
        total += (score + left * at_leaf) * np.log2(1 + size)
    return float(total / trees.tree_count)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(np.random.default_rng(1).normal(size=(300, 3)), id="continuous"),
        pytest.param(np.random.default_rng(2).integers(0, 4, (300, 2)).astype(float), id="duplicates"),
        pytest.param(np.ones((60, 2)), id="all the same"),
        pytest.param(np.random.default_rng(3).choice([-VALUE_MAX, 0.0, 5e-324, VALUE_MAX], (200, 2)), id="extremes"),
        pytest.param(2.0 ** -np.arange(200.0)[:, None], id="as deep as can be"),
    ],
)
def test_trees_hold_their_samples_and_scores_are_those_of_the_definition(rows: Floats) -> None:
    forest = Forest(SMALL, rows.shape[1])
    forest.score(rows[:-5], 7)
    for row in rows[-5:]:
        check_trees(forest)
        expected = naive_score(forest, row)
        assert forest.score(row[None, :], 7)[0, 0] == pytest.approx(expected, rel=1e-9)


def test_scores_are_0_until_a_sample_is_full() -> None:
    rows = np.random.default_rng(1).normal(size=(300, 1))
    scores = Forest(ForestSize(), 1).score(rows, 0)[:, 0]
    assert not scores[:256].any()
    assert scores[256:].all()
    shingled = Forest(ForestSize(shingle_size=4), 1).score(rows, 0)[:, 0]
    assert not shingled[: 256 + 3].any()
    assert shingled[256 + 3 :].all()


def test_ordinary_points_score_about_1_and_far_ones_up_to_8() -> None:
    rows = np.random.default_rng(1).normal(size=(400, 2))
    rows[-1] = 1000.0
    scores = Forest(ForestSize(), 2).score(rows, 0)[:, 0]
    assert 0.6 < np.median(scores[256:]) < 1.1
    assert 6 < scores[-1] < np.log2(257)


@pytest.mark.parametrize("shingle_size", [1, 4])
def test_spikes_in_a_wave_get_the_highest_scores(shingle_size: int) -> None:
    times = np.arange(1000)
    noise = np.random.default_rng(4).normal(0, 1, 1000)
    values = 50 * np.sin(2 * np.pi * times / 50) + noise
    spikes = [500, 700, 900]
    values[spikes] = [130, -120, 150]
    scores = Forest(FEW._replace(shingle_size=shingle_size), 1).score(values[:, None], 0)[:, 0]
    highest = set(np.argsort(scores)[-3 * shingle_size :].tolist())
    assert set(spikes) <= highest
    assert highest <= {spike + lag for spike in spikes for lag in range(shingle_size)}


def test_what_only_a_shingle_sees() -> None:
    """A dip within the wave's range: no value is odd, the course is (the reference's example)."""
    times = np.arange(800)
    values = 50 + 50 * np.sin(2 * np.pi * times / 50) + np.random.default_rng(5).normal(0, 0.5, 800)
    values[660:680] = 30.0
    scores = Forest(FEW._replace(shingle_size=4), 1).score(values[:, None], 0)[:, 0]
    assert np.argmax(scores) in range(660, 685)


def test_a_level_shift_is_odd_until_it_is_known() -> None:
    rng = np.random.default_rng(6)
    values = np.concatenate((rng.normal(0, 1, 600), rng.normal(30, 1, 600)))
    scores = Forest(FEW._replace(time_decay=200), 1).score(values[:, None], 0)[:, 0]
    assert 600 <= np.argmax(scores) < 610
    assert np.median(scores[600:605]) > 2 * np.median(scores[1100:])


def test_a_forest_follows_recent_data() -> None:
    """With a short time decay old points leave the samples."""
    rows = np.arange(1000.0)[:, None]
    forest = Forest(ForestSize(tree_count=10, sample_size=32, time_decay=100), 1)
    forest.score(rows, 0)
    sampled = forest._trees.box[forest._leaves, 0]
    assert sampled.min() > 0
    assert 50 < 1000 - np.mean(sampled) < 200


def test_the_same_seed_gives_the_same_scores() -> None:
    rows = np.random.default_rng(1).normal(size=(100, 2))
    one, same, other = (Forest(SMALL, 2).score(rows, seed) for seed in (1, 1, 2))
    assert one.tolist() == same.tolist()
    assert one.tolist() != other.tolist()


def test_a_state_of_other_parameters_is_not_taken() -> None:
    rows = np.random.default_rng(1).normal(size=(100, 1))
    other = Forest(SMALL._replace(tree_count=6), 1)
    other.score(rows, 0)
    forest = Forest(SMALL, 1)
    forest.restore(other.state())
    assert forest.score(rows, 0).tolist() == Forest(SMALL, 1).score(rows, 0).tolist()
    assert forest.state_bytes() > 5 * 31 * 8
