"""Whole programs of Analytics over records, cut into cycles in any way."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import polars as pl

from millstream.analytics.engine.dataflow import DataFlow, Frames
from millstream.analytics.engine.filerun import FileRun, result_streams
from millstream.analytics.engine.state import decode_state, encode_state
from millstream.analytics.operators.frames import TIME
from millstream.analytics.plan.environment import ERROR_STREAM
from millstream.analytics.records.schema import Schema

SOURCE = "SOURCE_SQL_STREAM_001"
Row = dict[str, Any]
Tables = Mapping[str, tuple[Schema, bytes]]


class Program(NamedTuple):
    """A program and what it needs beside its records. `rowtime`: the column or member that is the rows' time."""

    code: str
    schema: Schema
    source: str = SOURCE
    tables: Tables | None = None
    rowtime: str | None = None


class ProgramRun(FileRun):
    """A run that can be stopped, and go on from the bytes of its state."""

    def __init__(self, program: Program) -> None:
        self._program = program
        super().__init__(
            program.code,
            program.schema,
            source=program.source,
            tables=program.tables,
            rowtime=program.rowtime,
        )

    def resumed(self) -> ProgramRun:
        """Another run that goes on where this one is."""
        made = ProgramRun(self._program)
        anew = made._flow.restore(decode_state(encode_state(self._flow.state())))
        assert anew == []
        made._next_row, made.until_ms = self._next_row, self.until_ms
        return made

    @property
    def flow(self) -> DataFlow:
        return self._flow


class Cut(NamedTuple):
    """How records become cycles: the numbers of records before which one begins; before which the run is made anew
    from its state; whether the clock goes on to the time of a record before it comes (`times_ms`)."""

    cuts: frozenset[int] = frozenset()
    restarts: frozenset[int] = frozenset()
    times_ms: tuple[int, ...] = ()


def ways(count: int, times_ms: Sequence[int] = (), seed: int = 1) -> dict[str, Cut]:
    """The ways in which results must be the same as in one batch."""
    numbers, chance = range(1, count), random.Random(seed)
    some = frozenset(chance.sample(numbers, min(len(numbers), 4)))
    middle = frozenset({count // 2} & set(numbers))
    return {
        "in random cuts": Cut(some),
        "with a restart": Cut(restarts=middle),
        "row by row": Cut(frozenset(numbers), times_ms=tuple(times_ms)),
    }


def run_program(program: Program, records: Sequence[bytes], cut: Cut = Cut()) -> dict[str, list[Row]]:  # noqa: B008
    """The rows of each in-application stream that got some, the sources' apart, as JSON has them."""
    run = ProgramRun(program)
    found: dict[str, list[pl.DataFrame]] = {}
    starts = sorted({0} | cut.cuts | cut.restarts)
    for start, stop in zip(starts, [*starts[1:], len(records)], strict=True):
        if start in cut.restarts:
            run = run.resumed()
        if cut.times_ms:
            _keep(found, run.advance(cut.times_ms[start]))
        _keep(found, run.feed(records[start:stop], 0))
    _keep(found, run.finish())
    shown = dict.fromkeys([*(pump.target for pump in run.plan.pumps), *result_streams(run.plan), ERROR_STREAM])
    return {name: rows_of(pl.concat(found[name])) for name in shown if name in found}


def _keep(found: dict[str, list[pl.DataFrame]], frames: Frames) -> None:
    for name, frame in frames.items():
        found.setdefault(name, []).append(frame)


def rows_of(frame: pl.DataFrame) -> list[Row]:
    """Rows as JSON has them: ROWTIME, then the columns; REAL to 6 digits and DOUBLE to 12."""
    columns = {"ROWTIME": frame[TIME].cast(pl.Datetime("ms"))}
    columns |= {name: frame[name] for name in frame.columns if not name.startswith("$")}
    texts = [_texts(column) for column in columns.values()]
    return [dict(zip(columns, values, strict=True)) for values in zip(*texts, strict=True)]


def _texts(column: pl.Series) -> list[Any]:
    return [None if value is None else _text(value, column.dtype) for value in column.to_list()]


def _text(value: Any, dtype: pl.DataType) -> Any:
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(f"{value:.6g}") if dtype == pl.Float32 else float(f"{value:.12g}")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return value
    text = str(value)
    return text.removesuffix("000") if "." in text and dtype in (pl.Time, pl.Datetime) else text


def milliseconds(text: str) -> int:
    """Epoch milliseconds of such a number, or of a time as ISO 8601 has it."""
    if text.isdigit():
        return int(text)
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def as_lines(rows: Mapping[str, Iterable[Row]]) -> str:
    """Rows as JSON lines that name their stream."""
    encode = msgspec.json.Encoder().encode
    lines = [encode({"STREAM": name} | row).decode() for name, some in rows.items() for row in some]
    return "".join(f"{line}\n" for line in lines)


def assert_alike(found: Sequence[Sequence[Any]], expected: Sequence[Sequence[Any]], tolerance: float = 1e-5) -> None:
    """The same rows; floats within a relative tolerance (REAL has some 7 digits)."""
    for number, (row, wanted) in enumerate(zip(found, expected, strict=False)):
        same = len(row) == len(wanted) and all(_alike(a, b, tolerance) for a, b in zip(row, wanted, strict=True))
        assert same, f"row {number}: {row!r} is not {wanted!r}"
    assert len(found) == len(expected)


def _alike(a: Any, b: Any, tolerance: float) -> bool:
    if isinstance(a, float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-6)
    return bool(a == b)
