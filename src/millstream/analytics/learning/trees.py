"""Random cut trees, many at a time (Guha, Mishra, Roy, Schrijvers: Robust random cut forest based anomaly detection
on streams, ICML 2016).

A tree over a set of points cuts its bounding box at random: a dimension with a probability proportional to the box's
extent in it, then a place in that extent, uniformly; so on until every leaf is one point (with a mass: how often it
is in the sample). Inserting a point and deleting one keep that distribution (theorems 2 to 4 of the paper).

All trees lie in common arrays, and each operation does its work for one point in each of many trees at once:

    node = tree * width + place, width = 2 * leaf_max - 1 places a tree, used or in the tree's stack `free`
    box[node] = [lowest values of the points below it, their highest values negated]   (so a union is a minimum)
    extent[node] = the sum of the box's side lengths, dimension[node] = that of the cut, or -1 for a leaf
    child[2 * node], child[2 * node + 1] = below (value <= cut) and above the cut (a leaf: itself), parent[node] or -1

A point is given as `both` ways: [its values, its values negated], which is its box.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from millstream.analytics.learning.randomness import Floats, Hashes, Integers, keyed, uniform

_NONE = -1
_CUTS = 1 << 32  # numbers of the hashes of cuts; below are those of the sampling


class _Cut(NamedTuple):
    dimension: Integers
    value: Floats
    extent: Floats


def both_ways(points: Floats) -> Floats:
    """Rows of values as rows of values and negated values."""
    return np.concatenate((points, -points), axis=1)


def row_sums(values: Floats) -> Floats:
    """The sum of each row, added in the same order however many rows there are."""
    if values.shape[1] > 16:
        summed: Floats = np.einsum("ij->i", values)
        return summed
    total = values[:, 0].copy()
    for column in range(1, values.shape[1]):
        total += values[:, column]
    return total


def _random_cut(boxes: Floats, chance: Floats) -> _Cut:
    """A cut of each box, by a uniform number each; meaningless where the extent is 0."""
    dimensions = boxes.shape[1] // 2
    sides = np.cumsum(-(boxes[:, :dimensions] + boxes[:, dimensions:]), axis=1)
    extent = sides[:, -1]
    target = np.minimum(chance * extent, np.nextafter(extent, 0.0))
    dimension = np.argmax(sides > target[:, None], axis=1)
    rows = np.arange(len(boxes))
    before = np.where(dimension > 0, sides[rows, dimension - 1], 0.0)
    low, high = boxes[rows, dimension], -boxes[rows, dimensions + dimension]
    value = np.maximum(np.minimum(low + (target - before), np.nextafter(high, low)), low)
    return _Cut(dimension, value, extent)


class CutTrees:
    """`tree_count` trees over up to `leaf_max` points each, of `dimensions` values."""

    def __init__(self, tree_count: int, leaf_max: int, dimensions: int) -> None:
        self.tree_count, self.leaf_max, self.dimensions = tree_count, leaf_max, dimensions
        self.width = 2 * leaf_max - 1
        nodes = tree_count * self.width
        self.box = np.zeros((nodes, 2 * dimensions))
        self.extent = np.zeros(nodes)
        self.cut = np.zeros(nodes)
        self.dimension = np.full(nodes, _NONE, np.int64)
        self.child = np.repeat(np.arange(nodes), 2)
        self.parent = np.full(nodes, _NONE, np.int64)
        self.mass = np.zeros(nodes, np.int64)
        self.root = np.full(tree_count, _NONE, np.int64)
        self.free = np.zeros((tree_count, self.width), np.int64)
        self.free_count = np.zeros(tree_count, np.int64)

    def arrays(self) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
        """All that the trees are, by name; set by `__dict__.update`."""
        return {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}

    def build(self, both: Floats, masses: Integers, keys: Hashes) -> None:
        """Make every tree anew, over the same distinct points with these masses: a level of all trees at a time."""
        count = len(both)
        bases = np.arange(self.tree_count) * self.width
        leaves = (bases[:, None] + np.arange(count)).ravel()
        self.box[leaves] = np.tile(both, (self.tree_count, 1))
        self.mass[leaves] = np.tile(masses, self.tree_count)
        self.root[:] = bases + (count if count > 1 else 0)
        spare = self.width - (2 * count - 1)
        self.free[:, :spare] = bases[:, None] + np.arange(2 * count - 1, self.width)
        self.free_count[:] = spare
        if count == 1:
            return
        level = _Level(self.root.copy(), np.full(self.tree_count, count), np.tile(np.arange(count), self.tree_count))
        used = bases + count + 1
        while len(level.nodes):
            level = self._build_level(level, both, keys, used)

    def _build_level(self, level: _Level, both: Floats, keys: Hashes, used: Integers) -> _Level:
        starts = np.cumsum(level.sizes) - level.sizes
        boxes = np.minimum.reduceat(both[level.points], starts, axis=0)
        trees, places = np.divmod(level.nodes, self.width)
        cut = _random_cut(boxes, uniform(keyed(keys[trees], _CUTS + places)))
        self.box[level.nodes], self.extent[level.nodes] = boxes, cut.extent
        self.dimension[level.nodes], self.cut[level.nodes] = cut.dimension, cut.value
        owners = np.repeat(np.arange(len(level.nodes)), level.sizes)
        above = both[level.points, cut.dimension[owners]] > cut.value[owners]
        points = level.points[np.argsort(2 * owners + above, kind="stable")]
        sizes = np.stack((level.sizes, np.add.reduceat(above, starts, dtype=np.int64)), axis=1)
        sizes[:, 0] -= sizes[:, 1]
        sizes = sizes.ravel()
        single = sizes == 1
        child_trees = np.repeat(trees, 2)
        nodes = child_trees * self.width + points[np.cumsum(sizes) - sizes]  # of single points; others are new
        nodes[~single] = _numbered(child_trees[~single], used)
        self.child[(2 * level.nodes[:, None] + np.arange(2)).ravel()] = nodes
        self.parent[nodes] = np.repeat(level.nodes, 2)
        return _Level(nodes[~single], sizes[~single], points[np.repeat(~single, sizes)])

    def insert(self, trees: Integers, both: Floats, keys: Hashes) -> Integers:
        """Put a point each into these (different) trees; the leaves they are in. `keys`: of the tree and the
        point."""
        path = self._path(trees, both)
        boxes = np.minimum(self.box[path.nodes], both[path.lanes])
        cut = _random_cut(boxes, uniform(keyed(keys[path.lanes], _CUTS + path.depths)))
        rows = np.arange(len(path.nodes))
        old = self.box[path.nodes]
        outside = (cut.value < old[rows, cut.dimension]) | (cut.value >= -old[rows, self.dimensions + cut.dimension])
        separates = np.flatnonzero(outside & (cut.extent > 0))
        lanes, first = np.unique(path.lanes[separates], return_index=True)
        chosen = separates[first]
        depth = np.full(len(trees), -1)  # of the node that gets the point as its sibling; none for a known point
        depth[lanes] = path.depths[chosen]
        above = np.flatnonzero(path.depths < depth[path.lanes])
        self.box[path.nodes[above]], self.extent[path.nodes[above]] = boxes[above], cut.extent[above]
        leaves = path.leaves.copy()
        new_leaves, forks = self._take(trees[lanes]), self._take(trees[lanes])
        leaves[lanes] = new_leaves
        self.box[new_leaves], self.extent[new_leaves], self.mass[new_leaves] = both[lanes], 0.0, 0
        self.box[forks], self.extent[forks] = boxes[chosen], cut.extent[chosen]
        self.dimension[forks], self.cut[forks] = cut.dimension[chosen], cut.value[chosen]
        below = both[lanes, cut.dimension[chosen]] <= cut.value[chosen]
        self._attach(path.nodes[chosen], forks, new_leaves, below.astype(np.int64))
        self.mass[leaves] += 1
        return leaves

    def delete(self, leaves: Integers) -> None:
        """Take one point of each of these leaves (of different trees, with a mass of 2 in all at least) away."""
        self.mass[leaves] -= 1
        gone = leaves[self.mass[leaves] == 0]
        forks = self.parent[gone]
        siblings = self.child[2 * forks] + self.child[2 * forks + 1] - gone
        self._hang(siblings, forks, self.parent[forks])
        for freed in (gone, forks):
            self.dimension[freed] = _NONE
            self.child[2 * freed] = self.child[2 * freed + 1] = freed
            trees = freed // self.width
            self.free[trees, self.free_count[trees]] = freed
            self.free_count[trees] += 1
        self._shrink(self.parent[siblings])

    def _path(self, trees: Integers, both: Floats) -> _Path:
        """The nodes from the root to the leaf where each point belongs, those of all lanes level by level."""
        lanes, nodes, depth = np.arange(len(trees)), self.root[trees], 0
        leaves = nodes.copy()
        steps: list[tuple[Integers, Integers, Integers]] = []
        while len(lanes):
            steps.append((lanes, nodes, np.full(len(lanes), depth)))
            leaves[lanes] = nodes
            dimension = self.dimension[nodes]
            inner = (dimension >= 0).nonzero()[0]
            lanes, nodes, dimension = lanes[inner], nodes[inner], dimension[inner]
            nodes = self.child[2 * nodes + (both[lanes, dimension] > self.cut[nodes])]
            depth += 1
        all_lanes, all_nodes, depths = (np.concatenate(parts) for parts in zip(*steps, strict=True))
        return _Path(all_lanes, all_nodes, depths, leaves)

    def _take(self, trees: Integers) -> Integers:
        self.free_count[trees] -= 1
        return self.free[trees, self.free_count[trees]]

    def _attach(self, nodes: Integers, forks: Integers, leaves: Integers, node_sides: Integers) -> None:
        """Put each fork where the node is, with the node on the side `node_sides` of it and the leaf on the other."""
        self._hang(forks, nodes, self.parent[nodes])
        self.child[2 * forks + node_sides] = nodes
        self.child[2 * forks + 1 - node_sides] = leaves
        self.parent[nodes] = self.parent[leaves] = forks

    def _hang(self, nodes: Integers, old: Integers, parents: Integers) -> None:
        """Make `nodes` what `old` was below their parents, or at the root."""
        self.parent[nodes] = parents
        roots = parents < 0
        self.root[old[roots] // self.width] = nodes[roots]
        nodes, old, parents = nodes[~roots], old[~roots], parents[~roots]
        self.child[2 * parents + (self.child[2 * parents + 1] == old)] = nodes

    def _shrink(self, nodes: Integers) -> None:
        """Fit the boxes of these nodes to their children's, then those above, as far as something changes."""
        nodes = nodes[nodes >= 0]
        while len(nodes):
            boxes = np.minimum(self.box[self.child[2 * nodes]], self.box[self.child[2 * nodes + 1]])
            changed = (boxes != self.box[nodes]).any(axis=1)
            nodes, boxes = nodes[changed], boxes[changed]
            self.box[nodes] = boxes
            self.extent[nodes] = row_sums(-(boxes[:, : self.dimensions] + boxes[:, self.dimensions :]))
            nodes = self.parent[nodes]
            nodes = nodes[nodes >= 0]


class _Level(NamedTuple):
    """Nodes to be cut, ordered by tree; how many points each has; the numbers of these, node by node."""

    nodes: Integers
    sizes: Integers
    points: Integers


class _Path(NamedTuple):
    lanes: Integers
    nodes: Integers
    depths: Integers
    leaves: Integers  # one a lane


def _numbered(trees: Integers, used: Integers) -> Integers:
    """A new node for each mention of a tree (ascending), from `used` on, which is moved on."""
    ranks = np.arange(len(trees)) - np.searchsorted(trees, trees)
    nodes = used[trees] + ranks
    used += np.bincount(trees, minlength=len(used))
    return nodes
