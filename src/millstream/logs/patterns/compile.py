"""From a pattern's text to the pattern: its first character says which of the three languages it is in."""

from __future__ import annotations

from millstream.logs.patterns.columns import compile_columns
from millstream.logs.patterns.documents import compile_document
from millstream.logs.patterns.pattern import Pattern
from millstream.logs.patterns.terms import compile_terms


def compile_pattern(text: str) -> Pattern:
    """The pattern that `text` spells; an empty one matches everything. Raises PatternError."""
    stripped = text.lstrip()
    if stripped.startswith("{"):
        return compile_document(text)
    if stripped.startswith("["):
        return compile_columns(text)
    return compile_terms(text)
