"""Settings out of a document by a table of keys, and what was found wrong or odd on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millstream.agent.configkeys import SECRETS, Key, is_comment, unknown_key
from millstream.agent.configvalues import Refused, shown


class Findings:
    """What was found wrong or odd, with where: `prefix` names the file, `key` the place in it."""

    def __init__(self, prefix: str = "") -> None:
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.prefix = prefix

    def at(self, prefix: str) -> Findings:
        """The same findings, for another place."""
        other = Findings(prefix)
        other.problems, other.warnings = self.problems, self.warnings
        return other

    def refuse(self, key: str, reason: str) -> None:
        """The configuration cannot be used."""
        self.problems.append(f"{self.prefix}{key}{': ' if key else ''}{reason}")

    def warn(self, key: str, reason: str) -> None:
        """Somebody should know."""
        self.warnings.append(f"{self.prefix}{key}{': ' if key else ''}{reason}")


def read_settings(
    document: Mapping[str, Any],
    keys: Mapping[str, Key],
    where: str,
    findings: Findings,
    also: tuple[str, ...] = ("flows",),
) -> dict[str, Any]:
    """Fields and values of what the document says; `where` stands before keys, `also` are keys read elsewhere."""
    settings = {}
    for name, value in document.items():
        if name in also or is_comment(name):
            continue
        key = keys.get(name)
        if key is None:
            findings.warn(where + name, unknown_key(name, keys))
        elif value is not None:
            try:
                read = key.read(value)
            except Refused as refused:
                of = "" if name in SECRETS else f"{shown(value)} "
                findings.refuse(where + name, f"{of}{refused}")
            else:
                if read is not None:
                    settings[key.field] = read
    return settings
