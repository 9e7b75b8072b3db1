"""Random queries that DuckDB can answer over the whole input, written for both.

DuckDB's table `s` has the source's columns, `n` (the row's number) and `t` (its ROWTIME in ms).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import NamedTuple

from support.sqlrows import SOURCE


class Asked(NamedTuple):
    """A query for us and one for DuckDB; rows come `ordered`, or in any order."""

    ours: str
    theirs: str
    ordered: bool = True


_SCALARS = (
    "G + {n}",
    "G * G - H / 100.0E0",
    "ABS(G - {n})",
    "CASE WHEN G > {n} THEN K WHEN B THEN C END",
    "COALESCE(K, 'none')",
    "NULLIF(G, {n})",
    "UPPER(K) || LOWER(C)",
    "SUBSTRING(K FROM {n} FOR 2)",
    "POSITION('b' IN K)",
    "TRIM(BOTH ' ' FROM K)",
    "K LIKE '%b%'",
    "G BETWEEN {n} AND 2",
    "G IN (1, {n})",
    "K IS DISTINCT FROM C",
    "EXTRACT(MINUTE FROM TS)",
    "CAST(TS AS DATE)",
    "F * 2.5E0",
    "CAST(G AS VARCHAR(3)) || '.'",
    "B AND G > 0 OR K IS NULL",
    "NOT B",
    "MOD(H, {n})",
    "TS + INTERVAL '{n}' MINUTE",
    "CAST(DA AS TIMESTAMP)",
    "SQRT(ABS(G))",
    "K < C",
    "DA > DATE '2016-03-01'",
    "FLOOR(F)",
    "CEIL(R)",
    "CAST(Q AS DOUBLE) / {n}",
)
_WHERE = ("G > 0", "K = 'a' OR B", "F >= 0.1E0", "K LIKE 'a%'", "TS IS NOT NULL", "NOT B", "G IN (0, 2)", "TRUE")
_GROUPED = (
    "COUNT(*)",
    "COUNT(K)",
    "SUM(G)",
    "SUM(CAST(H AS BIGINT) * 1000)",
    "MIN(K)",
    "MAX(TS)",
    "MIN(F)",
    "MAX(R)",
    "AVG(CAST(G AS DOUBLE))",
    "COUNT(DISTINCT C)",
    "SUM(DISTINCT G)",
    "STDDEV_SAMP(G)",
    "VAR_POP(H)",
    "MAX(P)",
    "SUM(P)",
)
_KEYS = ("K", "G", "B", "DA")


def ask(seed: int) -> Asked:
    """One of the queries."""
    chance = random.Random(seed)
    makers: list[Callable[[random.Random], Asked]] = [
        _project,
        _tumble,
        _tumble,
        _slide_time,
        _slide_rows,
        _slide_all,
        _join,
        _outer_join,
        _lookup,
        _distinct,
        _session,
        _sort,
    ]
    asked = chance.choice(makers)(chance)
    return asked._replace(ours=re.sub(r"\bFROM s\b", f'FROM "{SOURCE}" AS s', asked.ours))


def _some(chance: random.Random, texts: tuple[str, ...], most: int = 4) -> list[str]:
    chosen = chance.sample(texts, chance.randrange(1, most + 1))
    return [text.format(n=chance.randrange(1, 4)) for text in chosen]


def _items(texts: list[str]) -> str:
    return ", ".join(f"{text} AS c{number}" for number, text in enumerate(texts, start=1))


def _project(chance: random.Random) -> Asked:
    items, where = _items(_some(chance, _SCALARS, 6)), chance.choice(_WHERE)
    return Asked(f"SELECT STREAM {items} FROM s WHERE {where}", f"SELECT {items} FROM s WHERE {where} ORDER BY n")


def _tumble(chance: random.Random) -> Asked:
    ms, keys, calls = (
        chance.choice((1000, 3000, 10_000, 60_000)),
        chance.sample(_KEYS, chance.randrange(3)),
        _some(chance, _GROUPED, 5),
    )
    where, having = chance.choice(_WHERE), f"COUNT(*) > {chance.randrange(3)}"
    step = f"STEP(s.ROWTIME BY INTERVAL '{ms // 1000}' SECOND)"
    group = ", ".join([*keys, step])
    return Asked(
        f"SELECT STREAM {_items([*keys, *calls])} FROM s WHERE {where} GROUP BY {group} HAVING {having}",
        f"SELECT {_items([*keys, *calls])} FROM s WHERE {where} GROUP BY {', '.join([*keys, f't // {ms}'])} "
        f"HAVING {having} ORDER BY t // {ms}, min(n)",
    )


def _partition(key: str | None) -> tuple[str, str]:
    return (f"PARTITION BY {key} ", f" AND a.{key} IS NOT DISTINCT FROM b.{key}") if key else ("", "")


def _of(alias: str, call: str) -> str:
    """The call over columns of an alias: in these calls every single letter, DA and TS is a column."""
    names = set("KGBHFRPCQ") | {"DA", "TS"}
    out, word = "", ""
    for sign in f"{call} ":
        if sign.isalnum() or sign == "_":
            word += sign
            continue
        out += (f"{alias}.{word}" if word in names else word) + sign
        word = ""
    return out.strip()


def _slide(chance: random.Random, frame: str, condition: str, *, key: str | None, numbered: str = "s") -> Asked:
    ours, theirs = _partition(key)
    calls = _some(chance, _GROUPED)
    texts = [f"{call} OVER ({ours}{frame})" for call in calls]
    before = ", ".join(_of("b", call) for call in calls)
    return Asked(
        f"SELECT STREAM {_items(['G', *texts])} FROM s",
        f"SELECT a.G, {before} FROM {numbered} a JOIN {numbered} b ON b.n <= a.n{theirs} AND {condition} "
        "GROUP BY a.n, a.G ORDER BY a.n",
    )


def _slide_time(chance: random.Random) -> Asked:
    seconds, key = chance.choice((1, 2, 10, 60)), chance.choice((*_KEYS, None))
    return _slide(chance, f"RANGE INTERVAL '{seconds}' SECOND PRECEDING", f"b.t >= a.t - {seconds * 1000}", key=key)


def _slide_rows(chance: random.Random) -> Asked:
    rows, key = chance.choice((0, 1, 3, 7)), chance.choice((*_KEYS, None))
    over = f"PARTITION BY {key} " if key else ""
    numbered = f"(SELECT *, row_number() OVER ({over}ORDER BY n) AS place FROM s)"
    return _slide(chance, f"ROWS {rows} PRECEDING", f"b.place >= a.place - {rows}", key=key, numbered=numbered)


def _slide_all(chance: random.Random) -> Asked:
    frame = chance.choice(("ROWS UNBOUNDED PRECEDING", "RANGE UNBOUNDED PRECEDING"))
    return _slide(chance, frame, "TRUE", key=chance.choice((*_KEYS, None)))


def _join(chance: random.Random) -> Asked:
    left, right, key = chance.choice((1, 5, 60)), chance.choice((1, 5, 60)), chance.choice(("K", "B", "DA"))
    return Asked(
        "SELECT STREAM a.G, a.K, b.G, b.H "
        f"FROM (SELECT STREAM * FROM s WHERE G = 0) OVER (RANGE INTERVAL '{left}' SECOND PRECEDING) AS a "
        f"JOIN (SELECT STREAM * FROM s WHERE G > 0) OVER (RANGE INTERVAL '{right}' SECOND PRECEDING) AS b "
        f"ON a.{key} = b.{key} AND a.H <= b.H",
        f"SELECT a.G, a.K, b.G, b.H FROM s a JOIN s b ON a.G = 0 AND b.G > 0 AND a.{key} = b.{key} AND a.H <= b.H "
        f"AND CASE WHEN a.n < b.n THEN b.t - a.t <= {left * 1000} ELSE a.t - b.t <= {right * 1000} END "
        "ORDER BY greatest(a.n, b.n), least(a.n, b.n)",
    )


def _outer_join(chance: random.Random) -> Asked:
    seconds, key = chance.choice((1, 5, 60)), chance.choice(("K", "B", "DA"))
    return Asked(
        f"SELECT STREAM a.H, b.H, b.K FROM (SELECT STREAM * FROM s WHERE G = 0) AS a "
        f"LEFT JOIN (SELECT STREAM * FROM s WHERE G > 0) OVER (RANGE INTERVAL '{seconds}' SECOND PRECEDING) AS b "
        f"ON a.{key} = b.{key}",
        f"SELECT a.H, b.H, b.K FROM (SELECT * FROM s WHERE G = 0) a LEFT JOIN (SELECT * FROM s WHERE G > 0) b "
        f"ON a.{key} = b.{key} AND b.n < a.n AND b.t >= a.t - {seconds * 1000} ORDER BY a.n, b.n",
    )


def _lookup(chance: random.Random) -> Asked:
    kind, on = (
        chance.choice(("JOIN", "LEFT JOIN")),
        chance.choice(("s.K = r.NAME", "s.G = r.NUM", "s.F > r.FACTOR", "s.K = r.NAME AND s.G < r.NUM")),
    )
    query = f"s.G, s.K, r.NAME, r.NUM, r.FACTOR * 2 AS twice FROM s {kind} REF AS r ON {on}"
    return Asked(f"SELECT STREAM {query}", f"SELECT {query} ORDER BY s.n", ordered=False)


def _distinct(chance: random.Random) -> Asked:
    seconds, items = chance.choice((1, 5, 60)), chance.sample(("K", "G", "B", "C", "F", "UPPER(K)"), 2)
    shown = _items(items)
    return Asked(
        "SELECT STREAM c1, c2 FROM "
        f"(SELECT STREAM DISTINCT STEP(s.ROWTIME BY INTERVAL '{seconds}' SECOND) AS w, {shown} FROM s)",
        f"SELECT c1, c2 FROM (SELECT {shown}, t, n FROM s) GROUP BY t // {seconds * 1000}, c1, c2 ORDER BY min(n)",
    )


def _session(chance: random.Random) -> Asked:
    seconds, key, calls = chance.choice((1, 2, 30)), chance.choice(_KEYS), _some(chance, _GROUPED)
    return Asked(
        f"SELECT STREAM {_items([key, *calls])} FROM s "
        f"WINDOWED BY SESSION (PARTITION BY {key} TIMEOUT INTERVAL '{seconds}' SECOND)",
        f"SELECT {_items([key, *calls])} FROM "
        f"(SELECT *, sum(begins) OVER (PARTITION BY {key} ORDER BY n) AS session FROM "
        f"(SELECT *, CASE WHEN t - lag(t) OVER (PARTITION BY {key} ORDER BY n) < {seconds * 1000} THEN 0 ELSE 1 END "
        f"AS begins FROM s)) "
        f"GROUP BY {key}, session ORDER BY max(t), min(n)",
    )


def _sort(chance: random.Random) -> Asked:
    seconds, key, down = chance.choice((1, 5, 60)), chance.choice(("G", "K", "TS", "F")), chance.choice(("", " DESC"))
    nulls = " NULLS FIRST" if down else " NULLS LAST"
    return Asked(
        f"SELECT STREAM G, K, H FROM s ORDER BY STEP(s.ROWTIME BY INTERVAL '{seconds}' SECOND), {key}{down}",
        f"SELECT G, K, H FROM s ORDER BY t // {seconds * 1000}, {key}{down}{nulls}, n",
    )
