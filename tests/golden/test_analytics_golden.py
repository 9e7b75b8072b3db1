"""Golden programs: analytics/cases/NAME.sql over NAME.jsonl gives NAME.out, however the records are cut into cycles.

The head of a program says what it shows, and, in lines of its own:

    -- schema: NAME TYPE, …         the columns of the source (`"name" TYPE $.a.path` for another place in the record)
    -- table: NAME (NAME TYPE, …)   a reference table, from NAME.csv
    -- input: NAME                  the records are those of another case
    -- source: NAME                 the source's name

A record's member ROWTIME is its time. With MILLSTREAM_GOLDEN=write in the environment, expected rows that differ are
written, and the difference is shown: read it.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

import msgspec
import pytest

from millstream.analytics.records.schema import CsvFormat, RecordColumn, Schema
from support.analyticsruns import SOURCE, Program, as_lines, milliseconds, run_program, ways

CASES = Path(__file__).parent / "analytics" / "cases"
NAMES = sorted(path.stem for path in CASES.glob("*.sql"))
_HEAD = re.compile(r"^-- (schema|table|input|source): *(.*)$", re.MULTILINE)
_COLUMN = re.compile(r'\s*(?:"([^"]+)"|(\w+))\s+([A-Za-z ]+(?:\([\d, ]+\))?)\s*(\$\S*)?\s*(?:,|$)')
_TABLE = re.compile(r'(?:"([^"]+)"|(\w+)) *\((.*)\)$')


def _columns(text: str) -> tuple[RecordColumn, ...]:
    columns = []
    for quoted, plain, sql_type, path in _COLUMN.findall(text):
        name = quoted or plain
        columns.append(RecordColumn(name=name, sql_type=sql_type.strip(), mapping=path or f"$.{name}"))
    return tuple(columns)


def _program(name: str) -> tuple[Program, list[bytes]]:
    code = (CASES / f"{name}.sql").read_text(encoding="utf-8")
    heads: dict[str, list[str]] = {}
    for kind, text in _HEAD.findall(code):
        heads.setdefault(kind, []).append(text)
    schema = Schema(columns=_columns(", ".join(heads["schema"])))
    tables = {}
    for text in heads.get("table", []):
        match = _TABLE.fullmatch(text.strip())
        assert match is not None, text
        columns = tuple(msgspec.structs.replace(one, mapping=None) for one in _columns(match[3]))
        table = match[1] or match[2]
        tables[table] = (Schema(columns=columns, format=CsvFormat()), (CASES / f"{table}.csv").read_bytes())
    records = (CASES / f"{heads.get('input', [name])[0]}.jsonl").read_bytes().splitlines()
    return Program(code, schema, heads.get("source", [SOURCE])[0], tables), records


@pytest.mark.parametrize("name", NAMES)
def test_programs_give_what_is_expected(name: str) -> None:
    program, records = _program(name)
    found = as_lines(run_program(program, records))
    path = CASES / f"{name}.out"
    expected = path.read_text(encoding="utf-8") if path.exists() else ""
    if os.environ.get("MILLSTREAM_GOLDEN") == "write" and found != expected:
        path.write_text(found, encoding="utf-8")
        print("".join(difflib.unified_diff(expected.splitlines(True), found.splitlines(True), "expected", "found")))
        return
    assert found.splitlines() == expected.splitlines()


@pytest.mark.parametrize("name", NAMES)
def test_results_do_not_depend_on_how_records_are_cut(name: str) -> None:
    program, records = _program(name)
    expected = (CASES / f"{name}.out").read_text(encoding="utf-8").splitlines()
    for way, cut in ways(len(records), _times_ms(records)).items():
        assert as_lines(run_program(program, records, cut)).splitlines() == expected, way


def _times_ms(records: list[bytes]) -> list[int]:
    """The ROWTIMEs of records that all have one, and in order; else none."""
    members = [re.search(rb'"ROWTIME": ?"?([^",}]+)', record) for record in records]
    texts = [match[1].decode() if match else "" for match in members]
    times = [milliseconds(text) for text in texts if text]
    return times if len(times) == len(texts) and times == sorted(times) else []


def test_every_case_is_complete() -> None:
    files = {path.name for path in CASES.iterdir()}
    assert {name.removesuffix(".out") for name in files if name.endswith(".out")} == set(NAMES)
    assert all((CASES / f"{name}.sql").read_text().startswith("-- ") for name in NAMES)
