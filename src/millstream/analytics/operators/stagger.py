"""Stagger windows: WINDOWED BY STAGGER (PARTITION BY … RANGE …).

The first row of a key opens its window, which ends `age_ms` later; a row at that moment opens the next one. Windows
that end together leave in the order in which they were opened.
"""

from __future__ import annotations

from bisect import bisect_left

from millstream.analytics.operators.keyedwindows import (
    Assignment,
    KeyedWindows,
    RowtimeClock,
    Segment,
    SortedRows,
    Window,
    row_numbers,
)
from millstream.analytics.plan.nodes import Stagger


class StaggerOperator(KeyedWindows):
    """See plan.nodes.Stagger."""

    def __init__(self, node: Stagger) -> None:
        super().__init__(node, _Aging(node.age_ms))


class _Aging(RowtimeClock):
    """Windows of a fixed length from their first row."""

    def __init__(self, age_ms: int) -> None:
        self._age_ms = age_ms

    def assign(self, segments: list[Segment], rows: SortedRows) -> Assignment:
        times, numbers = rows.times_ms.tolist(), rows.numbers.tolist()
        starts: list[int] = []
        found: list[list[Window]] = []
        for segment in segments:
            at, window = segment.start, segment.open
            windows: list[Window] = []
            while at < segment.stop:
                if window is None or window.end_ms <= times[at]:
                    window = Window(numbers[at], times[at], times[at] + self._age_ms)
                starts.append(at)
                windows.append(window)
                at = bisect_left(times, window.end_ms, at, segment.stop)
            found.append(windows)
        marks = [window.number for windows in found for window in windows]
        return Assignment(row_numbers(starts, marks, len(times)), found)
