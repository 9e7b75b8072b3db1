"""`millstream connect`: the commands and their options; what they do is in the modules that they import."""
# ruff: noqa: PLC0415 - imports stand where they are needed: `millstream --help` must not wait for them

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from millstream.cli.errors import UsageError
from millstream.cli.options import Endpoint

connect_app = typer.Typer(
    no_args_is_help=True, help="Connect other systems: queues into streams, log events out of them."
)


@connect_app.callback()
def _connect() -> None:
    """Keeps `connect` a group, however many commands it has."""


@connect_app.command()
def rabbitmq(
    queue: Annotated[str, typer.Option(metavar="QUEUE", help="Take the messages of this queue.")],
    deliver: Annotated[
        str | None, typer.Option(metavar="NAME", help="Put them into this delivery stream; or give --stream.")
    ] = None,
    stream: Annotated[
        str | None, typer.Option(metavar="NAME", help="Put them into this data stream; or give --deliver.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            metavar="amqp[s]://…",
            help="The broker: amqp://user:password@host:5672/vhost; better given by --url-file or its variable, "
            "$MILLSTREAM_RABBITMQ_URL, which others cannot see.  [amqp://guest:guest@127.0.0.1:5672/]",
        ),
    ] = None,
    url_file: Annotated[Path | None, typer.Option(metavar="FILE", help="The broker's URL is in this file.")] = None,
    ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Trust the certificates in this file (PEM), with amqps://.")
    ] = None,
    declare: Annotated[bool, typer.Option("--declare", help="Make the queue (durable) when it is not there.")] = False,
    key: Annotated[
        str, typer.Option(metavar="KEY", help="Partition keys, with --stream: routing-key, header:NAME or random.")
    ] = "random",
    escape: Annotated[
        bool, typer.Option("--escape", help="Write newlines and tabs in messages as \\\\n, \\\\r and \\\\t.")
    ] = False,
    newline: Annotated[bool, typer.Option("--newline", help="Put a newline after each message.")] = False,
    oversize: Annotated[
        str,
        typer.Option(
            metavar="reject|split|drop",
            help="What becomes of messages larger than a record: rejected to the queue's dead-letter exchange, split "
            "into several records, or dropped.",
        ),
    ] = "reject",
    consumers: Annotated[int, typer.Option(min=1, max=64, help="Channels that consume.")] = 2,
    prefetch: Annotated[
        int, typer.Option(min=1, max=65_535, help="Messages that each may have unacknowledged.")
    ] = 2000,
    linger_ms: Annotated[
        int, typer.Option(metavar="MS", min=0, max=60_000, help="How long a batch may wait to become full.")
    ] = 100,
    puts: Annotated[
        int, typer.Option(min=1, max=64, help="Requests at once; with 1, and --consumers 1, order is kept.")
    ] = 4,
    metrics_port: Annotated[
        int | None, typer.Option(metavar="PORT", min=1, max=65_535, help="Serve metrics for Prometheus on this port.")
    ] = None,
    metrics_host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address that metrics are served at.")
    ] = "127.0.0.1",
    log_level: Annotated[str, typer.Option(metavar="LEVEL", help="debug, info, warning or error.")] = "info",
    endpoint: Endpoint = None,
) -> None:
    """Put the messages of a RabbitMQ queue into a stream; acknowledge each once it is in.

    Runs until SIGTERM or Ctrl-C, then finishes what it has in hand; a second one ends it at once.
    """
    from millstream.cli.connect_rabbitmq import Wanted, run_rabbitmq

    if (deliver is None) == (stream is None):
        raise UsageError("give --deliver or --stream: where the messages go")
    if stream is None and key != "random":
        raise UsageError("--key is for --stream: delivery streams have no partition keys")
    run_rabbitmq(
        Wanted(
            queue=queue,
            deliver=deliver,
            stream=stream,
            url=url,
            url_file=url_file,
            ca=ca,
            declare=declare,
            key=key,
            escape=escape,
            newline=newline,
            oversize=oversize,
            consumers=consumers,
            prefetch=prefetch,
            linger_ms=linger_ms,
            puts=puts,
            metrics=None if metrics_port is None else (metrics_host, metrics_port),
            log_level=log_level,
            endpoint=endpoint,
        )
    )


@connect_app.command()
def subscription(
    stream: Annotated[str, typer.Option(metavar="NAME", help="The data stream that subscription filters put into.")],
    to: Annotated[str, typer.Option(metavar="CONNECTOR", help="elasticsearch, s3, stdout, or one that you installed.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the connector; may be repeated."),
    ] = None,
    group: Annotated[
        str, typer.Option(metavar="NAME", help="Consumers of one group share the shards and where they are.")
    ] = "log-subscription",
    latest: Annotated[
        bool, typer.Option("--latest", help="A new group begins with what comes from now on, not with the oldest.")
    ] = False,
    batch: Annotated[int, typer.Option(min=1, max=100_000, help="Events that are written at once, at most.")] = 5000,
    linger_ms: Annotated[
        int, typer.Option(metavar="MS", min=0, max=900_000, help="How long events may wait for more.")
    ] = 1000,
    metrics_port: Annotated[
        int | None, typer.Option(metavar="PORT", min=1, max=65_535, help="Serve metrics for Prometheus on this port.")
    ] = None,
    metrics_host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address that metrics are served at.")
    ] = "127.0.0.1",
    log_level: Annotated[str, typer.Option(metavar="LEVEL", help="debug, info, warning or error.")] = "info",
    endpoint: Endpoint = None,
) -> None:
    """Take the log events of CloudWatch Logs subscriptions out of a stream, to a search index, to files, to a terminal.

    Several may run side by side. Runs until SIGTERM or Ctrl-C.
    """
    from millstream.cli.connect_subscription import Wanted, run_subscription

    run_subscription(
        Wanted(
            stream=stream,
            group=group,
            to=to,
            settings=settings or (),
            latest=latest,
            batch=batch,
            linger_ms=linger_ms,
            metrics=None if metrics_port is None else (metrics_host, metrics_port),
            log_level=log_level,
            endpoint=endpoint,
        )
    )
