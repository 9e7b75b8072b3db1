"""How far points are from what a forest knows: the score of a point in a tree, and what of it each column accounts
for. Many (tree, point) pairs, lanes, at a time.

The score is the expected inverse depth at which a random cut would part the point from the tree's points. From the
leaf where the point belongs up to the root: a cut of the node's box, extended by the point, parts the two with the
probability p = (how far the point lies outside the box) / (extent of the extended box), so

    score = p / (depth + 1) + (1 - p) * score        beginning with 1 / (depth + 1) at the leaf

and a point that equals the leaf's has (1 - mass / 2n) / (depth + log2(1 + mass)), n being the sample size. Times
log2(1 + n), as AWS's published random-cut-forest library does it, that is around 1 (0.5 to 1.2) for a point like the
others and at most log2(1 + n) (8 for 256) for one far from all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from millstream.analytics.learning.randomness import Floats, Integers
from millstream.analytics.learning.trees import CutTrees, row_sums

_LANES_MAX = 8192  # a step's arrays stay in the processor's cache


class Lanes:
    """Points on their way up in trees: where each is, and how far it is outside the box there."""

    def __init__(self, trees: CutTrees, both: Floats, tree: Integers, row: Integers) -> None:
        self._trees, self._both, self._row = trees, both, row
        self.leaf, self.depth = _leaves(trees, both, tree, row)
        self.gap = self._gap(np.arange(len(row)), trees.box.take(self.leaf, axis=0))
        self.outside = row_sums(self.gap)

    def _gap(self, lanes: Integers, boxes: Floats) -> Floats:
        boxes -= self._both.take(self._row.take(lanes), axis=0)
        return np.maximum(boxes, 0.0, out=boxes)

    def base_score(self) -> Floats:
        """Each lane's score at its leaf."""
        known = self.outside == 0.0
        mass = self._trees.mass.take(self.leaf)
        logs = np.log2(np.arange(1, self._trees.leaf_max + 2))
        seen = (1.0 - mass / (2.0 * self._trees.leaf_max)) / (self.depth + logs.take(mass))
        return np.where(known, seen, 1.0 / (self.depth + 1.0))

    def scale(self) -> float:
        """What scores are multiplied by."""
        return float(np.log2(self._trees.leaf_max + 1))

    def climb_scores(self, score: Floats) -> None:
        """Complete the scores of points that are not in their tree."""
        lanes = (self.outside > 0.0).nonzero()[0]
        node, depth, current = self.leaf.take(lanes), self.depth.take(lanes), score.take(lanes)
        while len(lanes):
            node = self._trees.parent.take(node)
            gap = self._gap(lanes, self._trees.box.take(node, axis=0))  # of a node that is none: dropped below
            outside = row_sums(gap)
            on = ((outside > 0.0) & (node >= 0)).nonzero()[0]
            lanes, node, outside = lanes.take(on), node.take(on), outside.take(on)
            depth, current = depth.take(on) - 1, current.take(on)
            chance = outside / (self._trees.extent.take(node) + outside)
            current += chance * (1.0 / (depth + 1.0) - current)
            score[lanes] = current

    def climb_shares(self, shares: Floats) -> None:
        """Complete the shares of all points, the known ones as if their leaf were not there."""
        trees, known = self._trees, self.outside == 0.0
        lanes, node, depth, current = np.arange(len(known)), self.leaf, self.depth, shares.copy()
        shadow = np.full_like(current, np.inf)  # box of what is left below the node without the leaf
        while len(lanes):
            above = trees.parent.take(node)
            on = (above >= 0).nonzero()[0]
            lanes, node, above, depth = lanes.take(on), node.take(on), above.take(on), depth.take(on) - 1
            current, shadow, without = current.take(on, axis=0), shadow.take(on, axis=0), known.take(lanes)[:, None]
            sibling = trees.child.take(2 * above) + trees.child.take(2 * above + 1) - node
            shadow = np.minimum(shadow, trees.box.take(sibling, axis=0))
            boxes = np.where(without, shadow, trees.box.take(above, axis=0))
            extent = row_sums(-(boxes[:, : trees.dimensions] + boxes[:, trees.dimensions :]))
            gap = self._gap(lanes, boxes)
            outside = row_sums(gap)
            on = (outside > 0.0).nonzero()[0]
            lanes, node, depth, shadow = lanes.take(on), above.take(on), depth.take(on), shadow.take(on, axis=0)
            whole = extent.take(on) + outside.take(on)
            current = current.take(on, axis=0) * (1.0 - outside.take(on) / whole)[:, None]
            current += gap.take(on, axis=0) / (whole * (depth + 1.0))[:, None]
            shares[lanes] = current


def score_lanes(trees: CutTrees, both: Floats, tree: Integers, row: Integers) -> Floats:
    """The score of point `row` of `both` in tree `tree`, for each pair; one column."""

    def piece(tree: Integers, row: Integers) -> Floats:
        lanes = Lanes(trees, both, tree, row)
        score = lanes.base_score()
        lanes.climb_scores(score)
        return (score * lanes.scale())[:, None]

    return _in_pieces(piece, tree, row, 1)


def share_lanes(trees: CutTrees, both: Floats, tree: Integers, row: Integers, *, columns: int) -> Floats:
    """What being low, then what being high, in each of `columns` columns (of each row of a shingle, added up) adds to
    the score: their sum is the score."""

    def piece(tree: Integers, row: Integers) -> Floats:
        lanes = Lanes(trees, both, tree, row)
        score = lanes.base_score()
        known = lanes.outside == 0.0
        shares = lanes.gap / np.where(known, 1.0, lanes.outside)[:, None] * score[:, None]
        shares[known] = (score[known] / shares.shape[1])[:, None]
        lanes.climb_shares(shares)
        lanes.climb_scores(score)
        shares *= (score / row_sums(shares) * lanes.scale())[:, None]
        folded: Floats = np.einsum("rdsc->rdc", shares.reshape(len(row), 2, -1, columns))
        return folded.reshape(len(row), 2 * columns)

    return _in_pieces(piece, tree, row, 2 * columns)


def _in_pieces(piece: Callable[[Integers, Integers], Floats], tree: Integers, row: Integers, width: int) -> Floats:
    result = np.empty((len(tree), width))
    for start in range(0, len(tree), _LANES_MAX):
        part = slice(start, start + _LANES_MAX)
        result[part] = piece(tree[part], row[part])
    return result


def _leaves(trees: CutTrees, both: Floats, tree: Integers, row: Integers) -> tuple[Integers, Integers]:
    """The leaf where each lane's point belongs, and its depth. Lanes that have arrived stay where they are, until
    they are enough to be worth sorting out."""
    values = both.ravel()
    leaf, depth = np.empty(len(tree), np.int64), np.empty(len(tree), np.int64)
    lanes, node, place = np.arange(len(tree)), trees.root.take(tree), row * both.shape[1]
    since = np.zeros(len(tree), np.int64)  # the number of steps that each has made
    while True:
        dimension = trees.dimension.take(node)
        going = dimension >= 0
        count = np.count_nonzero(going)
        if 4 * count < 3 * len(lanes) or not count:
            leaf[lanes], depth[lanes] = node, since  # of those that go on: written again
            if not count:
                return leaf, depth
            on = going.nonzero()[0]
            lanes, node, place = lanes.take(on), node.take(on), place.take(on)
            since, dimension, going = since.take(on), dimension.take(on), going.take(on)
        place_there = place + dimension  # of a leaf: of another value, and both its children are itself
        node = trees.child.take(2 * node + (values.take(place_there) > trees.cut.take(node)))
        since += going
