"""System logs: RFC 3164, and the same with the timestamps of RFC 3339 (rsyslog's default in files).

A priority (`<34>`) before the timestamp is passed over. A line without a program, such as `-- MARK --`, has null for
it. As in apache.py no expression backtracks: repetitions are possessive.
"""

from __future__ import annotations

import re

FIELDS = ("timestamp", "hostname", "program", "processid", "message")

_PRIORITY = r"(?:<[0-9]{1,3}>)?"
_REST = r" ([^ ]++) (?:([^\s\[\]:]++(?: [0-9.]++)?)(?:\[([^\]\s]*+)\])?: ?)?(.*+)"
RFC3164 = re.compile(
    rf"{_PRIORITY}([A-Z][a-z]{{2}} [ 0-9]?[0-9] [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}){_REST}",
    re.DOTALL,
)
RFC3339 = re.compile(
    rf"{_PRIORITY}([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt ][0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:[.,][0-9]++)?"
    rf"(?:[Zz]|[+-][0-9]{{2}}:?[0-9]{{2}})){_REST}",
    re.DOTALL,
)
