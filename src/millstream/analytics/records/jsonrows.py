"""Rows out of one JSON record after the other, by the rules of `cells`: what `jsonframes` cannot do at once.

A record is one JSON value or several, one behind the other (newlines between them or not); each gives rows:

    row path $            the value; of an array: each element
    row path $.items[0:]  each element of the array `items`, also without [0:]
    mapping $.a.b         within the row, else within the value; a mapping that begins with the row path: within the row
    mapping $.a[0:].b     one row for each element of `a`, at least one; only one array of a schema may be mapped so
    mapping $.a[0:]       the array as JSON text

Of keys that an object has twice the first counts, as in `jsonframes`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, NoReturn

from millstream.analytics.records.cells import CoercionError, Convert, converter, shown
from millstream.analytics.records.columntypes import TypedColumn
from millstream.analytics.records.paths import EVERY, InvalidSchema, Path, element_at, elements_at, parse_path
from millstream.analytics.records.rows import Cells
from millstream.analytics.scalars.types import SqlType

_SPACE = re.compile(r"[ \t\r\n]*")


class NotDecodable(Exception):
    """A record that gives no rows; the text says why."""


class Mapped(NamedTuple):
    """Where a column is: `within` the row or (`of_element`) an element of the array that the rows are flattened by;
    else at `otherwise`, from the record's root."""

    name: str
    convert: Convert
    within: Path
    of_element: bool
    otherwise: Path | None
    shown_type: str


class JsonMapping(NamedTuple):
    """A schema's paths: of the rows, of the array within a row that is flattened (None: none is), of the columns."""

    row_path: Path
    flattened: Path | None
    columns: tuple[Mapped, ...]


def json_mapping(
    columns: tuple[TypedColumn, ...], record_row_path: str, make_convert: Callable[[SqlType], Convert] = converter
) -> JsonMapping:
    """The paths of a schema. Raises InvalidSchema."""
    row_path = parse_path(record_row_path)
    flattened: dict[Path, str] = {}
    mapped = []
    for column in columns:
        within, otherwise = _relative(parse_path(column.mapping or f"$['{column.name}']"), row_path)
        array = within[: within.index(EVERY)] if EVERY in within[:-1] else None
        if array is not None:
            flattened[array] = column.name
            within = within[len(array) + 1 :]
        shown_type = column.type.kind.value
        mapped.append(Mapped(column.name, make_convert(column.type), within, array is not None, otherwise, shown_type))
    if len(flattened) > 1:
        names = " and ".join(flattened.values())
        raise InvalidSchema(f"The columns {names} take rows from different arrays: a schema can flatten only one")
    return JsonMapping(row_path, next(iter(flattened), None), tuple(mapped))


def _relative(path: Path, row_path: Path) -> tuple[Path, Path | None]:
    if not row_path:
        return path, None
    if path[: len(row_path)] == row_path:
        return path[len(row_path) :], None
    return path, None if EVERY in path[:-1] else path


def parse_values(text: str) -> list[object]:
    """The JSON values in a text, one behind the other; None for one that is null. Raises NotDecodable."""
    values: list[object] = []
    at = _after_space(text, 1 if text.startswith("\ufeff") else 0)
    while at < len(text):
        try:
            value, end = _DECODER.raw_decode(text, at)
        except RecursionError:
            raise NotDecodable("The record is nested too deeply") from None
        except ValueError as error:
            place = error.pos if isinstance(error, json.JSONDecodeError) else at
            raise NotDecodable(
                f"The record is not JSON: unexpected {_excerpt(text, place)} at character {place + 1}"
            ) from None
        values.append(value)
        at = _after_space(text, end)
    if not values:
        raise NotDecodable("The record is empty")
    return values


def _excerpt(text: str, at: int) -> str:
    return repr(text[at : at + 20]) if at < len(text) else "end"


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found is not None else at


def _first_of_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else dict(reversed(pairs))


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)


_DECODER = json.JSONDecoder(object_pairs_hook=_first_of_each, parse_constant=_no_constant)


class JsonReader:
    """Reads records of one schema."""

    def __init__(self, mapping: JsonMapping) -> None:
        self._mapping = mapping
        self._needs_object = all(column.within or column.otherwise for column in mapping.columns)

    def rows(self, text: str) -> list[Cells | str]:
        """The rows of a record in order; instead of one that cannot be decoded, what is wrong with it."""
        try:
            values = parse_values(text)
            return [row for value in values for row in self._rows_of_value(value)]
        except NotDecodable as error:
            return [str(error)]

    def _rows_of_value(self, value: object) -> Iterator[Cells | str]:
        row_path = self._mapping.row_path
        for item in elements_at(value, row_path) or [None]:
            if self._needs_object and not isinstance(item, dict):
                yield self._no_object(item)
                continue
            for element in self._elements(item):
                yield self._row(value, item, element)

    def _no_object(self, item: object) -> str:
        if item is None and self._mapping.row_path:
            return "There is nothing at the record row path"
        return f"The row is not a JSON object: {shown(item)}"

    def _elements(self, item: object) -> list[object]:
        flattened = self._mapping.flattened
        if flattened is None:
            return [None]
        return elements_at(item, flattened) or [None]

    def _row(self, value: object, item: object, element: object) -> Cells | str:
        cells: list[object] = []
        for column in self._mapping.columns:
            found = element_at(element if column.of_element else item, column.within)
            if found is None and column.otherwise is not None:
                found = element_at(value, column.otherwise)
            if found is not None:
                try:
                    found = column.convert(found)
                except CoercionError:
                    return f"Column {column.name}: cannot convert {shown(found)} to {column.shown_type}"
            cells.append(found)
        return tuple(cells)
