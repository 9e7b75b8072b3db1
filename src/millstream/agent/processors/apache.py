"""Apache's access and error logs: https://httpd.apache.org/docs/2.4/logs.html, and what 2.2 wrote.

Each access log has two readers that give the same: a quick one that takes a line apart at its double quotes, which
nearly all lines let it, and a regular expression for the others. No expression here backtracks: every repetition is
possessive, so that time grows with the line's length and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from millstream.agent.processors.fields import FieldsMaker

COMMON_FIELDS = ("host", "ident", "authuser", "datetime", "request", "response", "bytes")
COMBINED_FIELDS = (*COMMON_FIELDS, "referer", "agent")
ERROR_FIELDS = ("timestamp", "module", "severity", "processid", "threadid", "client", "message")

_QUOTED = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_HEAD = r"([^ ]++) ([^ ]++) ([^ ]++(?: [^ \[][^ ]*+)*+) \[([^\]]++)\] "
_RESULT = r" ([0-9]{3}|-) ([0-9]++|-)"
COMMON = re.compile(rf"{_HEAD}{_QUOTED}{_RESULT} *+", re.DOTALL)
COMBINED = re.compile(rf"{_HEAD}{_QUOTED}{_RESULT} {_QUOTED} {_QUOTED} *+", re.DOTALL)
ERROR = re.compile(
    r"\[([^\]]++)\] \[(?:([^\]:]*+):)?([^\]:]++)\]"
    r"(?: \[pid ([0-9]++)(?::tid ([0-9]++))?\])?"
    r"(?: ([^\[]*+)(?<=[:\]] )\[client:? ([^\]]++)\])?"
    r" ?(.*+)",
    re.DOTALL,
)
"""2.2: `[time] [severity] [client] message`, 2.4: `[time] [module:severity] [pid:tid] (error) [client] message`."""

Fields = Sequence[str | None]


def dashes_to_none(fields: Fields) -> Fields:
    """The fields, with None for what Apache did not know."""
    return [None if field == "-" else field for field in fields]


def error_fields(match: re.Match[str]) -> Fields:
    """What an error log's line says; the system's error, which stands before the client, is part of the message."""
    *fields, error, client, message = match.groups()
    return dashes_to_none([*fields, client, (error or "") + message])


QuickReader = Callable[[str], object | None]


def quick_combined(make: FieldsMaker) -> QuickReader:
    """A reader for lines of a combined log as most of them are; it says None to all others: then ask the expression.

    One function without helpers: a call costs as much here as a look at a field.
    """

    def read(text: str) -> object | None:
        parts = text.split('"')
        if len(parts) != 7 or "\\" in text or not text.isascii():
            return None
        head, request, result, referer, gap, agent, end = parts
        names, _, time = head.partition(" [")
        time, _, gap_before = time.partition("]")
        who = names.split(" ")
        values = result.split(" ")
        if len(who) != 3 or len(values) != 4 or gap_before != " " or gap != " " or end or not time:
            return None
        host, ident, user = who
        before, status, size, after = values
        if before or after or not (host and ident and user and len(status) == 3 and status.isdigit()):
            return None
        if not (size.isdigit() or size == "-"):
            return None
        return make(
            None if host == "-" else host,
            None if ident == "-" else ident,
            None if user == "-" else user,
            None if time == "-" else time,
            None if request == "-" else request,
            status,
            None if size == "-" else size,
            None if referer == "-" else referer,
            None if agent == "-" else agent,
        )

    return read


def quick_common(make: FieldsMaker) -> QuickReader:
    """The same for a common log: `quick_combined` reads its lines, with a referer and an agent put behind them."""
    read = quick_combined(lambda *fields: make(*fields[:7]))
    return lambda text: read(text + ' "" ""')
