"""The commands and their options; what they do is in the modules that they import when they run."""
# ruff: noqa: PLC0415 - imports stand where they are needed: `millstream --help` must not wait for them

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from millstream import __version__
from millstream.cli.agent import agent_app
from millstream.cli.applications import app_app
from millstream.cli.connect import connect_app
from millstream.cli.deliver import deliver_app
from millstream.cli.errors import UsageError
from millstream.cli.logs import logs_app
from millstream.cli.options import Endpoint
from millstream.cli.sql import sql_app
from millstream.cli.tables import tables_app

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Millstream: the Amazon Kinesis platform as software that you run yourself.",
)
log_app = typer.Typer(no_args_is_help=True, help="Look into record logs on this machine.")
app.add_typer(agent_app, name="agent")
app.add_typer(app_app, name="app")
app.add_typer(connect_app, name="connect")
app.add_typer(deliver_app, name="deliver")
app.add_typer(logs_app, name="logs")
app.add_typer(sql_app, name="sql")
app.add_typer(tables_app, name="tables")
app.add_typer(log_app, name="log")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"millstream {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of `millstream` itself."""


@app.command()
def up(
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings from this TOML file; else $MILLSTREAM_CONFIG.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [127.0.0.1]")] = None,
    port: Annotated[str | None, typer.Option(help="Port to listen on; 0 takes any that is free.  [4566]")] = None,
    data_dir: Annotated[
        str | None, typer.Option(metavar="DIR", help="Directory of all that the server keeps.  [millstream-data]")
    ] = None,
    limits: Annotated[
        str | None, typer.Option(metavar="aws|off", help="AWS's rate limits and quotas, or none.  [aws]")
    ] = None,
    demo: Annotated[bool | None, typer.Option("--demo/--no-demo", help="Feed a demo stream with stock ticks.")] = None,
    region: Annotated[str | None, typer.Option(help="Region of requests that name none.  [us-east-1]")] = None,
    insecure: Annotated[
        bool | None, typer.Option("--insecure", help="Listen beyond this machine although nobody must authenticate.")
    ] = None,
    tls_cert: Annotated[
        str | None, typer.Option(metavar="FILE", help="Serve HTTPS with this certificate chain (PEM).")
    ] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="FILE", help="The certificate's private key (PEM).")] = None,
    tls_self_signed: Annotated[
        bool | None, typer.Option("--tls-self-signed", help="Serve HTTPS with a certificate made on first use.")
    ] = None,
    create_delay_ms: Annotated[
        str | None, typer.Option(metavar="MS", help="How long something new is CREATING.  [50]")
    ] = None,
    update_delay_ms: Annotated[
        str | None, typer.Option(metavar="MS", help="How long a changed stream is UPDATING.  [50]")
    ] = None,
    delete_delay_ms: Annotated[
        str | None, typer.Option(metavar="MS", help="How long something deleted is DELETING.  [50]")
    ] = None,
    shard_limit: Annotated[
        str | None, typer.Option(metavar="N", help="Open shards that an account may have in a region.  [20000]")
    ] = None,
    object_store: Annotated[
        str | None,
        typer.Option(metavar="local|s3://", help="Where buckets are: in data_dir, or an S3 service.  [local]"),
    ] = None,
    s3_endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="S3-compatible service with the buckets; without it AWS.")
    ] = None,
    s3_region: Annotated[str | None, typer.Option(metavar="REGION", help="Region of the buckets.  [us-east-1]")] = None,
    s3_path_style: Annotated[
        bool | None,
        typer.Option("--s3-path-style/--no-s3-path-style", help="Address buckets by path, not by host name.  [yes]"),
    ] = None,
    s3_access_key_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Credentials for the buckets, if not AWS's usual ones.")
    ] = None,
    s3_secret_access_key: Annotated[
        str | None, typer.Option(metavar="SECRET", help="Their secret; better given by its variable.")
    ] = None,
    lambda_endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="Where functions are invoked, as with AWS Lambda's API.")
    ] = None,
    application_memory_mib: Annotated[
        str | None, typer.Option(metavar="MIB", help="Memory that a SQL application's process may have.  [2048]")
    ] = None,
    warehouse_paths: Annotated[
        bool | None,
        typer.Option("--warehouse-paths/--no-warehouse-paths", help="Take duckdb: URLs of files anywhere.  [no]"),
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error.  [warning]")
    ] = None,
) -> None:
    """Run the platform until it is interrupted.

    Every option is also an environment variable (MILLSTREAM_DATA_DIR) and a key of the file (data_dir).
    """
    from millstream.cli.up import run_up

    options = {name: value for name, value in locals().items() if name not in ("config", "run_up")}
    run_up(options, config)


@app.command()
def put(
    stream: Annotated[str, typer.Argument(help="Name of the stream.")],
    data: Annotated[
        str | None, typer.Argument(help="One record's data; without it, every line of the input is a record.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="Read records from FILE.  [standard input]")
    ] = None,
    partition_key: Annotated[
        str | None, typer.Option("--partition-key", "-k", metavar="KEY", help="Partition key of all records.  [random]")
    ] = None,
    key_field: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Records are JSON objects: take the partition key from this field."),
    ] = None,
    endpoint: Endpoint = None,
) -> None:
    """Put records into a stream: one from the command line, or one a line.

    Records that are throttled or fail are put again until they are in. As with PutRecords, several lines may get in in
    another order than they came.
    """
    from millstream.cli.put import run_put

    if data is not None and file is not None:
        raise UsageError("give DATA or --file, not both")
    if partition_key is not None and key_field is not None:
        raise UsageError("give --partition-key or --key-field, not both")
    run_put(endpoint, os.environ, stream, data=data, file=file, partition_key=partition_key, key_field=key_field)


@app.command()
def tail(
    stream: Annotated[str, typer.Argument(help="Name of the stream.")],
    start: Annotated[
        str,
        typer.Option("--from", metavar="POSITION", help="trim-horizon, latest, or a time: ISO 8601 or epoch seconds."),
    ] = "latest",
    raw: Annotated[bool, typer.Option("--raw", help="Only the data of each record, a line each.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Stop after so many records.")] = None,
    endpoint: Endpoint = None,
) -> None:
    """Follow a stream: all shards, through resharding, until interrupted."""
    from millstream.cli.tail import run_tail

    run_tail(endpoint, os.environ, stream, start=start, raw=raw, limit=limit)


@app.command()
def streams(endpoint: Endpoint = None) -> None:
    """List the streams of the account and region, with what has come in during the last seconds."""
    from millstream.cli.streams import run_streams

    run_streams(endpoint, os.environ)


@log_app.command("check")
def log_check(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A server's data directory, or one log's.")],
) -> None:
    """Verify every block of the logs in DIR, read-only; exit 1 and name the place of the first bad one."""
    from millstream.cli.logcheck import run_log_check

    sys.exit(run_log_check(directory))
