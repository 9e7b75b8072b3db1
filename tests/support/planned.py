"""Programs over one source and one reference table, planned."""

from __future__ import annotations

from pathlib import Path

from millstream.analytics.language.parser import parse_program
from millstream.analytics.plan.environment import Catalog
from millstream.analytics.plan.nodes import Column, ProgramPlan
from millstream.analytics.plan.program import plan_program
from millstream.analytics.scalars.types import parse_type


def columns(**types: str) -> tuple[Column, ...]:
    """Columns by name."""
    return tuple(Column(name, parse_type(text)) for name, text in types.items())


CATALOG = Catalog(
    {
        "SOURCE_SQL_STREAM_001": columns(
            TICKER_SYMBOL="VARCHAR(4)",
            SECTOR="VARCHAR(16)",
            CHANGE="REAL",
            PRICE="REAL",
            event_time="TIMESTAMP",
            N="INTEGER",
        )
    },
    {"CompanyName": columns(TICKER="VARCHAR(4)", COMPANY="VARCHAR(32)")},
)


def planned(text: str) -> ProgramPlan:
    """The program's plan. Raises SqlError."""
    return plan_program(parse_program(text), CATALOG, text=text)


def cases(path: Path) -> dict[str, tuple[str, str]]:
    """A file of programs and what follows from them, by title: blocks of "### title", program, ">>>", result."""
    found = {}
    for block in path.read_text(encoding="utf-8").split("### ")[1:]:
        title, rest = block.split("\n", 1)
        program, result = rest.split("\n>>>\n")
        found[title] = (program, result.strip("\n"))
    return found
