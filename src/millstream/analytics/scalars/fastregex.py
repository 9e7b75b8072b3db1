"""Fast Regex: the patterns of FAST_REGEX_LOG_PARSER.

The pattern falls apart into the expressions within its groups and those between them. What has a fixed length at the
beginning of one goes to the end of the one before, and what is of fixed length as a whole goes there, too. Then each is
matched in turn, as short as possible where it ends with something of fixed length, and never again: there is no way
back. All of the text must be used.

    (.*)_+(._.*)     becomes     (.*)_     _*(._     .*)
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.patterns import quoted

_BOUNDS = re.compile(r"\{(\d{1,4})(,(\d{0,4}))?\}")
_RANGE = re.compile(r"<(\d{1,9})-(\d{1,9})>")
_NAME = re.compile(r"<(\w+)>")
_NAMES = {
    "Digit": "0-9",
    "Upper": "A-Z",
    "Lower": "a-z",
    "ASCII": r"\x00-\x7F",
    "Alpha": "a-zA-Z",
    "Alnum": "a-zA-Z0-9",
    "Punct": "!-/:-@\\[-`{-~",
    "Blank": r" \t",
    "Space": r" \t\n\f\r\x0B",
    "Cntrl": r"\x00-\x1F\x7F",
    "XDigit": "0-9a-fA-F",
    "Print": "!-~",
    "Graph": "!-~",
}
_RANGE_MAX = 1000
_LONGEST = 64  # repetitions of something of fixed length that are written out


class Atom(NamedTuple):
    """A piece: its regular expression as short and as long as possible, and its length if that is fixed."""

    lazy: str
    greedy: str
    length: int | None


class Step(NamedTuple):
    """One search: a regular expression anchored at the beginning, whose groups are parts of these columns (from 0). Its
    last group is what is left, except in the last step, which leaves nothing."""

    regex: str
    columns: tuple[int, ...]


class FastRegex(NamedTuple):
    """A pattern: its searches in order, and how many columns it gives."""

    steps: tuple[Step, ...]
    groups: int


@lru_cache(maxsize=256)
def fast_regex(pattern: str) -> FastRegex:
    """The searches of a pattern. Raises Mistake."""
    expressions = _Reader(pattern).expressions()
    segments: list[list[tuple[int, Atom]]] = [[]]
    for column, atoms in expressions:
        fixed = next((index for index, atom in enumerate(atoms) if atom.length is None), len(atoms))
        segments[-1] += [(column, atom) for atom in atoms[:fixed]]
        if atoms[fixed:]:
            if segments[-1]:
                segments.append([])
            segments[-1] += [(column, atom) for atom in atoms[fixed:]]
    steps = tuple(_step(segment, last=index == len(segments) - 1) for index, segment in enumerate(segments))
    return FastRegex(steps, 1 + max((column for column, _ in expressions), default=-1))


def _step(segment: list[tuple[int, Atom]], *, last: bool) -> Step:
    made = ""
    columns: list[int] = []
    current = -1
    for index, (column, atom) in enumerate(segment):
        if column != current:
            made += ")" if current >= 0 else ""
            if column >= 0:
                made += "("
                columns.append(column)
            current = column
        # an end that is not fixed has nothing to stop at: it takes what it can
        made += atom.greedy if index == len(segment) - 1 else atom.lazy
    made += ")" if current >= 0 else ""
    return Step(rf"(?s)\A{made}\z" if last else rf"(?s)\A{made}(.*)\z", tuple(columns))


class _Reader:
    """Reads one pattern."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def fail(self, why: str, hint: str = "") -> Mistake:
        return Mistake(f"The Fast Regex '{self.pattern}' is not valid: {why}", hint)

    def expressions(self) -> list[tuple[int, list[Atom]]]:
        """The top level: each group with its column from 0, and what is between groups with -1."""
        made: list[tuple[int, list[Atom]]] = []
        column = -1
        while self.at < len(self.pattern):
            one = self.pattern[self.at]
            if one == "|":
                raise self.fail("there is a choice between whole patterns", "put it into a group")
            if one == "(":
                column += 1
                made.append((column, self._column()))
            elif made and made[-1][0] < 0:
                made[-1][1].extend(self._repeated(self._atom()))
            else:
                made.append((-1, self._repeated(self._atom())))
        return made or [(-1, [])]

    def _column(self) -> list[Atom]:
        self.at += 1
        choices = self._choices()
        self._close()
        if len(choices) == 1 and self.pattern[self.at : self.at + 1] not in ("?", "*", "+", "{"):
            return choices[0]
        return self._repeated(_either(choices))

    def _close(self) -> None:
        if self.pattern[self.at : self.at + 1] != ")":
            raise self.fail("a ( without its )")
        self.at += 1

    def _choices(self) -> list[list[Atom]]:
        """What stands within ( ), cut at |."""
        made: list[list[Atom]] = [[]]
        while self.at < len(self.pattern) and self.pattern[self.at] != ")":
            if self.pattern[self.at] == "|":
                self.at += 1
                made.append([])
            else:
                made[-1] += self._repeated(self._atom())
        return made

    def _repeated(self, atom: Atom) -> list[Atom]:
        """The atom as often as what follows it says."""
        one = self.pattern[self.at : self.at + 1]
        low, high = {"?": (0, 1), "*": (0, None), "+": (1, None)}.get(one, (1, 1))
        if one == "{":
            bounds = _BOUNDS.match(self.pattern, self.at)
            if bounds is None:
                raise self.fail("{ needs numbers, for example {2} or {2,5}")
            self.at = bounds.end()
            low = int(bounds[1])
            high = low if bounds[2] is None else int(bounds[3]) if bounds[3] else None
            if high is not None and high < low:
                raise self.fail("{ } counts backwards")
        elif (low, high) == (1, 1):
            return [atom]
        else:
            self.at += 1
        return self._often(atom, low, high)

    def _often(self, atom: Atom, low: int, high: int | None) -> list[Atom]:
        written = low if atom.length is not None and low <= _LONGEST else 0
        rest_low, rest_high = low - written, None if high is None else high - written
        if rest_high == 0:
            return [atom] * written
        short = {(0, None): "*", (1, None): "+", (0, 1): "?"}
        times = short.get((rest_low, rest_high), f"{{{rest_low},{'' if rest_high is None else rest_high}}}")
        return [atom] * written + [Atom(f"(?:{atom.lazy}){times}?", f"(?:{atom.greedy}){times}", None)]

    def _atom(self) -> Atom:
        one = self.pattern[self.at]
        if one == "(":
            self.at += 1
            choices = self._choices()
            self._close()
            return _either(choices)
        if one == "<":
            return self._named()
        if one == "[":
            return self._class()
        if one == '"':
            return self._string()
        if one in "?*+{":
            raise self.fail(f"{one} repeats nothing")
        if one in ")&~":
            raise self.fail(f"a {one} alone" if one == ")" else f"{one} is not supported", "write \\ before it")
        self.at += 1
        if one == "\\":
            one = self.pattern[self.at : self.at + 1]
            if not one:
                raise self.fail("it ends with a backslash")
            self.at += 1
            return _plain(quoted(one), 1)
        if one in ".#@":
            return {".": _plain(".", 1), "#": _plain(r"[^\s\S]", None), "@": Atom(".*?", ".*", None)}[one]
        return _plain(quoted(one), 1)

    def _named(self) -> Atom:
        bounds = _RANGE.match(self.pattern, self.at)
        if bounds is not None:
            self.at = bounds.end()
            low, high = sorted((int(bounds[1]), int(bounds[2])))
            if high - low > _RANGE_MAX:
                raise self.fail(f"{bounds[0]} has more than {_RANGE_MAX} numbers", "write <Digit>{n,m}")
            width = len(bounds[1]) if len(bounds[1]) == len(bounds[2]) else None
            numbers = "|".join(str(one).zfill(width or 0) for one in range(high, low - 1, -1))
            return _plain(f"(?:{numbers})" if width else f"(?:0*(?:{numbers}))", width)
        name = _NAME.match(self.pattern, self.at)
        if name is None or name[1] not in _NAMES:
            raise self.fail(
                f"there is nothing named {self.pattern[self.at : self.at + 12]}", f"names: {', '.join(_NAMES)}"
            )
        self.at = name.end()
        return _plain(f"[{_NAMES[name[1]]}]", 1)

    def _string(self) -> Atom:
        end = self.pattern.find('"', self.at + 1)
        if end < 0:
            raise self.fail('a " without its end')
        text = self.pattern[self.at + 1 : end]
        self.at = end + 1
        return _plain(f"(?:{quoted(text)})", len(text))

    def _class(self) -> Atom:
        self.at += 1
        negated = self.pattern.startswith("^", self.at)
        self.at += negated
        made = ""
        while self.pattern[self.at : self.at + 1] not in ("]", "") or not made:
            one = self.pattern[self.at : self.at + 1]
            if one == "\\":
                self.at += 1
                one = self.pattern[self.at : self.at + 1]
            elif one == "-" and made and self.pattern[self.at + 1 : self.at + 2] not in ("]", ""):
                made += "-"
                self.at += 1
                continue
            if not one:
                raise self.fail("a [ without its ]")
            made += quoted(one)
            self.at += 1
        if self.pattern[self.at : self.at + 1] != "]":
            raise self.fail("a [ without its ]")
        self.at += 1
        return _plain(f"[{'^' if negated else ''}{made}]", 1)


def _plain(text: str, length: int | None) -> Atom:
    return Atom(text, text, length)


def _either(choices: list[list[Atom]]) -> Atom:
    lengths = {None if any(a.length is None for a in one) else sum(a.length or 0 for a in one) for one in choices}
    lazy = "|".join("".join(atom.lazy for atom in one) for one in choices)
    greedy = "|".join("".join(atom.greedy for atom in one) for one in choices)
    return Atom(f"(?:{lazy})", f"(?:{greedy})", lengths.pop() if len(lengths) == 1 else None)
