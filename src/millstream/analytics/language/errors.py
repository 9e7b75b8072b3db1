"""What is wrong with a program, where, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

from millstream.base.errors import MillstreamError


class Span(NamedTuple):
    """A piece of the program's text: offsets of its first character and after its last; line and column count from
    1."""

    start: int
    end: int
    line: int
    column: int


class SqlError(MillstreamError):
    """A mistake in a program. `str()` is one line; `report()` shows the place."""

    def __init__(self, message: str, span: Span | None = None, *, text: str = "", hint: str = "") -> None:
        self.message = message
        self.span = span
        self.offending = text[span.start : span.end] if span is not None else ""
        self.hint = hint
        self._source = text
        place = f"line {span.line}, column {span.column}: " if span is not None else ""
        super().__init__(f"{place}{message}{f' ({hint})' if hint else ''}")

    def report(self) -> str:
        """The message, the line it is about with a marker below it, and the hint."""
        lines = [self.message]
        if self.span is not None:
            source_lines = self._source.splitlines() or [""]
            source = source_lines[min(self.span.line, len(source_lines)) - 1]
            width = max(1, min(self.span.end - self.span.start, len(source) - self.span.column + 1))
            number = str(self.span.line)
            marker = " " * (self.span.column - 1) + "^" * width
            lines = [
                f"{number}:{self.span.column}: {self.message}",
                f"  {number} | {source}",
                f"  {' ' * len(number)} | {marker}",
            ]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)
