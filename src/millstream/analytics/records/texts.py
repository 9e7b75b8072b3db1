"""Records as columns of text, without a copy of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from millstream.analytics.records.rows import Indexes, Mask
from millstream.log.packed import Packed


class Records(NamedTuple):
    """Records one behind the other in `content`; record i is from `ends[i]` to `ends[i + 1]`."""

    content: bytes
    ends: Indexes

    def __len__(self) -> int:
        return len(self.ends) - 1

    def record(self, index: int) -> bytes:
        """One of them."""
        return self.content[self.ends[index] : self.ends[index + 1]]

    def text(self, index: int) -> str:
        """One of them as text; what is not UTF-8 is replaced."""
        return self.record(index).decode(errors="replace")

    def bytes_of(self) -> npt.NDArray[np.uint8]:
        """The content as numbers."""
        return np.frombuffer(self.content, dtype=np.uint8)

    def texts(self) -> pl.Series:
        """All as Strings; null for what is not UTF-8."""
        buffers = [None, pa.py_buffer(self.ends), pa.py_buffer(self.content)]
        column = pl.from_arrow(pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(self), buffers))
        assert isinstance(column, pl.Series)
        try:
            return column.cast(pl.String)
        except pl.exceptions.ComputeError:
            return pl.Series([_text_or_none(record) for record in column], dtype=pl.String)


def _text_or_none(record: bytes) -> str | None:
    try:
        return record.decode()
    except UnicodeDecodeError:
        return None


def from_packed(blocks: Sequence[Packed]) -> Records:
    """The records of blocks of the log, all in one."""
    content = blocks[0].content if len(blocks) == 1 else b"".join(block.view for block in blocks)
    return _records(content, [np.frombuffer(block.sizes, dtype=f"u{block.sizes.itemsize}") for block in blocks])


def from_list(records: Sequence[bytes]) -> Records:
    """Records that are apart."""
    sizes = np.fromiter(map(len, records), dtype=np.int64, count=len(records))
    return _records(b"".join(records), [sizes])


def _records(content: bytes, sizes: Sequence[npt.NDArray[np.unsignedinteger] | Indexes]) -> Records:
    ends = np.zeros(sum(map(len, sizes)) + 1, dtype=np.int64)
    if sizes:
        np.cumsum(np.concatenate(sizes), out=ends[1:])
    return Records(content, ends)


class Lines(NamedTuple):
    """Texts that may be rows: some of the records, or pieces of them, and whose each is (ascending)."""

    texts: pl.Series
    record_index: Indexes

    def without(self, records: Mask) -> Lines:
        """Those that are not of `records` (a flag for each record)."""
        keep = ~records[self.record_index]
        return Lines(self.texts.filter(pl.Series(keep)), self.record_index[keep])


def split_lines(texts: pl.Series, delimiter: str) -> Lines:
    """Records cut at `delimiter`."""
    lists = texts.str.split(delimiter)
    counts = lists.list.len().fill_null(1).to_numpy()
    return Lines(lists.explode(), np.repeat(np.arange(len(texts), dtype=np.int64), counts))
