"""Writers of Parquet and ORC files, row group by row group, into anything that takes bytes.

Memory is bounded: rows gather until they are `GROUP_BYTES` of Arrow data, then they are written as one row group (or
stripe) and forgotten. A file depends on its rows alone, so that an object that is put again after a crash is the same.

What is not taken over: padding to HDFS blocks (BlockSizeBytes, MaxPaddingBytes, EnablePadding) and the size of row
groups, which stays at `GROUP_BYTES` where AWS's default is 256 MiB; readers see no difference in the data.
"""

from __future__ import annotations

from typing import Any, Protocol

import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as parquet

from millstream.base.units import MIB

GROUP_BYTES = 32 * MIB
_DICTIONARY_THRESHOLD = 0.8  # of Hive's ORC writer

Options = dict[str, Any]


class Sink(Protocol):
    """What files are written to."""

    def write(self, data: bytes, /) -> Any:
        """Take all of the bytes."""
        ...


class _Counted:
    """A sink as pyarrow needs it: one that knows how far it has come. It does not close the one below."""

    closed = False

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._position = 0

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._sink.write(piece)
        self._position += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class FileWriter:
    """Writes one file. `serializer` is as in the API: {"ParquetSerDe": {…}} or {"OrcSerDe": {…}}."""

    def __init__(self, sink: Sink, schema: Any, serializer: dict[str, Options]) -> None:
        make = _orc if "OrcSerDe" in serializer else _parquet
        self._write, self._close = make(
            _Counted(sink), schema, serializer.get("OrcSerDe", serializer.get("ParquetSerDe", {}))
        )
        self._schema = schema
        self._waiting: list[Any] = []
        self._waiting_bytes = 0

    def add(self, table: Any) -> None:
        """Takes rows: a pyarrow.Table of the schema."""
        self._waiting.append(table)
        self._waiting_bytes += table.nbytes
        if self._waiting_bytes >= GROUP_BYTES:
            self._write_group()

    def close(self) -> None:
        """Writes what remains, and the file's end."""
        if self._waiting:
            self._write_group()
        self._close()

    def _write_group(self) -> None:
        table = pa.concat_tables(self._waiting)
        self._waiting, self._waiting_bytes = [], 0
        self._write(table)


def extension(serializer: dict[str, Options]) -> str:
    """What keys of such files end in."""
    return ".orc" if "OrcSerDe" in serializer else ".parquet"


def _parquet(sink: _Counted, schema: Any, options: Options) -> tuple[Any, Any]:
    compression = options.get("Compression", "SNAPPY")
    second = options.get("WriterVersion") == "V2"
    writer = parquet.ParquetWriter(
        pa.PythonFile(sink, "w"),
        schema,
        compression="NONE" if compression == "UNCOMPRESSED" else compression,
        use_dictionary=options.get("EnableDictionaryCompression", True),
        data_page_size=options.get("PageSizeBytes", MIB),
        data_page_version="2.0" if second else "1.0",
        store_schema=False,
    )
    return (lambda table: writer.write_table(table, row_group_size=max(1, table.num_rows))), writer.close


def _orc(sink: _Counted, schema: Any, options: Options) -> tuple[Any, Any]:
    bloom = {name.lower() for name in options.get("BloomFilterColumns") or ()}
    compression = options.get("Compression", "SNAPPY")
    writer = orc.ORCWriter(
        pa.PythonFile(sink, "w"),
        file_version="0.11" if options.get("FormatVersion") == "V0_11" else "0.12",
        stripe_size=options.get("StripeSizeBytes", 64 * MIB),
        compression="uncompressed" if compression == "NONE" else compression.lower(),
        row_index_stride=options.get("RowIndexStride", 10_000),
        padding_tolerance=options.get("PaddingTolerance", 0.05),
        dictionary_key_size_threshold=options.get("DictionaryKeyThreshold", _DICTIONARY_THRESHOLD),
        bloom_filter_columns=[number for number, name in _orc_columns(schema) if name.lower() in bloom] or None,
        bloom_filter_fpp=options.get("BloomFilterFalsePositiveProbability", 0.05),
    )
    written = False

    def write(table: Any) -> None:
        nonlocal written
        written = True
        writer.write(table)

    def close() -> None:
        if not written:  # the file's schema is that of its first rows
            writer.write(schema.empty_table())
        writer.close()

    return write, close


def _orc_columns(schema: Any) -> list[tuple[int, str]]:
    """The numbers of a schema's columns in ORC's type tree, of which 0 is the row itself."""
    columns, number = [], 1
    for field in schema:
        columns.append((number, field.name))
        number += _types_in(field.type)
    return columns


def _types_in(kind: Any) -> int:
    if pa.types.is_map(kind):
        return 1 + _types_in(kind.key_type) + _types_in(kind.item_type)
    return 1 + sum(_types_in(kind.field(index).type) for index in range(kind.num_fields))
