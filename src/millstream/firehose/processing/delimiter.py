"""AppendDelimiterToRecord."""

from __future__ import annotations

_ESCAPES = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}


def parse_delimiter(value: str | None) -> bytes:
    r"""The bytes after each record: a newline by default. AWS's console stores `\n` literally: that means a newline."""
    if not value:
        return b"\n"
    for escape, character in _ESCAPES.items():
        value = value.replace(escape, character)
    return value.encode()
