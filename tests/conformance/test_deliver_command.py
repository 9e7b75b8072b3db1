"""`millstream deliver` and `millstream tables` against a live server, from the first record to what is delivered."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
from typing import TYPE_CHECKING

import duckdb
import pyarrow.dataset as ds

from support.commandline import CommandLine
from support.kinesis import Kinesis, wait_active
from support.server import COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECTORS = {"WAVE": "ENERGY", "GRID": "ENERGY", "CHIP": "TECHNOLOGY"}


def test_lines_become_an_object(command: CommandLine, bucket: Path) -> None:
    made = command("deliver", "create", "orders", "--to", f"s3://{bucket.name}/raw", "--gzip", "--newline")
    assert f"orders delivers to s3://{bucket.name}/raw/" in made.stdout
    lines = [f'{{"order": {n}}}' for n in range(1200)]
    assert command("deliver", "put", "orders", "--file", lines="\n".join(lines)).stderr.startswith(
        "1,200 records put into"
    )
    assert command("deliver", "flush", "orders").stdout == f"all of orders is delivered to s3://{bucket.name}/raw/\n"
    delivered = b"".join(gzip.decompress(path.read_bytes()) for path in sorted(bucket.rglob("*.gz")))
    assert sorted(delivered.decode().splitlines()) == sorted(lines)
    _, row = command("deliver", "list").stdout.splitlines()
    assert row.split()[:6] == ["orders", "ACTIVE", "direct", "put", f"s3://{bucket.name}/raw/", "nothing"]
    assert "1,200" in row
    shown = command("deliver", "show", "orders").stdout
    assert "1,200 records" in shown
    assert '"CompressionFormat": "GZIP"' in shown
    assert command("deliver", "errors", "orders").stdout == "No errors of orders.\n"
    command("deliver", "delete", "orders")
    assert list(bucket.rglob("*.gz"))


def test_a_stream_becomes_parquet_by_sector(
    command: CommandLine, make_stream: Callable[..., str], bucket: Path
) -> None:
    ddl = "CREATE TABLE demo.ticks (ticker_symbol string, price double) PARTITIONED BY (sector string);"
    assert command("tables", "load", lines=ddl).stdout == "demo.ticks is made\n"
    assert "ticker_symbol string, price double" in command("tables", "list").stdout
    stream = make_stream(2)
    command(
        *("deliver", "create", "lake", "--from", stream, "--to", f"s3://{bucket.name}/ticks"),
        *("--parquet", "demo.ticks", "--partition", "sector=.SECTOR", "--buffer", "64MB/900s"),
    )
    ticks = [
        f'{{"TICKER_SYMBOL": "{symbol}", "SECTOR": "{sector}", "PRICE": {n}.5}}'
        for n in range(100)
        for symbol, sector in SECTORS.items()
    ]
    command("put", stream, "--file", lines="\n".join(ticks))
    command("deliver", "flush", "lake")
    files = f"{bucket}/ticks/*/*.parquet"
    query = f"SELECT sector, ticker_symbol, count(*), sum(price) FROM '{files}' GROUP BY ALL ORDER BY ALL"
    assert duckdb.connect().execute(query).fetchall() == [
        ("ENERGY", "GRID", 100, 5000.0),
        ("ENERGY", "WAVE", 100, 5000.0),
        ("TECHNOLOGY", "CHIP", 100, 5000.0),
    ]
    table = ds.dataset(bucket / "ticks", partitioning="hive").to_table(filter=ds.field("sector") == "TECHNOLOGY")
    assert table.num_rows == 100
    assert set(table.column_names) == {"ticker_symbol", "price", "sector"}


def test_a_stream_is_delivered_through_resharding(
    command: CommandLine, make_stream: Callable[..., str], kinesis: Kinesis, bucket: Path
) -> None:
    stream = make_stream(2)
    made = command("deliver", "create", "raw", "--from", stream, "--to", f"s3://{bucket.name}/raw", "--newline")
    assert f"what is put into {stream} from now on" in made.stdout
    records = [str(number) for number in range(900)]
    command("put", stream, "--file", lines="\n".join(records[:300]))
    for place, shards in ((300, 4), (600, 2)):
        kinesis.update_shard_count(StreamName=stream, TargetShardCount=shards, ScalingType="UNIFORM_SCALING")
        wait_active(kinesis, stream)
        command("put", stream, "--file", lines="\n".join(records[place : place + 300]))
    command("deliver", "flush", "raw")
    delivered = [line for path in bucket.rglob("raw-*") for line in path.read_text().splitlines()]
    assert sorted(delivered) == sorted(records)


def test_what_cannot_be_converted_is_counted(command: CommandLine, bucket: Path) -> None:
    command("tables", "load", lines="CREATE TABLE demo.orders (id int)")
    command("deliver", "create", "bad", "--to", f"s3://{bucket.name}/ok", "--parquet", "demo.orders")
    command("deliver", "put", "bad", "--file", lines='{"id": 1}\nno JSON\n')
    command("deliver", "flush", "bad")
    shown = command("deliver", "show", "bad").stdout
    assert re.search(r"^delivered +1 record,", shown, re.MULTILINE)
    assert re.search(rf"^failed +1 record, kept in s3://{bucket.name}/errors/bad/…$", shown, re.MULTILINE)
    (failed,) = (bucket / "errors" / "bad" / "format-conversion-failed").iterdir()
    assert base64.b64decode(json.loads(failed.read_text())["rawData"]) == b"no JSON"
    assert "DataFormatConversion.ParseError: Encountered malformed JSON" in command("deliver", "errors", "bad").stdout


def test_errors_say_what_to_do(command: CommandLine) -> None:
    for arguments, message in (
        (("deliver", "put", "nothing", "x"), "Firehose nothing under account"),
        (("deliver", "create", "x", "--to", "s3://b", "--parquet", "no.table"), "`millstream tables load FILE`"),
        (("deliver", "create", "x", "--to", "s3://b", "--partition", "a=.["), "(InvalidArgumentException)"),
    ):
        (line,) = command(*arguments, fails=True).stderr.splitlines()
        assert message in line


def test_a_pipe_into_the_command_as_it_is_installed(
    command: CommandLine, environment: dict[str, str], bucket: Path
) -> None:
    command("deliver", "create", "piped", "--to", f"s3://{bucket.name}/raw", "--newline")
    piped = [str(COMMAND), "deliver", "put", "piped"]
    done = subprocess.run(piped, input="a\nb\n", capture_output=True, text=True, env=environment, timeout=30)
    assert done.returncode == 0, done.stderr
    command("deliver", "flush", "piped")
    (file,) = (path for path in bucket.rglob("*") if path.is_file())
    assert file.read_text() == "a\nb\n"
