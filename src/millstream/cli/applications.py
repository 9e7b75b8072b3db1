"""`millstream app`: the commands and their options."""
# ruff: noqa: PLC0415 - imports stand where they are needed: `millstream --help` must not wait for them

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from millstream.cli.options import Endpoint

app_app = typer.Typer(no_args_is_help=True, help="SQL applications: continuous queries over streams.")

Name = Annotated[str, typer.Argument(help="Name of the application.")]
Outputs = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        metavar="IN_APP=TARGET",
        help="Send an in-application stream to stream:NAME, firehose:NAME or function:NAME.",
    ),
]
Code = Annotated[
    Path, typer.Option("--code", metavar="FILE", help="The program; - is stdin. Or the name of a template.")
]


class From(StrEnum):
    """Where an application begins to read."""

    NOW = "now"
    OLDEST = "trim-horizon"
    LAST = "last"


@app_app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the new application.")],
    source: Annotated[
        str, typer.Option("--source", metavar="STREAM", help="The data stream to read, or firehose:NAME.")
    ],
    code: Code,
    output: Outputs = None,
    schema: Annotated[
        Path | None, typer.Option(metavar="FILE", help="InputSchema, in JSON.  [discovered from the stream's records]")
    ] = None,
    parallelism: Annotated[
        int, typer.Option(min=1, max=64, help="In-application streams that the source is split in.")
    ] = 1,
    start: Annotated[bool, typer.Option("--start/--no-start", help="Start it at once, from now on.")] = True,
    endpoint: Endpoint = None,
) -> None:
    """Make an application, and start it."""
    from millstream.cli.applicationcommands import Wanted, run_create

    run_create(endpoint, os.environ, Wanted(name, source, code, output or [], schema, parallelism, start))


@app_app.command()
def start(
    name: Name,
    begin: Annotated[
        From, typer.Option("--from", help="Read from now on, from the oldest record, or where it was stopped.")
    ] = From.NOW,
    endpoint: Endpoint = None,
) -> None:
    """Start an application, and wait until it runs."""
    from millstream.cli.applicationcommands import run_start

    run_start(endpoint, os.environ, name, begin.value)


@app_app.command()
def stop(name: Name, endpoint: Endpoint = None) -> None:
    """Stop an application; its place and its windows are kept."""
    from millstream.cli.applicationcommands import run_stop

    run_stop(endpoint, os.environ, name)


@app_app.command()
def update(name: Name, code: Code, endpoint: Endpoint = None) -> None:
    """Give an application another program; pumps whose queries are the same keep their windows."""
    from millstream.cli.applicationcommands import run_update

    run_update(endpoint, os.environ, name, code)


@app_app.command()
def route(
    name: Name,
    output: Annotated[str, typer.Argument(metavar="IN_APP=TARGET", help="As with create --output.")],
    endpoint: Endpoint = None,
) -> None:
    """Send an in-application stream to a data stream, a delivery stream or a function."""
    from millstream.cli.applicationcommands import run_route

    run_route(endpoint, os.environ, name, output)


@app_app.command()
def tail(
    name: Name,
    stream: Annotated[
        str | None, typer.Argument(help="The in-application stream.  [DESTINATION_SQL_STREAM, or the last one]")
    ] = None,
    count: Annotated[int | None, typer.Option("-n", "--count", min=1, help="End after so many rows.")] = None,
    endpoint: Endpoint = None,
) -> None:
    """Print the rows of an in-application stream as they come, a line of JSON each."""
    from millstream.cli.applicationwatch import run_tail

    run_tail(endpoint, os.environ, name, stream, count)


@app_app.command("list")
def list_(endpoint: Endpoint = None) -> None:
    """List the applications, and how they go."""
    from millstream.cli.applicationwatch import run_list

    run_list(endpoint, os.environ)


@app_app.command()
def show(name: Name, endpoint: Endpoint = None) -> None:
    """Show an application: its source, streams, outputs, and how it goes."""
    from millstream.cli.applicationwatch import run_show

    run_show(endpoint, os.environ, name)


@app_app.command()
def delete(name: Name, endpoint: Endpoint = None) -> None:
    """Delete an application with its place and its windows; streams and what was put into them stay."""
    from millstream.cli.applicationcommands import run_delete

    run_delete(endpoint, os.environ, name)
