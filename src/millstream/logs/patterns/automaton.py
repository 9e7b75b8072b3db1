"""Deciding whether a text has a match of alternatives of single characters, each step in bounded time.

A set of positions is an integer, one bit each: those that the next character may be at. Sets become states when they
are first met, and what follows a state at a character is looked up from then on. Of too many states all are forgotten.
"""

from __future__ import annotations

from typing import NamedTuple

ASCII = 128
"""Characters below are told apart; the one of this code stands for all others."""

STATES_MAX = 1_000


class Position(NamedTuple):
    """A place for one character out of a set (one bit each); it may be left out, or taken again."""

    chars: int
    optional: bool
    repeats: bool


class Branch(NamedTuple):
    """Positions in a row; the match begins at the text's start only, and ends at its end only, or anywhere."""

    positions: list[Position]
    from_start: bool
    to_end: bool


class _State:
    __slots__ = ("following", "positions")

    def __init__(self, positions: int) -> None:
        self.positions = positions
        self.following: dict[str, _State] = {}


class Automaton:
    """Any of the branches, anywhere in a text."""

    def __init__(self, branches: list[Branch]) -> None:
        self._follow: list[int] = []  # by position: which may come next
        self._at_char = [0] * (ASCII + 1)  # by character: the positions that take it
        count = sum(len(branch.positions) for branch in branches)
        self._matched = 1 << count
        self._matched_at_end = 1 << (count + 1)
        self._anywhere = self._first = 0
        for branch in branches:
            start = self._add(branch)
            self._first |= start
            if not branch.from_start:
                self._anywhere |= start
        self._accepted = _State(self._matched)
        self._states: dict[int, _State] = {}

    def _add(self, branch: Branch) -> int:
        """Number the branch's positions; returns the set of those that a match may begin at."""
        base = len(self._follow)
        reached = self._matched_at_end if branch.to_end else self._matched
        follow: list[int] = []
        for place, position in reversed(list(enumerate(branch.positions, base))):
            own = 1 << place
            follow.append(reached | own if position.repeats else reached)
            reached = reached | own if position.optional else own
            for code in range(ASCII + 1):
                if position.chars >> code & 1:
                    self._at_char[code] |= own
        self._follow += reversed(follow)
        return reached

    def accepts(self, text: str) -> bool:
        """Whether a branch matches somewhere in `text`, of characters up to the one of code ASCII."""
        accepted = self._accepted
        state = self._state(self._first)
        if state is accepted:
            return True
        for char in text:
            following = state.following.get(char)
            state = following if following is not None else self._step(state, char)
            if state is accepted:
                return True
        return bool(state.positions & self._matched_at_end)

    def _step(self, state: _State, char: str) -> _State:
        taken = state.positions & self._at_char[ord(char)]
        positions = self._anywhere
        while taken:
            lowest = taken & -taken
            positions |= self._follow[lowest.bit_length() - 1]
            taken ^= lowest
        following = state.following[char] = self._state(positions)
        return following

    def _state(self, positions: int) -> _State:
        if positions & self._matched:
            return self._accepted
        state = self._states.get(positions)
        if state is None:
            if len(self._states) >= STATES_MAX:
                self._states = {}
            state = self._states[positions] = _State(positions)
        return state
