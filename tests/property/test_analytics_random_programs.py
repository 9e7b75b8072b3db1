"""Random programs over random rows: the same results however the rows are cut into cycles, DuckDB's where it can say
the same, no exceptions whatever the records are, and no more state than the open windows need.

PROGRAMS=2000 in the environment takes more programs; PROGRAM=7 the one of that number.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Iterator

import duckdb
import polars as pl
import pytest

from millstream.analytics.records.schema import CsvFormat, RecordColumn, Schema
from millstream.analytics.scalars.types import show
from support.analyticsruns import Cut, Program, Row, run_program
from support.analyticsruns import ways as record_ways
from support.flowruns import differing, frames_of, run, state_sizes, tables, ways
from support.garbage import garbage
from support.sqloracle import ask
from support.sqlprograms import Maker, plan_of
from support.sqlrows import COLUMNS, SOURCE, START_MS, TABLE, TABLE_ROWS, make_input

SEEDS = range(int(os.environ.get("PROGRAMS", "15")))
if "PROGRAM" in os.environ:
    SEEDS = range(int(os.environ["PROGRAM"]), int(os.environ["PROGRAM"]) + 1)
CHUNK = 15
chunks = pytest.mark.parametrize("first", SEEDS[::CHUNK])


def _of_chunk(first: int) -> range:
    return SEEDS[SEEDS.index(first) : SEEDS.index(first) + CHUNK]


@chunks
def test_results_do_not_depend_on_cycles_or_restarts(first: int) -> None:
    tried = refused = 0
    for seed in _of_chunk(first):
        maker, given = Maker(seed, pumps_max=3), make_input(seed, 12)
        tried, refused = tried + maker.tried, refused + len(maker.refused)
        plan, expected = plan_of(maker.text), None
        for way, cuts in ways(given, seed).items():
            found = run(plan, given, cuts)
            expected = expected or found
            assert differing(expected, found) is None, f"PROGRAM={seed} {way}\n{maker.text}"
    assert refused <= 0.2 * tried + 2  # or else nothing much is tested


@pytest.fixture(scope="module")
def oracle() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("REF", tables()["REF"].to_arrow())
        yield connection


@chunks
def test_results_are_those_of_duckdb_over_the_whole(first: int, oracle: duckdb.DuckDBPyConnection) -> None:
    for seed in _of_chunk(first):
        asked, given = ask(seed), make_input(seed, 20, tame=True)
        frames = frames_of(plan_of(asked.ours), given, ways(given, seed)["random cuts"])
        assert set(frames) <= {"$query"}
        found = [row[2:] for frame in frames.get("$query", []) for row in frame.rows()]
        rows = given.frame().with_columns(pl.Series("n", range(20)), pl.Series("t", given.times_ms))
        oracle.register("s", rows.to_arrow())
        expected = oracle.execute(asked.theirs).fetchall()
        if not asked.ordered:
            found, expected = sorted(found, key=repr), sorted(expected, key=repr)
        assert len(found) == len(expected), f"PROGRAM={seed}\n{asked.ours}"
        for row, wanted in zip(found, expected, strict=True):
            assert all(map(_same, row, wanted)), f"PROGRAM={seed}\n{asked.ours}\n{row}\n{wanted}"


def _same(value: object, wanted: object) -> bool:
    if isinstance(value, float) and isinstance(wanted, float):
        return math.isclose(value, wanted, rel_tol=1e-6, abs_tol=1e-9)  # REAL has 6 digits
    return value == wanted


SCHEMA = Schema(
    columns=tuple(RecordColumn(name=name, sql_type=show(of), mapping=f"$.{name}") for name, of in COLUMNS.items())
)
REFERENCE = Schema(
    columns=tuple(RecordColumn(name=name, sql_type=show(of)) for name, of in TABLE.items()), format=CsvFormat()
)
LINES = "".join(",".join("" if one is None else str(one) for one in row) + "\n" for row in TABLE_ROWS).encode()


def _untimed(rows: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """A record that is no row has no time of its own."""
    times = {"ROWTIME", "ERROR_TIME", "DATA_ROWTIME"}
    errors = [{name: row[name] for name in row if name not in times} for row in rows.get("error_stream", [])]
    return rows | {"error_stream": errors}


@chunks
def test_garbage_gives_rows_or_errors(first: int) -> None:
    for seed in _of_chunk(first)[::4]:
        chance, now_ms, records = random.Random(seed), START_MS, list[bytes]()
        for _ in range(20):
            now_ms += chance.choice((0, 0, 500, 3000))
            record = garbage(chance)
            timed = record[:1] == b"{" and len(record) > 2
            records.append(b'{"ROWTIME": %d,' % now_ms + record[1:] if timed else record)
        code = Maker(seed, pumps_max=1).text
        program = Program(code, SCHEMA, SOURCE, {"REF": (REFERENCE, LINES)})
        expected = _untimed(run_program(program, records, Cut()))
        assert expected["error_stream"]
        for way, cut in record_ways(len(records), seed=seed).items():
            assert repr(_untimed(run_program(program, records, cut))) == repr(expected), f"PROGRAM={seed} {way}\n{code}"


@pytest.mark.parametrize(
    "rowtime", [b"999999999999999", b"9223372036854775807", b"1" * 30, b'"9999-12-31 23:59:59"', b"[]"]
)
def test_times_that_cannot_be_are_those_before(rowtime: bytes) -> None:
    records = [b'{"ROWTIME": 1474588800000, "G": 1}', b'{"ROWTIME": %s, "G": 2}' % rowtime]
    code = "SELECT STREAM COUNT(*) AS n FROM SOURCE_SQL_STREAM_001 AS s GROUP BY STEP(s.ROWTIME BY INTERVAL '1' SECOND)"
    rows = run_program(Program(code, SCHEMA, SOURCE), records)["$query"]
    assert rows == [{"ROWTIME": "2016-09-23 00:00:01", "N": 2}]


_FROM = f'"{SOURCE}" AS s'
_CALLS = (
    "SUM(F) OVER w, MAX(K) OVER w, COUNT(DISTINCT L) OVER w, VAR_POP(F) OVER w, LAG(K) OVER w, FIRST_VALUE(L) OVER w"
)
_KEPT_5 = f"\"{SOURCE}\" OVER (RANGE INTERVAL '5' SECOND PRECEDING)"
_WINDOWS = {
    "tumbling": f"K, SUM(F), COUNT(DISTINCT L) FROM {_FROM} GROUP BY K, STEP(s.ROWTIME BY INTERVAL '10' SECOND)",
    "two clocks": f"K, MAX(F) FROM {_FROM} GROUP BY K, STEP(TS BY INTERVAL '5' SECOND), FLOOR(s.ROWTIME TO SECOND)",
    "event time": f"K, EXP_AVG(F, INTERVAL '1' SECOND) FROM {_FROM} GROUP BY K, STEP(TS BY INTERVAL '10' SECOND)",
    "stagger": f"K, COUNT(*) FROM {_FROM} WINDOWED BY STAGGER (PARTITION BY K RANGE INTERVAL '5' SECOND)",
    "session": f"K, LAST_VALUE(F) FROM {_FROM} WINDOWED BY SESSION (PARTITION BY K TIMEOUT INTERVAL '5' SECOND)",
    "distinct": f"DISTINCT STEP(s.ROWTIME BY INTERVAL '10' SECOND), K, L FROM {_FROM}",
    "sorted": f"K, L FROM {_FROM} ORDER BY STEP(s.ROWTIME BY INTERVAL '10' SECOND), K",
    "sliding by key": f"{_CALLS} FROM {_FROM} WINDOW w AS (PARTITION BY K RANGE INTERVAL '5' SECOND PRECEDING)",
    "sliding": f"{_CALLS} FROM {_FROM} WINDOW w AS (RANGE INTERVAL '5' SECOND PRECEDING)",
    "sliding by rows": f"{_CALLS} FROM {_FROM} WINDOW w AS (PARTITION BY G ROWS 5 PRECEDING)",
    "join": f"a.K, b.L FROM {_KEPT_5} AS a JOIN {_KEPT_5} AS b ON a.K = b.K",
    "outer join": f'a.K FROM {_KEPT_5} AS a FULL JOIN "{SOURCE}" OVER (ROWS 3 PRECEDING) AS b ON a.K = b.K',
    "top items": f"* FROM TABLE(TOP_K_ITEMS_TUMBLING(CURSOR(SELECT STREAM K FROM {_FROM}), 'K', 3, 10))",
    "distinct items": f"* FROM TABLE(COUNT_DISTINCT_ITEMS_TUMBLING(CURSOR(SELECT STREAM K FROM {_FROM}), 'K', 10))",
    "forest": f"* FROM TABLE(RANDOM_CUT_FOREST(CURSOR(SELECT STREAM F, G FROM {_FROM}), 3, 16, 100, 1))",
    "hotspots": f"* FROM TABLE(HOTSPOTS(CURSOR(SELECT STREAM F, G FROM {_FROM}), 100, 0.5, 3))",
    "ranks": f"* FROM TABLE(GROUP_RANK(CURSOR(SELECT STREAM K, G FROM {_FROM}), 'G', 'r', 'desc', 'asc', 5, 0))",
}


@pytest.mark.parametrize("kind", _WINDOWS)
def test_state_does_not_grow_with_keys_that_come_once(kind: str) -> None:
    third = 40 if "join" in kind else 20  # joins forget keys a thousand at a time
    sizes = state_sizes(plan_of(f"SELECT STREAM {_WINDOWS[kind]}"), cycles=3 * third, rows=30)
    for size in zip(*sizes, strict=True):  # what the operators say, and what a checkpoint takes
        assert max(size[2 * third :]) <= 1.3 * max(size[third : 2 * third]) + 500
