"""The newest rows of every in-application stream, for people who look."""

from __future__ import annotations

from collections import deque

import polars as pl

from millstream.analytics.engine.dataflow import Frames
from millstream.analytics.operators.frames import TIME
from millstream.analytics.records.encode import encode_json

_ROWS_MAX = 500
_BYTES_MAX = 8 << 20  # of an answer: it must fit a message


class _Kept:
    def __init__(self) -> None:
        self.count = 0
        self.frames: deque[tuple[int, pl.DataFrame]] = deque()  # number of the first row, rows

    def add(self, frame: pl.DataFrame) -> None:
        kept = frame
        if frame.height > _ROWS_MAX:  # copied: a slice would keep the whole batch in memory
            kept = frame.select(pl.all().gather(range(frame.height - _ROWS_MAX, frame.height)))
        self.frames.append((self.count + frame.height - kept.height, kept))
        self.count += frame.height
        while len(self.frames) > 1 and self.frames[1][0] <= self.count - _ROWS_MAX:
            self.frames.popleft()


class RecentRows:
    """The last few hundred rows of each stream, numbered from `first_number` in the order in which they came.

    Every process begins at a higher number than those before it came to: who asks after a row of an earlier process
    gets what this one has.
    """

    def __init__(self, first_number: int = 0) -> None:
        self._first_number = first_number
        self._streams: dict[str, _Kept] = {}

    def add(self, streams: Frames) -> None:
        """Note a turn's new rows."""
        for name, frame in streams.items():
            self._streams.setdefault(name, _Kept()).add(frame)

    def counts(self) -> dict[str, int]:
        """How many rows each stream has had."""
        return {name: kept.count for name, kept in self._streams.items()}

    def after(self, stream: str, number: int, rows_max: int) -> tuple[int, list[bytes]]:
        """Rows from `number` on, oldest first, as JSON objects with ROWTIME; and the number to ask for next.

        A negative number: the newest rows. One of an earlier process: the oldest rows kept.
        """
        base = self._first_number
        kept = self._streams.get(stream)
        if kept is None:
            return base, []
        first = kept.count - rows_max if number < 0 else number - base if base <= number <= base + kept.count else 0
        rows: list[bytes] = []
        end = max(0, first)
        size_bytes = 0
        for begin, frame in kept.frames:
            if begin + frame.height <= first:
                continue
            end = max(begin, first)
            for row in encode_json(_with_rowtime(frame.slice(end - begin, rows_max - len(rows)))):
                size_bytes += len(row)
                if size_bytes > _BYTES_MAX and rows:
                    return base + end, rows
                end += 1
                if len(row) <= _BYTES_MAX:  # nobody looks at others
                    rows.append(row)
            if len(rows) >= rows_max:
                break
        return base + end, rows


def _with_rowtime(frame: pl.DataFrame) -> pl.DataFrame:
    rowtime = pl.col(TIME).cast(pl.Datetime("ms")).alias("ROWTIME")
    return frame.select(rowtime, *(pl.col(name) for name in frame.columns if not name.startswith("$")))
