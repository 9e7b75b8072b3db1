"""The source of random programs: its columns, a reference table, and rows made from a seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.types import SqlType, parse_type

SOURCE = "SOURCE_SQL_STREAM_001"


def _columns(**types: str) -> dict[str, SqlType]:
    return {name: parse_type(text) for name, text in types.items()}


COLUMNS = _columns(
    K="VARCHAR(8)",
    G="INTEGER",
    B="BOOLEAN",
    I="INTEGER",
    L="BIGINT",
    H="SMALLINT",
    Q="TINYINT",
    P="DECIMAL(10, 2)",
    R="REAL",
    F="DOUBLE",
    C="CHAR(3)",
    DA="DATE",
    TI="TIME",
    TS="TIMESTAMP",
    X="VARBINARY(4)",
)
TABLE = _columns(NAME="VARCHAR(8)", NUM="INTEGER", FACTOR="DOUBLE")
TABLE_ROWS = [("a", 1, 0.5), ("ab", 2, 1.5), ("a", 3, None), (None, 4, 2.0), ("zz", None, 3.0), ("b", 2, -1.0)]

Row = tuple[object, ...]
START_MS = 1_474_588_800_000  # 2016-09-23 00:00:00
_GAPS_MS = (0, 0, 0, 0, 1, 250, 500, 999, 1000, 1000, 2000, 3700, 10_000, 61_000, 300_000)
_TEXTS = ("a", "b", "ab", "", "b a", "éa", "12", "-7", "2016-09-23", "true", "abcdefgh")


class Input(NamedTuple):
    """Rows of the source with their ROWTIMEs."""

    times_ms: list[int]
    rows: list[Row]

    def frame(self) -> pl.DataFrame:
        """The rows."""
        schema = {name: dtype(of) for name, of in COLUMNS.items()}
        return pl.DataFrame(self.rows, schema=schema, orient="row")


def make_input(seed: int, count: int, *, tame: bool = False) -> Input:
    """Random rows: nulls, equal ROWTIMEs, bursts and gaps; `tame`: without numbers that overflow."""
    chance = random.Random(seed)
    now, times, rows = START_MS + chance.randrange(2000), list[int](), list[Row]()
    while len(rows) < count:
        now += chance.choice(_GAPS_MS)
        times.append(now)
        rows.append(_row(chance, now, _TAME if tame else _WILD))
    return Input(times, rows)


_WILD: dict[str, tuple[object, ...]] = {
    "I": (0, 1, 2, 5, -4, 1000, 2**31 - 1, -(2**31)),
    "L": (0, 1, -1, 3, 10**12, 2**63 - 1, -(2**63)),
    "R": (0.0, 1.5, -0.1, 1e10, 3e38, 0.3),
    "F": (0.0, 0.1, 0.2, -0.3, 1e-300, 1e300, 1e16, 1.0, -1e16, -0.0),
}
_TAME: dict[str, tuple[object, ...]] = {
    "I": (0, 1, 2, 5),
    "L": (0, 1, -7),
    "R": (0.0, 1.5, -0.25, 3.5),
    "F": (0.0, 0.1, 0.5, -0.3, 2.75),
}


def make_rows_of_new_keys(chance: random.Random, times_ms: Sequence[int], first: int) -> pl.DataFrame:
    """Rows whose K and L come only once; `first` is the number of the first of them."""
    rows = [_row(chance, at, _TAME) for at in times_ms]
    numbers = range(first, first + len(rows))
    return (
        Input(list(times_ms), rows)
        .frame()
        .with_columns(pl.Series("K", [f"k{number}" for number in numbers]), pl.Series("L", numbers, dtype=pl.Int64))
    )


def _row(chance: random.Random, now_ms: int, numbers: Mapping[str, tuple[object, ...]]) -> Row:
    at = datetime(1970, 1, 1) + timedelta(milliseconds=now_ms + chance.choice((0, -500, -1500, -3000, 2000, -8000)))
    values: list[object] = [
        chance.choice(_TEXTS),
        chance.randrange(3),
        chance.random() < 0.5,
        chance.choice(numbers["I"]),
        chance.choice(numbers["L"]),
        chance.choice((0, 1, 2, -32768, 32767)),
        chance.choice((0, 1, -128, 127)),
        Decimal(chance.choice(("0", "1.25", "-3.50", "99999999.99", "0.01"))),
        chance.choice(numbers["R"]),
        chance.choice(numbers["F"]),
        chance.choice(("a", "ab", "abc", "b")),
        chance.choice((date(2016, 9, 23), date(2016, 2, 29), date(1969, 12, 31))),
        chance.choice((time(0, 0), time(12, 30, 1), time(23, 59, 59, 999000))),
        at,
        chance.choice((b"", b"\x00\xff", b"ab")),
    ]
    return tuple(None if chance.random() < 0.12 else value for value in values)
