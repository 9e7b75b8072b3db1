"""Hotspots: against DBSCAN done naively, and planted ones."""

from __future__ import annotations

import json

import numpy as np
import pytest

from millstream.analytics.learning.hotspots import Hotspot, HotspotFinder, hotspots_json
from millstream.analytics.learning.randomness import Floats


def naive_hotspots(rows: Floats, radius: float, points_min: int) -> tuple[Hotspot, ...]:
    near = np.sqrt(np.square(rows[:, None] - rows[None]).sum(axis=-1)) <= radius
    cores = set(np.flatnonzero(near.sum(axis=1) >= points_min).tolist())
    found = []
    while cores:
        cluster = frontier = {cores.pop()}
        while frontier:
            frontier = {core for core in cores if any(near[core, other] for other in frontier)}
            cores -= frontier
            cluster = cluster | frontier
        members = rows[near[sorted(cluster)].any(axis=0)]
        low, high = members.min(axis=0), members.max(axis=0)
        density = float(len(members))
        for side in np.maximum(high - low, radius):
            density /= float(side)
        found.append(Hotspot(density, tuple(high.tolist()), tuple(low.tolist())))
    return tuple(sorted(found, key=lambda one: (-one.density, one[1:])))


@pytest.mark.parametrize(("window", "radius", "points_min"), [(20, 0.6, 2), (30, 0.6, 4), (50, 1.0, 6), (20, 9.0, 20)])
def test_hotspots_are_those_of_the_window_after_every_row(window: int, radius: float, points_min: int) -> None:
    rows = np.random.default_rng(window).random((160, 2)) * 5
    rows[:, 0] = np.round(rows[:, 0], 1)
    finder = HotspotFinder(window, radius, points_min, 2)
    for index, row in enumerate(rows):
        found = finder.add(row)
        assert found == naive_hotspots(rows[max(0, index + 1 - window) : index + 1], radius, points_min)
        if index % 23 == 0:
            state = finder.state()
            finder = HotspotFinder(window, radius, points_min, 2)
            finder.restore(state)


def test_a_planted_hotspot_is_found_and_dense() -> None:
    """The developer guide's example: a tenth of the field's width holds a fifth of the points."""
    rng = np.random.default_rng(3)
    hot = rng.random(1000) < 0.2
    rows = np.where(hot[:, None], np.array([3.0, 6.0]) + rng.random((1000, 2)), 10 * rng.random((1000, 2)))
    finder = HotspotFinder(1000, 0.2, 17, 2)
    for row in rows:
        found = finder.add(row)
    assert len(found) == 1
    assert found[0].values_min == pytest.approx((3, 6), abs=0.3)
    assert found[0].values_max == pytest.approx((4, 7), abs=0.3)
    assert found[0].density > 40


def test_hotspots_come_and_go_with_the_window() -> None:
    finder = HotspotFinder(10, 1.0, 3, 1)
    for _ in range(10):
        found = finder.add(np.array([5.0]))
    assert found == (Hotspot(10.0, (5.0,), (5.0,)),)
    for index in range(8):
        found = finder.add(np.array([100.0 * (index + 1)]))
    assert found == ()


def test_extremes_do_no_harm() -> None:
    finder = HotspotFinder(10, 1e-300, 2, 3)
    for value in (1e300, -1e300, 0.0, 0.0, 5e-324, 1e300, 1e300):
        found = finder.add(np.full(3, value))
    assert [one.density for one in found] == [np.finfo(float).max] * 2


def test_the_text() -> None:
    spot = Hotspot(40.5, (4.0, 0.25), (3.0, -1.0))
    text = hotspots_json((spot,), [int, float])
    assert text == '{"hotspots":[{"density":40.5,"maxValues":[4,0.25],"minValues":[3,-1.0]}]}'
    assert json.loads(hotspots_json((), [int])) == {"hotspots": []}
