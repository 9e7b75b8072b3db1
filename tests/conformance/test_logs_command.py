"""`millstream logs` on a live server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from millstream.cli.logstail import since_ms
from support.clients import client
from support.commandline import CommandLine

if TYPE_CHECKING:
    from support.server import Server


@pytest.fixture
def logs(server: Server, account: str) -> Any:
    return client("logs", server.url, account, "us-east-1")


def put(logs: Any, stream: str, *messages: str, age_ms: int = 0) -> None:
    now_ms = time.time_ns() // 1_000_000 - age_ms
    events = [{"timestamp": now_ms + n, "message": message} for n, message in enumerate(messages)]
    logs.put_log_events(logGroupName="web", logStreamName=stream, logEvents=events)


def test_no_groups(command: CommandLine) -> None:
    assert "aws logs create-log-group" in command("logs", "list").stdout
    assert "does not exist" in command("logs", "tail", "web", fails=True).stderr


def test_list_and_tail(logs: Any, command: CommandLine) -> None:
    logs.create_log_group(logGroupName="web")
    logs.put_retention_policy(logGroupName="web", retentionInDays=7)
    for stream in ("one", "two"):
        logs.create_log_stream(logGroupName="web", logStreamName=stream)
    put(logs, "one", "GET /a 200", "GET /b 500\n")
    put(logs, "two", "GET /c 200", age_ms=3_600_000)
    assert "web" in command("logs", "list").stdout
    assert "7 d" in command("logs", "list").stdout

    def tail(*options: str) -> list[str]:
        return command("logs", "tail", "web", "--no-follow", "--raw", *options).stdout.splitlines()

    assert tail() == ["GET /a 200", "GET /b 500"]
    assert tail("--since", "2h") == ["GET /c 200", "GET /a 200", "GET /b 500"]
    assert tail("--since", "0", "--filter", "200") == ["GET /c 200", "GET /a 200"]
    assert tail("--since", "0", "--stream", "two") == ["GET /c 200"]
    line = command("logs", "tail", "web", "--no-follow", "--filter", "500").stdout
    assert line.endswith(" one GET /b 500\n")
    assert "Invalid filter pattern" in command("logs", "tail", "web", "--filter", "{ x", fails=True).stderr


def test_ages() -> None:
    assert since_ms("10m", 1_000_000_000) == 1_000_000_000 - 600_000
    assert since_ms("0", 5) == 0
    assert since_ms("999d", 5) == 0


def test_no_age(command: CommandLine) -> None:
    assert "it should look like 30s" in command("logs", "tail", "web", "--since", "soon", fails=True).stderr
