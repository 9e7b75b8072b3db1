"""error_stream: rows that something could not be computed for, as rows themselves.

Source: "In-application error stream" of the developer guide. DATA_ROW is the row as JSON; ERROR_TIME the ROWTIME at
which it failed, so that a replay gives the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from millstream.analytics.operators.frames import SEQ, TIME, Times
from millstream.analytics.records.rows import RecordError
from millstream.analytics.scalars.compile import RowErrors

COLUMNS = ("ERROR_TIME", "ERROR_LEVEL", "ERROR_NAME", "MESSAGE", "DATA_ROWTIME", "DATA_ROW", "PUMP_NAME")
_DATA_ROW_CHARACTERS = 49_152
_MESSAGE_CHARACTERS = 4_096
_LEVEL = "ERROR"

SCHEMA = {
    "ERROR_TIME": pl.Datetime("ms"),
    "ERROR_LEVEL": pl.String(),
    "ERROR_NAME": pl.String(),
    "MESSAGE": pl.String(),
    "DATA_ROWTIME": pl.Datetime("ms"),
    "DATA_ROW": pl.String(),
    "PUMP_NAME": pl.String(),
    TIME: pl.Int64(),
    SEQ: pl.Int64(),
}


class ErrorRows:
    """Gathers a cycle's errors; an `operators.frames.ErrorSink`. `pump` is set to who is at work."""

    def __init__(self) -> None:
        self.pump = ""
        self._frames: list[pl.DataFrame] = []

    def add(self, frame: pl.DataFrame, errors: RowErrors, *, name: str = "SQL_ERROR") -> None:
        """See ErrorSink.add."""
        failed = frame[errors.rows]
        shown = [column for column in failed.columns if not column.startswith("$")]
        short = {column: column.rpartition(".")[2] for column in shown}
        texts = _as_json(failed.select(shown), short) if shown else [""] * failed.height
        self.add_rows(failed[TIME], failed[SEQ], errors.messages, texts, name or "SQL_ERROR")

    def add_records(self, failed: Sequence[RecordError], seqs: Times, times_ms: Times) -> None:
        """Note records that are no rows, and where each stands among the rows."""
        messages, texts = [error.message for error in failed], [error.data for error in failed]
        self.add_rows(pl.Series(times_ms), pl.Series(seqs), messages, texts, "DATA_ERROR")

    def add_rows(self, times: pl.Series, seqs: pl.Series, messages: list[str], rows: list[str], name: str) -> None:
        """Note rows that are no frame: records that could not be read."""
        frame = pl.DataFrame({TIME: times, SEQ: seqs, "MESSAGE": messages, "DATA_ROW": rows})
        time = pl.col(TIME).cast(pl.Datetime("ms"))
        columns = {
            "ERROR_TIME": time,
            "ERROR_LEVEL": pl.lit(_LEVEL),
            "ERROR_NAME": pl.lit(name[:32]),
            "MESSAGE": pl.col("MESSAGE").str.slice(0, _MESSAGE_CHARACTERS),
            "DATA_ROWTIME": time,
            "DATA_ROW": pl.col("DATA_ROW").str.slice(0, _DATA_ROW_CHARACTERS),
            "PUMP_NAME": pl.lit(self.pump or None, dtype=pl.String),
            TIME: pl.col(TIME).cast(pl.Int64),
            SEQ: pl.col(SEQ).cast(pl.Int64),
        }
        self._frames.append(frame.select(**columns))

    def take(self) -> pl.DataFrame:
        """The rows of error_stream, in order; none are left."""
        frames, self._frames = self._frames, []
        if not frames:
            return pl.DataFrame(schema=SCHEMA)
        return pl.concat(frames).sort(SEQ, TIME, maintain_order=True)


def _as_json(frame: pl.DataFrame, names: dict[str, str]) -> list[str]:
    if len(set(names.values())) == len(names):
        frame = frame.rename(names)
    binary = [name for name, dtype in frame.schema.items() if dtype == pl.Binary]
    frame = frame.with_columns(pl.col(binary).bin.encode("hex"))
    return frame.select(pl.struct(pl.all()).struct.json_encode().alias("row"))["row"].to_list()
