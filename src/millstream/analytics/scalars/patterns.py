"""Patterns of LIKE, SIMILAR TO and Java as regular expressions of Rust, whose matching takes linear time.

What only a backtracking matcher can do (looking around, back references, possessive quantifiers) is refused: there is
no input that a pattern could make slow.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from millstream.analytics.scalars.mistakes import Mistake

_SPECIAL = frozenset("\\.+*?()|[]{}^$#&-~")
_BOUNDS = re.compile(r"\{(\d{1,4})(,(\d{0,4}))?\}")
_POSIX = re.compile(r"\[:([A-Za-z]+):\]")
_POSIX_NAMES = frozenset({"alpha", "upper", "lower", "digit", "alnum", "space", "punct", "xdigit", "blank", "cntrl"})


class Regex(NamedTuple):
    """A regular expression for Rust, and how many groups it has."""

    text: str
    groups: int = 0


def quoted(text: str) -> str:
    """A regular expression that matches the text itself."""
    return "".join(f"\\{one}" if one in _SPECIAL else one for one in text)


def like_parts(pattern: str, escape: str | None) -> list[str | None]:
    """The pattern as texts, "" for _ and None for %."""
    parts: list[str | None] = []
    plain = ""
    at = 0
    while at < len(pattern):
        one = pattern[at]
        if one == escape:
            at += 1
            if at == len(pattern):
                raise Mistake(f"The pattern '{pattern}' ends with its escape character")
            plain += pattern[at]
        elif one in "%_":
            parts += [plain] if plain else []
            parts.append(None if one == "%" else "")
            plain = ""
        else:
            plain += one
        at += 1
    return parts + ([plain] if plain else [])


def like_regex(pattern: str, escape: str | None = None) -> Regex:
    """The regular expression of a LIKE pattern. Raises Mistake."""
    words = {None: ".*", "": "."}
    text = "".join(words[one] if one in words else quoted(str(one)) for one in like_parts(pattern, escape))
    return Regex(rf"(?s)\A{text}\z")


def similar_regex(pattern: str, escape: str | None = None) -> Regex:
    """The regular expression of a SIMILAR TO pattern. Raises Mistake."""
    return Regex(rf"(?s)\A(?:{_Similar(pattern, escape).text()})\z")


PATTERNS = {"LIKE": like_regex, "SIMILAR TO": similar_regex}


def similar_parts(pattern: str, escape: str) -> Regex:
    """SUBSTRING(… SIMILAR 'before#"wanted#"after' ESCAPE '#'): the wanted part is group 1. As in the
    reference's examples, the three parts may stand anywhere in the text. Raises Mistake."""
    parts = pattern.split(f'{escape}"') if len(escape) == 1 else []
    if len(parts) != 3:
        hint = "for example SUBSTRING(a SIMILAR '23#\"456#\"78' ESCAPE '#')"
        raise Mistake('The pattern of SUBSTRING … SIMILAR needs the escape character with " twice', hint)
    before, wanted, after = (_Similar(part, escape).text() for part in parts)
    return Regex(rf"(?s)(?:{before})({wanted})(?:{after})", 1)


class _Similar:
    """Reads one SIMILAR TO pattern."""

    def __init__(self, pattern: str, escape: str | None) -> None:
        self.pattern = pattern
        self.escape = escape
        self.at = 0

    def fail(self, why: str) -> Mistake:
        return Mistake(f"The pattern '{self.pattern}' is not valid: {why}", "put the ESCAPE character before it")

    def text(self) -> str:
        made: list[str] = []
        depth = 0
        repeatable = False
        while self.at < len(self.pattern):
            one = self.pattern[self.at]
            if one in "*+?{":
                if not repeatable:
                    raise self.fail(f"{one} repeats nothing")
                made.append(self._quantifier())
                repeatable = False
                continue
            depth += {"(": 1, ")": -1}.get(one, 0)
            if depth < 0:
                raise self.fail("a ) without its (")
            repeatable = one not in "(|"
            made.append(self._item(one))
        if depth:
            raise self.fail("a ( without its )")
        return "".join(made)

    def _item(self, one: str) -> str:
        if one == self.escape:
            self.at += 1
            if self.at == len(self.pattern):
                raise self.fail("it ends with its escape character")
            one = self.pattern[self.at]
        elif one == "[":
            return self._class()
        elif one in "]}":
            raise self.fail(f"a {one} alone")
        elif one in "%_()|":
            self.at += 1
            return {"%": ".*", "_": ".", "(": "(?:"}.get(one, one)
        self.at += 1
        return quoted(one)

    def _quantifier(self) -> str:
        if self.pattern[self.at] != "{":
            self.at += 1
            return self.pattern[self.at - 1]
        match = _BOUNDS.match(self.pattern, self.at)
        if match is None:
            raise self.fail("{ needs numbers, for example {2} or {2,5}")
        self.at = match.end()
        return match[0]

    def _class(self) -> str:
        """[seq], [^seq] and [seq^seq]: in the first sequence and not in the second."""
        self.at += 1
        sides: list[str] = [""]
        while self.at < len(self.pattern) and self.pattern[self.at] != "]":
            one = self.pattern[self.at]
            posix = _POSIX.match(self.pattern, self.at)
            if posix and posix[1].lower() in _POSIX_NAMES:
                sides[-1] += f"[:{posix[1].lower()}:]"
                self.at = posix.end()
                continue
            if one in "()[":
                raise self.fail(f"a {one} within [ ]")
            if one == "^":
                sides.append("")
            elif one == "-" and sides[-1] and self.pattern[self.at + 1 : self.at + 2] not in ("]", ""):
                sides[-1] += "-"
            else:
                sides[-1] += self._listed(one)
            self.at += 1
        if self.at >= len(self.pattern):
            raise self.fail("a [ without its ]")
        self.at += 1
        return self._joined(sides)

    def _listed(self, one: str) -> str:
        if one == self.escape:
            self.at += 1
            one = self.pattern[self.at : self.at + 1]
        return quoted(one)

    def _joined(self, sides: list[str]) -> str:
        if len(sides) > 2 or not sides[-1]:
            raise self.fail("[ ] with nothing in it")
        if len(sides) == 1:
            return f"[{sides[0]}]"
        return f"[[{sides[0]}]--[{sides[1]}]]" if sides[0] else f"[^{sides[1]}]"
