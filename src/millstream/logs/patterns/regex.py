r"""The regular expressions of filter patterns, between two `%`: AWS's own restricted syntax.

    alternative | alternative      no groups, no back references
    ^ $                            at the beginning and the end of an alternative
    x? x* x+ x{2} x{2,} x{2,5}     x: a character, `.`, a class `[a-f0-9]` `[^abc]`, `\d \D \s \S \w \W \xhh`, `\.`

Unescaped there may be letters, digits and `_#=@/;,-:`. What a search costs grows with the message's length alone,
whatever the expression: messages so short that `re` cannot backtrack long are given to it, others to an automaton.
Source: the user guide, "Supported regular expressions (regex) syntax".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import prod
from typing import NamedTuple, NoReturn

from millstream.logs.patterns.automaton import ASCII, Automaton, Branch, Position
from millstream.logs.patterns.pattern import PatternError

POSITIONS_MAX = 2_000
"""How many characters an expression may have once its `{m,n}` are written out."""

_OTHER = 1 << ASCII  # all characters that are not ASCII count as one
_ALL = (1 << (ASCII + 1)) - 1
_STEPS_MAX = 300_000  # of backtracking, a few milliseconds
_SYMBOLS = frozenset("_#=@/;,-:")
_OPERATORS = frozenset("^$?[]{}|\\*+.")
_REPEATS = {"?": (0, 1), "*": (0, None), "+": (1, None)}
_braces = re.compile(r"\{([0-9]{1,4})(?:(,)([0-9]{0,4}))?\}").match
_hex = re.compile(r"[0-9A-Fa-f]{2}").match
_not_ascii = re.compile(r"[^\x00-\x7f]+")


def _mask(chars: str) -> int:
    return sum(1 << ord(char) for char in set(chars))


_DIGITS = _mask("0123456789")
_BLANKS = _mask(" \t\n\r\f\v")
_WORD = _DIGITS | _mask("_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ANY = _ALL & ~_mask("\n")
_CLASSES = {"d": _DIGITS, "s": _BLANKS, "w": _WORD, "D": _ALL & ~_DIGITS, "S": _ALL & ~_BLANKS, "W": _ALL & ~_WORD}


class Item(NamedTuple):
    """A set of characters, one bit each, and how often one of them stands there; no `most`: without limit."""

    chars: int
    least: int = 1
    most: int | None = 1


class Alternative(NamedTuple):
    """Items in a row, tied to the beginning or the end of the text or not."""

    items: list[Item]
    from_start: bool
    to_end: bool


def compile_regex(text: str) -> Callable[[str], bool]:
    """Says of a text whether the expression is found in it. Raises PatternError."""
    return _Search(_Parser(text).alternatives()).found_in


class _Search:
    def __init__(self, alternatives: list[Alternative]) -> None:
        self._automaton = Automaton([_branch(each) for each in alternatives])
        self._find = re.compile("|".join(map(_spelled, alternatives))).search
        self._short_max = min(map(_backtracking_length_max, alternatives)) // len(alternatives)

    def found_in(self, text: str) -> bool:
        plain = text if text.isascii() else _not_ascii.sub(lambda found: "\x80" * len(found[0]), text)
        if len(plain) <= self._short_max:
            return self._find(plain) is not None
        return self._automaton.accepts(plain)


def _backtracking_length_max(alternative: Alternative) -> int:
    """Up to which length `re` is fast enough for a text, if everything that can be tried must be tried."""
    unlimited = sum(item.most is None for item in alternative.items)
    factor = prod(item.most - item.least + 1 for item in alternative.items if item.most is not None)
    factor *= max(1, len(alternative.items))
    length = (_STEPS_MAX / factor) ** (1 / (unlimited + (0 if alternative.from_start else 1)) if unlimited else 1)
    return int(length)


def _branch(alternative: Alternative) -> Branch:
    positions: list[Position] = []
    for chars, least, most in alternative.items:
        positions += [Position(chars, optional=False, repeats=False)] * least
        if most is not None:
            positions += [Position(chars, optional=True, repeats=False)] * (most - least)
        elif least:
            positions[-1] = Position(chars, optional=False, repeats=True)
        else:
            positions.append(Position(chars, optional=True, repeats=True))
    return Branch(positions, alternative.from_start, alternative.to_end)


def _spelled(alternative: Alternative) -> str:
    """The alternative for Python's `re`."""
    head = r"\A" if alternative.from_start else ""
    tail = r"\Z" if alternative.to_end else ""
    return head + "".join(map(_spelled_item, alternative.items)) + tail


def _spelled_item(item: Item) -> str:
    chars = "".join(f"\\x{code:02x}" for code in range(ASCII + 1) if item.chars >> code & 1)
    repeat = "" if item.least == item.most == 1 else f"{{{item.least},{'' if item.most is None else item.most}}}"
    return f"[{chars}]{repeat}"


class _Parser:
    """Reads one expression. Every method raises PatternError for what it cannot read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._positions = 0

    def alternatives(self) -> list[Alternative]:
        found = [self._alternative()]
        while self._take("|"):
            found.append(self._alternative())
        return found

    def _alternative(self) -> Alternative:
        from_start = self._take("^")
        items: list[Item] = []
        while self._at < len(self._text) and self._peek() not in "|$":
            items.append(self._item())
        if not items:
            self._fail("there is nothing to look for")
        to_end = self._take("$")
        if to_end and self._peek() not in ("", "|"):
            self._fail("$ may stand only at the end")
        return Alternative(items, from_start, to_end)

    def _item(self) -> Item:
        chars = self._chars()
        least, most = self._repeat()
        if most is not None and most < least:
            self._fail("the second number in braces is smaller than the first")
        self._positions += max(1, least if most is None else most)
        if self._positions > POSITIONS_MAX:
            self._fail(f"it is larger than {POSITIONS_MAX} characters with its repetitions written out")
        return Item(chars, least, most)

    def _repeat(self) -> tuple[int, int | None]:
        if (char := self._peek()) in _REPEATS:
            self._at += 1
            return _REPEATS[char]
        if char != "{":
            return 1, 1
        found = _braces(self._text, self._at)
        if found is None:
            self._fail("{m}, {m,} or {m,n} is meant to stand here; for a brace write \\{")
        self._at = found.end()
        least = int(found[1])
        if not found[2]:
            return least, least
        return least, int(found[3]) if found[3] else None

    def _chars(self) -> int:
        """One character, `.` or a class, as a set."""
        char = self._peek()
        self._at += 1
        if char == ".":
            return _ANY
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escaped()
        self._at -= 1
        if char in _OPERATORS:
            self._fail(f"{char} may not stand here; for the character itself write \\{char}")
        self._require_plain(char)
        self._at += 1
        return _mask(char)

    def _class(self) -> int:
        negated = self._take("^")
        chars = 0
        while not self._take("]"):
            if self._at >= len(self._text):
                self._fail("a bracket is never closed")
            chars |= self._range()
        if not chars:
            self._fail("these brackets hold nothing")
        return _ALL & ~chars if negated else chars

    def _range(self) -> int:
        """One character of a class, `\\d` and the like, or all characters from one to another."""
        first = self._class_char()
        if self._peek() != "-" or self._text[self._at + 1 : self._at + 2] in ("", "]"):
            return first
        self._at += 1
        last = self._class_char()
        if first.bit_count() != 1 or last.bit_count() != 1 or last < first:
            self._fail("a range goes from a character to a later one")
        return (last << 1) - first

    def _class_char(self) -> int:
        if self._take("\\"):
            return self._escaped()
        char = self._peek()
        if char not in _OPERATORS:
            self._require_plain(char)
        self._at += 1
        return _mask(char)

    def _escaped(self) -> int:
        """What follows a backslash, as a set."""
        char = self._peek()
        if not char or ord(char) >= ASCII:
            self._fail("an ASCII character must follow a backslash")
        self._at += 1
        if char in _CLASSES:
            return _CLASSES[char]
        if char == "x":
            found = _hex(self._text, self._at)
            if found is None or (code := int(found[0], 16)) >= ASCII:
                self._fail("two hexadecimal digits up to 7f must follow \\x")
            self._at = found.end()
            return 1 << code
        if char.isalnum():
            self._at -= 1
            self._fail(f"\\{char} is not supported; \\d \\D \\s \\S \\w \\W and \\xhh are")
        return _mask(char)

    def _require_plain(self, char: str) -> None:
        if ord(char) >= ASCII:
            self._fail("only ASCII characters are supported")
        if char.isspace():
            self._fail("white space is not supported; write \\s")
        if char in "()":
            self._fail("parentheses are not supported, there are no groups; for the character itself write \\" + char)
        if not char.isalnum() and char not in _SYMBOLS:
            self._fail(f"'{char}' is not supported; write \\{char}")

    def _take(self, char: str) -> bool:
        found = self._peek() == char
        self._at += found
        return found

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _fail(self, why: str) -> NoReturn:
        raise PatternError(f"at its character {self._at + 1}: {why}")
