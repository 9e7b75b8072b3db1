"""`millstream sql check`, `explain` and `templates`."""

from __future__ import annotations

import sys
from pathlib import Path

from millstream.analytics.language.errors import SqlError
from millstream.analytics.language.parser import parse_program
from millstream.analytics.plan import Catalog, explain, plan_program
from millstream.analytics.plan.nodes import ProgramPlan
from millstream.analytics.programs import schema_columns
from millstream.analytics.records.schema import Schema
from millstream.analytics.templates import template, templates
from millstream.cli.errors import CommandError, UsageError
from millstream.cli.sqlsources import (
    DEMO_SCHEMA,
    SAMPLE_RECORDS,
    counted,
    discovered,
    read_program,
    read_schema,
    read_tables,
)


def run_check(program: Path, schema: Path | None, input_file: Path | None, source: str, references: list[str]) -> None:
    """Print how many streams and pumps the program has; raises CommandError with what is wrong."""
    plan = _plan(program, schema, input_file, source, references)
    own = [stream for stream in plan.streams.values() if not stream.source]
    streams = counted(len(own) - 1, "stream")  # error_stream is not the program's
    print(f"{program}: fine; {streams}, {counted(len(plan.pumps), 'pump')}")


def run_explain(
    program: Path, schema: Path | None, input_file: Path | None, source: str, references: list[str]
) -> None:
    """Print the plan."""
    print(explain(_plan(program, schema, input_file, source, references)))


def run_templates(name: str | None) -> None:
    """Print a template, or what there are."""
    if name is None:
        width = max(len(one.name) for one in templates())
        for one in templates():
            print(f"{one.name:<{width}}  {one.title}")
        return
    found = template(name)
    if found is None:
        raise UsageError(f"there is no template {name}; there are {', '.join(one.name for one in templates())}")
    sys.stdout.write(found.code)


def _plan(
    program: Path, schema: Path | None, input_file: Path | None, source: str, references: list[str]
) -> ProgramPlan:
    code = read_program(program)
    try:
        catalog = Catalog(
            sources={source: schema_columns(_schema(schema, input_file))},
            tables={name: schema_columns(of) for name, (of, _) in read_tables(references).items()},
        )
        return plan_program(parse_program(code), catalog, text=code)
    except SqlError as error:
        raise CommandError(f"{program}:{error.report()}") from error


def _schema(schema: Path | None, input_file: Path | None) -> Schema:
    if schema is not None:
        return read_schema(schema)
    if input_file is None:
        return DEMO_SCHEMA
    try:
        with sys.stdin.buffer if str(input_file) == "-" else input_file.open("rb") as file:
            lines = [line for _, line in zip(range(SAMPLE_RECORDS), file, strict=False)]
    except OSError as error:
        raise CommandError(f"{input_file}: {error.strerror}") from error
    return discovered([line.rstrip(b"\r\n") for line in lines], str(input_file))
