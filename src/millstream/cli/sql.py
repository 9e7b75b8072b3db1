"""`millstream sql`: the commands and their options."""
# ruff: noqa: PLC0415 - imports stand where they are needed: `millstream --help` must not wait for them

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

sql_app = typer.Typer(no_args_is_help=True, help="Run, check and explain SQL programs; no server is needed.")


class Speed(StrEnum):
    """How fast an input is read."""

    MAX = "max"
    REAL = "real"


Program = Annotated[Path, typer.Argument(metavar="FILE", help="The program; - is stdin. Or the name of a template.")]
SchemaFile = Annotated[
    Path | None,
    typer.Option("--schema", metavar="FILE", help="The input's schema: InputSchema as the API has it, in JSON."),
]
SourceName = Annotated[str, typer.Option("--source", help="The name of the in-application stream that the input is.")]
References = Annotated[
    list[str] | None,
    typer.Option("--reference", metavar="NAME=FILE", help="A reference table, from CSV or JSON; may be repeated."),
]
Input = Annotated[
    Path | None, typer.Option("--input", metavar="FILE", help="Records, one a line (JSON or CSV); - is stdin.")
]
DEFAULT_SOURCE = "SOURCE_SQL_STREAM_001"


@sql_app.command()
def run(
    program: Program,
    input_file: Annotated[
        Path, typer.Option("--input", metavar="FILE", help="Records, one a line (JSON or CSV); - is stdin.")
    ],
    speed: Annotated[Speed, typer.Option(help="As fast as can be, or at the pace of the rows' ROWTIMEs.")] = Speed.MAX,
    schema: SchemaFile = None,
    source: SourceName = DEFAULT_SOURCE,
    rowtime: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column that is a row's ROWTIME.  [a member ROWTIME, or now]"),
    ] = None,
    reference: References = None,
    stream: Annotated[
        list[str] | None, typer.Option(help="Print this in-application stream; may be repeated.  [the last ones]")
    ] = None,
) -> None:
    """Run a program on a file or on stdin, and print its results as they come, a line of JSON each.

    Without --schema it is discovered from the first records. Rows that fail go to error_stream, which is counted at the
    end and printed with --stream error_stream.
    """
    from millstream.cli.sqlrun import Wanted, run_program

    run_program(
        Wanted(program, input_file, schema, source, rowtime, reference or [], stream or [], speed is Speed.REAL)
    )


@sql_app.command()
def check(
    program: Program,
    schema: SchemaFile = None,
    input_file: Input = None,
    source: SourceName = DEFAULT_SOURCE,
    reference: References = None,
) -> None:
    """Say whether a program can run, and if not, what is wrong, where, and what to do.

    Its input's schema is --schema, or discovered from --input; without either that of the demo stream.
    """
    from millstream.cli.sqlcheck import run_check

    run_check(program, schema, input_file, source, reference or [])


@sql_app.command()
def explain(
    program: Program,
    schema: SchemaFile = None,
    input_file: Input = None,
    source: SourceName = DEFAULT_SOURCE,
    reference: References = None,
) -> None:
    """Print the plan of a program: for every pump its operators, windows, keys and types."""
    from millstream.cli.sqlcheck import run_explain

    run_explain(program, schema, input_file, source, reference or [])


@sql_app.command()
def templates(
    name: Annotated[str | None, typer.Argument(help="Print this template's program.")] = None,
) -> None:
    """List the templates: programs over the demo stream to begin with. Or print one."""
    from millstream.cli.sqlcheck import run_templates

    run_templates(name)
