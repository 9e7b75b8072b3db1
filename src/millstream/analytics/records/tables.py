"""Reference tables out of the bytes of an object.

JSON may be one value a line, values behind each other over any lines, or an array; CSV is rows as in records. The
object is decoded in pieces of some megabytes; only JSON whose values span lines is taken as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

from millstream.analytics.records.csvrows import delimiters
from millstream.analytics.records.decode import Decoder
from millstream.analytics.records.jsonrows import NotDecodable, parse_values
from millstream.analytics.records.rows import Indexes, RecordError
from millstream.analytics.records.schema import CsvFormat, Schema
from millstream.analytics.records.texts import Records, from_list
from millstream.base.units import MIB

_PIECE_BYTES = 8 * MIB
_ERRORS_KEPT = 100


class ReferenceTable(NamedTuple):
    """The rows, how many could not be decoded, and the first of those (their `record` is the row, from 0)."""

    frame: pl.DataFrame
    error_count: int
    errors: list[RecordError]


def read_table(chunks: Iterable[bytes], schema: Schema) -> ReferenceTable:
    """The table in an object that comes in chunks. Raises InvalidSchema."""
    decoder = Decoder(schema)
    frames: list[pl.DataFrame] = []
    errors: list[RecordError] = []
    error_count = line = 0
    for records in _batches(chunks, schema):
        rows = decoder.decode(records)
        frames.append(rows.frame)
        error_count += len(rows.errors)
        kept = rows.errors[: _ERRORS_KEPT - len(errors)]
        errors += [error._replace(record=error.record + line) for error in kept]
        line += len(records)
    return ReferenceTable(pl.concat(frames, rechunk=True), error_count, errors)


def _batches(chunks: Iterable[bytes], schema: Schema) -> Iterator[Records]:
    """The object as records; at least one batch, perhaps empty."""
    yield from_list([])
    if isinstance(schema.format, CsvFormat):
        delimiter = delimiters(schema.format)[0].encode()
        yield from (_as_rows(piece, delimiter) for piece in _pieces(chunks, delimiter, quotes=True))
        return
    pieces = _pieces(chunks, b"\n", quotes=False)
    for piece in pieces:
        if not _is_lines(piece):
            yield from_list([piece + b"".join(pieces)])
            return
        yield _as_lines(piece)


def _is_lines(piece: bytes) -> bool:
    """Whether JSON comes one value a line: unless the first line is an array, or begins something that goes on."""
    first = piece.decode(errors="replace").removeprefix("\ufeff").lstrip().partition("\n")[0]
    try:
        return not isinstance(parse_values(first)[0], list)
    except NotDecodable:
        return not first.startswith(("{", "["))


def _pieces(chunks: Iterable[bytes], delimiter: bytes, *, quotes: bool) -> Iterator[bytes]:
    """The object in pieces that end with a delimiter that is not in quotes."""
    waiting: list[bytes] = []
    size_bytes = 0
    for chunk in chunks:
        waiting.append(chunk)
        size_bytes += len(chunk)
        if size_bytes < _PIECE_BYTES:
            continue
        piece = b"".join(waiting)
        end = _end_of_row(piece, delimiter, quotes=quotes)
        if end:
            yield piece[:end]
        waiting, size_bytes = [piece[end:]], len(piece) - end
    rest = b"".join(waiting)
    if rest:
        yield rest


def _end_of_row(piece: bytes, delimiter: bytes, *, quotes: bool) -> int:
    """Where the last row that is whole ends; 0 for none."""
    end = len(piece)
    while (found := piece.rfind(delimiter, 0, end)) >= 0:
        if not quotes or piece.count(b'"', 0, found) % 2 == 0:
            return found + len(delimiter)
        end = found
    return 0


def _as_rows(piece: bytes, delimiter: bytes) -> Records:
    """A record for each row of delimited text."""
    if len(set(delimiter)) < len(delimiter):  # could overlap itself
        return from_list([piece])
    characters = np.frombuffer(piece, dtype=np.uint8)
    found = np.ones(len(piece), dtype=np.bool_)
    for place, character in enumerate(reversed(delimiter)):
        found[place:] &= characters[: len(piece) - place] == character
        found[:place] = False
    ends = np.flatnonzero(found) + 1
    if b'"' in piece:
        quotes = np.cumsum(characters == ord('"'), dtype=np.int64)
        ends = ends[quotes[ends - 1] % 2 == 0]
    return _cut(piece, ends)


def _cut(piece: bytes, ends: Indexes) -> Records:
    """The records that end at `ends`, and what is behind the last."""
    behind = [len(piece)] if not len(ends) or ends[-1] < len(piece) else []
    return Records(piece, np.concatenate(([0], ends, behind)).astype(np.int64))


def _as_lines(piece: bytes) -> Records:
    """A record for each line; blank lines belong to the one before."""
    piece = piece.lstrip(b" \t\r\n")
    if not piece:
        return from_list([])
    characters = np.frombuffer(piece, dtype=np.uint8)
    lines = _cut(piece, np.flatnonzero(characters == ord("\n")) + 1)
    starts, sizes = lines.ends[:-1], np.diff(lines.ends)
    first = characters[starts]
    blank = (first == ord("\n")) | ((first == ord("\r")) & (sizes == 2))
    return Records(piece, np.append(starts[~blank], len(piece)))
