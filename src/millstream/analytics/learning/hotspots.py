"""Hotspots: regions of the last rows that are relatively dense, after each row (DBSCAN: Ester, Kriegel, Sander, Xu: A
density-based algorithm for discovering clusters in large spatial databases with noise, KDD 1996).

A row is a core if at least `points_min` rows of the window, itself among them, lie within the scan radius of it (the
Euclidean distance over all columns). Cores within the radius of each other are of one hotspot, and so is every row
within the radius of one of its cores; such a row may be in two hotspots. So a hotspot has at least `points_min` rows.

Sets of rows are integers with a bit a place of the window, so a row in and a row out cost some operations on these
for each of their neighbours; hotspots that neither touches stay as they are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from millstream.analytics.learning.randomness import Floats, Integers


class Hotspot(NamedTuple):
    """A dense region. `density`: rows / the product of its sides, each of which counts as the scan radius at least:
    what is narrower than that is not told apart."""

    density: float
    values_max: tuple[float, ...]
    values_min: tuple[float, ...]


class _Cluster(NamedTuple):
    cores: int
    members: int
    hotspot: Hotspot


class HotspotFinder:
    """The last `window_rows` rows of `columns` finite numbers, and the hotspots among them."""

    def __init__(self, window_rows: int, radius: float, points_min: int, columns: int) -> None:
        self._radius, self._points_min = radius, points_min
        self._bits = [1 << place for place in range(window_rows)]
        self._values = np.zeros((window_rows, columns))
        self._count = 0  # of all rows; row i is in place i % window_rows
        self._forget()

    def _forget(self) -> None:
        self._near = [0] * len(self._bits)  # rows within the radius of that in the place, itself among them
        self._cores = 0
        self._clusters: list[_Cluster] = []
        self._hotspots: tuple[Hotspot, ...] = ()

    def add(self, row: Floats) -> tuple[Hotspot, ...]:
        """The hotspots after this row, densest first. The same object as long as nothing changes."""
        place = self._count % len(self._bits)
        touched = self._leave(place) if self._count >= len(self._bits) else 0
        cores_before = self._cores_lost(touched)
        self._values[place] = row
        self._count += 1
        touched |= self._enter(place)
        if touched & (cores_before | self._cores):
            self._update(touched)
        return self._hotspots

    def _neighbours(self, place: int) -> Integers:
        used = min(self._count, len(self._bits))
        with np.errstate(over="ignore", under="ignore"):
            distances = np.square(self._values[:used] - self._values[place])
            near: Integers = (np.sqrt(distances.sum(axis=1)) <= self._radius).nonzero()[0]
        return near

    def _enter(self, place: int) -> int:
        bit, near = self._bits[place], 0
        for neighbour in self._neighbours(place).tolist():
            near |= self._bits[neighbour]
            self._near[neighbour] |= bit
            if self._near[neighbour].bit_count() >= self._points_min:
                self._cores |= self._bits[neighbour]
        self._near[place] = near
        if near.bit_count() >= self._points_min:
            self._cores |= bit
        return near

    def _leave(self, place: int) -> int:
        near, without = self._near[place], ~self._bits[place]
        for neighbour in _places(near, len(self._bits)).tolist():
            self._near[neighbour] &= without
        self._near[place] = 0
        return near

    def _cores_lost(self, touched: int) -> int:
        """The cores that there were, after these rows (which lost a neighbour) are cores or not."""
        before = self._cores
        for place in _places(touched & before, len(self._bits)).tolist():
            if self._near[place].bit_count() < self._points_min:
                self._cores &= ~self._bits[place]
        return before

    def _update(self, touched: int) -> None:
        """Find the hotspots anew that have rows among these."""
        kept = [cluster for cluster in self._clusters if not cluster.members & touched]
        left = self._cores
        for cluster in kept:
            left &= ~cluster.cores
        while left:
            cluster = self._spread(left & -left)
            kept.append(cluster)
            left &= ~cluster.cores
        self._clusters = kept
        self._hotspots = tuple(sorted((one.hotspot for one in kept), key=lambda one: (-one.density, one[1:])))

    def _spread(self, cores: int) -> _Cluster:
        """The cluster of a core."""
        frontier, members = cores, 0
        while frontier:
            place = frontier.bit_length() - 1
            near = self._near[place]
            members |= near
            new = near & self._cores & ~cores
            cores |= new
            frontier ^= self._bits[place] | new
        return _Cluster(cores, members, self._describe(members))

    def _describe(self, members: int) -> Hotspot:
        values = self._values[_places(members, len(self._bits))]
        low, high = values.min(axis=0), values.max(axis=0)
        density = float(len(values))
        for side in np.maximum(high - low, self._radius).tolist():
            density = min(density / side, sys.float_info.max)
        return Hotspot(density, tuple(high.tolist()), tuple(low.tolist()))

    def state(self) -> dict[str, object]:
        """Arrays and plain values."""
        return {"values": self._values, "count": self._count}

    def restore(self, state: dict[str, object]) -> None:
        """Go on from a state; one of another window or other columns is not taken."""
        values, count = state["values"], state["count"]
        assert isinstance(values, np.ndarray)
        assert isinstance(count, int)
        if values.shape != self._values.shape:
            return
        self._values, self._count = values.copy(), 0
        self._forget()
        for _ in range(min(count, len(values))):
            self._count += 1
            self._enter(self._count - 1)
        self._count = count
        self._update(0)

    def state_bytes(self) -> int:
        """About how much memory the window takes."""
        return self._values.nbytes + sum(map(sys.getsizeof, self._near))


def hotspots_json(hotspots: tuple[Hotspot, ...], as_shown: Sequence[Callable[[float], float]]) -> str:
    """HOTSPOTS_RESULT: {"hotspots":[{"density":40.5,"maxValues":[…],"minValues":[…]},…]}, values in the columns'
    order, each as `as_shown` of its column gives it."""

    def shown(values: tuple[float, ...]) -> list[float]:
        return [show(value) for show, value in zip(as_shown, values, strict=True)]

    named = [
        {"density": one.density, "maxValues": shown(one.values_max), "minValues": shown(one.values_min)}
        for one in hotspots
    ]
    return json.dumps({"hotspots": named}, separators=(",", ":"))


def _places(rows: int, window_rows: int) -> Integers:
    """The places of a set of rows, ascending."""
    packed = np.frombuffer(rows.to_bytes((window_rows + 7) // 8, "little"), np.uint8)
    return np.unpackbits(packed, bitorder="little").nonzero()[0]
