"""Patterns that are computed, one for each row: every different one is matched over its rows at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import polars as pl

from millstream.analytics.scalars.building import check_regex
from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.patterns import Regex


class PatternMatcher:
    """Structs of a text and a pattern to whether they match; NULL where one is NULL or the pattern is not valid."""

    def __init__(self, translate: Callable[[str], Regex]) -> None:
        self._translate = translate

    def __call__(self, pairs: pl.Series) -> pl.Series:
        frame = pairs.struct.unnest().with_row_index("row")
        parts = [self._matched(part) for part in frame.partition_by("pattern")]
        made = pl.concat(parts).sort("row") if parts else frame.with_columns(pl.lit(None, pl.Boolean()).alias("hit"))
        return made.get_column("hit").alias(pairs.name)

    def _matched(self, rows: pl.DataFrame) -> pl.DataFrame:
        pattern = rows.item(0, "pattern")
        hit = pl.lit(None, pl.Boolean())
        if pattern is not None:
            with suppress(Mistake):
                hit = pl.col("text").str.contains(check_regex(self._translate(pattern).text))
        return rows.select("row", hit.alias("hit"))
