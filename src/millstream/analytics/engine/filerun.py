"""A program on a file: the whole language without a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import polars as pl

from millstream.analytics.engine.dataflow import QUERY, DataFlow, Frames, SourceRows, scans_of
from millstream.analytics.engine.errors import ErrorRows
from millstream.analytics.language.parser import parse_program
from millstream.analytics.operators.frames import SEQ, TIME, Times
from millstream.analytics.plan import Catalog, plan_program
from millstream.analytics.plan.nodes import ProgramPlan
from millstream.analytics.programs import schema_columns
from millstream.analytics.records.decode import Decoder
from millstream.analytics.records.rows import Rows
from millstream.analytics.records.schema import JsonFormat, RecordColumn, Schema
from millstream.analytics.records.tables import read_table
from millstream.analytics.records.texts import from_list
from millstream.analytics.records.timetexts import milliseconds

_GIVEN = "$given"
_AFTER_ALL_MS = 400 * 86_400_000  # past the end of every window that is reasonable
_NEVER = -(1 << 62)
_LAST_MS = 253_402_300_799_999 - 2 * _AFTER_ALL_MS  # of the year 9999, with room for the end
_NO_ROWS = np.zeros(0, dtype=np.int64)


class FileRun:
    """Runs a program over records that are fed to it, in the order of time.

    A row's ROWTIME is its column or member `rowtime` (by default a JSON member ROWTIME), else the time that `feed` is
    given. Rows cannot go back in time: one that would has the time before it. Raises SqlError for the program.
    """

    def __init__(
        self,
        code: str,
        schema: Schema,
        *,
        source: str,
        rowtime: str | None = None,
        tables: Mapping[str, tuple[Schema, bytes]] | None = None,
    ) -> None:
        tables = tables or {}
        catalog = Catalog(
            sources={source: schema_columns(schema)},
            tables={name: schema_columns(of) for name, (of, _) in tables.items()},
        )
        self.plan = plan_program(parse_program(code), catalog, text=code)
        self._source = source
        self._flow = DataFlow(
            self.plan, {name: read_table([content], of).frame for name, (of, content) in tables.items()}
        )
        self._decoder = Decoder(_with_rowtime(schema, rowtime))
        self._next_row = 0
        self.until_ms = _NEVER

    def feed(self, records: Sequence[bytes], now_ms: int) -> Frames:
        """The rows that follow from more records: by in-application stream, and of a bare query under QUERY."""
        rows = self._decoder.decode(from_list(records))
        before_ms = now_ms if self.until_ms == _NEVER else self.until_ms
        times = self._times(rows, now_ms)
        errors = ErrorRows()
        if rows.errors:
            self._note(rows, np.append(before_ms, times), errors)
        seqs = 2 * (self._next_row + np.arange(len(times), dtype=np.int64)) + 1
        frame = rows.frame.drop(_GIVEN, strict=False).with_columns(pl.Series(TIME, times), pl.Series(SEQ, seqs))
        source = SourceRows({self._source: _with_origins(frame)}, self._next_row, times)
        self._next_row += len(times)
        return self._flow.run(source, self.until_ms, errors)

    def advance(self, now_ms: int) -> Frames:
        """The rows that follow from time going on without records."""
        self.until_ms = max(self.until_ms, now_ms)
        return self._flow.run(SourceRows({}, self._next_row, _NO_ROWS), self.until_ms, ErrorRows())

    def finish(self) -> Frames:
        """The rows that follow from the end of the input: every window closes."""
        return self.advance(max(self.until_ms, 0) + _AFTER_ALL_MS) if self._next_row else {}

    def _times(self, rows: Rows, now_ms: int) -> Times:
        times = np.full(rows.frame.height, now_ms, dtype=np.int64)
        if _GIVEN in rows.frame.columns:
            given = _milliseconds(rows.frame[_GIVEN])
            times = given.fill_null(strategy="forward").fill_null(max(now_ms, self.until_ms)).to_numpy()
        if not len(times):
            return _NO_ROWS
        times = np.maximum.accumulate(np.maximum(times, self.until_ms))
        self.until_ms = int(times[-1])
        return times

    def _note(self, rows: Rows, times: Times, errors: ErrorRows) -> None:
        """Records that could not be read: at the time of the row before. `times`: before the first row, then the
        rows'."""
        indexes = np.array([error.record for error in rows.errors], dtype=np.int64)
        places = np.searchsorted(rows.record_index, indexes)
        errors.add_records(rows.errors, 2 * (self._next_row + places), times[places])


def result_streams(plan: ProgramPlan) -> list[str]:
    """The streams that people will want to see: those that pumps fill and no other pump reads; or the bare query's."""
    if plan.query is not None:
        return [QUERY]
    read = {scan.stream for pump in plan.pumps for scan in scans_of(pump.query)}
    filled = list(dict.fromkeys(pump.target for pump in plan.pumps))
    return [name for name in filled if name not in read] or filled


def _with_rowtime(schema: Schema, rowtime: str | None) -> Schema:
    """The schema with one more column, the time of each row, if records can have one."""
    if rowtime is not None:
        mapping = _place(schema, rowtime)
    elif isinstance(schema.format, JsonFormat) and schema.format.record_row_path == "$":
        mapping = "$.ROWTIME"
    else:
        return schema
    given = RecordColumn(name=_GIVEN, sql_type="VARCHAR(64)", mapping=mapping)
    return msgspec.structs.replace(schema, columns=(*schema.columns, given))


def _place(schema: Schema, rowtime: str) -> str:
    """Where records have the column of that name, in any case; or the member."""
    for at, column in enumerate(schema.columns):
        if column.name.upper() == rowtime.upper():
            place = f"$.{column.name}" if isinstance(schema.format, JsonFormat) else str(at)
            return column.mapping or place
    return f"$.{rowtime}"


def _milliseconds(texts: pl.Series) -> pl.Series:
    """Epoch milliseconds of timestamps, or of what is such a number already; null for what no TIMESTAMP can be."""
    is_number = texts.str.contains(r"^\d{10,}$").fill_null(value=False)
    found = texts.cast(pl.Int64, strict=False).zip_with(is_number, milliseconds(texts))
    return found.set(found > _LAST_MS, None)


def _with_origins(frame: pl.DataFrame) -> pl.DataFrame:
    """Without a stream there are no shards: what sources have beside their columns is constant."""
    added = {
        "APPROXIMATE_ARRIVAL_TIME": pl.col(TIME).cast(pl.Datetime("ms")),
        "PARTITION_KEY": pl.lit("file"),
        "SHARD_ID": pl.lit("shardId-000000000000"),
        "SEQUENCE_NUMBER": pl.col(SEQ).cast(pl.String),
    }
    return frame.with_columns(value.alias(name) for name, value in added.items() if name not in frame.columns)
