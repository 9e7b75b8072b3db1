"""Reading an operator's state."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from millstream.analytics.operators.frames import State


def integer(state: State, name: str) -> int:
    value = state[name]
    assert isinstance(value, int)
    return value


def optional_integer(state: State, name: str) -> int | None:
    return None if state[name] is None else integer(state, name)


def optional_frame(state: State, name: str) -> pl.DataFrame | None:
    value = state.get(name)
    assert value is None or isinstance(value, pl.DataFrame)
    return value


def prefixed(prefix: str, state: Mapping[str, object]) -> State:
    """A part's state as entries of a whole's."""
    return {f"{prefix} {name}": value for name, value in state.items()}


def part(prefix: str, state: State) -> State:
    """The part's state again."""
    start = f"{prefix} "
    return {name.removeprefix(start): value for name, value in state.items() if name.startswith(start)}
