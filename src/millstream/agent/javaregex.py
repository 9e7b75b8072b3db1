"""Regular expressions as agent.json has them, in Java's syntax, made into Python's.

What is the same in both passes; what can be said in Python is translated (named groups, `\\Q…\\E`, POSIX classes,
unions of character classes, flags in the middle, code points, `.` that stops at every line end, classes that know ASCII
only); the rest is refused with the reason: intersections of classes (`&&`), Unicode categories and scripts, `\\G`,
`\\X`, and the flags d, u, x and U. Python 3.11 has Java's possessive quantifiers and atomic groups.

Neither engine bounds the time that a match takes: a pattern such as `(a+)+b` backtracks for ever on a line that nearly
matches. Who matches users' patterns bounds it: see `millstream.agent.timelimit`.

Source: the summary of the syntax in the documentation of java.util.regex.Pattern.
"""

from __future__ import annotations

import re
import sys
from typing import AnyStr

_POSIX = {
    "Lower": "a-z",
    "Upper": "A-Z",
    "ASCII": r"\x00-\x7f",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": r"!-/:-@\[-`{-~",
    "Graph": "!-~",
    "Print": " -~",
    "Blank": r" \t",
    "Cntrl": r"\x00-\x1f\x7f",
    "XDigit": "0-9a-fA-F",
    "Space": r" \t\n\x0b\f\r",
}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "a": "\a", "e": "\x1b"}
_ANCHORS = {"A": r"\A", "b": r"\b", "B": r"\B", "z": r"\Z", "Z": r"(?=\n?\Z)"}
_BLANKS = {False: r" \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000", True: r" \t"}
_LINE_ENDS = {False: r"\n\x0b\f\r\x85\u2028\u2029", True: r"\n\x0b\f\r"}
_NOT_DOT = {False: r"[^\n\r\x85\u2028\u2029]", True: r"[^\n\r]"}

_QUANTIFIER = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})[?+]?")
_FLAGS = re.compile(r"\(\?([a-zA-Z]*)(?:-([a-zA-Z]*))?([:)])")
_GROUP = re.compile(r"\(\?(?:[:=!>]|<[=!])")
_NAMED_GROUP = re.compile(r"\(\?<([a-zA-Z][a-zA-Z0-9]*)>")
_NAMED_REFERENCE = re.compile(r"\\k<([a-zA-Z][a-zA-Z0-9]*)>")
_CODE_POINT = re.compile(r"\\(?:x([0-9a-fA-F]{2})|x\{([0-9a-fA-F]{1,8})\}|u([0-9a-fA-F]{4}))")
_OCTAL = re.compile(r"\\0([0-3][0-7]{2}|[0-7]{1,2})")
_CONTROL = re.compile(r"\\c([@-_a-z])")
_PROPERTY = re.compile(r"\\[pP](?:\{([^}]*)\}|(.))")


class RegexError(ValueError):
    """The pattern is no regular expression of Java's, or one that cannot be had here; the text says what and where."""


def compile_text(pattern: str) -> re.Pattern[str]:
    """`pattern` for decoded text. Raises RegexError."""
    return _compiled(_translated(pattern, binary=False))


def compile_bytes(pattern: str) -> re.Pattern[bytes]:
    """`pattern` for UTF-8 as bytes: characters beyond ASCII match as their bytes, and `.` takes one byte.

    Such characters in a negated class, or as an end of a range, are refused. Raises RegexError.
    """
    return _compiled(_translated(pattern, binary=True).encode("latin-1"))


def _translated(pattern: str, *, binary: bool) -> str:
    try:
        return _Translation(pattern, binary).run()
    except RecursionError:
        raise RegexError("character classes are nested too deeply") from None


def _compiled(pattern: AnyStr) -> re.Pattern[AnyStr]:
    try:
        return re.compile(pattern, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise RegexError(f"not a regular expression: {error}") from error


class _Group:
    """An open group: the flags switched on inside it, each an open group of Python's, and what `.` took before it."""

    def __init__(self, is_dot_all: bool) -> None:
        self.is_dot_all = is_dot_all
        self.scopes: list[str] = []


class _Translation:
    """One pattern on its way; `binary`: whether it will match bytes."""

    def __init__(self, pattern: str, binary: bool) -> None:
        self._pattern = pattern
        self._binary = binary
        self._at = 0
        self._out: list[str] = []
        self._groups = [_Group(is_dot_all=False)]
        self._is_dot_all = False
        self._captures = 0

    def run(self) -> str:
        steps = {"\\": self._escape, "[": self._bracket, "(": self._open, ")": self._close, "|": self._alternative}
        steps |= {".": self._dot, "^": self._copy, "$": self._copy} | dict.fromkeys("*+?{", self._quantifier)
        while self._at < len(self._pattern):
            steps.get(self._pattern[self._at], self._plain)()
        if len(self._groups) > 1:
            raise self._error("a group is not closed")
        self._out += ")" * len(self._groups[-1].scopes)
        return "".join(self._out)

    def _error(self, what: str) -> RegexError:
        return RegexError(f"{what} (at character {min(self._at, len(self._pattern)) + 1} of {self._pattern!r})")

    def _take(self, expression: re.Pattern[str]) -> re.Match[str] | None:
        match = expression.match(self._pattern, self._at)
        if match:
            self._at = match.end()
        return match

    # Outside of character classes

    def _plain(self) -> None:
        self._literal(self._pattern[self._at])
        self._at += 1

    def _copy(self) -> None:
        self._out.append(self._pattern[self._at])
        self._at += 1

    def _literal(self, character: str) -> None:
        if self._binary and not character.isascii():
            encoded = character.encode("utf-8", "surrogatepass").decode("latin-1")
            self._out.append(f"(?:{encoded})")  # a quantifier after it is for the character, not for its last byte
        else:
            self._out.append(re.escape(character))

    def _dot(self) -> None:
        self._out.append(r"(?s:.)" if self._is_dot_all else _NOT_DOT[self._binary])
        self._at += 1

    def _quantifier(self) -> None:
        match = self._take(_QUANTIFIER)
        if match is None:
            raise self._error("a repetition that Java does not know; write \\{ for the character")
        self._out.append(match[0])

    def _alternative(self) -> None:
        scopes = self._groups[-1].scopes
        self._out += [")" * len(scopes), "|", *scopes]  # flags hold for the alternatives after them, too
        self._at += 1

    def _open(self) -> None:
        named = self._take(_NAMED_GROUP)
        if named or not self._pattern.startswith("(?", self._at):
            self._captures += 1
            self._begin(f"(?P<{named[1]}>" if named else "(")
            self._at += not named
        elif opened := self._take(_GROUP):
            self._begin(opened[0])
        elif flags := self._take(_FLAGS):
            self._flags(flags[1], flags[2] or "", is_group=flags[3] == ":")
        else:
            raise self._error("a kind of group that Java does not know")

    def _begin(self, text: str) -> None:
        self._groups.append(_Group(self._is_dot_all))
        self._out.append(text)

    def _flags(self, on: str, off: str, *, is_group: bool) -> None:
        if strange := set(on + off) - set("ims"):
            raise self._error(f"the flag {min(strange)} is not supported: use i, m and s")
        if is_group:
            self._begin(_scope(on, off))
        elif (scope := _scope(on, off)) != "(?:":
            self._groups[-1].scopes.append(scope)
            self._out.append(scope)
        self._is_dot_all = ("s" in on or self._is_dot_all) and "s" not in off

    def _close(self) -> None:
        if len(self._groups) == 1:
            raise self._error("a ) without its (")
        group = self._groups.pop()
        self._is_dot_all = group.is_dot_all
        self._out.append(")" * (len(group.scopes) + 1))
        self._at += 1

    def _bracket(self) -> None:
        self._at += 1
        self._out.append(self._class())

    def _escape(self) -> None:
        if self._pattern.startswith("\\Q", self._at):
            for character in self._quoted():
                self._literal(character)
        elif escaped := self._escaped_character():
            self._literal(escaped)
        elif members := self._escaped_class():
            self._out.append(f"[{members}]")
        else:
            self._out.append(self._construct())

    def _construct(self) -> str:
        """An escape that stands for neither a character nor a class: anchors, references, line ends."""
        if named := self._take(_NAMED_REFERENCE):
            return f"(?P={named[1]})"
        letter = self._pattern[self._at + 1 : self._at + 2]
        if letter.isdecimal() and letter.isascii():
            return self._reference()
        if letter == "R":
            self._at += 2
            return f"(?:\\r\\n|[{_LINE_ENDS[self._binary]}])"
        if letter not in _ANCHORS:
            raise self._error(f"\\{letter} is not supported" if letter else "a \\ with nothing behind it")
        self._at += 2
        return _ANCHORS[letter]

    def _reference(self) -> str:
        """A group's number: as many digits as there are groups for, as Java reads it."""
        end = self._at + 2
        while self._pattern[end : end + 1].isdecimal() and int(self._pattern[self._at + 1 : end + 1]) <= self._captures:
            end += 1
        number = self._pattern[self._at + 1 : end]
        self._at = end
        return f"(?:\\{number})"

    # Escapes that mean the same inside and outside of classes

    def _quoted(self) -> str:
        begin = self._at + 2
        end = self._pattern.find("\\E", begin)
        self._at = len(self._pattern) if end < 0 else end + 2
        return self._pattern[begin:] if end < 0 else self._pattern[begin:end]

    def _escaped_character(self) -> str | None:
        """The character that the escape here stands for; None, and nothing taken, if it is another kind of escape."""
        if number := self._take(_CODE_POINT):
            return self._character(int(number[1] or number[2] or number[3], 16))
        if number := self._take(_OCTAL):
            return chr(int(number[1], 8))
        if control := self._take(_CONTROL):
            return chr(ord(control[1]) ^ 64)
        letter = self._pattern[self._at + 1 : self._at + 2]
        if letter in _CONTROLS or (letter and not (letter.isascii() and letter.isalnum())):
            self._at += 2
            return _CONTROLS.get(letter, letter)
        return None

    def _character(self, code_point: int) -> str:
        if code_point > sys.maxunicode or 0xD800 <= code_point <= 0xDFFF:
            raise self._error("not a character; write those beyond U+FFFF as \\x{…}")
        return chr(code_point)

    def _escaped_class(self) -> str | None:
        """The members of the class that the escape here stands for, as they stand between brackets."""
        letter = self._pattern[self._at + 1 : self._at + 2]
        if letter and letter in "pP":
            return self._property()
        table = {name: "\\" + name for name in "dDwWsS"}
        table |= {"h": _BLANKS[self._binary], "v": _LINE_ENDS[self._binary]}
        table |= {"H": "^" + table["h"], "V": "^" + table["v"]}
        if letter not in table:
            return None
        self._at += 2
        return table[letter]

    def _property(self) -> str:
        is_negated = self._pattern[self._at + 1] == "P"
        match = self._take(_PROPERTY)
        members = _POSIX.get((match[1] or match[2]) if match else "")
        if members is None:
            raise self._error("of the classes \\p{…} only those of ASCII are supported: " + ", ".join(_POSIX))
        return ("^" if is_negated else "") + members

    # Character classes

    def _class(self) -> str:
        """The class whose opening bracket has just been taken, in brackets, or with alternatives for bytes."""
        is_negated = self._pattern.startswith("^", self._at)
        self._at += is_negated
        members, wide = self._members(is_negated)
        if wide and is_negated:
            raise self._error("characters beyond ASCII are not supported in a negated class")
        brackets = f"[{'^' if is_negated else ''}{members}]" if members else ""
        return "(?:" + "|".join([*filter(None, [brackets]), *wide]) + ")" if wide else brackets

    def _members(self, is_negated: bool) -> tuple[str, list[str]]:
        """What stands up to the closing bracket: what goes into brackets, and the characters of several bytes."""
        parts: list[str] = []
        wide: list[str] = []
        begin = self._at
        while not self._pattern.startswith("]", self._at) or self._at == begin:
            if self._at >= len(self._pattern):
                raise self._error("a [ without its ]")
            self._member(parts, wide, is_negated)
        self._at += 1
        return "".join(parts), wide

    def _member(self, parts: list[str], wide: list[str], is_negated: bool) -> None:
        if self._pattern.startswith("&&", self._at):
            raise self._error("intersections of classes (&&) are not supported: name the characters that are wanted")
        if self._pattern.startswith("[", self._at):
            parts.append(self._union(wide, is_negated))
        elif self._pattern.startswith("\\Q", self._at):
            for character in self._quoted():
                self._range(character, character, parts, wide)
        elif members := self._member_class():
            parts.append(members)
        else:
            first = self._member_character()
            last = self._member_character() if self._is_range() else first
            self._range(first, last, parts, wide)

    def _union(self, wide: list[str], is_negated: bool) -> str:
        self._at += 1
        if is_negated or self._pattern.startswith("^", self._at):
            raise self._error("negated classes inside, or around, of classes are not supported")
        members, more = self._members(is_negated=False)
        wide += more
        return members

    def _member_class(self) -> str | None:
        members = self._escaped_class() if self._pattern.startswith("\\", self._at) else None
        if members and members.startswith("^"):
            raise self._error("negated classes inside of classes are not supported")
        return members

    def _is_range(self) -> bool:
        """Whether a range goes on here; its hyphen is taken. One before ], [ or at a class's end is only a hyphen."""
        following = self._pattern[self._at + 1 : self._at + 2]
        is_range = self._pattern.startswith("-", self._at) and following not in ("", "]", "[")
        self._at += is_range
        return is_range

    def _member_character(self) -> str:
        if not self._pattern.startswith("\\", self._at):
            self._at += 1
            return self._pattern[self._at - 1]
        character = self._escaped_character()
        if character is None:
            raise self._error(f"{self._pattern[self._at : self._at + 2]} is not supported inside of classes")
        return character

    def _range(self, first: str, last: str, parts: list[str], wide: list[str]) -> None:
        if self._binary and not last.isascii():
            if first != last:
                raise self._error("characters beyond ASCII are not supported in ranges")
            wide.append(first.encode("utf-8", "surrogatepass").decode("latin-1"))
        elif first > last:
            raise self._error(f"the range {first}-{last} is the wrong way round")
        else:
            parts.append(_code(first) if first == last else f"{_code(first)}-{_code(last)}")


def _scope(on: str, off: str) -> str:
    """The group of Python's in which the flags hold; not `s`, since every dot says itself what it takes."""
    on, off = on.replace("s", ""), off.replace("s", "")
    return f"(?{on}{'-' if off else ''}{off}:"


def _code(character: str) -> str:
    number = ord(character)
    if character.isascii() and character.isalnum():
        return character
    return f"\\x{number:02x}" if number < 0x100 else f"\\U{number:08x}"
