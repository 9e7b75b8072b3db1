"""Dates and times out of columns of text, by arithmetic on their bytes: several times faster than parsing by formats.

Read are 'yyyy-MM-dd', 'HH:mm:ss' and both with ' ' or 'T' between; after seconds a fraction (cut to milliseconds), and
after a timestamp Z or an offset (+hh:mm). Whatever else a text is gives null: `cells` looks at it again.

Texts of one length are read together: as one array of bytes for each place in the text.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

_Places = npt.NDArray[np.uint8]  # [place, text]
_Numbers = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]

_DAY_MS = 86_400_000
_FIRST_MS, _END_MS = -719_162 * _DAY_MS, 2_932_897 * _DAY_MS
_NANOSECONDS = 1_000_000  # in a millisecond
_DAYS_OF_MONTH = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int32)
_TEXT_BYTES_MAX = 35


def days(texts: pl.Series) -> pl.Series:
    """Days since 1970-01-01 of dates, Int32."""
    return _by_length(texts, _Reader.date, 10, 10).cast(pl.Int32)


def nanoseconds_of_day(texts: pl.Series) -> pl.Series:
    """Nanoseconds since midnight of times of day, Int64."""
    return _by_length(texts, lambda reader: reader.clock_ms(0, reader.length), 8, 18) * _NANOSECONDS


def milliseconds(texts: pl.Series) -> pl.Series:
    """Epoch milliseconds of timestamps (of dates: of midnight), Int64."""
    return _by_length(texts, _Reader.timestamp, 10, _TEXT_BYTES_MAX)


def _by_length(texts: pl.Series, read: Callable[[_Reader], _Numbers], shortest: int, longest: int) -> pl.Series:
    lengths = texts.str.len_bytes().fill_null(0).to_numpy()
    values = np.zeros(len(texts), dtype=np.int64)
    valid = np.zeros(len(texts), dtype=np.bool_)
    for length in np.flatnonzero(np.bincount(np.minimum(lengths, longest + 1), minlength=longest + 2)).tolist():
        if shortest <= length <= longest:
            where = np.flatnonzero(lengths == length)
            reader = _Reader(texts if len(where) == len(texts) else texts.gather(where), length)
            values[where], valid[where] = read(reader), reader.valid
    found = pl.Series(texts.name, values)
    return found if valid.all() else found.set(pl.Series(~valid), None)


class _Reader:
    """Reads texts of one length. `valid` tells which of them were so far what they were read as."""

    def __init__(self, texts: pl.Series, length: int) -> None:
        content = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
        start = content.offset * length
        flat = np.frombuffer(content.buffers()[2], dtype=np.uint8)[start : start + len(texts) * length]
        self._places: _Places = np.ascontiguousarray(flat.reshape(len(texts), length).T)
        self.length = length
        self.valid: _Flags = np.ones(len(texts), dtype=np.bool_)

    def timestamp(self) -> _Numbers:
        """Epoch ms."""
        day_ms = self.date() * _DAY_MS
        if self.length == 10:
            return day_ms
        if self.length < 19:
            self.valid[:] = False
            return day_ms
        self._expect(10, " T")
        found = day_ms + self._zoned_clock_ms()
        self.valid &= (found >= _FIRST_MS) & (found < _END_MS)  # an offset may lead out of the years 1 to 9999
        return found

    def date(self) -> _Numbers:
        """Days since 1970-01-01."""
        year, month, day = self._number(0, 4), self._number(5, 2), self._number(8, 2)
        self._expect(4, "-")
        self._expect(7, "-")
        self.valid &= (year >= 1) & (month >= 1) & (month <= 12)
        month = np.where(self.valid, month, 1)
        leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
        self.valid &= (day >= 1) & (day <= _DAYS_OF_MONTH[month] + ((month == 2) & leap))
        # counted in years that begin in March, so that leap days end them
        shifted = year - (month <= 2)
        of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
        found = shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719_468
        return found.astype(np.int64)

    def clock_ms(self, start: int, end: int) -> _Numbers:
        """HH:mm:ss and perhaps a fraction, in ms."""
        hour, minute, second = (self._number(start + place, 2) for place in (0, 3, 6))
        self._expect(start + 2, ":")
        self._expect(start + 5, ":")
        self.valid &= (hour < 24) & (minute < 60) & (second < 60)
        clock_ms = ((hour * 60 + minute) * 60 + second) * 1000
        digits = end - start - 9
        if digits < 0:
            return clock_ms.astype(np.int64)
        if not 1 <= digits <= 9:
            self.valid[:] = False
            return clock_ms.astype(np.int64)
        self._expect(start + 8, ".")
        fraction = self._number(start + 9, digits)
        clock_ms += fraction * 10 ** (3 - digits) if digits <= 3 else fraction // 10 ** (digits - 3)
        return clock_ms.astype(np.int64)

    def _zoned_clock_ms(self) -> _Numbers:
        """The clock from place 11 on. Where some texts of this length have a zone, those without are not valid."""
        last = self._places[-1]
        zulu = (last == ord("Z")) | (last == ord("z"))
        if self.length >= 20 and zulu.any():
            self.valid &= zulu
            return self.clock_ms(11, self.length - 1)
        sign = self._places[self.length - 6]
        offset = (sign == ord("+")) | (sign == ord("-"))
        if self.length >= 25 and offset.any():
            self.valid &= offset
            return self._offset_clock_ms()
        return self.clock_ms(11, self.length)

    def _offset_clock_ms(self) -> _Numbers:
        end = self.length - 6
        hours, minutes = self._number(end + 1, 2), self._number(end + 4, 2)
        self._expect(end + 3, ":")
        self.valid &= (hours < 24) & (minutes < 60)
        offset_ms = (hours * 60 + minutes) * 60_000
        return self.clock_ms(11, end) - np.where(self._places[end] == ord("+"), offset_ms, -offset_ms)

    def _number(self, start: int, digits: int) -> npt.NDArray[np.int32]:
        """A number of so many digits (to 9)."""
        found = np.zeros(len(self.valid), dtype=np.int32)
        for place in range(start, start + digits):
            digit = self._places[place] - np.uint8(ord("0"))
            self.valid &= digit <= 9
            found = found * 10 + digit
        return found

    def _expect(self, place: int, characters: str) -> None:
        found = self._places[place]
        self.valid &= np.logical_or.reduce([found == ord(character) for character in characters])
