"""Reading a pattern's text from left to right: what the three languages share of their tokens, and where errors are."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from millstream.logs.patterns.pattern import PatternError
from millstream.logs.patterns.regex import compile_regex

REGEXES_MAX = 2
"""AWS's quota of regular expressions in one pattern."""


class Scanner:
    """A place in a pattern's text. Every method that takes something raises PatternError where it cannot."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._regexes = 0

    def skip_blanks(self) -> None:
        """Go to the next character that is not white space."""
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def peek(self) -> str:
        """The next character; empty at the end."""
        return self._text[self._at : self._at + 1]

    def looking_at(self, token: str) -> bool:
        """Whether `token` comes next."""
        return self._text.startswith(token, self._at)

    def take(self, token: str) -> bool:
        """Go past `token`, and the white space before it, if it comes next."""
        self.skip_blanks()
        found = self.looking_at(token)
        if found:
            self._at += len(token)
        return found

    def expect(self, token: str, why: str) -> None:
        """Go past `token`, which must come next."""
        if not self.take(token):
            self.fail(why)

    def take_while(self, wanted: Callable[[str], bool]) -> str:
        """The longest run of wanted characters; may be empty."""
        start = self._at
        while self._at < len(self._text) and wanted(self._text[self._at]):
            self._at += 1
        return self._text[start : self._at]

    def quoted(self) -> str:
        """What stands in double quotes, of which the first comes next; `\\"` and `\\\\` stand for themselves."""
        start = self._at
        self._at += 1
        parts: list[str] = []
        while (char := self.peek()) != '"':
            if char == "\\" and self._text[self._at + 1 : self._at + 2] in ('"', "\\"):
                self._at += 1
            parts.append(self.peek())
            self._at += 1
            if not char:
                self._at = start
                self.fail("this double quote is never closed")
        self._at += 1
        return "".join(parts)

    def regex(self) -> Callable[[str], bool]:
        """The search that the regular expression between two `%` stands for, of which the first comes next."""
        start = self._at + 1
        end = self._text.find("%", start)
        if end < 0:
            self.fail("a regular expression must be closed with %")
        self._regexes += 1
        if self._regexes > REGEXES_MAX:
            self.fail(f"a filter pattern may have {REGEXES_MAX} regular expressions, not more")
        try:
            search = compile_regex(self._text[start:end])
        except PatternError as error:
            self.fail(f"in the regular expression: {error}")
        self._at = end + 1
        return search

    def expect_end(self, why: str) -> None:
        """Nothing but white space may follow."""
        self.skip_blanks()
        if self.peek():
            self.fail(why)

    def fail(self, why: str) -> NoReturn:
        """Refuse the pattern for what comes next."""
        raise PatternError(f"at column {self._at + 1}: {why}")
