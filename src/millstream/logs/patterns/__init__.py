"""Filter patterns of CloudWatch Logs: compiled once, then asked about one message after the other.

    pattern = compile_pattern("[ip, user, ..., status = 4*, bytes]")     # raises PatternError
    match = pattern.match(message)                                       # Match, or None
    match.fields                                                         # {"ip": "127.0.0.1", ...}

Three languages (the user guide, "Filter pattern syntax"): terms of unstructured text, JSON in braces, space-delimited
text in brackets. Pure functions of a message: no I/O, no state that a caller could see.
"""

from __future__ import annotations

from millstream.logs.patterns.compile import compile_pattern
from millstream.logs.patterns.pattern import Match, Pattern, PatternError

__all__ = ["Match", "Pattern", "PatternError", "compile_pattern"]
