"""SINGLELINE: a record of several lines becomes one line."""

from __future__ import annotations

import re

from millstream.agent.processors.converter import Converter
from millstream.agent.processors.options import Options

_BLANKS = bytes(range(0x21))  # what Java's String.trim takes away
_LINE_END = re.compile(rb"\r?\n")


def singleline(options: Options) -> Converter:
    """Joins a record's lines, each without the blanks around it.

    parseOptions: NO_TRIM keeps the blanks, ESCAPE_NEW_LINE puts a backslash and an n where a line ended. Works on
    bytes: a record in another encoding than UTF-8 stays as it is.
    """
    chosen = options.choices("parseOptions", ("NO_TRIM", "ESCAPE_NEW_LINE"))
    joint = b"\\n" if "ESCAPE_NEW_LINE" in chosen else b""
    if "NO_TRIM" in chosen:
        return lambda record: joint.join(_LINE_END.split(record.rstrip(b"\r\n"))) + b"\n"
    return lambda record: joint.join([line.strip(_BLANKS) for line in record.rstrip(b"\r\n").split(b"\n")]) + b"\n"
