"""`millstream up`: settings, the server, and a few words on how to use it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from millstream import __version__
from millstream.server import Settings, Started, load_settings, run_server
from millstream.server.demo import STREAM_NAME
from millstream.server.demolake import BUCKET, PREFIX
from millstream.server.demolog import GROUP_NAME
from millstream.server.demosql import APPLICATION_NAME


def run_up(options: Mapping[str, Any], config: Path | None) -> None:
    """Serve until stopped. Raises MillstreamErrors that say why it cannot."""
    if config is None and "MILLSTREAM_CONFIG" in os.environ:
        config = Path(os.environ["MILLSTREAM_CONFIG"])
    settings = load_settings(options, os.environ, config)
    console = Console(highlight=False, soft_wrap=True)
    run_server(settings, lambda started: console.print(banner(settings, started, program())))


def program() -> str:
    """What to type to run this command again: its name if the shell finds it by that, else its path."""
    called = Path(sys.argv[0]).absolute()
    found = shutil.which("millstream")
    if not called.exists() or (found is not None and called.samefile(found)):
        return "millstream"
    return _relative(called)


def banner(settings: Settings, started: Started, program: str) -> str:
    """What is shown once the server takes requests, in rich's markup; `program` is how to call `millstream`."""
    limits = "as AWS's" if settings.limits == "aws" else "off"
    count = started.stream_count
    held = f"{count} stream{'' if count == 1 else 's'}" if count else "data"
    lines = [
        f"[bold cyan]Millstream[/] {__version__}   [bold]{started.url}[/]",
        f"[dim]{held} in {started.data_dir} · limits {limits} · Ctrl-C stops[/]",
        "",
        "Point any AWS SDK or the AWS CLI at it:",
        f"  [green]export AWS_ENDPOINT_URL={started.url}[/]",
    ]
    if started.certificate is not None:
        lines.append(f"  [green]export AWS_CA_BUNDLE={started.certificate}[/]")
    lines += [
        "[dim]Any credentials do, and account and region are taken from them. If you have none:[/]",
        f"  [dim]export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION={settings.region}[/]",
        "",
        "Try:",
        *(f"  [green]{escape(command)}[/]" for command in _commands(settings, program)),
        "",
    ]
    if settings.demo and settings.object_store == "local":
        lines += [
            "In half a minute the first ticks are in the data lake, as Parquet:",
            f"  [green]{escape(lake_query(started.data_dir))}[/]",
            "",
        ]
    return "\n".join(lines)


def lake_query(data_dir: Path) -> str:
    """A command that queries the demo's data lake, with this Python, which has DuckDB."""
    files = data_dir / "objects" / BUCKET / PREFIX / "*" / "*.parquet"
    query = f"SELECT sector, count(*), round(avg(price), 2) FROM '{_relative(files)}' GROUP BY ALL"  # noqa: S608 - to be read and typed
    return f'{_relative(Path(sys.executable))} -c "import duckdb; print(duckdb.sql(\\"{query}\\"))"'


def _relative(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _commands(settings: Settings, program: str) -> list[str]:
    if settings.demo:
        return [
            f"{program} tail {STREAM_NAME}",
            f"{program} streams",
            f"""{program} put {STREAM_NAME} '{{"TICKER_SYMBOL": "MINE", "SECTOR": "RETAIL", "PRICE": 1.0}}'""",
            f"{program} app tail {APPLICATION_NAME}",
            f"{program} deliver list",
            f"{program} logs tail {GROUP_NAME}",
        ]
    return [
        "aws kinesis create-stream --stream-name first --shard-count 2",
        f"{program} put first 'hello'",
        f"{program} tail first --from trim-horizon",
        f"{program} deliver create first-to-files --from first --to s3://my-bucket/first --gzip --newline",
    ]
