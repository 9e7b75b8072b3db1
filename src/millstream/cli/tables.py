"""`millstream tables`: the commands and their options."""
# ruff: noqa: PLC0415 - imports stand where they are needed: `millstream --help` must not wait for them

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from millstream.cli.options import Endpoint

tables_app = typer.Typer(no_args_is_help=True, help="Table definitions, for Parquet and ORC.")


@tables_app.command()
def load(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CREATE TABLE statements, or JSON as `aws glue` has it; - is stdin.")
    ],
    endpoint: Endpoint = None,
) -> None:
    """Make tables, or change those that are there; databases are made as needed."""
    from millstream.cli.tabledefs import run_load

    run_load(endpoint, os.environ, file)


@tables_app.command("list")
def list_(endpoint: Endpoint = None) -> None:
    """List the tables with their columns."""
    from millstream.cli.tabledefs import run_tables

    run_tables(endpoint, os.environ)
