"""From an object's bytes to batches of rows in the types of a table: what COPY does between S3 and the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from operator import itemgetter
from typing import Any

import msgspec
import pyarrow as pa

from millstream.firehose.ports import DeliveryError
from millstream.firehose.warehouse.columns import Coercion, TargetColumn, shown
from millstream.firehose.warehouse.copyoptions import CopyOptions
from millstream.firehose.warehouse.documents import Malformed, documents
from millstream.firehose.warehouse.fields import field_rows
from millstream.firehose.warehouse.jsonpaths import Path, follow
from millstream.firehose.warehouse.port import ERRORS_KEPT, LoadFailed, RowError

_Transpose = Callable[[list[Any]], Iterable[Sequence[Any]]]
_Check = Callable[[list[Any], dict[int, RowError], int], list[Any]]


class Rejects:
    """Counts rows that were not loaded. One too many ends the COPY: MAXERROR of them, or the first."""

    def __init__(self, maxerror: int) -> None:
        self._limit = max(1, maxerror)
        self.count = 0
        self.errors: list[RowError] = []

    def add(self, errors: list[RowError]) -> None:
        """Count bad rows. Raises LoadFailed once there are too many."""
        self.count += len(errors)
        self.errors.extend(errors[: ERRORS_KEPT - len(self.errors)])
        if self.count >= self._limit:
            raise LoadFailed(self.errors)


class RowReader:
    """Reads objects for one table and one set of COPY options."""

    def __init__(self, columns: list[TargetColumn], options: CopyOptions, jsonpaths: list[Path] | None) -> None:
        if jsonpaths is not None and len(jsonpaths) != len(columns):
            raise DeliveryError(
                "Redshift.ColumnMismatch",
                f"The jsonpaths file has {len(jsonpaths)} paths and the table or column list {len(columns)} columns: "
                "their numbers should match.",
            )
        self._options = options
        self._coercions = [Coercion(column, options) for column in columns]
        self._row_type = _row_type([column.name for column in columns], options, jsonpaths)
        self._columns_of = _columns_of(columns, options, jsonpaths)
        self._check = (
            self._check_fields if options.json is None else _check_documents(options, jsonpaths, self._row_type)
        )

    def batches(self, pieces: Iterable[bytes], rejects: Rejects) -> Iterator[pa.RecordBatch]:
        """The good rows. Raises LoadFailed."""
        first = 1 + (self._options.ignore_header if self._options.json is None else 0)
        source = documents(pieces, self._row_type) if self._options.json else field_rows(pieces, self._options)
        for rows in source:
            bad: dict[int, RowError] = {}
            checked = self._check(rows, bad, first)
            batch = self._batch(checked, bad, first)
            rejects.add([bad[index] for index in sorted(bad)])
            if batch.num_rows:
                yield batch
            first += len(rows)

    def _batch(self, rows: list[Any], bad: dict[int, RowError], first: int) -> pa.RecordBatch:
        arrays = [
            self._array(coercion, values, bad, first)
            for coercion, values in zip(self._coercions, self._columns_of(rows), strict=True)
        ]
        batch = pa.RecordBatch.from_arrays(arrays, [coercion.column.name for coercion in self._coercions])
        return batch.filter(pa.array([index not in bad for index in range(len(rows))])) if bad else batch

    def _array(self, coercion: Coercion, values: Sequence[Any], bad: dict[int, RowError], first: int) -> pa.Array:
        array = coercion.fast(values)
        if array is None:
            array = _one_by_one(coercion, values, bad, first)
        if not coercion.column.nullable and array.null_count:
            reason = "Missing data for not-null field"
            for index in (index for index, valid in enumerate(array.is_valid().to_pylist()) if not valid):
                bad.setdefault(index, _error(first + index, coercion.column.name, values[index], reason))
        return array

    def _check_fields(self, rows: list[Any], bad: dict[int, RowError], first: int) -> list[Any]:
        """Rows with as many fields as there are columns; None stands for a field that is not there."""
        width = len(self._coercions)
        if all(type(row) is list and len(row) == width for row in rows):
            return rows
        empty = [None] * width
        checked: list[Any] = []
        for index, row in enumerate(rows):
            if isinstance(row, Malformed):
                bad[index] = _error(first + index, "", row.text, row.reason)
            elif len(row) > width:
                bad[index] = _error(first + index, "", row[width], "Extra column(s) found")
            elif len(row) < width and not self._options.fill_record:
                bad[index] = _error(first + index, "", row[-1], "Delimiter not found")
            checked.append(empty if index in bad else row + empty[len(row) :])
        return checked


def _row_type(names: list[str], options: CopyOptions, jsonpaths: list[Path] | None) -> Any:
    """What documents are decoded to: where names must match exactly, structs of the columns, which is fastest."""
    if options.json != "auto" or jsonpaths is not None or names != [name.lower() for name in names]:
        return Any
    fields = [(f"f{index}", Any, msgspec.field(default=None, name=name)) for index, name in enumerate(names)]
    return msgspec.defstruct("Row", fields, gc=False)


def _check_documents(options: CopyOptions, jsonpaths: list[Path] | None, row_type: Any) -> _Check:
    """What finds documents that cannot be rows: with a jsonpaths file arrays can, else only objects."""
    kinds = (dict, row_type) if jsonpaths is None else (dict, list)
    fold = options.json == "auto ignorecase"

    def check(rows: list[Any], bad: dict[int, RowError], first: int) -> list[Any]:
        if all(type(row) in kinds for row in rows):
            return [{key.lower(): row[key] for key in row} for row in rows] if fold else rows
        for index, row in enumerate(rows):
            if isinstance(row, Malformed):
                bad[index] = _error(first + index, "", row.text, row.reason)
            elif type(row) not in kinds:
                bad[index] = _error(first + index, "", row, "Invalid JSON: not an object")
        return check([{} if index in bad else row for index, row in enumerate(rows)], {}, first)

    return check


def _one_by_one(coercion: Coercion, values: Sequence[Any], bad: dict[int, RowError], first: int) -> pa.Array:
    coerced: list[Any] = []
    for index, value in enumerate(values):
        try:
            coerced.append(coercion.one(value))
        except ValueError as error:
            bad.setdefault(index, _error(first + index, coercion.column.name, value, str(error)))
            coerced.append(None)
    return pa.array(coerced, coercion.arrow_type)


def _error(row: int, column: str, value: Any, reason: str) -> RowError:
    return RowError(row, column, shown(value), reason)


def _columns_of(columns: list[TargetColumn], options: CopyOptions, jsonpaths: list[Path] | None) -> _Transpose:
    """What makes columns of values of rows."""
    if options.json is None:
        return lambda rows: zip(*rows, strict=True)
    if jsonpaths is not None:
        return lambda rows: ([follow(path, row) for row in rows] for path in jsonpaths)
    names = [column.name for column in columns]
    if options.json == "auto ignorecase":
        names = [name.lower() for name in names]
    return partial(_by_name, names)


def _by_name(names: list[str], rows: list[Any]) -> Iterable[Sequence[Any]]:
    """The values of those names. A name in the table may have capitals (DuckDB) where the document has none."""
    if isinstance(rows[0], msgspec.Struct):
        return zip(*map(msgspec.structs.astuple, rows), strict=True)
    if len(names) > 1:
        with suppress(KeyError):  # that a document has not all names is rarer
            return list(zip(*map(itemgetter(*names), rows), strict=True))
    return [
        [row.get(name) for row in rows] if name.islower() else [row.get(name, row.get(name.lower())) for row in rows]
        for name in names
    ]
