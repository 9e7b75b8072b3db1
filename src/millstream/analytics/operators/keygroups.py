"""The rows of a batch by key, and small integers for keys."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from millstream.analytics.operators.rings import Bools, Ints

Key = Hashable
"""A key: its value; of several columns a tuple. Nulls are None, and equal."""

_SMALL = 256  # rows up to which Python is faster than a group_by
_NAN = float("nan")  # one object: a dict finds it again
_AT = "$at"


class Groups(NamedTuple):
    """The rows of a batch by key: keys[i] has the rows order[firsts[i]], … sizes[i] of them, in their order.

    `within` is by row of `order` how many of its group are before it, `group` which group it is of.
    """

    keys: Sequence[Key]
    order: Ints
    sizes: Ints
    firsts: Ints
    group: Ints
    within: Ints


def group_rows(keys: Sequence[pl.Series], height: int) -> Groups:
    """A batch's rows by the values of the columns of `keys` (none: one group); groups in the order of their first
    rows. Times and decimals are integers in the keys, as they lie in memory."""
    if not keys:
        return _groups([()] if height else [], np.arange(height), np.full(min(height, 1), height))
    columns = [_plain(column) for column in keys]
    return _by_dict(columns) if height <= _SMALL else _by_group(pl.DataFrame(columns))


def _groups(keys: Sequence[Key], order: Ints, sizes: Ints) -> Groups:
    firsts = np.cumsum(sizes) - sizes
    within = np.arange(order.size) - np.repeat(firsts, sizes)
    return Groups(keys, order, sizes, firsts, np.repeat(np.arange(sizes.size), sizes), within)


def _by_dict(keys: Sequence[pl.Series]) -> Groups:
    rows: dict[Key, list[int]] = {}
    for at, key in enumerate(_values(keys)):
        rows.setdefault(key, []).append(at)
    order = [at for found in rows.values() for at in found]
    sizes = [len(found) for found in rows.values()]
    return _groups(list(rows), np.array(order, dtype=np.int64), np.array(sizes, dtype=np.int64))


def _by_group(keys: pl.DataFrame) -> Groups:
    rows = pl.int_range(pl.len(), dtype=pl.Int64).alias(_AT)
    found = keys.with_columns(rows).group_by(keys.columns, maintain_order=True).agg(pl.col(_AT))
    order = found[_AT].explode(empty_as_null=False).to_numpy()
    return _groups(_values(found.get_columns()[:-1]), order, found[_AT].list.len().cast(pl.Int64).to_numpy())


def _values(keys: Sequence[pl.Series]) -> list[Key]:
    columns = [_hashable(column) for column in keys]
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def _hashable(column: pl.Series) -> list[Key]:
    values = column.to_list()
    if column.dtype.is_float() and bool(column.is_nan().any()):
        return [_NAN if value is not None and value != value else value for value in values]
    return [tuple(value.items()) for value in values] if column.dtype == pl.Struct else values


def _plain(column: pl.Series) -> pl.Series:
    return column.to_physical() if column.dtype.is_temporal() or column.dtype.is_decimal() else column


class KeyCodes:
    """Small integers for keys, used again when their key is forgotten."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self._keys: list[Key] = list(keys)
        self._codes = {key: code for code, key in enumerate(self._keys)}
        self._free: list[int] = []

    def __len__(self) -> int:
        """How many integers are or were used: one more than the greatest."""
        return len(self._keys)

    def assign(self, keys: Sequence[Key]) -> Ints:
        """The keys' integers; new keys get one."""
        found = list(map(self._codes.get, keys))
        if None in found:
            found = [self._add(key) if code is None else code for key, code in zip(keys, found, strict=True)]
        return np.array(found, dtype=np.int64)

    def release(self, codes: Ints) -> None:
        """Forget the keys that have these integers."""
        for code in codes.tolist():
            del self._codes[self._keys[code]]
            self._keys[code] = None
            self._free.append(code)

    def live(self) -> tuple[list[Key], Ints]:
        """The keys and their integers."""
        return list(self._codes), np.fromiter(self._codes.values(), np.int64, len(self._codes))

    def bytes(self) -> int:
        """About how much memory they take."""
        return 200 * len(self._keys)

    def _add(self, key: Key) -> int:
        if self._free:
            code = self._free.pop()
            self._keys[code] = key
        else:
            code = len(self._keys)
            self._keys.append(key)
        self._codes[key] = code
        return code


def dump_keys(keys: Sequence[Key]) -> list[object]:
    """Keys as plain values, for a state."""
    return [list(key) if isinstance(key, tuple) else key for key in keys]


def load_keys(saved: Sequence[object]) -> list[Key]:
    """What dump_keys was given."""
    return [_tupled(key) for key in saved]


def _tupled(key: object) -> Key:
    return tuple(_tupled(part) for part in key) if isinstance(key, list) else _canonical(key)


def _canonical(key: object) -> Key:
    return _NAN if isinstance(key, float) and key != key else key


def exclusive_sums(values: Ints | Bools, groups: Groups) -> Ints:
    """By row of `groups.order`: the sum of the values (in that order) of the rows before it in its group."""
    numbers = values.astype(np.int64, copy=False)
    sums = np.cumsum(numbers) - numbers
    return sums - np.repeat(sums[groups.firsts], groups.sizes)
