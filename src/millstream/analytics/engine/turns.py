"""Turns: records of the source in, through rows and operators, results for the outputs out. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

from millstream.analytics.engine.batch import Batch
from millstream.analytics.engine.checkpoint import Checkpoint, encode_state
from millstream.analytics.engine.dataflow import Frames, SourceRows
from millstream.analytics.engine.errors import ErrorRows
from millstream.analytics.engine.program import Prepared
from millstream.analytics.model import Output
from millstream.analytics.operators.frames import SEQ, TIME, Times
from millstream.analytics.plan.environment import ERROR_STREAM
from millstream.analytics.records.encode import encode
from millstream.analytics.records.rows import Indexes, RecordError, Rows

SequenceNumber = Callable[[int, int, int], str]
"""(shard, offset, arrival_ms) -> the record's sequence number."""


class Result(NamedTuple):
    """What an output is to get from a turn: a partition key and the data of each record."""

    output_id: str
    keys: list[bytes]
    data: list[bytes]


class Turn(NamedTuple):
    """What a turn gave: the new rows of each in-application stream, and what goes out of them."""

    streams: Frames
    results: list[Result]
    rows_in: int
    errors: int


class Turns:
    """One application's turns. Called from one thread at a time."""

    def __init__(
        self,
        prepared: Prepared,
        outputs: Iterable[Output],
        sequence_number: SequenceNumber,
    ) -> None:
        self.flow = prepared.flow
        self.until_ms = 0
        self._decoder = prepared.decoder
        self._sources = prepared.sources
        self._outputs = list(outputs)
        self._origins = Origins(_columns_used(prepared), sequence_number)
        self._next_row = 0

    def run(self, batch: Batch | None, until_ms: int) -> Turn:
        """A turn over records, after which all is known up to `until_ms`; None: time alone goes on."""
        errors = ErrorRows()
        if batch is None:
            source = SourceRows({}, self._next_row, np.zeros(0, dtype=np.int64))
        else:
            source = self._rows(batch, errors)
        first_row, self._next_row = self._next_row, self._next_row + len(source.rowtimes_ms)
        self.until_ms = max(self.until_ms, until_ms)
        streams = self.flow.run(source, self.until_ms, errors)
        failed = streams[ERROR_STREAM].height if ERROR_STREAM in streams else 0
        return Turn(streams, list(self._results(streams)), self._next_row - first_row, failed)

    def checkpoint(self, run: int, source_id: str, position: int) -> Checkpoint:
        """Where it is, with `position` as the place to read on at."""
        return Checkpoint(
            run=run,
            source_id=source_id,
            position=position,
            until_ms=self.until_ms,
            next_row=self._next_row,
            flow=encode_state(self.flow.state()),
        )

    def restore(self, checkpoint: Checkpoint) -> list[str]:
        """Go on from a checkpoint; the names of pumps that begin anew. Raises StateBroken."""
        self.until_ms, self._next_row = checkpoint.until_ms, checkpoint.next_row
        return self.flow.restore(checkpoint.state())

    def take_over(self, before: Turns) -> list[str]:
        """Go on from where another version of the application was; the names of pumps that begin anew."""
        return self.restore(before.checkpoint(0, "", 0))

    def _rows(self, batch: Batch, errors: ErrorRows) -> SourceRows:
        """The rows of records, with their ROWTIMEs: when they arrived, or the time that is already past, if later."""
        rows = self._decoder.decode(batch.records)
        arrivals_ms = np.maximum(batch.arrivals_ms(), self.until_ms)
        times = arrivals_ms[rows.record_index]
        self._note(rows, batch.failures, arrivals_ms, errors)
        seqs = 2 * (self._next_row + np.arange(len(times), dtype=np.int64)) + 1
        frame = self._origins.extended(rows, batch).with_columns(pl.Series(TIME, times), pl.Series(SEQ, seqs))
        return SourceRows(self._spread(frame, rows, batch), self._next_row, times)

    def _spread(self, frame: pl.DataFrame, rows: Rows, batch: Batch) -> Frames:
        """The rows of each of the input's in-application streams: a shard's rows are all in one of them."""
        if len(self._sources) == 1:
            return {self._sources[0]: frame}
        of = batch.shards()[rows.record_index] % len(self._sources)
        return {name: frame.filter(pl.Series(of == at)) for at, name in enumerate(self._sources)}

    def _note(self, rows: Rows, failures: dict[int, str], arrivals_ms: Times, errors: ErrorRows) -> None:
        """Records that are no rows stand before the next row that is one."""
        failed = [error for error in rows.errors if error.record not in failures]
        failed += [RecordError(record, message, "") for record, message in failures.items() if message]
        if failed:
            indexes = np.array([error.record for error in failed], dtype=np.int64)
            seqs = 2 * (self._next_row + np.searchsorted(rows.record_index, indexes))
            errors.add_records(failed, seqs, arrivals_ms[indexes])

    def _results(self, streams: Frames) -> Iterator[Result]:
        for output in self._outputs:
            frame = streams.get(output.name)
            if frame is not None and frame.height:
                rows = frame.select(name for name in frame.columns if not name.startswith("$"))
                data = encode(rows, output.format)
                first = int(frame[SEQ][0])
                yield Result(output.output_id, [b"%d" % number for number in range(first, first + len(data))], data)


class Origins:
    """The columns of source streams that tell where a row came from, as far as something uses them."""

    def __init__(self, used: set[str], sequence_number: SequenceNumber) -> None:
        self._used = used
        self._sequence_number = sequence_number

    def extended(self, rows: Rows, batch: Batch) -> pl.DataFrame:
        """The rows, with the columns that are used."""
        frame, index = rows.frame, rows.record_index
        added = []
        if "APPROXIMATE_ARRIVAL_TIME" in self._used:
            times = pl.Series("APPROXIMATE_ARRIVAL_TIME", batch.arrivals_ms()[index])
            added.append(times.cast(pl.Datetime("ms")))
        if "PARTITION_KEY" in self._used:
            keys = batch.keys()
            texts = [keys[record].decode("utf-8", "replace") for record in index.tolist()]
            added.append(pl.Series("PARTITION_KEY", texts, dtype=pl.String))
        if "SHARD_ID" in self._used:
            shards = [f"shardId-{shard:012d}" for shard in batch.shards()[index].tolist()]
            added.append(pl.Series("SHARD_ID", shards, dtype=pl.String))
        if "SEQUENCE_NUMBER" in self._used:
            added.append(pl.Series("SEQUENCE_NUMBER", self._numbers(batch, index), dtype=pl.String))
        return frame.with_columns(column for column in added if column.name not in frame.columns)

    def _numbers(self, batch: Batch, index: Indexes) -> list[str]:
        places = zip(
            batch.shards()[index].tolist(),
            batch.offsets()[index].tolist(),
            batch.arrivals_ms()[index].tolist(),
            strict=True,
        )
        return [self._sequence_number(*place) for place in places]


def _columns_used(prepared: Prepared) -> set[str]:
    """The names of source streams' columns that some pump reads."""
    used: set[str] = set()
    for scan in prepared.flow.scans():
        if scan.stream in prepared.sources:
            used |= {column.name.removeprefix(f"{scan.alias}.") for column in scan.columns}
    return used
