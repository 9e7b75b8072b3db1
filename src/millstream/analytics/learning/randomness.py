"""Numbers that look random and depend only on their place: a hash of a seed, a tree, a row and a purpose.

A generator with a state would give other numbers when rows are processed in another grouping; these do not, and there
is no state to save. The mixer is SplitMix64's (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
2014).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_GOLDEN = 0x9E3779B97F4A7C15
_STEPS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


def mix(values: Hashes) -> Hashes:
    """Each of the integers (an array, so that they wrap without a word) as one in which every bit depends on every
    bit of it."""
    mixed = values + np.uint64(_GOLDEN)
    for shift, factor in _STEPS:
        mixed ^= mixed >> np.uint64(shift)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def keyed(keys: Hashes, numbers: Integers) -> Hashes:
    """A hash of each key with its number; the two broadcast."""
    return mix(keys + numbers.astype(np.uint64) * np.uint64(_GOLDEN | 2))


def keys_of(seed: int, count: int) -> Hashes:
    """The keys of `count` independent sources of numbers."""
    start = np.full(count, seed % 2**64, np.uint64)
    return keyed(mix(start), np.arange(count, dtype=np.int64))


def uniform(hashes: Hashes) -> Floats:
    """Each hash as a number above 0 and below 1, evenly distributed, exact in 53 bits."""
    return ((hashes >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
