"""What decoding gives: rows, where they came from, and what could not be decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

Indexes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Cells = tuple[object, ...]

_DATA_ROW_CHARACTERS_MAX = 49_152  # of error_stream's DATA_ROW


class RecordError(NamedTuple):
    """A record, or a row in it, that could not be decoded: its index among the records, why, and the record in hex
    (cut to what DATA_ROW of error_stream takes)."""

    record: int
    message: str
    data: str


class Rows(NamedTuple):
    """Rows in the order of their records: columns as the schema names them; `record_index` says whose each row is
    (ascending); `errors` are in order of their records, too."""

    frame: pl.DataFrame
    record_index: Indexes
    errors: list[RecordError]


class Part(NamedTuple):
    """Some of the rows, decoded together."""

    frame: pl.DataFrame
    record_index: Indexes

    def without(self, records: Mask) -> Part:
        """The rows that are not of `records` (a flag for each record)."""
        if not records.any():
            return self
        keep = ~records[self.record_index]
        return Part(self.frame.filter(pl.Series(keep)), self.record_index[keep])


def record_error(index: int, message: str, record: bytes) -> RecordError:
    """The error of a record."""
    return RecordError(index, message, record[: _DATA_ROW_CHARACTERS_MAX // 2].hex())


def in_order(parts: Sequence[Part]) -> Part:
    """All rows of `parts` by their records; those of one record are in one part, and keep their order."""
    filled = [part for part in parts if part.frame.height]
    if len(filled) <= 1:
        return filled[0] if filled else parts[0]
    indexes = np.concatenate([part.record_index for part in filled])
    order = np.argsort(indexes, kind="stable")
    frame = pl.concat([part.frame for part in filled])
    return Part(frame[order], indexes[order])
