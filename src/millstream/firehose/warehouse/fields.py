"""Delimited text and CSV in a stream of bytes, cut into fields."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from typing import Any

from millstream.firehose.warehouse.copyoptions import CopyOptions
from millstream.firehose.warehouse.documents import Malformed

ROWS_AT_ONCE = 4096

_ESCAPED = re.compile(r"\\.", re.DOTALL)


def field_rows(pieces: Iterable[bytes], options: CopyOptions) -> Iterator[list[list[str] | Malformed]]:
    """The rows as lists of fields, in lists, without the header. Malformed for what cannot be cut into fields."""
    rows: list[list[str] | Malformed] = []
    reader = _reader(_lines(pieces), options)
    for _ in range(options.ignore_header):
        next(reader, None)
    while True:
        try:
            row: list[str] | Malformed = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            row = Malformed("", f"Invalid quote formatting for CSV: {error}")
        if not row:  # an empty line
            if options.ignore_blank_lines:
                continue
            row = [""]
        rows.append(row)
        if len(rows) == ROWS_AT_ONCE:
            yield rows
            rows = []
    if rows:
        yield rows


def _reader(lines: Iterable[str], options: CopyOptions) -> Any:
    delimiter = options.field_delimiter
    if options.csv:
        return csv.reader(lines, delimiter=delimiter, quotechar=options.quote or '"', strict=True)
    escape = "\\" if options.escape else None
    if escape and options.null_as == "\\N":
        lines = map(_keep_null, lines)
    if options.remove_quotes:
        return csv.reader(lines, delimiter=delimiter, escapechar=escape, doublequote=False)
    return csv.reader(lines, delimiter=delimiter, escapechar=escape, quoting=csv.QUOTE_NONE)


def _keep_null(line: str) -> str:
    r"""With ESCAPE, a field that is \N still means NULL."""
    return _ESCAPED.sub(lambda pair: r"\\N" if pair[0] == r"\N" else pair[0], line)


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Lines with their ends. Bytes that are no UTF-8 come as surrogates: columns say what becomes of them."""
    rest = b""
    for piece in pieces:
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        for line in lines:
            yield line.decode("utf-8", "surrogateescape") + "\n"
    if rest:
        yield rest.decode("utf-8", "surrogateescape")
