"""Java's regular expressions and replacements as those of Rust (see `patterns` for what is refused)."""

from __future__ import annotations

import re

from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.patterns import Regex, quoted

_BOUNDS = re.compile(r"\{\d{1,4}(,\d{0,4})?\}")
_FLAGS = re.compile(r"\(\?([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])")
_NAMED = re.compile(r"\(\?<([A-Za-z][A-Za-z0-9]*)>")
_HEX = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|x\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|0([0-3]?[0-7]{1,2}))")
_PROPERTY = re.compile(r"\\([pP])(?:\{(?:Is|In)?(\w+)\}|(\w))")
_SPACE = r" \t\n\x0B\f\r"
# Java's classes are of ASCII unless told otherwise, Rust's of Unicode
_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": _SPACE, "h": r" \t\x{A0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{3000}"}
_ESCAPES = {"t": r"\t", "n": r"\n", "r": r"\r", "f": r"\f", "a": r"\x07", "e": r"\x1B", "v": r"\x0B"}
_ANCHORS = {"b": r"\b", "B": r"\B", "A": r"\A", "z": r"\z", "Z": r"\z", "R": r"(?:\r\n|[\n\r\x0B\f])"}
_POSIX = {
    **{name: name.lower() for name in ("Lower", "Upper", "Alpha", "Digit", "Alnum", "Punct", "Graph", "Print")},
    **{name: name.lower() for name in ("Blank", "Cntrl", "Space", "ASCII")},
    "XDigit": "xdigit",
}
_CATEGORIES = frozenset(
    [
        "L",
        "Lu",
        "Ll",
        "Lt",
        "N",
        "Nd",
        "P",
        "S",
        "Z",
        "C",
        "M",
        "Latin",
        "Greek",
        "Cyrillic",
        "Han",
        "Alphabetic",
        "Uppercase",
        "Lowercase",
    ]
)


def java_regex(pattern: str) -> Regex:
    """The same for Rust; names of groups are left out. Raises Mistake."""
    return _Java(pattern).read()


def java_replacement(text: str, groups: int = 9) -> str:
    """The replacement of String.replaceAll as Polars wants it: $1 is ${1}, \\$ is $$. Raises Mistake."""
    made = ""
    at = 0
    while at < len(text):
        one = text[at]
        at += 1
        if one == "\\":
            if at == len(text):
                raise Mistake("The replacement ends with a backslash", "write \\\\ for a backslash")
            one = text[at]
            at += 1
            made += "$$" if one == "$" else one
        elif one == "$":
            number = re.compile(r"\d").match(text, at)
            if number is None or int(number[0]) > groups:
                raise Mistake("The replacement refers to a group that is not there", "write \\$ for a $")
            at = number.end()
            made += f"${{{number[0]}}}"
        else:
            made += one
    return made


class _Java:
    """Reads one pattern."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.groups = 0

    def fail(self, why: str, hint: str = "") -> Mistake:
        return Mistake(f"The regular expression '{self.pattern}' is not valid: {why}", hint)

    def read(self) -> Regex:
        made: list[str] = []
        depth = 0
        repeatable = False
        while self.at < len(self.pattern):
            one = self.pattern[self.at]
            if one in "*+?" or (one == "{" and _BOUNDS.match(self.pattern, self.at)):
                if not repeatable:
                    raise self.fail(f"{one} repeats nothing")
                made.append(self._quantifier(one))
                repeatable = False
                continue
            depth += {"(": 1, ")": -1}.get(one, 0)
            item = self._item(one)
            # a flag group (?i) opens nothing
            depth -= one == "(" and item.endswith(")")
            if depth < 0:
                raise self.fail("a ) without its (")
            repeatable = one not in "(|^"
            made.append(item)
        if depth:
            raise self.fail("a ( without its )")
        return Regex("".join(made), self.groups)

    def _quantifier(self, one: str) -> str:
        bounds = _BOUNDS.match(self.pattern, self.at)
        made = bounds[0] if bounds else one
        self.at += len(made)
        follows = self.pattern[self.at : self.at + 1]
        if follows == "+":
            raise self.fail(f"{made}+ never gives back what it took", f"write {made}")
        self.at += follows == "?"
        return made + (follows if follows == "?" else "")

    def _item(self, one: str) -> str:
        if one == "\\":
            return self._escape(within=False)
        if one == "[":
            return self._class()
        if one == "(":
            return self._group()
        self.at += 1
        if one == "{":
            raise self.fail("{ needs numbers, for example {2} or {2,5}", "write \\{ for a brace")
        return one if one in "^$.|)" else quoted(one)

    def _group(self) -> str:
        named = _NAMED.match(self.pattern, self.at)
        flags = _FLAGS.match(self.pattern, self.at)
        if not self.pattern.startswith("(?", self.at) or named:
            self.at = named.end() if named else self.at + 1
            self.groups += 1
            return "("
        if flags is None:
            raise self.fail("it looks around or keeps what it took", "write it without (?=, (?!, (?<=, (?<! and (?>")
        self.at = flags.end()
        on, off = (re.sub("[duU]", "", part or "") for part in flags.groups()[:2])
        if set(on + off) - set("ims"):
            raise self.fail(f"there are no flags {flags[0]}", "flags are i, m and s")
        if not on and not off and flags[3] == ")":
            return "(?:)"
        return f"(?{on}{'-' + off if off else ''}{flags[3]}"

    def _escape(self, *, within: bool) -> str:
        """A backslash and what follows; `within` a class."""
        code = _HEX.match(self.pattern, self.at)
        if code is not None:
            self.at = code.end()
            point = int(code[4], 8) if code[4] else int(code[1] or code[2] or code[3], 16)
            if point > 0x10FFFF or 0xD800 <= point < 0xE000:
                raise self.fail(f"{code[0]} is no character")
            return f"\\x{{{point:x}}}"
        one = self.pattern[self.at + 1 : self.at + 2]
        if one in ("p", "P"):
            return self._property()
        if one == "Q" and not within:
            return self._quotation()
        self.at += 2
        if one.lower() in _CLASSES:
            inside = _CLASSES[one.lower()]
            return f"[^{inside}]" if one.isupper() else inside if within else f"[{inside}]"
        if one in _ESCAPES:
            return _ESCAPES[one]
        if one in _ANCHORS and not within:
            return _ANCHORS[one]
        if not one or one.isalnum():
            hint = "it would need what was matched before" if one.isdigit() else "write \\\\ for a backslash"
            raise self.fail(f"\\{one} means nothing here", hint)
        return quoted(one)

    def _quotation(self) -> str:
        end = self.pattern.find("\\E", self.at)
        text = self.pattern[self.at + 2 : end if end >= 0 else None]
        self.at = end + 2 if end >= 0 else len(self.pattern)
        return f"(?:{quoted(text)})"

    def _property(self) -> str:
        match = _PROPERTY.match(self.pattern, self.at)
        name = (match[2] or match[3]) if match else ""
        if match is None or (name not in _POSIX and name not in _CATEGORIES):
            raise self.fail(f"there is no class {self.pattern[self.at : self.at + 12]}")
        self.at = match.end()
        negated = match[1] == "P"
        if name in _POSIX:
            return f"[{'^' if negated else ''}[:{_POSIX[name]}:]]"
        return f"\\{match[1]}{{{name}}}"

    def _class(self) -> str:
        """[…], with classes within it and && between."""
        self.at += 1
        negated = self.pattern.startswith("^", self.at)
        self.at += negated
        made = ""
        first = True
        while True:
            one = self.pattern[self.at : self.at + 1]
            if not one:
                raise self.fail("a [ without its ]")
            if one == "]" and not first:
                self.at += 1
                return f"[{'^' if negated else ''}{made}]"
            made += self._member(one, made)
            first = False

    def _member(self, one: str, before: str) -> str:
        if one == "\\":
            return self._escape(within=True)
        if one == "[":
            return self._class()
        if self.pattern.startswith("&&", self.at):
            self.at += 2
            return "&&"
        self.at += 1
        if one == "-" and before and self.pattern[self.at : self.at + 1] not in ("]", ""):
            return "-"
        return quoted(one)
