"""What SQL costs: programs over two million ticks in a log, beside Flink SQL over the same ticks in a file.

Both run with a parallelism of one and drop their results. A figure is rows by second of the run (the start of the
process is left out; that of Flink's job is in it, some two seconds), and rows by second of CPU time of all threads.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.client import ROLE_ARN, Client
from benchmarks.figures import Figures, percentile
from benchmarks.install import InstallError, PipRecipe
from benchmarks.load import LoadError
from benchmarks.process import Running
from benchmarks.rendering import ANALYTICS, STREAM_NAME
from benchmarks.servers import PEERS
from millstream.base.clock import ManualClock
from millstream.disk import RealDisk
from millstream.log import Batch, EmbeddedLog

FLINK_NAME = "flink"
FLINK = PipRecipe(PEERS, "apache_flink", "2.3.0")
ROWS = 2_000_000
_BEGIN_MS = 1_700_000_000_000
_ROWS_PER_MS = 10
_RECORDS_PER_COMMIT = 500
_SECONDS_MAX = 900

Say = Callable[[str], None]
Run = dict[str, float]
"""What a run took: `rows`, `seconds`, `cpu_seconds`, `memory_mib`."""

_STREAM = 'CREATE STREAM "OUT{n}" ({columns}); CREATE PUMP "PUMP{n}" AS INSERT INTO "OUT{n}" {query};\n'
_FILTER = (
    "ticker_symbol VARCHAR(4), sector VARCHAR(16), change REAL, price REAL",
    "SELECT STREAM ticker_symbol, sector, change, price FROM source_sql_stream_001 WHERE sector SIMILAR TO '%TECH%'",
)
_TUMBLING = (
    "ticker_symbol VARCHAR(4), n BIGINT, low REAL, high REAL, mean REAL",
    """SELECT STREAM ticker_symbol, COUNT(*), MIN(price), MAX(price), AVG(price) FROM source_sql_stream_001
    GROUP BY ticker_symbol, STEP(source_sql_stream_001.ROWTIME BY INTERVAL '10' SECOND)""",
)
_SLIDING = (
    "ticker_symbol VARCHAR(4), price REAL, mean REAL",
    """SELECT STREAM ticker_symbol, price,
        AVG(price) OVER (PARTITION BY ticker_symbol RANGE INTERVAL '10' SECOND PRECEDING)
    FROM source_sql_stream_001""",
)
PROGRAMS = {"filter": [_FILTER], "tumbling": [_TUMBLING], "sliding": [_SLIDING]}
PUMPS = (1, 5, 20)
_LATENCY_RECORDS = 100
_LATENCY_S_MAX = 10.0
_POLL_S = 0.002
_PAUSE_S_MAX = 0.2
_RESULTS = "results"
_ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/"
_TICK = b'{"TICKER_SYMBOL":"CHIP","SECTOR":"TECHNOLOGY","CHANGE":1.25,"PRICE":205.5}'


def measure_sql(directory: Path, rounds: int, say: Say) -> Iterator[tuple[Figures, Figures]]:
    """The figures of ours and of Flink, a round at a time; Flink's are empty where it cannot be had."""
    say("sql: making two million ticks")
    ticks = directory / "ticks.jsonl"
    write_ticks(ticks, ROWS)
    asyncio.run(_write_log(directory, ticks))
    has_flink = _has_flink(say)
    for number in range(1, rounds + 1):
        ours: Figures = {}
        theirs: Figures = {}
        for name, pumps in PROGRAMS.items():
            say(f"sql: round {number}: {name}")
            _put(ours, name, _ours(directory, pumps))
            if has_flink:
                _put(theirs, name, _flink(name, ticks))
                ours[f"sql_times_{name}"] = ours[f"sql_{name}_core"] / theirs[f"sql_{name}_core"]
        say(f"sql: round {number}: how cost grows")
        ours |= _growth(directory)
        yield ours, theirs


def _growth(directory: Path) -> Figures:
    half = _ours(directory, PROGRAMS["tumbling"], rows=ROWS // 2)
    figures: Figures = {"sql_half": half["rows"] / half["seconds"]}
    for count in PUMPS:
        run = _ours(directory, PROGRAMS["tumbling"] * count, rows=ROWS // 5)
        figures[f"sql_pumps_{count}"] = run["cpu_seconds"] / run["rows"] * 1e6
    return figures


def measure_latency(running: Running) -> Figures:
    """From the call of PutRecord to the result's arrival at a reader that asks every few milliseconds."""
    with Client(running.port) as client:
        client.create_stream(1)
        (shard,) = client.create_stream(1, _RESULTS)
        _start_filter(client)
        found = client.call("GetShardIterator", StreamName=_RESULTS, ShardId=shard, ShardIteratorType="LATEST")
        iterator = found["ShardIterator"]
        waits_ms = []
        for _ in range(_LATENCY_RECORDS):
            wait_ms, iterator = _latency_ms(client, iterator)
            waits_ms.append(wait_ms)
    return {"sql_latency_p50": percentile(waits_ms, 50), "sql_latency_p99": percentile(waits_ms, 99)}


def _start_filter(client: Client) -> None:
    types = {"TICKER_SYMBOL": "VARCHAR(4)", "SECTOR": "VARCHAR(16)", "CHANGE": "REAL", "PRICE": "REAL"}
    columns = [{"Name": name, "SqlType": sql_type, "Mapping": f"$.{name}"} for name, sql_type in types.items()]
    json_rows = {"RecordFormatType": "JSON", "MappingParameters": {"JSONMappingParameters": {"RecordRowPath": "$"}}}
    source = {
        "NamePrefix": "SOURCE_SQL_STREAM",
        "KinesisStreamsInput": {"ResourceARN": _ARN + STREAM_NAME, "RoleARN": ROLE_ARN},
        "InputSchema": {"RecordFormat": json_rows, "RecordColumns": columns},
    }
    output = {
        "Name": "OUT0",
        "KinesisStreamsOutput": {"ResourceARN": _ARN + _RESULTS, "RoleARN": ROLE_ARN},
        "DestinationSchema": {"RecordFormatType": "JSON"},
    }
    code = _STREAM.format(n=0, columns=_FILTER[0], query=_FILTER[1])
    members = {"ApplicationName": STREAM_NAME, "ApplicationCode": code, "Inputs": [source], "Outputs": [output]}
    client.call("CreateApplication", service=ANALYTICS, **members)
    begin = {"Id": "1.1", "InputStartingPositionConfiguration": {"InputStartingPosition": "NOW"}}
    client.call("StartApplication", service=ANALYTICS, ApplicationName=STREAM_NAME, InputConfigurations=[begin])
    deadline_s = time.monotonic() + _LATENCY_S_MAX * 3
    while time.monotonic() < deadline_s:
        detail = client.call("DescribeApplication", service=ANALYTICS, ApplicationName=STREAM_NAME)["ApplicationDetail"]
        if detail["ApplicationStatus"] == "RUNNING":
            return
        time.sleep(0.1)
    raise LoadError("the application does not run")


def _latency_ms(client: Client, iterator: str) -> tuple[float, str]:
    """Puts one record, and reads until its result is there."""
    began_s = time.perf_counter()
    client.call("PutRecord", StreamName=STREAM_NAME, PartitionKey="key", Data=base64.b64encode(_TICK).decode())
    while time.perf_counter() - began_s < _LATENCY_S_MAX:
        found = client.call("GetRecords", ShardIterator=iterator)
        iterator = found["NextShardIterator"]
        if found["Records"]:
            wait_ms = (time.perf_counter() - began_s) * 1000
            time.sleep(random.random() * _PAUSE_S_MAX)  # so as not to follow any rhythm of the reader's
            return wait_ms, iterator
        time.sleep(_POLL_S)
    raise LoadError(f"no result came within {_LATENCY_S_MAX:g} s")


def write_ticks(path: Path, rows: int) -> None:
    """Ticks of a hundred shares, ten a millisecond of event time; the same every time."""
    generator = random.Random(2016)
    shares = [f"{a}{b}{c}{d}" for a in "AB" for b in "CDEFG" for c in "HI" for d in "JKLMN"]
    sectors = ["ENERGY", "FINANCIAL", "HEALTHCARE", "RETAIL", "TECHNOLOGY"]
    line = '{"TICKER_SYMBOL":"%s","SECTOR":"%s","CHANGE":%.2f,"PRICE":%.2f,"TS":%d}\n'
    with path.open("w") as file:
        for number in range(rows):
            share = generator.randrange(len(shares))
            values = (shares[share], sectors[share % 5], generator.gauss(0, 1), generator.random() * 100 + 1)
            file.write(line % (*values, _BEGIN_MS + number // _ROWS_PER_MS))


async def _write_log(directory: Path, ticks: Path) -> None:
    """The ticks as records of a log, which arrived when they say."""
    clock = ManualClock(_BEGIN_MS)
    with ThreadPoolExecutor(1) as threads, ticks.open("rb") as file:
        log = EmbeddedLog.open(RealDisk(directory), "log", executor=threads, clock=clock)
        while lines := [line.rstrip() for line in (file.readline() for _ in range(_RECORDS_PER_COMMIT)) if line]:
            await log.append([Batch(0, [b"key"] * len(lines), lines)])
            clock.advance(_RECORDS_PER_COMMIT // _ROWS_PER_MS)
        log.publish_end()
        await log.close()


def _ours(directory: Path, pumps: list[tuple[str, str]], rows: int = ROWS) -> Run:
    program = directory / "program.sql"
    program.write_text(
        "".join(_STREAM.format(n=number, columns=columns, query=query) for number, (columns, query) in enumerate(pumps))
    )
    return _run([sys.executable, "-m", "benchmarks.sqlengine", str(program), str(directory), str(rows)])


def _flink(name: str, ticks: Path) -> Run:
    script = Path(__file__).with_name("flinkqueries.py")
    return _run([str(FLINK.commands / "python"), str(script), name, str(ticks)]) | {"rows": ROWS}


def _has_flink(say: Say) -> bool:
    try:
        if not FLINK.installed():
            say("installing Flink")
            FLINK.install()
    except InstallError as error:
        say(f"flink: not measured: {error}")
        return False
    return True


def _run(command: list[str]) -> Run:
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=_SECONDS_MAX)
    except subprocess.CalledProcessError as error:
        raise LoadError(f"{' '.join(command)}: {error.stderr.decode(errors='replace')[-500:]}") from error
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"{' '.join(command)} takes longer than {_SECONDS_MAX} s") from error
    answer: Run = json.loads(done.stdout.splitlines()[-1])
    return answer


def _put(figures: Figures, name: str, run: Run) -> None:
    figures[f"sql_{name}"] = run["rows"] / run["seconds"]
    figures[f"sql_{name}_core"] = run["rows"] / run["cpu_seconds"]
    figures[f"sql_{name}_memory"] = run["memory_mib"]
