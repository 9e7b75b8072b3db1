"""Rows out of delimited text, one record after the other.

Fields are apart by the column delimiter, rows by the row delimiter; either may have several characters. A field in
quotes ("…", "" for a quote in it; spaces before it do not count) may have delimiters in it. A field that is empty and
not in quotes is null, and so is one that a short row does not have; further fields are ignored; so are empty rows.
Headers are rows like any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from millstream.analytics.records.cells import CoercionError, Convert, converter, shown
from millstream.analytics.records.columntypes import TypedColumn
from millstream.analytics.records.paths import InvalidSchema
from millstream.analytics.records.rows import Cells
from millstream.analytics.records.schema import CsvFormat
from millstream.analytics.scalars.types import SqlType

_ESCAPES = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}

_CLOSED = re.compile(r'(?:[^"]|"")*"')

Fields = list[str | None]


def delimiters(form: CsvFormat) -> tuple[str, str]:
    """The row's and the column's delimiter, \\n, \\r and \\t also as escapes. Raises InvalidSchema."""
    row, column = (_unescaped(text) for text in (form.row_delimiter, form.column_delimiter))
    if not row or not column or row == column or '"' in row + column:
        raise InvalidSchema("The row and the column delimiter must be two different texts without quotes in them")
    return row, column


def _unescaped(text: str) -> str:
    for written, meant in _ESCAPES.items():
        text = text.replace(written, meant)
    return text


def places(columns: tuple[TypedColumn, ...]) -> list[int]:
    """Which field each column is, from 0: what its mapping says if that is a number, else its place in the schema."""
    return [
        int(column.mapping) if column.mapping is not None and column.mapping.isdecimal() else index
        for index, column in enumerate(columns)
    ]


class RowSplitter:
    """Cuts texts into rows of fields."""

    def __init__(self, row_delimiter: str, column_delimiter: str) -> None:
        self._row_delimiter = row_delimiter
        self._column_delimiter = column_delimiter
        self._line_end = "\r" if row_delimiter == "\n" else ""
        self._field = _field_pattern(row_delimiter, column_delimiter)

    def rows(self, text: str) -> list[Fields]:
        """The fields of all rows that are not empty; None for an empty field that is not in quotes."""
        if '"' in text:
            return list(self._quoted(text))
        rows = [line.removesuffix(self._line_end) for line in text.split(self._row_delimiter)]
        return [[field or None for field in row.split(self._column_delimiter)] for row in rows if row]

    def _quoted(self, text: str) -> Iterator[Fields]:
        row: Fields = []
        for quoted, after, bare, end in self._field.findall(text):
            last = end != self._column_delimiter
            if quoted:
                inner = quoted.removesuffix('"') if _CLOSED.fullmatch(quoted) else quoted
                row.append(inner.replace('""', '"') + after.strip(" \r"))
            else:
                row.append((bare.removesuffix(self._line_end) if last else bare) or None)
            if last:
                if row != [None]:
                    yield row
                row = []


def _field_pattern(row_delimiter: str, column_delimiter: str) -> re.Pattern[str]:
    """A field: in quotes (those left out: the opening one) and what follows them; or bare; and what ends it."""
    row, column = re.escape(row_delimiter), re.escape(column_delimiter)
    simple = len(row_delimiter) == len(column_delimiter) == 1
    bare = f"[^{column}{row}]*" if simple else f"(?:(?!{column}|{row}).)*"
    space = "" if column_delimiter == " " else " *"
    return re.compile(rf'(?:{space}"((?:[^"]|"")*(?:"|\Z))({bare})|({bare}))({column}|{row}|\Z)', re.DOTALL)


class CsvReader:
    """Reads records of one schema."""

    def __init__(
        self,
        columns: tuple[TypedColumn, ...],
        form: CsvFormat,
        make_convert: Callable[[SqlType], Convert] = converter,
    ) -> None:
        self._split = RowSplitter(*delimiters(form)).rows
        self._columns = [
            (place, column, make_convert(column.type)) for place, column in zip(places(columns), columns, strict=True)
        ]

    def rows(self, text: str) -> list[Cells | str]:
        """The rows of a record in order; instead of one that cannot be decoded, what is wrong with it."""
        return [self._row(fields) for fields in self._split(text.removeprefix("\ufeff"))]

    def _row(self, fields: Fields) -> Cells | str:
        cells: list[object] = []
        for place, column, convert in self._columns:
            field = fields[place] if place < len(fields) else None
            try:
                cells.append(None if field is None else convert(field))
            except CoercionError:
                return f"Column {column.name}: cannot convert {shown(field)} to {column.type.kind}"
        return tuple(cells)
