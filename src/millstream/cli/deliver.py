"""`millstream deliver`: the commands and their options; what they do is in the modules that they import."""
# ruff: noqa: PLC0415 - imports stand where they are needed: `millstream --help` must not wait for them

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from millstream.cli.errors import UsageError
from millstream.cli.options import Endpoint

deliver_app = typer.Typer(
    no_args_is_help=True, help="Delivery streams: to object stores, search, warehouses and HTTP endpoints."
)

Name = Annotated[str, typer.Argument(help="Name of the delivery stream.")]


@deliver_app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the new delivery stream.")],
    to: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="s3://bucket/prefix, an HTTP endpoint, https://host:9200 with --index, duckdb:table, "
            "duckdb:file/table, postgresql://user:password@host/database/table, redshift://…",
        ),
    ],
    source: Annotated[
        str | None, typer.Option("--from", metavar="STREAM", help="Deliver what is put into this data stream.")
    ] = None,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress with gzip.")] = False,
    snappy: Annotated[bool, typer.Option("--snappy", help="Compress with Snappy.")] = False,
    zip_: Annotated[bool, typer.Option("--zip", help="Compress with ZIP.")] = False,
    parquet: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Convert JSON to Parquet, with the columns of DATABASE.TABLE.")
    ] = None,
    orc: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Convert JSON to ORC, with the columns of DATABASE.TABLE.")
    ] = None,
    buffer: Annotated[
        str | None,
        typer.Option(
            metavar="5MB/60s",
            help="Deliver at so much data or so long after the first record.  "
            "[5MB/300s; 128MB with --parquet, --orc, --partition]",
        ),
    ] = None,
    partition: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=QUERY", help="Partition by what a jq query finds, as 'sector=.SECTOR'; repeatable."),
    ] = None,
    newline: Annotated[bool, typer.Option("--newline", help="Put a newline after each record.")] = False,
    error_prefix: Annotated[
        str | None, typer.Option(metavar="PREFIX", help="Where in the bucket records go that failed.")
    ] = None,
    side: Annotated[
        str,
        typer.Option(metavar="s3://…", help="For other destinations: holds what is on its way, and what was refused."),
    ] = "s3://millstream-deliveries",
    index: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="URL is an Elasticsearch or OpenSearch node: deliver to this index."),
    ] = None,
    endpoint: Endpoint = None,
) -> None:
    """Make a delivery stream, and wait until it takes records.

    What else the API can set takes `aws firehose create-delivery-stream`.
    """
    from millstream.cli.deliver_create import Wanted, parse_buffer, parse_partition
    from millstream.cli.deliver_manage import run_create

    formats = [f"--{word}" for word, given in (("gzip", gzip), ("snappy", snappy), ("zip", zip_)) if given]
    formats += [f"--{word}" for word, table in (("parquet", parquet), ("orc", orc)) if table]
    if len(formats) > 1:
        raise UsageError(f"give {' or '.join(formats)}, not both")
    wanted = Wanted(
        name,
        to,
        account="",
        compression="GZIP" if gzip else "Snappy" if snappy else "ZIP" if zip_ else None,
        columns=("PARQUET", parquet) if parquet else ("ORC", orc) if orc else None,
        partitions=tuple(parse_partition(text) for text in partition or ()),
        newline=newline,
        error_prefix=error_prefix,
        side=side,
        search_index=index,
    )
    if buffer is not None:
        wanted = wanted._replace(buffer=parse_buffer(buffer))
    run_create(endpoint, os.environ, wanted, source)


@deliver_app.command("list")
def list_(endpoint: Endpoint = None) -> None:
    """List delivery streams: what waits, for how long, and what was delivered."""
    from millstream.cli.deliver_watch import run_list

    run_list(endpoint, os.environ)


@deliver_app.command()
def show(name: Name, endpoint: Endpoint = None) -> None:
    """Show a delivery stream: its settings, and how its delivery goes."""
    from millstream.cli.deliver_watch import run_show

    run_show(endpoint, os.environ, name)


@deliver_app.command()
def put(
    name: Name,
    data: Annotated[
        str | None, typer.Argument(help="One record's data; without it, every line of the input is a record.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="Read records from FILE.  [standard input]")
    ] = None,
    endpoint: Endpoint = None,
) -> None:
    """Put records into a delivery stream: one from the command line, or one a line (without its line end)."""
    from millstream.cli.deliver_put import run_deliver_put

    if data is not None and file is not None:
        raise UsageError("give DATA or --file, not both")
    run_deliver_put(endpoint, os.environ, name, data=data, file=file)


@deliver_app.command()
def flush(
    name: Name,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="Wait so long at most.")] = 60.0,
    endpoint: Endpoint = None,
) -> None:
    """Deliver what is buffered now, and wait until everything that was put before is delivered."""
    from millstream.cli.deliver_watch import run_flush

    run_flush(endpoint, os.environ, name, timeout)


@deliver_app.command()
def errors(
    name: Name,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Show so many at most.")] = 20,
    endpoint: Endpoint = None,
) -> None:
    """Show the newest errors of a delivery stream, the newest last."""
    from millstream.cli.deliver_watch import run_errors

    run_errors(endpoint, os.environ, name, limit)


@deliver_app.command()
def delete(
    name: Name,
    force: Annotated[
        bool, typer.Option("--force", help="Also if records wait to be delivered: they are lost.")
    ] = False,
    endpoint: Endpoint = None,
) -> None:
    """Delete a delivery stream; what it has delivered stays."""
    from millstream.cli.deliver_manage import run_delete

    run_delete(endpoint, os.environ, name, force=force)
