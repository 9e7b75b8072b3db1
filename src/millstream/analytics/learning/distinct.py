"""How many distinct items: exactly up to 10,000, then by HyperLogLog within about 0.5 % (Flajolet, Fusy, Gandouet,
Meunier 2007; the estimator is that of Ertl: New cardinality estimation algorithms for HyperLogLog sketches, 2017,
which needs no tables of corrections).

Items come as 64-bit hashes that are the same on every machine and in every version. Up to 10,000 hashes are kept as
they are (two items of these have the same hash in one of 10^11 cases).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable

import numpy as np

from millstream.analytics.learning.randomness import Hashes, Integers, mix

EXACT_MAX = 10_000
_INDEX_BITS = 16
_REGISTERS = 1 << _INDEX_BITS
_RANK_MAX = 64 - _INDEX_BITS + 1


def hash_numbers(numbers: Integers) -> Hashes:
    """Hashes of integers, or of the bits of other numbers."""
    return mix(numbers.view(np.uint64))


def hash_texts(texts: Iterable[bytes]) -> Hashes:
    """Hashes of byte strings."""
    digests = b"".join(hashlib.blake2b(text, digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, "<u8").astype(np.uint64, copy=False)


class DistinctCounter:
    """Counts distinct hashes. The order in which they come makes no difference."""

    def __init__(self) -> None:
        self._exact: set[int] | None = set()
        self._ranks = np.zeros(0, np.uint8)  # the registers, once there are too many hashes to keep

    def add(self, hashes: Hashes) -> None:
        """Count these, too."""
        if self._exact is None:
            self._record(hashes)
            return
        self._exact.update(hashes.tolist())
        if len(self._exact) > EXACT_MAX:
            self._ranks = np.zeros(_REGISTERS, np.uint8)
            self._record(np.fromiter(self._exact, np.uint64, len(self._exact)))
            self._exact = None

    def _record(self, hashes: Hashes) -> None:
        rest = (hashes << np.uint64(_INDEX_BITS)) >> np.uint64(11)  # 53 bits, of which the last are 0
        _, bits = np.frexp(rest.astype(np.float64))
        ranks = np.where(rest == 0, _RANK_MAX, 54 - bits).astype(np.uint8)
        np.maximum.at(self._ranks, (hashes >> np.uint64(64 - _INDEX_BITS)).astype(np.int64), ranks)

    def merge(self, other: DistinctCounter) -> None:
        """Count all that the other has counted."""
        if other._exact is not None:
            self.add(np.fromiter(other._exact, np.uint64, len(other._exact)))
            return
        if self._exact is not None:
            mine, self._exact = self._exact, None
            self._ranks = np.zeros(_REGISTERS, np.uint8)
            self._record(np.fromiter(mine, np.uint64, len(mine)))
        np.maximum(self._ranks, other._ranks, out=self._ranks)

    def count(self) -> int:
        """The number of distinct hashes, or about that."""
        return len(self._exact) if self._exact is not None else round(_estimate(self._ranks))

    def state(self) -> dict[str, object]:
        """Arrays and plain values."""
        exact = None if self._exact is None else np.array(sorted(self._exact), np.uint64).view(np.int64)
        return {"exact": exact, "ranks": self._ranks.tobytes()}

    @classmethod
    def from_state(cls, state: dict[str, object]) -> DistinctCounter:
        """What gave this state."""
        counter, exact, ranks = cls(), state["exact"], state["ranks"]
        assert isinstance(ranks, bytes)
        counter._ranks = np.frombuffer(ranks, np.uint8).copy()
        counter._exact = set(exact.view(np.uint64).tolist()) if isinstance(exact, np.ndarray) else None
        return counter

    def state_bytes(self) -> int:
        """About how much memory this takes."""
        return self._ranks.nbytes + 80 * len(self._exact or ())


def _estimate(ranks: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> float:
    """Ertl's improved raw estimator (algorithm 6)."""
    counts = np.bincount(ranks, minlength=_RANK_MAX + 1).tolist()
    value = _REGISTERS * _tau(1 - counts[_RANK_MAX] / _REGISTERS)
    for count in reversed(counts[1:_RANK_MAX]):
        value = 0.5 * (value + count)
    value += _REGISTERS * _sigma(counts[0] / _REGISTERS)
    return _REGISTERS * _REGISTERS / (2 * math.log(2) * value)


def _sigma(x: float) -> float:
    total, factor, last = x, 1.0, -1.0
    while total != last and not math.isinf(total):
        x, last = x * x, total
        total += x * factor
        factor *= 2
    return total


def _tau(x: float) -> float:
    if x in {0.0, 1.0}:
        return 0.0
    total, factor, last = 1 - x, 1.0, -1.0
    while total != last:
        x, last = math.sqrt(x), total
        factor *= 0.5
        total -= (1 - x) ** 2 * factor
    return total / 3
