"""Records into typed rows.

    records ── at once (jsonframes, csvframes) ──┬──► rows
               left over ── one by one (jsonrows, csvrows) ──► rows, errors

What is decoded at once has exactly the rows that decoding one by one gives; a property test holds the two together.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from millstream.analytics.records.columntypes import typed_columns
from millstream.analytics.records.csvframes import CsvFrames
from millstream.analytics.records.csvrows import CsvReader
from millstream.analytics.records.jsonframes import JsonFrames
from millstream.analytics.records.jsonrows import JsonReader, json_mapping
from millstream.analytics.records.paths import InvalidSchema
from millstream.analytics.records.rows import Indexes, Part, RecordError, Rows, in_order, record_error
from millstream.analytics.records.schema import JsonFormat, Schema
from millstream.analytics.records.texts import Records

_FEW_BYTES = 3072  # of records are faster one by one: at once takes most of a millisecond for the first
_ENCODINGS = frozenset({"UTF-8", "UTF8", ""})


class Decoder:
    """Decodes records of one schema. Thread-compatible. Raises InvalidSchema for a schema that cannot be."""

    def __init__(self, schema: Schema) -> None:
        if schema.encoding.upper() not in _ENCODINGS:
            raise InvalidSchema(f"RecordEncoding {schema.encoding!r} is not known: records must be UTF-8")
        self.columns = typed_columns(schema)
        self._dtypes = {column.name: column.dtype for column in self.columns}
        self._reader: JsonReader | CsvReader
        self._frames: JsonFrames | CsvFrames | None
        self._few_bytes = _FEW_BYTES
        if isinstance(schema.format, JsonFormat):
            mapping = json_mapping(self.columns, schema.format.record_row_path)
            self._reader = JsonReader(mapping)
            frames = JsonFrames(self.columns, mapping)
            self._frames = frames if frames.able else None
        else:
            self._reader = CsvReader(self.columns, schema.format)
            self._frames = CsvFrames(self.columns, schema.format)

    def decode(self, records: Records) -> Rows:
        """The rows of records. No record makes it raise."""
        if self._frames is None or len(records.content) <= self._few_bytes:
            part, errors = self._one_by_one(records, np.arange(len(records), dtype=np.int64))
            return Rows(part.frame, part.record_index, errors)
        part, left = self._frames.decode(records)
        if not left.any():
            return Rows(part.frame, part.record_index, [])
        rest, errors = self._one_by_one(records, np.flatnonzero(left))
        part = in_order([part, rest])
        return Rows(part.frame, part.record_index, errors)

    def _one_by_one(self, records: Records, which: Indexes) -> tuple[Part, list[RecordError]]:
        rows, indexes, errors = [], [], []
        for index in which.tolist():
            for row in self._reader.rows(records.text(index)):
                if isinstance(row, str):
                    errors.append(record_error(index, row, records.record(index)))
                else:
                    rows.append(row)
                    indexes.append(index)
        columns = list(zip(*rows, strict=True)) or [() for _ in self._dtypes]
        series = [
            pl.Series(name, cells, dtype) for (name, dtype), cells in zip(self._dtypes.items(), columns, strict=True)
        ]
        return Part(pl.DataFrame(series), np.array(indexes, dtype=np.int64)), errors
