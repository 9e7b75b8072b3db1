"""`millstream agent`: the commands and their options."""
# ruff: noqa: PLC0415 - imports stand where they are needed: `millstream --help` must not wait for them

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

agent_app = typer.Typer(help="Follow log files and put what is written to them into streams.")

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="FILE", help="The configuration; else /etc/aws-kinesis/agent.json, or ./agent.json."
    ),
]
State = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="DIR",
        help="Keep checkpoints and status in DIR; else checkpointFile says where.",
        file_okay=False,
    ),
]


@agent_app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    config: Config = None,
    once: Annotated[
        bool, typer.Option("--once", help="Send all that is in the files now, and end; 1 if that did not succeed.")
    ] = False,
    metrics_port: Annotated[
        int | None, typer.Option(metavar="PORT", min=1, max=65_535, help="Serve metrics for Prometheus on this port.")
    ] = None,
    metrics_host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address that metrics are served at.")
    ] = "127.0.0.1",
    state: State = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="Send everything there, whatever the configuration says.")
    ] = None,
) -> None:
    """Run the agent until it is interrupted. It takes the agent.json of Amazon's Kinesis Agent."""
    if context.invoked_subcommand is not None:
        return
    from millstream.cli.agentrun import run_agent_command

    metrics = None if metrics_port is None else (metrics_host, metrics_port)
    sys.exit(run_agent_command(config, once=once, metrics=metrics, state=state, endpoint=endpoint))


@agent_app.command()
def check(file: Annotated[Path | None, typer.Argument(metavar="FILE", help="The configuration.")] = None) -> None:
    """Say what a configuration does, which files it matches now, and what is wrong with it (all of it; exit code 1)."""
    from millstream.cli.agentcheck import run_check

    sys.exit(run_check(file))


@agent_app.command()
def status(config: Config = None, state: State = None) -> None:
    """Show the files, how far they are sent, and what went wrong; also when no agent runs."""
    from millstream.cli.agentstatus import run_status

    run_status(config, state)
