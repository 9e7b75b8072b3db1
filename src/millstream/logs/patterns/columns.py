"""Patterns of space-delimited text: `[ip, user, ..., status = 4* && status != 403, bytes > 1000]`.

A message is split at spaces and tabs; what stands in double quotes or brackets is one column. A column without a name
is named by its place, from 1. Without an ellipsis the last column takes the rest of the message, so that AWS's own
`[timestamp=*Z, request_id="*-*", event]` takes whole sentences. Source: the user guide, "Filter pattern syntax".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from millstream.logs.patterns.conditions import Expression, Scalar, Test, take_test
from millstream.logs.patterns.lines import SHORT_MAX, columns_of, has_marks, row_matcher
from millstream.logs.patterns.pattern import Match, PatternError
from millstream.logs.patterns.scanner import Scanner

_ELLIPSIS = "..."


class Column(NamedTuple):
    """What a pattern says of one column; no name: it is named by its place; no test: anything matches."""

    name: str
    test: Test | None


_UNNAMED = Column("", None)


class ColumnsPattern:
    """A pattern of the columns that `find` finds in a message, by their names; None where they do not match."""

    def __init__(self, find: Callable[[str], dict[str, str] | None]) -> None:
        self._find = find

    def match(self, message: str) -> Match | None:
        found = self._find(message)
        return Match(found) if found is not None else None

    def values(self, message: str) -> dict[str, str]:
        """The columns, their names after a `$`."""
        return {f"${name}": value for name, value in (self._find(message) or {}).items()}


class Row:
    """So many columns, the last of which takes what is left of a message. It is asked of whole logs, so it is quick:
    of a message that fails a test only what is tested is looked at."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._names = _names(columns)
        self._tests = _tests(columns, first=0)
        self._match_row = row_matcher(len(columns))

    def find(self, message: str) -> dict[str, str] | None:
        """The columns by their names; None where they do not match."""
        if len(message) > SHORT_MAX or not has_marks(message):
            return self._named(columns_of(message, len(self._names)))
        row = self._match_row(message)
        if row is None:
            return None
        for place, test in self._tests:
            if not test(row[place + 1]):
                return None
        return dict(zip(self._names, row.groups(), strict=False))  # they are as many; this is quicker

    def _named(self, values: list[str]) -> dict[str, str] | None:
        if len(values) != len(self._names):
            return None
        for place, test in self._tests:
            if not test(values[place]):
                return None
        return dict(zip(self._names, values, strict=True))


class ElasticRow:
    """Columns from the front, any number of others, and columns from the back."""

    def __init__(self, front: Sequence[Column], back: Sequence[Column]) -> None:
        self._front = front
        self._back = back
        self._tests = _tests(front, first=0) + _tests(back, first=-len(back))

    def find(self, message: str) -> dict[str, str] | None:
        """The columns by their names; None where they do not match."""
        values = columns_of(message)
        between = len(values) - len(self._front) - len(self._back)
        if between < 0 or not all(test(values[place]) for place, test in self._tests):
            return None
        return dict(zip(_names([*self._front, *[_UNNAMED] * between, *self._back]), values, strict=True))


def _names(columns: Sequence[Column]) -> list[str]:
    return [column.name or str(place) for place, column in enumerate(columns, start=1)]


def _tests(columns: Sequence[Column], first: int) -> list[tuple[int, Test]]:
    """The tests with the places of their columns, that of the first being `first`."""
    return [(place, column.test) for place, column in enumerate(columns, start=first) if column.test is not None]


def compile_columns(text: str) -> ColumnsPattern:
    """The pattern of `text`, which begins with a bracket. Raises PatternError."""
    if not text.rstrip().endswith("]"):
        raise PatternError("If a filter pattern starts with '[' it must end with ']'")
    scanner = Scanner(text)
    scanner.take("[")
    front: list[Column] = []
    back: list[Column] | None = None
    while True:
        if scanner.take(_ELLIPSIS):
            if back is not None:
                scanner.fail("there may be only one ellipsis before this place")
            back = []
        else:
            (front if back is None else back).append(_column(scanner))
        if not scanner.take(","):
            break
    scanner.expect("]", "a comma or the closing bracket must follow")
    scanner.expect_end("nothing may follow the closing bracket")
    return ColumnsPattern(Row(front).find if back is None else ElasticRow(front, back).find)


def _column(scanner: Scanner) -> Column:
    """A column: nothing, a name, or conditions that begin with the name."""
    reader = _ColumnReader(scanner)
    scanner.skip_blanks()
    if scanner.peek() in (",", "]"):
        return _UNNAMED
    test = Expression(scanner, reader.condition).take()
    return Column(reader.name, test if reader.has_test else None)


class _ColumnReader:
    """Reads the conditions of one column, all of which must name it."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self.name = ""
        self.has_test = False

    def condition(self) -> Test:
        self._scanner.skip_blanks()
        name = self._scanner.take_while(_is_name)
        if not name:
            self._scanner.fail("the name of a column must follow: letters, digits, _ and -")
        if self.name and name.lower() != self.name.lower():
            self._scanner.fail(f"a condition of column {self.name} cannot be about {name}")
        self.name = self.name or name
        test = take_test(self._scanner)
        if test is None:
            return _anything
        self.has_test = True
        return test


def _is_name(char: str) -> bool:
    return char.isalnum() or char in "_-"


def _anything(value: Scalar) -> bool:  # noqa: ARG001
    return True
