"""Keys as Python values, where groups are looked up one by one."""

from __future__ import annotations

from collections.abc import Iterable

Key = tuple[object, ...]

_NAN = float("nan")


def comparable(row: Iterable[object]) -> Key:
    """A row of values as a dictionary's key: equal if SQL groups the rows together."""
    return tuple(_comparable(value) for value in row)


def _comparable(value: object) -> object:
    if isinstance(value, float):
        return value if value == value else _NAN
    return tuple(value.items()) if isinstance(value, dict) else value
