"""DiscoverInputSchema: how records might become rows, told from a sample of them.

JSON where most of the sample is JSON: members of the rows' objects are columns, those of objects within them too (one
level), and those of the objects in the first array of objects, which makes a row of each. Else delimited text where
lines have the same number of fields by one of , | tab ;. Else, for logs and the like, one column with the line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from millstream.analytics.records.cells import CoercionError, Convert, converter, text_of
from millstream.analytics.records.columntypes import typed_columns
from millstream.analytics.records.csvrows import CsvReader, Fields, RowSplitter
from millstream.analytics.records.inference import infer_type, value_of_field
from millstream.analytics.records.jsonrows import JsonReader, NotDecodable, json_mapping, parse_values
from millstream.analytics.records.naming import column_names
from millstream.analytics.records.schema import CsvFormat, JsonFormat, RecordColumn, Schema
from millstream.analytics.scalars.types import SqlType
from millstream.base.errors import MillstreamError

_COLUMN_DELIMITERS = (",", "|", "\t", ";")
_NO_DELIMITER = "\x01"  # of the one column that a line without structure is
_LINE_LENGTH_MIN = 1024
_ROWS_MAX = 2000
_SHOWN_MAX = 100
_COLUMNS_MAX = 1000
_ALIKE = 0.9  # of the lines, that have the same number of fields

ParsedRow = list[str | None]


class UnableToDetect(MillstreamError):
    """No schema can be told from these records; the text says why."""


class Discovered(NamedTuple):
    """A schema; the rows of the first records by it, as text (None: null, or not of the column's type); and those
    records."""

    schema: Schema
    parsed: list[ParsedRow]
    raw: list[str]


def discover(records: Sequence[bytes]) -> Discovered:
    """The schema for records like these: of a stream, or all of an object (or its beginning) as one. Raises
    UnableToDetect."""
    texts = [text for record in records if (text := _text(record)).strip()]
    if not texts:
        raise UnableToDetect("There are no records: the schema cannot be told until some are written")
    if any("\x00" in text for text in texts):
        raise UnableToDetect("The records are not UTF-8 text: only JSON, delimited text and lines can be detected")
    schema = _json_schema(texts) or _csv_schema(texts) or _line_schema(texts)
    return Discovered(schema, _parsed(schema, texts), texts[:_SHOWN_MAX])


def _text(record: bytes) -> str:
    try:
        return record.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise UnableToDetect("The records are not UTF-8: only UTF-8 can be detected") from None


def _values(text: str) -> list[object]:
    """The JSON values of a record; those of its whole lines where it breaks off."""
    try:
        return parse_values(text)
    except NotDecodable:
        pass
    try:
        return parse_values(text.rpartition("\n")[0])
    except NotDecodable:
        return []


def _json_schema(texts: list[str]) -> Schema | None:
    found = [_values(text) for text in texts[:_ROWS_MAX]]
    values = [value for one in found for value in one][:_ROWS_MAX]
    if sum(map(bool, found)) * 2 <= len(found):
        return None
    arrays = sum(isinstance(value, list) for value in values) * 2 > len(values)
    rows = [row for value in values for row in (value if isinstance(value, list) else [value])]
    objects = [row for row in rows if isinstance(row, dict)]
    if not objects:
        return None
    columns = _members(objects)
    if len(columns) > _COLUMNS_MAX:
        raise UnableToDetect(f"The records have {len(columns)} members, more than the {_COLUMNS_MAX} columns of a row")
    names = column_names([_leaf(path) for path in columns])
    return Schema(
        columns=tuple(
            RecordColumn(name=name, sql_type=infer_type(seen), mapping=path)
            for name, (path, seen) in zip(names, columns.items(), strict=True)
        ),
        format=JsonFormat("$[0:]" if arrays else "$"),
    )


def _members(objects: list[dict[str, object]]) -> dict[str, list[object]]:
    """Path of each column and its values, in the order in which they come."""
    nested = {name for one in objects for name, value in one.items() if isinstance(value, dict) and value}
    listed = {name for one in objects for name, value in one.items() if _is_rows(value)}
    plain = {name for one in objects for name, value in one.items() if isinstance(value, str | int | float)}
    flattened = next((name for one in objects for name in one if name in listed - plain - nested), None)
    columns: dict[str, list[object]] = {}
    for one in objects:
        for name, value in one.items():
            at = _step(name)
            if name == flattened:
                _note(columns, f"${at}[0:]", value if isinstance(value, list) else [])
            elif name in nested - plain - listed:
                _note(columns, f"${at}", [value])
            else:
                columns.setdefault(f"${at}", []).append(value)
    return columns


def _note(columns: dict[str, list[object]], path: str, objects: list[object]) -> None:
    for one in objects:
        for name, value in one.items() if isinstance(one, dict) else ():
            columns.setdefault(path + _step(name), []).append(value)


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and one for one in value)


def _step(name: str) -> str:
    if name and not any(character in name for character in ".[]'\""):
        return f".{name}"
    return f'["{name}"]' if "'" in name else f"['{name}']"


def _leaf(path: str) -> str:
    return path.rpartition(".")[2] if not path.endswith("]") else path.rpartition("[")[2].strip("]'\"")


def _csv_schema(texts: list[str]) -> Schema | None:
    row_delimiter = "\r\n" if any("\r\n" in text for text in texts) else "\n"
    candidates = [_tables(texts, row_delimiter, delimiter) for delimiter in _COLUMN_DELIMITERS]
    best = max(candidates, key=lambda candidate: candidate[0])
    width, rows, delimiter = best
    if width < 2:
        return None
    rows = [row for row in rows if len(row) == width]
    header = _header(rows, of_object=len(texts) == 1)
    columns = list(zip(*rows[1 if header else 0 :], strict=True))
    names = column_names([str(cell).strip() for cell in rows[0]] if header else [""] * width)
    types = [infer_type(None if cell is None else value_of_field(cell) for cell in column) for column in columns]
    return Schema(
        columns=tuple(RecordColumn(name=name, sql_type=kind) for name, kind in zip(names, types, strict=True)),
        format=CsvFormat(row_delimiter, delimiter),
    )


def _tables(texts: list[str], row_delimiter: str, delimiter: str) -> tuple[int, list[Fields], str]:
    """The number of fields that (nearly) all rows have by this delimiter, 0 if they differ; and the rows."""
    rows = list(_rows(texts, RowSplitter(row_delimiter, delimiter)))
    widths = Counter(map(len, rows))
    if not widths:
        return 0, rows, delimiter
    width, count = widths.most_common(1)[0]
    return (width if count >= _ALIKE * len(rows) else 0), rows, delimiter


def _rows(texts: list[str], splitter: RowSplitter) -> Iterator[Fields]:
    left = _ROWS_MAX
    for text in texts:
        rows = splitter.rows(text)[:left]
        yield from rows
        left -= len(rows)


def _header(rows: list[Fields], *, of_object: bool) -> bool:
    """Whether the first row names the columns: all of it text, where others of a column are not; in an object also
    if it is only unlike all others."""
    first, rest = rows[0], rows[1:]
    if (
        not rest
        or not all(cell and isinstance(value_of_field(cell), str) for cell in first)
        or len(set(first)) < len(first)
    ):
        return False
    for index in range(len(first)):
        seen = infer_type(None if row[index] is None else value_of_field(str(row[index])) for row in rest)
        if not seen.startswith("VARCHAR"):
            return True
    return of_object and all(cell not in {row[index] for row in rest} for index, cell in enumerate(first))


def _line_schema(texts: list[str]) -> Schema:
    row_delimiter = "\r\n" if any("\r\n" in text for text in texts) else "\n"
    longest = max(len(line) for text in texts for line in text.split(row_delimiter))
    length = _LINE_LENGTH_MIN
    while length < longest:
        length *= 2
    column = RecordColumn(name="COL_0", sql_type=f"VARCHAR({min(length, 65_535)})")
    return Schema(columns=(column,), format=CsvFormat(row_delimiter, _NO_DELIMITER))


def _parsed(schema: Schema, texts: list[str]) -> list[ParsedRow]:
    columns = typed_columns(schema)
    reader: JsonReader | CsvReader
    if isinstance(schema.format, JsonFormat):
        reader = JsonReader(json_mapping(columns, schema.format.record_row_path, _as_shown))
    else:
        reader = CsvReader(columns, schema.format, _as_shown)
    rows = (row for text in texts for row in reader.rows(text) if not isinstance(row, str))
    return [[None if cell is None else str(cell) for cell in row] for row in islice(rows, _SHOWN_MAX)]


def _as_shown(sql_type: SqlType) -> Convert:
    """A value as text if it can be one of the type, else None."""
    convert = converter(sql_type)

    def show(value: object) -> object:
        try:
            convert(value)
        except CoercionError:
            return None
        return text_of(value)

    return show
