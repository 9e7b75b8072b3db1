"""Whole columns of times read and written by a format: at once where Polars can, else once a distinct value.

Objects, not closures, so that one format's answers are remembered from batch to batch.
"""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

import polars as pl

from millstream.analytics.scalars.dateformat import DateFormat, Strict

STAMP = pl.Datetime("ms")
_REMEMBERED_MAX = 20_000
_FEW = 16  # rows for which Polars' parsing is not worth its start
Given = TypeVar("Given")
Made = TypeVar("Made")


class Remembered(dict[Given, Made | None], Generic[Given, Made]):
    """Answers by what was asked, forgotten when there are too many."""

    def __setitem__(self, key: Given, value: Made | None) -> None:
        if len(self) >= _REMEMBERED_MAX:
            self.clear()
        super().__setitem__(key, value)


class FormatReader:
    """Texts to TIMESTAMPs; NULL where a text does not fit the format."""

    def __init__(self, form: DateFormat) -> None:
        self._form = form
        self._strict = form.strict()
        self._known: Remembered[str, datetime] = Remembered()

    def __call__(self, texts: pl.Series) -> pl.Series:
        if self._strict is None or len(texts) <= _FEW:
            return pl.Series(texts.name, [self._one(text) for text in texts], STAMP)
        made = read_strictly(texts, self._strict)
        rest = (made.is_null() & texts.is_not_null()).arg_true()
        if not len(rest):
            return made
        return made.scatter(rest, pl.Series([self._one(text) for text in texts.gather(rest)], dtype=STAMP))

    def _one(self, text: str | None) -> datetime | None:
        if text is None:
            return None
        if text not in self._known:
            try:
                made = self._form.parse(text)
                self._known[text] = made
            except (ValueError, OverflowError):
                self._known[text] = None
                return None
        return self._known[text]


def read_strictly(texts: pl.Series, strict: Strict) -> pl.Series:
    """TIMESTAMPs of the texts that have every digit; NULL for others."""
    fitting = texts.to_frame("t").select(pl.when(pl.col("t").str.contains(strict.guard)).then("t")).to_series()
    if not strict.timed:
        made = fitting.str.to_date(strict.chrono, strict=False).cast(STAMP)
    elif strict.dated:
        made = fitting.str.to_datetime(strict.chrono, time_unit="ms", strict=False)
    else:
        made = (fitting.str.to_time(strict.chrono, strict=False).cast(pl.Int64) // 1_000_000).cast(STAMP)
    return made.alias(texts.name)


class FormatWriter:
    """TIMESTAMPs to texts."""

    def __init__(self, form: DateFormat) -> None:
        self._form = form
        self._known: Remembered[datetime, str] = Remembered()

    def __call__(self, stamps: pl.Series) -> pl.Series:
        return pl.Series(stamps.name, [self._one(stamp) for stamp in stamps], pl.String())

    def _one(self, stamp: datetime | None) -> str | None:
        if stamp is None:
            return None
        if stamp not in self._known:
            self._known[stamp] = self._form.format(stamp)
        return self._known[stamp]
