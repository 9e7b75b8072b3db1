"""jq queries of the MetadataExtraction processor: which partition keys they extract.

{customer: .customer_id, day: .ts | strftime("%d")}   ->   customer, day
"""

from __future__ import annotations

import re

_OPENING = {"{": "}", "[": "]", "(": ")"}
_KEY = re.compile(r"""\s*(?:([A-Za-z_]\w*)|"([^"\\]*)")\s*(?::|\Z)""")
_STRING = re.compile(r'"(?:[^"\\]|\\[^(])*"')


def query_keys(query: str) -> frozenset[str] | None:
    """The keys of the object that a query which compiles constructs; None where only running it tells."""
    text = query.strip()
    if not (text.startswith("{") and text.endswith("}")):
        return None
    entries = _entries(text[1:-1])
    if entries is None:
        return None
    keys = set()
    for entry in entries:
        match = _KEY.match(entry)
        if match is None:
            return None
        keys.add(match[1] or match[2])
    return frozenset(keys)


def _entries(text: str) -> list[str] | None:
    """What commas outside all brackets and strings separate; None where this cannot be told."""
    entries: list[str] = []
    closing: list[str] = []
    start = position = 0
    while position < len(text):
        character = text[position]
        if character == '"':
            match = _STRING.match(text, position)
            if match is None:
                return None  # a string with a program in it
            position = match.end()
            continue
        if character in _OPENING:
            closing.append(_OPENING[character])
        elif closing and character == closing[-1]:
            closing.pop()
        elif character in "}])":
            return None
        elif character == "," and not closing:
            entries.append(text[start:position])
            start = position + 1
        position += 1
    last = text[start:]
    return [*entries, last] if last.strip() else entries
