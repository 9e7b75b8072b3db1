"""Explanations: which column, in which direction; the text as AWS writes it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from millstream.analytics.learning.explanation import explanations
from millstream.analytics.learning.forest import Forest, ForestSize

SIZE = ForestSize(tree_count=20, sample_size=64, time_decay=10_000)


def test_the_text() -> None:
    shares = np.array([[0.14350, 0.15, 0.2357, 0.18], [0.0, 0.0, 0.0, 0.0]])
    directed = explanations(["Systolic", 'a "b"'], shares, directed=True)
    assert directed[0] == (
        '{"Systolic":{"DIRECTION":"HIGH","STRENGTH":"0.0922","ATTRIBUTION_SCORE":"0.3792"},'
        '"a \\"b\\"":{"DIRECTION":"HIGH","STRENGTH":"0.0300","ATTRIBUTION_SCORE":"0.3300"}}'
    )
    learning = {"DIRECTION": "LOW", "STRENGTH": "0.0000", "ATTRIBUTION_SCORE": "0.0000"}
    assert json.loads(directed[1]) == {"Systolic": learning, 'a "b"': learning}
    plain = explanations(["x", "y"], shares, directed=False)
    assert plain[0] == '{"x":{"ATTRIBUTION_SCORE":"0.3792"},"y":{"ATTRIBUTION_SCORE":"0.3300"}}'


@pytest.mark.parametrize("whole", [False, True], ids=["continuous", "with duplicates"])
@pytest.mark.parametrize(
    ("column", "offset", "place"),
    [(0, -60.0, 0), (1, -60.0, 1), (0, 60.0, 3), (2, 60.0, 5)],
)
def test_the_odd_column_and_its_direction(column: int, offset: float, place: int, whole: bool) -> None:
    rows = np.random.default_rng(1).normal(100, 5, (150, 3))
    rows[-1] = 100
    rows[-1, column] += offset
    rows = np.round(rows) if whole else rows
    shares = Forest(SIZE, 3, explained=True).score(rows, 0)[-1]
    assert np.argmax(shares) == place
    assert shares[place] > 0.6 * shares.sum()


@pytest.mark.parametrize("shingle_size", [1, 3])
def test_shares_add_up_to_the_score(shingle_size: int) -> None:
    size = ForestSize(20, 32, 200, shingle_size)
    rows = np.random.default_rng(1).integers(0, 5, (200, 2)).astype(float)
    shares = Forest(size, 2, explained=True).score(rows, 0)
    assert (shares >= 0).all()
    assert shares.sum(axis=1) == pytest.approx(Forest(size, 2).score(rows, 0)[:, 0], rel=1e-12)


def test_a_known_point_at_the_edge_is_explained_by_its_edge() -> None:
    rows = np.random.default_rng(1).integers(0, 10, (300, 2)).astype(float)
    rows[:, 1] = 5
    rows[-1] = [9, 5]
    low, _, high, _ = Forest(SIZE, 2, explained=True).score(rows, 0)[-1]
    assert high > low
