"""`millstream sql run`: a program on a file."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from millstream.analytics.engine.dataflow import QUERY, Frames
from millstream.analytics.engine.filerun import FileRun, result_streams
from millstream.analytics.language.errors import SqlError
from millstream.analytics.operators.frames import TIME
from millstream.analytics.plan.environment import ERROR_STREAM
from millstream.analytics.records.encode import encode_json
from millstream.cli.errors import CommandError, UsageError
from millstream.cli.sqlsources import SAMPLE_RECORDS, counted, discovered, read_program, read_schema, read_tables

_CHUNK_BYTES = 4 << 20
_PAUSE_S_MAX = 0.1


class Wanted(NamedTuple):
    """What the command line asks for."""

    program: Path
    input: Path
    schema: Path | None
    source: str
    rowtime: str | None
    references: list[str]
    streams: list[str]
    real: bool


def run_program(wanted: Wanted) -> None:
    """Run the program, printing results; raises CommandError."""
    if str(wanted.program) == "-" == str(wanted.input):
        raise UsageError("the program and its input cannot both come from stdin")
    code = read_program(wanted.program)
    chunks = _chunks(wanted.input, whole_lines_at_once=not wanted.real)
    first = next(chunks, [])
    schema = read_schema(wanted.schema) if wanted.schema else discovered(first[:SAMPLE_RECORDS], str(wanted.input))
    try:
        tables = read_tables(wanted.references)
        run = FileRun(code, schema, source=wanted.source, rowtime=wanted.rowtime, tables=tables)
    except SqlError as error:
        raise CommandError(f"{wanted.program}:{error.report()}") from error
    printer = _Printer(run, wanted.streams)
    pace = _Pace() if wanted.real else None
    for chunk in itertools.chain([first], chunks):
        printer.show(run.feed(chunk, time.time_ns() // 1_000_000))
        if pace is not None:
            pace.keep(run.until_ms)
    printer.show(run.finish())
    printer.end()


def _chunks(path: Path, *, whole_lines_at_once: bool) -> Iterator[list[bytes]]:
    """The lines of the input, many at once, or one by one; empty ones left out."""
    try:
        with sys.stdin.buffer if str(path) == "-" else path.open("rb") as file:
            while lines := file.readlines(_CHUNK_BYTES if whole_lines_at_once and str(path) != "-" else 1):
                records = [record for line in lines if (record := line.rstrip(b"\r\n"))]
                if records:
                    yield records
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error


class _Pace:
    """Lets rows through at the distances that their ROWTIMEs have."""

    def __init__(self) -> None:
        self._began: tuple[float, int] | None = None

    def keep(self, rowtime_ms: int) -> None:
        if self._began is None:
            self._began = (time.monotonic(), rowtime_ms)
        began_s, first_ms = self._began
        while (left_s := began_s + (rowtime_ms - first_ms) / 1000 - time.monotonic()) > 0:
            time.sleep(min(left_s, _PAUSE_S_MAX))


class _Printer:
    """Prints rows, and counts those that are not printed but that people should know of."""

    def __init__(self, run: FileRun, streams: list[str]) -> None:
        known = {*run.plan.streams, QUERY}
        for name in streams:
            if name not in known:
                raise UsageError(f"there is no stream {name}; there are {', '.join(run.plan.streams)}")
        self._streams = streams or result_streams(run.plan)
        self._errors = 0
        self._first_error = ""

    def show(self, frames: Frames) -> None:
        for name in self._streams:
            if (frame := frames.get(name)) is not None:
                self._print(name, frame)
        if (failed := frames.get(ERROR_STREAM)) is not None:
            self._errors += failed.height
            self._first_error = self._first_error or str(failed["MESSAGE"][0])

    def end(self) -> None:
        if self._errors and ERROR_STREAM not in self._streams:
            print(
                f"{counted(self._errors, 'row')} failed (--stream error_stream shows why): {self._first_error}",
                file=sys.stderr,
            )

    def _print(self, name: str, frame: pl.DataFrame) -> None:
        columns = [pl.col(column) for column in frame.columns if not column.startswith("$")]
        rowtime = pl.col(TIME).cast(pl.Datetime("ms")).alias("ROWTIME")
        head = [pl.lit(name).alias("STREAM")] if len(self._streams) > 1 else []
        for row in encode_json(frame.select(*head, rowtime, *columns)):
            sys.stdout.buffer.write(row + b"\n")
        sys.stdout.buffer.flush()
