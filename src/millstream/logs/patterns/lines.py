"""Splitting a message into columns at white space, with quotes and brackets respected.

    127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /a b HTTP/1.0" 404 1534
    └───────┘ │ └───┘  └────────────────────────┘   └───────────────┘  └─┘ └──┘

A quote or bracket that begins a column encloses it if the next one that closes stands where a column may end; otherwise
it is a character like any other. Quotes that follow a backslash close nothing, and stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

SHORT_MAX = 4_096
"""Up to how many characters of a message one expression is fast: marks that are never closed cost their square."""

_IN_QUOTES = r'[^"]*+(?:(?<=\\)"[^"]*+)*+'
_IN_BRACKETS = r"[^\]]*+"


def _column(bare: str, end: str) -> str:
    """The expression of a column, which is its one group: enclosed, if the closing mark is before `end`, or `bare`."""
    opening = rf'(?:"(?={_IN_QUOTES}"{end})|\[(?={_IN_BRACKETS}\]{end}))?+'
    return rf'{opening}((?<!["\[]){bare}|(?<="){_IN_QUOTES}|(?<=\[){_IN_BRACKETS})["\]]?+'


_COLUMN = _column(r"\S++", r"(?!\S)")
_LAST_COLUMN = _column(r"\S(?:.*\S)?", r"\s*+\Z")
_find_columns = re.compile(rf"(?=\S){_COLUMN}").findall
_find_word = re.compile(r"\s*+(\S++)").match
_CLOSERS = {'"': re.compile(r'(?<!\\)"'), "[": re.compile(r"\]")}


class _Span(NamedTuple):
    """A column's text, and the places of all of it in the message."""

    text: str
    start: int
    end: int


def columns_of(message: str, count_max: int = 0) -> list[str]:
    """The columns of a message, without their quotes and brackets; the last of `count_max` takes all that is left."""
    if not has_marks(message):
        return message.rstrip().split(None, count_max - 1)
    if not count_max and len(message) <= SHORT_MAX:
        return _find_columns(message)
    columns: list[str] = []
    for span in _spans(message):
        if len(columns) + 1 == count_max and message[span.end :].strip():
            return [*columns, message[span.start :].strip()]
        columns.append(span.text)
    return columns


def has_marks(message: str) -> bool:
    """Whether there are quotes or brackets, which may enclose a column."""
    return '"' in message or "[" in message


def row_matcher(count: int) -> Callable[[str], re.Match[str] | None]:
    """Cuts a message of up to SHORT_MAX characters into `count` columns, the match's groups, as `columns_of` does.

    None for one that has fewer.
    """
    row = r"\s++".join([*[_COLUMN] * (count - 1), _LAST_COLUMN])
    return re.compile(rf"\s*+{row}\s*+\Z", re.DOTALL).match


def _spans(message: str) -> Iterator[_Span]:
    """The columns in time that grows with the message's length alone."""
    closers = {opening: _Closer(message, mark) for opening, mark in _CLOSERS.items()}
    at = 0
    while (word := _find_word(message, at)) is not None:
        start, at = word.span(1)
        closer = closers.get(message[start])
        close = closer.after(start + 1) if closer is not None else len(message)
        if close < len(message) and not message[close + 1 : close + 2].strip():
            at = close + 1
            yield _Span(message[start + 1 : close], start, at)
        else:
            yield _Span(word[1], start, at)


class _Closer:
    """Where the next closing mark is; asked for places that only grow, so that a message is searched but once."""

    def __init__(self, message: str, mark: re.Pattern[str]) -> None:
        self._message = message
        self._search = mark.search
        self._at = -1

    def after(self, at: int) -> int:
        """The place of the first mark at or after `at`; the message's length if there is none."""
        if self._at < at:
            found = self._search(self._message, at)
            self._at = found.start() if found else len(self._message)
        return self._at
