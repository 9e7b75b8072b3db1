"""jq queries that only pick fields: `{sector: .SECTOR, city: .address["home town"], first: .tags[0]}`.

These are most of those that people partition by, and need no jq to run. What is not surely such a query is left to jq.
"""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
_STRING = r'"[^"\\\x00-\x1f]*"'  # without escapes and interpolation
_SPACE = re.compile(r"[ \t\r\n]*")
_KEY = re.compile(rf"(?P<name>{_IDENTIFIER}|{_STRING})")
_FIRST = re.compile(rf"\.(?:(?P<name>{_IDENTIFIER}|{_STRING})|\[(?:(?P<key>{_STRING})|(?P<index>[0-9]{{1,9}}))\])")
_NEXT = re.compile(rf"\.(?P<name>{_IDENTIFIER}|{_STRING})|\[(?:(?P<key>{_STRING})|(?P<index>[0-9]{{1,9}}))\]")


class _Reader:
    """Walks a query. Every `take` skips whitespace first."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def _skip_space(self) -> None:
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def take(self, character: str) -> bool:
        self._skip_space()
        found = self._text.startswith(character, self._at)
        self._at += found
        return found

    def take_key(self) -> str | None:
        self._skip_space()
        match = _KEY.match(self._text, self._at)
        if match is None:
            return None
        self._at = match.end()
        return match["name"].strip('"')

    def take_path(self) -> Path | None:
        self._skip_space()
        path: list[str | int] = []
        match = _FIRST.match(self._text, self._at)
        while match is not None:
            name = match["name"] or match["key"]
            path.append(int(match["index"]) if name is None else name.strip('"'))
            self._at = match.end()
            match = _NEXT.match(self._text, self._at)
        return tuple(path) or None

    def ended(self) -> bool:
        self._skip_space()
        return self._at == len(self._text)


def simple_paths(query: str) -> dict[str, Path] | None:
    """The path of every key of a query that only picks fields; None for any other query."""
    reader = _Reader(query)
    paths: dict[str, Path] = {}
    if not reader.take("{"):
        return None
    while True:
        key = reader.take_key()
        if key is None or key in paths:
            return None
        path = reader.take_path() if reader.take(":") else None
        if path is None:
            return None
        paths[key] = path
        if not reader.take(","):
            break
    return paths if reader.take("}") and reader.ended() else None
