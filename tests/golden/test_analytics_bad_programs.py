"""Bad programs: what people are told, with the place; one of each class of mistakes, in analytics/bad_programs.txt.

With MILLSTREAM_GOLDEN=write in the environment, reports that differ are written: read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from millstream.analytics.language.errors import SqlError
from millstream.analytics.records.schema import CsvFormat, RecordColumn, Schema
from support.analyticsruns import Program, ProgramRun

FILE = Path(__file__).parent / "analytics" / "bad_programs.txt"
SCHEMA = Schema(
    columns=tuple(
        RecordColumn(name=name, sql_type=sql_type, mapping=f"$.{name}")
        for name, sql_type in (
            ("TICKER", "VARCHAR(4)"),
            ("PRICE", "REAL"),
            ("QTY", "INTEGER"),
            ("AT_", "TIMESTAMP"),
            ("mixedCase", "INTEGER"),
            ("LINE", "VARCHAR(512)"),
        )
    )
)
COMPANIES = Schema(
    columns=(RecordColumn(name="SYMBOL", sql_type="VARCHAR(4)"), RecordColumn(name="NAME", sql_type="VARCHAR(20)")),
    format=CsvFormat(),
)


class Case(NamedTuple):
    """A program, and what its author is told."""

    title: str
    program: str
    report: str


def _cases() -> list[Case]:
    made = []
    for entry in FILE.read_text(encoding="utf-8").split("### ")[1:]:
        title, _, rest = entry.partition("\n")
        program, _, report = rest.partition("\n---\n")
        made.append(Case(title, program, report.strip("\n")))
    return made


CASES = _cases()


def _report(program: str) -> str:
    with pytest.raises(SqlError) as caught:
        ProgramRun(Program(program, SCHEMA, tables={"COMPANIES": (COMPANIES, b"AAA,Alpha\n")}))
    return "\n".join(line.rstrip() for line in caught.value.report().splitlines())


@pytest.mark.parametrize("case", CASES, ids=[case.title for case in CASES])
def test_a_mistake_is_told_with_its_place(case: Case) -> None:
    found = _report(case.program)
    if os.environ.get("MILLSTREAM_GOLDEN") == "write" and found != case.report:
        entries = [one._replace(report=found) if one == case else one for one in _cases()]
        text = "".join(f"### {one.title}\n{one.program}\n---\n{one.report}\n" for one in entries)
        FILE.write_text(text, encoding="utf-8")
        return
    assert found.splitlines() == case.report.splitlines()


def test_titles_are_unique() -> None:
    assert len({case.title for case in CASES}) == len(CASES) > 70
