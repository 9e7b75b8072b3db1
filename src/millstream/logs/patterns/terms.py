"""Patterns of unstructured text: `ERROR "exact phrase" -exclude`, `?ERROR ?WARN`, `%regex%`.

Terms are found anywhere in a message, also inside of words, with upper and lower case told apart. Source: the user
guide, "Filter pattern syntax"; where both are given, optional terms have no effect, as it says.
"""

from __future__ import annotations

from collections.abc import Callable

from millstream.logs.patterns.pattern import MATCHED, Match, Pattern
from millstream.logs.patterns.scanner import Scanner

Test = Callable[[str], bool]

_REQUIRED, _EXCLUDED, _OPTIONAL = "", "-", "?"


class _NoValues:
    def values(self, message: str) -> dict[str, str]:  # noqa: ARG002
        """Nothing: text has no fields."""
        return {}


class Everything(_NoValues):
    """The empty pattern."""

    def match(self, message: str) -> Match | None:  # noqa: ARG002
        return MATCHED


class OneTerm(_NoValues):
    """A single term, the pattern that is used most."""

    def __init__(self, term: str) -> None:
        self._term = term

    def match(self, message: str) -> Match | None:
        return MATCHED if self._term in message else None


class Terms(_NoValues):
    """Any number of terms: all that are required, none that are excluded; or any of the optional ones."""

    def __init__(self, required: list[Test], excluded: list[Test], optional: list[Test]) -> None:
        self._required = required
        self._excluded = excluded
        self._optional = optional if not (required or excluded) else []

    def match(self, message: str) -> Match | None:
        for test in self._required:
            if not test(message):
                return None
        for test in self._excluded:
            if test(message):
                return None
        if self._optional and not any(test(message) for test in self._optional):
            return None
        return MATCHED


def compile_terms(text: str) -> Pattern:
    """The pattern of `text`. Raises PatternError."""
    scanner = Scanner(text)
    tests: dict[str, list[Test]] = {_REQUIRED: [], _EXCLUDED: [], _OPTIONAL: []}
    literals: list[str] = []
    scanner.skip_blanks()
    while scanner.peek():
        sign = _sign(scanner)
        test, literal = _term(scanner)
        tests[sign].append(test)
        if sign == _REQUIRED and literal is not None:
            literals.append(literal)
        scanner.skip_blanks()
    count = sum(map(len, tests.values()))
    if not count:
        return Everything()
    if count == 1 and literals:
        return OneTerm(literals[0])
    return Terms(tests[_REQUIRED], tests[_EXCLUDED], tests[_OPTIONAL])


def _sign(scanner: Scanner) -> str:
    for sign in (_EXCLUDED, _OPTIONAL):
        if scanner.take(sign):
            scanner.skip_blanks()
            return sign
    return _REQUIRED


def _term(scanner: Scanner) -> tuple[Test, str | None]:
    """The next term, and its text unless it is a regular expression."""
    if scanner.peek() == "%":
        return scanner.regex(), None
    if scanner.peek() == '"':
        literal = scanner.quoted()
        if not literal.strip():  # AWS: `" "` matches everything
            return _always, ""
    else:
        literal = scanner.take_while(_is_plain)
        if not literal:
            scanner.fail(_odd_character(scanner.peek()))
    return _contains(literal), literal


def _contains(literal: str) -> Test:
    return lambda message: literal in message


def _always(message: str) -> bool:  # noqa: ARG001
    return True


def _is_plain(char: str) -> bool:
    return char.isalnum() or char == "_"


def _odd_character(char: str) -> str:
    if not char:
        return "a term must follow"
    return (
        f"Invalid character(s) in term '{char}': put a term that has other characters than letters, digits and _ "
        "in double quotes"
    )
