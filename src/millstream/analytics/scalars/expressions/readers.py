"""Whole columns of texts as numbers, conditions and times; NULL where a text is none. Spaces around it do not count.

Polars reads the common forms at once; a text that it leaves, and all of a small batch, is read as a literal of a
program is. Both say the same wherever both read.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.expressions.formats import Remembered
from millstream.analytics.scalars.literals import NotFolded, convert_literal
from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.types import FLOATS, INTEGERS, VARCHAR, Kind, SqlType

_FEW = 16  # rows for which Polars is not worth its start
_DECIMAL = r"^[+-]?[0-9]{1,17}(\.[0-9]{0,18})?$"
_DAY = "[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}:[0-5][0-9](\.[0-9]{1,9})?"
_TRUTH = {"true": True, "false": False}

AtOnce = Callable[[pl.Series], pl.Series]


class TextReader:
    """Texts to values of a type."""

    def __init__(self, to: SqlType) -> None:
        self._to = to
        self._dtype = dtype(to)
        self._at_once = _at_once(to)
        self._known: Remembered[str, object] = Remembered()

    def __call__(self, texts: pl.Series) -> pl.Series:
        if len(texts) <= _FEW:
            return self._singly(texts)
        made = self._at_once(texts.str.strip_chars()).cast(self._dtype, strict=False)
        if made.null_count() == texts.null_count():
            return made
        rest = texts.to_frame("t").select(pl.when(made.is_null()).then("t")).to_series()
        return made.to_frame("v").select(pl.coalesce("v", self._singly(rest))).to_series()

    def _singly(self, texts: pl.Series) -> pl.Series:
        return pl.Series(texts.name, [self._one(text) for text in texts], self._dtype)

    def _one(self, text: str | None) -> object:
        if text is None:
            return None
        if text not in self._known:
            try:
                self._known[text] = convert_literal(text, VARCHAR, self._to)
            except (Mistake, NotFolded):
                self._known[text] = None
        return self._known.get(text)


def _at_once(to: SqlType) -> AtOnce:
    """What reads the common form of a type's texts, NULL for others."""
    if to.kind in INTEGERS:
        return lambda texts: texts.cast(pl.Int64, strict=False)
    if to.kind in FLOATS:
        return lambda texts: _finite(texts.cast(pl.Float64, strict=False).cast(dtype(to)))
    if to.kind is Kind.BOOLEAN:
        return lambda texts: texts.str.to_lowercase().replace_strict(_TRUTH, default=None, return_dtype=pl.Boolean)
    if to.kind is Kind.DECIMAL:
        scale = to.scale or 0
        return lambda texts: _fitting(texts, _DECIMAL).cast(pl.Decimal(38, 20)).round(scale, mode="half_away_from_zero")
    return {
        Kind.DATE: lambda texts: _fitting(texts, f"^{_DAY}$").str.to_date("%Y-%m-%d", strict=False),
        Kind.TIME: lambda texts: _in_ms(_fitting(texts, f"^{_CLOCK}$").str.to_time("%H:%M:%S%.f", strict=False)),
        Kind.TIMESTAMP: lambda texts: _fitting(texts, f"^{_DAY} {_CLOCK}$").str.to_datetime(
            "%Y-%m-%d %H:%M:%S%.f", time_unit="ms", strict=False
        ),
    }[to.kind]


def _fitting(texts: pl.Series, regex: str) -> pl.Series:
    return texts.to_frame("t").select(pl.when(pl.col("t").str.contains(regex)).then("t")).to_series()


def _finite(numbers: pl.Series) -> pl.Series:
    return numbers.to_frame("n").select(pl.when(pl.col("n").is_finite()).then("n")).to_series()


def _in_ms(times: pl.Series) -> pl.Series:
    return (times.cast(pl.Int64) // 1_000_000 * 1_000_000).cast(pl.Time)
