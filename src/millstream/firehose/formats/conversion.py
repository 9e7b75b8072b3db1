"""Record format conversion: records of JSON to a Parquet or ORC file with the columns of a table.

    records ─batches─► documents ─► columns ─► row groups ─► file
                          └────────────┴─► FailureLines

What is delivered depends on the records and their order alone, not on how they were cut into lists. A record that
cannot be read, or does not match the schema, becomes a line of error output, whole: if one of its objects fails, none
of them becomes a row. The rows around it are found by halving the batch.
"""

from __future__ import annotations

import base64
import contextlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Any, Protocol

import msgspec

from millstream.base.units import MIB
from millstream.firehose.configuration import Conversion, Schema
from millstream.firehose.errorlines import ErrorLines
from millstream.firehose.formats import files, hive, times
from millstream.firehose.formats.columns import Mismatch, Reading, StructBuilder
from millstream.firehose.formats.documents import DocumentReader, Malformed
from millstream.firehose.formats.rowreader import RowReader
from millstream.firehose.ports import Column, DeliveryError

BATCH_BYTES = MIB
BATCH_RECORDS = 4096

FAILURE_KIND = "format-conversion-failed"
"""The error output type."""

PARSE_ERROR = "DataFormatConversion.ParseError"
MALFORMED_DATA = "DataFormatConversion.MalformedData"
INVALID_SCHEMA = "DataFormatConversion.InvalidSchema"

Row = dict[str, Any]


class Failures(Protocol):
    """Takes the records that could not be converted."""

    def add(self, record: bytes, code: str, message: str) -> None:
        """A record that failed, and why."""
        ...


class FailureLines:
    """Records that could not be converted, as the documented JSON, one line each.

    Times are in milliseconds. The developer guide has had both `lastErrorCode` and `ErrorCode`; objects of AWS have the
    former. Numbers of records in a shard are not known here: they are null, as for Direct PUT at AWS.
    """

    def __init__(
        self,
        schema: Schema,
        lines: ErrorLines,
        *,
        arrival_ms: int,
        ended_ms: int,
        region: str | None = None,
        attempts: int = 1,
    ) -> None:
        self._lines = lines
        self._head = {"attemptsMade": attempts, "arrivalTimestamp": arrival_ms}
        self._ended_ms = ended_ms
        self._table = {
            "catalogId": schema.catalog_id,
            "databaseName": schema.database,
            "tableName": schema.table,
            "region": schema.region or region,
            "versionId": schema.version,
            "catalogArn": None,
        }

    def add(self, record: bytes, code: str, message: str) -> None:
        """Takes a record that failed, and why. Raises DiskError."""
        document = self._head | {
            "lastErrorCode": code,
            "lastErrorMessage": message,
            "attemptEndingTimestamp": self._ended_ms,
            "rawData": base64.b64encode(record).decode(),
            "sequenceNumber": None,
            "subSequenceNumber": None,
            "dataCatalogTable": self._table,
        }
        self._lines.add(msgspec.json.encode(document) + b"\n")


class Converter:
    """Converts as `conversion` says, into the columns of its table.

    Raises DeliveryError (DataFormatConversion.InvalidSchema) for columns or options that cannot be understood.
    """

    def __init__(self, conversion: Conversion, columns: list[Column]) -> None:
        fields = _fields(columns)
        reading = _reading(conversion.input.get("Deserializer", {}))
        exact = hive.holds(hive.Struct(fields), "decimal")
        self._serializer = conversion.output.get("Serializer", {})
        self._builder = StructBuilder(fields, reading)
        self._rows = RowReader(fields, reading.key_of, reading.normalize, exact=exact)
        self._documents = DocumentReader(exact=exact)

    @property
    def extension(self) -> str:
        """What keys of the objects end in: .parquet or .orc."""
        return files.extension(self._serializer)

    def convert(self, record_lists: Iterable[list[bytes]], sink: files.Sink, failures: Failures) -> int:
        """Writes a file of the records to `sink`, which is not closed, and returns how many rows it has.

        Records that fail go to `failures`; if all do, the file has no rows and need not be delivered.
        """
        writer = files.FileWriter(sink, self._builder.schema, self._serializer)
        rows = 0
        for batch in _batches(record_lists):
            table = self.table(batch, failures)
            if table.num_rows:
                rows += table.num_rows
                writer.add(table)
        writer.close()
        return rows

    def table(self, records: list[bytes], failures: Failures) -> Any:
        """A pyarrow.Table of the records that do not fail."""
        rows = self._rows.read(records)
        if rows is not None:
            with contextlib.suppress(Mismatch):
                return self._builder.table_of_structs(rows)
        return self._sifted(records, failures)

    def _sifted(self, records: list[bytes], failures: Failures) -> Any:
        """The same, where records need not be of one object, nor of any."""
        errors: dict[int, tuple[str, str]] = {}
        rows = self._documents.read_one_each(records)
        owners: list[int] = list(range(len(records)))
        if rows is None:
            rows, owners = self._read(records, errors)
        self._rows.learn(rows)
        try:
            table = self._builder.table(rows)
        except Mismatch:
            for row, message in _mismatches(self._builder.table, rows):
                errors.setdefault(owners[row], (MALFORMED_DATA, f"Data does not match the schema. {message}"))
            table = self._builder.table([row for row, owner in zip(rows, owners, strict=True) if owner not in errors])
        for index in sorted(errors):
            failures.add(records[index], *errors[index])
        return table

    def _read(self, records: list[bytes], errors: dict[int, tuple[str, str]]) -> tuple[list[Row], list[int]]:
        """The objects of all records, and which record each is of."""
        rows: list[Row] = []
        owners: list[int] = []
        for index, record in enumerate(records):
            try:
                documents = self._documents.read(record)
            except Malformed as error:
                errors[index] = (PARSE_ERROR, str(error))
                continue
            rows += documents
            owners += [index] * len(documents)
        return rows, owners


def _mismatches(build: Callable[[list[Row]], Any], rows: list[Row], first: int = 0) -> Iterator[tuple[int, str]]:
    """The rows that cannot be built, counted from `first`, and why: found by halving what cannot be built."""
    try:
        build(rows)
    except Mismatch as error:
        if len(rows) == 1:
            yield first, f"{error}."
            return
        middle = len(rows) // 2
        yield from _mismatches(build, rows[:middle], first)
        yield from _mismatches(build, rows[middle:], first + middle)


def _batches(record_lists: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
    """The records in lists that depend on nothing but the records before them."""
    batch: list[bytes] = []
    room = BATCH_BYTES
    for records in record_lists:
        ends = list(accumulate(map(len, records), initial=0))
        first = 0
        while first < len(records):
            full = bisect_left(ends, ends[first] + room, first + 1, len(records))
            last = min(full, first + BATCH_RECORDS - len(batch))
            batch += records[first:last]
            room -= ends[last] - ends[first]
            first = last
            if room <= 0 or len(batch) >= BATCH_RECORDS:
                yield batch
                batch, room = [], BATCH_BYTES
    if batch:
        yield batch


def _fields(columns: list[Column]) -> tuple[hive.Field, ...]:
    if not columns:
        raise DeliveryError(INVALID_SCHEMA, "The schema is invalid. The table has no columns.")
    try:
        return tuple(hive.Field(column.name, hive.parse_type(column.type)) for column in columns)
    except hive.TypeInvalid as error:
        raise DeliveryError(INVALID_SCHEMA, f"The schema is invalid. {error}") from None


def _reading(deserializer: dict[str, Any]) -> Reading:
    if "HiveJsonSerDe" in deserializer:
        return _hive_reading(deserializer["HiveJsonSerDe"] or {})
    return _openx_reading(deserializer.get("OpenXJsonSerDe") or {})


def _openx_reading(options: dict[str, Any]) -> Reading:
    lower = options.get("CaseInsensitive", True)
    dots = options.get("ConvertDotsInJsonKeysToUnderscores", False)

    def normalize(key: str) -> str:
        key = key.lower() if lower else key
        return key.replace(".", "_") if dots else key

    keys = {column.lower(): key for column, key in (options.get("ColumnToJsonKeyMappings") or {}).items()}
    return Reading(
        key_of=lambda name: normalize(keys.get(name.lower(), name)),
        normalize=normalize,
        map_key=normalize,
        timestamp=times.openx_timestamp,
        date=times.read_date,
        arrow_timestamps=True,
        single_as_array=True,
    )


def _hive_reading(options: dict[str, Any]) -> Reading:
    formats = options.get("TimestampFormats") or []
    try:
        timestamp, date = times.hive_timestamp(formats), times.hive_date(formats)
    except ValueError as error:
        raise DeliveryError(INVALID_SCHEMA, str(error)) from None
    return Reading(
        key_of=str.lower,
        normalize=str.lower,
        map_key=str,
        timestamp=timestamp,
        date=date,
        arrow_timestamps=False,
        single_as_array=False,
    )
