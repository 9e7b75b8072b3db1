"""Open groups: a table of measures by group, which grows by parts and is made compact now and then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from millstream.analytics.operators.measures import merged

_PARTS_MAX = 64
_ROWS_MIN = 2048


def grouped(frame: pl.DataFrame, by: Sequence[str], window: str | None, parts: Iterable[pl.Expr]) -> pl.DataFrame:
    """What `parts` give for every group of rows with equal `by`; columns: `by` and those.

    The column `window`, one of `by`, mostly has one value; then it need not be looked at row by row."""
    if window is None or len(by) == 1 or not _constant(frame[window]):
        return frame.group_by(by).agg(*parts)
    groups = frame.group_by([name for name in by if name != window]).agg(*parts)
    return groups.hstack([frame[window].new_from_index(0, groups.height)])


def _constant(column: pl.Series) -> bool:
    return bool(column.min() == column.max()) and column.null_count() == 0


class GroupTable:
    """Parts of groups: frames of the columns `by` and of measures, which `measures.merged` merges.

    Adding costs nothing but the part; parts are merged when they have three times the rows of what they were merged to
    last.
    """

    def __init__(self, by: Sequence[str], window: str | None = None) -> None:
        self._by = tuple(by)
        self._window = window
        self._parts: list[pl.DataFrame] = []  # in the order of the rows they are of
        self._pending_rows = 0
        self._compact_rows = 0

    def add(self, part: pl.DataFrame) -> None:
        """Take in a part that has a row a group."""
        if not part.height:
            return
        self._parts.append(part)
        self._pending_rows += part.height
        if len(self._parts) > _PARTS_MAX or self._pending_rows > max(_ROWS_MIN, 3 * self._compact_rows):
            self._compact()

    def take(self, predicate: pl.Expr) -> pl.DataFrame | None:
        """Remove the groups for which the predicate (over `by`) is true; them, merged, or None."""
        self._tidy()
        taken: list[pl.DataFrame] = []
        kept: list[pl.DataFrame] = []
        for part in self._parts:
            due = part.select(predicate).to_series()
            if due.all():
                taken.append(part)
            elif not due.any():
                kept.append(part)
            else:
                taken.append(part.filter(due))
                kept.append(part.filter(~due))
        self._set(kept)
        return self._merge(taken)

    def frame(self) -> pl.DataFrame | None:
        """All groups, merged."""
        self._compact()
        return self._parts[0] if self._parts else None

    def restore(self, frame: pl.DataFrame | None) -> None:
        self._set([] if frame is None else [frame])

    def size_bytes(self) -> int:
        return sum(int(part.estimated_size()) for part in self._parts)

    def _set(self, parts: list[pl.DataFrame]) -> None:
        self._parts = parts
        self._pending_rows = sum(part.height for part in parts[1:])
        self._compact_rows = parts[0].height if parts else 0

    def _compact(self) -> None:
        whole = self._merge(self._parts)
        self._set([] if whole is None else [whole])

    def _tidy(self) -> None:
        """Merge the last parts that are small beside those before them: each that stays has twice the rows of all
        behind it, so that few are left."""
        start, rows = len(self._parts), 0
        while start and (not rows or self._parts[start - 1].height <= 2 * rows):
            start -= 1
            rows += self._parts[start].height
        last = self._merge(self._parts[start:])
        if last is not None:
            self._set([*self._parts[:start], last])

    def _merge(self, parts: list[pl.DataFrame]) -> pl.DataFrame | None:
        if len(parts) < 2:
            return parts[0] if parts else None
        alike = all(part.columns == parts[0].columns for part in parts)
        # units that a part did not use are null there, which adds nothing
        stacked = pl.concat(parts, how="vertical" if alike else "diagonal")
        measured = [name for name in stacked.columns if name not in self._by]
        return grouped(stacked, self._by, self._window, [merged(name) for name in measured])
