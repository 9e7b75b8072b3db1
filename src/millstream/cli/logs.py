"""`millstream logs`: the commands and their options."""
# ruff: noqa: PLC0415 - imports stand where they are needed: `millstream --help` must not wait for them

from __future__ import annotations

import os
from typing import Annotated

import typer

from millstream.cli.options import Endpoint

logs_app = typer.Typer(no_args_is_help=True, help="Log groups: what is there, and what is written to them.")


@logs_app.command("list")
def list_(endpoint: Endpoint = None) -> None:
    """List the log groups of the account and region."""
    from millstream.cli.logstail import run_list

    run_list(endpoint, os.environ)


@logs_app.command()
def tail(
    group: Annotated[str, typer.Argument(help="Name of the log group.")],
    stream: Annotated[
        list[str] | None, typer.Option("--stream", metavar="NAME", help="Only this log stream; may be repeated.")
    ] = None,
    pattern: Annotated[
        str | None, typer.Option("--filter", metavar="PATTERN", help="Only events that the filter pattern matches.")
    ] = None,
    since: Annotated[
        str, typer.Option(metavar="AGE", help="Begin so long ago: 30s, 10m, 3h, 2d; 0 begins with the first event.")
    ] = "10m",
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on as events come.")] = True,
    raw: Annotated[bool, typer.Option("--raw", help="Only the message of each event.")] = False,
    endpoint: Endpoint = None,
) -> None:
    """Follow a log group, until interrupted."""
    from millstream.cli.logstail import Wanted, run_logs_tail

    run_logs_tail(endpoint, os.environ, Wanted(group, stream, pattern, since, follow, raw))
