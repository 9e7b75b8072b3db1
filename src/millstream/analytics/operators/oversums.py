"""Exact sums OVER a frame, of whole numbers and of doubles.

A number is the sum of its limbs, limb k being a whole number below 2**32 (or any, in the highest) times 2**(32 k):

    12.375 = 0b1100.011    limb 0: 12    limb -1: 0b011 << 29

Limbs add up as integers, without error. Of each value the sum of the limbs of all before it is kept, and the sum of a
frame is the difference of two. (They may go round 2**64; the difference does not.) So sums of doubles do not drift,
do not depend on batches, and are rounded at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from millstream.analytics.operators.frames import State
from millstream.analytics.operators.overtracks import Track, Values
from millstream.analytics.operators.rings import Array, Bools, Ints, grown

_ODD_COUNT = 1 << 20  # in the place of a limb: how many values are infinite or NaN

Limbs = dict[int, Ints]
"""Limbs by k, one a value."""

_BITS = 32
_LOW = (1 << _BITS) - 1
_HIGH_MAX = 1 << 31
_FRACTION, _ODD, _BIAS = 52, 0x7FF, 1075  # of a double: bits of its fraction, exponent of NaN, exponent of the last bit


def whole_limbs(values: Array) -> Limbs:
    """The limbs of int64 numbers."""
    return {0: values & _LOW, 1: values >> _BITS}


def real_limbs(values: Array) -> Limbs:
    """The limbs of doubles. A double is 53 bits somewhere, so it has three; infinities and NaNs are counted."""
    raw = np.ascontiguousarray(values).view(np.int64)
    exponents = (raw >> _FRACTION) & _ODD
    bits = (raw & ((1 << _FRACTION) - 1)) | ((exponents > 0).astype(np.int64) << _FRACTION)
    bits[exponents == _ODD] = 0
    places = np.maximum(exponents, 1) - _BIAS
    lowest, shift = places >> 5, places & (_BITS - 1)
    sign = 1 | (raw >> 63)
    upper = bits >> (_BITS - shift)
    parts = (sign * ((bits << shift) & _LOW), sign * (upper & _LOW), sign * (upper >> _BITS))
    some = lowest[bits != 0]
    odd = exponents == _ODD
    limbs: Limbs = {_ODD_COUNT: odd.astype(np.int64)} if odd.any() else {}
    if not some.size:
        return limbs
    first, last = int(some.min()), int(some.max())
    for unit in range(first, last + 1):
        here = lowest == unit
        for at, part in enumerate(parts if first == last or here.any() else ()):
            own = part if first == last else np.where(here, part, 0)
            limbs[unit + at] = limbs[unit + at] + own if unit + at in limbs else own
    return limbs


def whole(high: Ints, low: Ints) -> tuple[Ints, Bools]:
    """Sums of the limbs 1 and 0 as int64, and which of them do not fit."""
    high, low = high + (low >> _BITS), low & _LOW
    return (high << _BITS) | low, (high < -_HIGH_MAX) | (high >= _HIGH_MAX)


def real(limbs: Limbs, size: int) -> Array:
    """Sums of limbs as doubles; infinite if too great, NaN if a value was infinite or NaN."""
    odd = limbs.get(_ODD_COUNT)
    limbs = {unit: limb for unit, limb in limbs.items() if unit != _ODD_COUNT}
    digits = _normal(limbs, size)
    negative = digits[-1][1] < 0
    if negative.any():
        digits = _normal({unit: np.where(negative, -limb, limb) for unit, limb in limbs.items()}, size)
    total = np.zeros(size)
    with np.errstate(over="ignore"):
        for unit, digit in reversed(digits):
            total += np.ldexp(digit.astype(np.float64), _BITS * unit)
    total = np.where(negative, -total, total)
    return total if odd is None else np.where(odd > 0, np.nan, total)


def _normal(limbs: Limbs, size: int) -> list[tuple[int, Ints]]:
    """The limbs as digits from 0 to 2**32 - 1, lowest first; the highest has the sign."""
    digits: list[tuple[int, Ints]] = []
    carry = np.zeros(size, np.int64)
    first, last = min(limbs, default=0), max(limbs, default=-1)
    for unit in range(first, last + 1):
        limb = limbs[unit] + carry if unit in limbs else carry
        carry = limb >> _BITS
        digits.append((unit, limb & _LOW))
    return [*digits, (last + 1, carry)]


class ExactSums:
    """The sums of the limbs that `split` gives."""

    def __init__(self, track: Track, split: Callable[[Array], Limbs]) -> None:
        self._rings = track.rings
        self._split = split
        self._slides = not track.partitions.unbounded
        self._totals: Limbs = {}

    def sums(self, values: Values) -> Limbs:
        """By row: the sums of the limbs of the values that it looks at."""
        numbers = values.values
        if values.row.size < values.code.size:
            numbers = np.zeros(values.code.size, values.values.dtype)
            numbers[values.row] = values.values
        found = self._split(numbers)
        for unit in found.keys() - self._totals.keys():
            self._add(unit)
        self._know()
        zeros = np.zeros(values.code.size, np.int64)
        sums = {unit: self._run(unit, values, found.get(unit, zeros)) for unit in self._totals}
        return self._since(values, sums, found) if self._slides else sums

    def _run(self, unit: int, values: Values, limb: Ints) -> Ints:
        """By row: the sum of all values up to it."""
        total, groups = self._totals[unit], values.rows
        sums = np.cumsum(limb)
        firsts, lasts = groups.firsts, groups.firsts + groups.sizes - 1
        codes = values.code[firsts]
        sums += np.repeat(total[codes] - sums[firsts] + limb[firsts], groups.sizes)
        total[codes] = sums[lasts]
        return sums

    def _since(self, values: Values, sums: Limbs, found: Limbs) -> Limbs:
        """Less what was before the first value that each row looks at."""
        own = self._rings.places(values.value_code, values.value_rank)
        first = self._rings.places(values.code, values.low)
        for unit, after in sums.items():
            column = self._rings.columns[_name(unit)]
            before = after - found[unit] if unit in found else after
            column[own] = before if own.size == before.size else before[values.row]
            sums[unit] = after - column.take(first)
        return sums

    def _add(self, unit: int) -> None:
        self._totals[unit] = np.zeros(0, np.int64)
        if self._slides:
            self._rings.add(_name(unit), np.int64)

    def _know(self) -> None:
        keys = self._rings.start.size
        self._totals = {unit: cast(Ints, grown(total, keys)) for unit, total in self._totals.items()}

    def release(self, codes: Ints) -> None:
        """See Measure."""
        self._know()
        for total in self._totals.values():
            total[codes] = 0

    def state(self, live: Ints) -> State:
        """See Measure."""
        self._know()
        return {
            str(unit): [total[live], self._rings.dump(live, _name(unit)) if self._slides else None]
            for unit, total in self._totals.items()
        }

    def restore(self, state: State, live: Ints) -> None:
        """See Measure."""
        for unit, saved in state.items():
            total, before = cast(list[Ints], saved)
            self._add(int(unit))
            self._totals[int(unit)] = total.copy()
            if self._slides:
                self._rings.fill(_name(int(unit)), live, before)


class WholeSums(ExactSums):
    """Sums of whole numbers, as the limbs 1 and 0."""

    def __init__(self, track: Track) -> None:
        super().__init__(track, whole_limbs)

    def run(self, values: Values) -> tuple[Array, ...]:
        """See Measure."""
        sums = self.sums(values)
        return sums[1], sums[0]


class RealSums(ExactSums):
    """Sums of doubles, rounded at the end."""

    def __init__(self, track: Track) -> None:
        super().__init__(track, real_limbs)

    def run(self, values: Values) -> tuple[Array, ...]:
        """See Measure."""
        return (real(self.sums(values), values.code.size),)


def _name(unit: int) -> str:
    return f"limb {unit}"
