"""`millstream app` against a live server, and `millstream sql` on files."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from support.applications import COLUMNS, COPY, schema
from support.kinesis import Kinesis, read_shard
from support.server import COMMAND
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.commandline import CommandLine

TICKS = "".join(
    json.dumps({"ROWTIME": f"2026-11-23 10:00:0{second}.000", "SYMBOL": symbol, "PRICE": price}) + "\n"
    for second, symbol, price in [(0, "WAVE", 10.5), (1, "WAVE", 12.5), (1, "GRID", 7.5), (3, "WAVE", 20.0)]
)
WINDOWS = """\
CREATE STREAM "OUT" (symbol VARCHAR(8), c INTEGER, highest DOUBLE);
CREATE PUMP "P" AS INSERT INTO "OUT"
SELECT STREAM symbol, COUNT(*), MAX(price) FROM "SOURCE_SQL_STREAM_001" AS s
GROUP BY symbol, STEP(s.ROWTIME BY INTERVAL '2' SECOND);
"""
COUNTED = [("10:00:02", "WAVE", 2, 12.5), ("10:00:02", "GRID", 1, 7.5), ("10:00:04", "WAVE", 1, 20.0)]


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], str]:
    """Writes a program to a file; its path."""

    def write(text: str) -> str:
        (tmp_path / "program.sql").write_text(text)
        return str(tmp_path / "program.sql")

    return write


@pytest.fixture
def application(
    command: CommandLine, stream: str, program: Callable[[str], str], tmp_path: Path
) -> Iterator[tuple[str, str]]:
    """The names of a running application and of the stream that it copies."""
    (tmp_path / "schema.json").write_text(json.dumps({"InputSchema": schema(COLUMNS)}))
    made = command(
        *("app", "create", "copy", "--source", stream, "--code", program(COPY)),
        *("--schema", str(tmp_path / "schema.json")),
    )
    assert f"copy reads {stream} as SOURCE_SQL_STREAM_001 (K VARCHAR(16), N BIGINT)" in made.stdout
    assert "copy runs: `millstream app tail copy` shows its results" in made.stdout
    yield "copy", stream
    if "copy" in command("app", "list").stdout:
        command("app", "delete", "copy")


def counted(output: str) -> list[tuple[str, str, int, float]]:
    rows = [json.loads(line) for line in output.splitlines()]
    return [(row["ROWTIME"][11:19], row["SYMBOL"], row["C"], row["HIGHEST"]) for row in rows]


def test_an_application_from_create_to_delete(
    command: CommandLine,
    application: tuple[str, str],
    make_stream: Callable[..., str],
    kinesis: Kinesis,
    program: Callable[[str], str],
) -> None:
    name, stream = application
    command("put", stream, "--file", lines='{"k": "a", "n": 1}\n{"k": "b", "n": 2}\n')
    tailed = command("app", "tail", name, "-n", "2").stdout.splitlines()
    assert [json.loads(line)["N"] for line in tailed] == [1, 2]
    assert re.search(r"copy +RUNNING", command("app", "list").stdout)
    target = make_stream()
    assert command("app", "route", name, f"OUT=stream:{target}").stdout == f"copy sends OUT to stream:{target}\n"
    command("put", stream, '{"k": "c", "n": 3}')
    (record,) = wait_for(lambda: read_shard(kinesis, target), "a result")
    assert json.loads(record["Data"]) == {"K": "c", "N": 3}
    shown = command("app", "show", name).stdout
    for text in (f"stream/{stream} as SOURCE_SQL_STREAM_001", "N BIGINT  $.n", f"stream/{target} from OUT", "process "):
        assert text in shown
    changed = program(COPY.replace("k, n FROM", "k, n * 10 FROM"))
    assert command("app", "update", name, "--code", changed).stdout == "copy has its new program\n"
    command("app", "stop", name)
    command("put", stream, '{"k": "d", "n": 4}')
    assert re.search(r"copy +READY", command("app", "list").stdout)
    refused = command("app", "tail", name, fails=True)
    assert "copy is READY; it has to be RUNNING" in refused.stderr
    command("app", "start", name, "--from", "last")
    assert json.loads(command("app", "tail", name, "-n", "1").stdout)["N"] == 40
    assert command("app", "delete", name).stdout == "copy is deleted\n"
    assert "there are no applications" in command("app", "list").stdout


def test_tail_goes_on_through_the_end_of_the_process(
    application: tuple[str, str], command: CommandLine, environment: dict[str, str]
) -> None:
    name, stream = application
    command("put", stream, "--file", lines="".join(f'{{"k": "a", "n": {n}}}\n' for n in range(20)))
    with subprocess.Popen(
        [str(COMMAND), "app", "tail", name, "-n", "30"], stdout=subprocess.PIPE, env=environment, text=True
    ) as tail:
        assert tail.stdout is not None
        assert json.loads(tail.stdout.readline())["K"] == "a"
        found = re.search(r"process (\d+)", wait_for(lambda: _with_process(command, name), "a process"))
        assert found is not None
        os.kill(int(found[1]), signal.SIGKILL)
        command("put", stream, "--file", lines="".join(f'{{"k": "b", "n": {n}}}\n' for n in range(20)))
        lines = tail.communicate(timeout=30)[0].splitlines()
    assert tail.returncode == 0
    assert any(json.loads(line)["K"] == "b" for line in lines)


def _with_process(command: CommandLine, name: str) -> str:
    shown = command("app", "show", name).stdout
    return shown if "process " in shown else ""


def test_what_app_says_of_mistakes(
    command: CommandLine, stream: str, program: Callable[[str], str], tmp_path: Path
) -> None:
    none = command("app", "show", "nobody", fails=True)
    assert "nobody" in none.stderr
    assert "not found" in none.stderr
    bad_schema = tmp_path / "schema.json"
    bad_schema.write_text("{")
    create = ("app", "create", "one", "--source", stream)
    for arguments, said in [
        ((*create, "--code", "no-such-file", "--schema", str(bad_schema)), "no-such-file: No such file"),
        ((*create, "--code", program(COPY), "--schema", str(bad_schema)), "schema.json is not JSON"),
        ((*create, "--code", program(COPY), "--schema", "missing.json"), "missing.json: No such file"),
        ((*create, "--code", program(COPY)), "the schema cannot be discovered"),
        (("app", "create", "one", "--source", "gone", "--code", program(COPY)), "gone"),
        (("app", "create", "one", "--source", "function:f", "--code", program(COPY)), "cannot be a source"),
        (("app", "list", "--endpoint", "http://127.0.0.1:1"), "no server at http://127.0.0.1:1"),
        (("app", "tail", "nobody"), "nobody"),
    ]:
        refused = command(*arguments, fails=True)
        assert said in refused.stderr, (arguments, refused.stderr)
        assert "Traceback" not in refused.stderr
    bad_schema.write_text(json.dumps(schema(COLUMNS)))
    wrong = command(
        *create, "--code", program(COPY.replace("k, n FROM", "k, m FROM")), "--schema", str(bad_schema), fails=True
    )
    assert "2:58: There is no column M" in wrong.stderr
    route = command("app", "route", "one", "OUT", fails=True)
    assert "IN_APP_STREAM=stream:NAME" in route.stderr


def test_sql_run_prints_what_a_program_makes_of_a_file(
    command: CommandLine, program: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "ticks.jsonl").write_text(TICKS)
    run = ("sql", "run", program(WINDOWS), "--input", str(tmp_path / "ticks.jsonl"))
    assert counted(command(*run).stdout) == COUNTED
    both = command(*run, "--stream", "OUT", "--stream", "SOURCE_SQL_STREAM_001").stdout.splitlines()
    assert {json.loads(line)["STREAM"] for line in both} == {"OUT", "SOURCE_SQL_STREAM_001"}
    assert len(both) == len(COUNTED) + 4
    unknown = command(*run, "--stream", "NOWHERE", fails=True)
    assert "there is no stream NOWHERE; there are" in unknown.stderr


def test_sql_run_reads_stdin_a_schema_another_time_and_a_reference_table(
    command: CommandLine, program: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "schema.json").write_text(
        json.dumps(schema({"symbol": "VARCHAR(8)", "price": "DOUBLE", "at": "TIMESTAMP"}))
    )
    (tmp_path / "names.csv").write_text("symbol,company\nWAVE,Wave Energy\n")
    joined = (
        'SELECT STREAM s.symbol, c.company FROM "SOURCE_SQL_STREAM_001" AS s LEFT JOIN "NAMES" AS c '
        "ON s.symbol = c.symbol;"
    )
    rows = [("WAVE", "2026-11-23 10:00:00"), ("GRID", "2026-11-23 10:00:09")]
    lines = "".join(json.dumps({"symbol": symbol, "price": 1, "at": at}) + "\n" for symbol, at in rows)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    ran = command(
        *("sql", "run", program(joined), "--input", "-", "--schema", str(tmp_path / "schema.json")),
        *("--rowtime", "at", "--reference", f"NAMES={tmp_path / 'names.csv'}"),
    )
    joined_rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [(row["ROWTIME"][11:19], row["SYMBOL"], row["COMPANY"]) for row in joined_rows] == [
        ("10:00:00", "WAVE", "Wave Energy"),
        ("10:00:09", "GRID", None),
    ]


def test_sql_run_at_the_pace_of_the_rows(command: CommandLine, program: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "ticks.jsonl").write_text("".join(TICKS.splitlines(keepends=True)[:3]))
    began_s = time.monotonic()
    ran = command("sql", "run", program(WINDOWS), "--input", str(tmp_path / "ticks.jsonl"), "--speed", "real")
    assert counted(ran.stdout) == COUNTED[:2]
    assert time.monotonic() - began_s >= 1


def test_rows_that_fail_are_counted_and_shown(
    command: CommandLine, program: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "ticks.jsonl").write_text(TICKS + "no JSON\n")
    run = ("sql", "run", program(WINDOWS), "--input", str(tmp_path / "ticks.jsonl"))
    assert "1 row failed (--stream error_stream shows why): The record is not JSON" in command(*run).stderr
    (line,) = command(*run, "--stream", "error_stream").stdout.splitlines()
    assert json.loads(line)["ERROR_NAME"] == "DATA_ERROR"


def test_sql_check_explain_and_templates(command: CommandLine, program: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "ticks.jsonl").write_text(TICKS)
    path = program(WINDOWS)
    with_input = ("--input", str(tmp_path / "ticks.jsonl"))
    assert command("sql", "check", path, *with_input).stdout == f"{path}: fine; 1 stream, 1 pump\n"
    assert "Tumble" in command("sql", "explain", path, *with_input).stdout
    wrong = command("sql", "check", path, fails=True)  # the demo stream's schema
    assert f"{path}:4:10: There is no column SYMBOL" in wrong.stderr
    listed = command("sql", "templates").stdout
    assert "tumbling-window" in listed
    for line in listed.splitlines():
        assert command("sql", "check", line.split()[0]).stdout.split(": ")[1].startswith("fine")
    assert command("sql", "templates", "simple-alert").stdout.startswith("-- ")
    assert "there is no template nothing" in command("sql", "templates", "nothing", fails=True).stderr


def test_what_sql_says_of_mistakes(command: CommandLine, program: Callable[[str], str], tmp_path: Path) -> None:
    path = program(WINDOWS)
    (tmp_path / "empty").write_text("")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for arguments, said in [
        (("sql", "run", path, "--input", "missing.jsonl"), "missing.jsonl: No such file"),
        (("sql", "run", path, "--input", str(tmp_path / "empty")), "cannot be told"),
        (("sql", "run", str(tmp_path / "binary"), "--input", "x"), "is not a text in UTF-8"),
        (("sql", "run", "-", "--input", "-"), "cannot both come from stdin"),
        (("sql", "check", "tumbling-windows"), "tumbling-window"),
        (("sql", "check", path, "--schema", str(tmp_path / "empty")), "is not JSON"),
        (("sql", "check", path, "--reference", "nothing"), "NAME=FILE"),
        (("sql", "check", path, "--reference", "A=missing.csv"), "missing.csv"),
        (("sql", "check", program("SELECT")), "1:"),
    ]:
        refused = command(*arguments, fails=True)
        assert said in refused.stderr, (arguments, refused.stderr)
        assert "Traceback" not in refused.stderr


def test_sql_run_ends_quietly_when_nobody_reads_on(
    environment: dict[str, str], program: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "many.jsonl").write_text(TICKS * 5_000)
    command = (
        f"{COMMAND} sql run {program('SELECT STREAM * FROM SOURCE_SQL_STREAM_001;')} --input {tmp_path}/many.jsonl"
    )
    ran = subprocess.run(
        ["sh", "-c", f"{command} | head -n 2"], capture_output=True, text=True, env=environment, timeout=60
    )
    assert len(ran.stdout.splitlines()) == 2
    assert ran.stderr == ""
