"""Many records of delimited text at once; those in which quotes matter are cut into fields one by one."""

from __future__ import annotations

import numpy as np
import polars as pl

from millstream.analytics.records.columns import convert_columns
from millstream.analytics.records.columntypes import TypedColumn
from millstream.analytics.records.csvrows import Fields, RowSplitter, delimiters, places
from millstream.analytics.records.rows import Indexes, Mask, Part, in_order
from millstream.analytics.records.schema import CsvFormat
from millstream.analytics.records.texts import Lines, Records, split_lines

_MARK = "\ufeff"


class CsvFrames:
    """Decodes batches of one schema."""

    def __init__(self, columns: tuple[TypedColumn, ...], form: CsvFormat) -> None:
        self._columns = columns
        self._places = places(columns)
        self._row_delimiter, self._column_delimiter = delimiters(form)
        self._split = RowSplitter(self._row_delimiter, self._column_delimiter).rows
        self._needless = _needless_quotes(self._row_delimiter, self._column_delimiter)

    def decode(self, records: Records) -> tuple[Part, Mask]:
        """The rows of the records that can be decoded at once; and which records are left."""
        texts = records.texts()
        left = texts.is_null().to_numpy(writable=True)
        if _MARK.encode() in records.content:
            left |= texts.str.contains(_MARK, literal=True).fill_null(value=True).to_numpy()
        if b'"' not in records.content:
            return self._bare_rows(texts, left).without(left), left
        quoted, bare = self._without_quotes(texts)
        which = np.flatnonzero(quoted & ~left)
        parts = [self._bare_rows(bare, left, except_for=quoted), self._quoted_rows(texts, which, left)]
        return in_order([part.without(left) for part in parts]), left

    def _bare_rows(self, texts: pl.Series, left: Mask, except_for: Mask | None = None) -> Part:
        lines = self._lines(texts, left if except_for is None else left | except_for)
        fields = lines.texts.to_frame("").select(
            pl.col("").str.split_exact(self._column_delimiter, max(self._places)).struct.unnest()
        )
        values = [_empty_as_null(fields.to_series(place)) for place in self._places]
        return self._converted(values, lines.record_index, left)

    def _quoted_rows(self, texts: pl.Series, which: Indexes, left: Mask) -> Part:
        """Rows whose quotes say something: cut apart one by one, converted at once."""
        rows: list[Fields] = []
        indexes: list[int] = []
        for index, text in zip(which.tolist(), texts.gather(which), strict=True):
            found = self._split(text)
            rows += found
            indexes += [index] * len(found)
        width = max(self._places) + 1
        padding: Fields = [None] * width
        columns = list(zip(*(row if len(row) >= width else row + padding for row in rows), strict=False))
        values = [pl.Series(columns[place] if rows else [], dtype=pl.String) for place in self._places]
        return self._converted(values, np.array(indexes, dtype=np.int64), left)

    def _converted(self, values: list[pl.Series], record_index: Indexes, left: Mask) -> Part:
        """Typed columns; records of unclear values go to `left`."""
        frame, unclear = convert_columns(self._columns, values)
        for mask in unclear:
            if mask is not None:
                left[record_index[mask]] = True
        return Part(frame, record_index)

    def _without_quotes(self, texts: pl.Series) -> tuple[Mask, pl.Series]:
        """Which texts have quotes that hold delimiters, quotes, line ends or nothing; and the others without theirs."""
        quoted = texts.str.contains('"', literal=True)
        if self._needless is not None:
            quoted &= ~texts.str.contains(self._needless)
            texts = texts.str.replace_all(' *"([^"]*)"', "${1}")
        return quoted.fill_null(value=False).to_numpy(), texts

    def _lines(self, texts: pl.Series, left: Mask) -> Lines:
        """The rows that are not empty."""
        lines = Lines(texts, np.arange(len(texts), dtype=np.int64)).without(left)
        texts = lines.texts.str.strip_suffix(self._row_delimiter)
        if texts.str.contains(self._row_delimiter, literal=True).any():
            pieces = split_lines(texts, self._row_delimiter)
            lines, texts = Lines(pieces.texts, lines.record_index[pieces.record_index]), pieces.texts
        if self._row_delimiter == "\n":
            texts = texts.str.strip_suffix("\r")
        lines = Lines(texts, lines.record_index)
        filled = (texts.str.len_bytes() > 0).to_numpy()
        return lines if filled.all() else Lines(texts.filter(pl.Series(filled)), lines.record_index[filled])


def _needless_quotes(row_delimiter: str, column_delimiter: str) -> str | None:
    """The pattern of records of one row whose fields mean the same without their quotes; None for odd delimiters."""
    line_ends = {"\n": r"\r?\n", "\r\n": r"\r\n"}
    if row_delimiter not in line_ends or column_delimiter not in (",", ";", "|", "\t"):
        return None
    inner = rf'[^"\r\n{column_delimiter}]'
    field = rf'(?: *"{inner}+"|{inner}*)'
    return rf"^{field}(?:[{column_delimiter}]{field})*(?:{line_ends[row_delimiter]})?$"


def _empty_as_null(fields: pl.Series) -> pl.Series:
    empty = fields == ""
    return fields.set(empty, None) if empty.any() else fields
