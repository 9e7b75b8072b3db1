"""`millstream logs`: what log groups there are, and events as they come, through the public API."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import sys
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Column, Table

from millstream.base.units import KIB
from millstream.cli.client import LOGS, CallError, Client, Unreachable, back_off, connect
from millstream.cli.errors import UsageError

_POLL_S = 0.5
_LATE_MS = 10_000  # an event may be put so long after its own time and is still shown
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

Event = dict[str, Any]


class Wanted(NamedTuple):
    """What of a log group is to be shown."""

    group: str
    streams: list[str] | None
    pattern: str | None
    since: str
    follow: bool
    raw: bool


def run_list(endpoint: str | None, environment: Mapping[str, str]) -> None:
    """Print a table of the log groups. Raises CommandError."""
    groups = asyncio.run(_groups(endpoint, environment))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)  # programs have room for long names
    if not groups:
        console.print("No log groups. Make one: aws logs create-log-group --log-group-name first")
        return
    table = Table(Column("LOG GROUP", overflow="fold"), box=None, header_style="dim", pad_edge=False)
    for heading in ("RETENTION", "KIB", "CREATED"):
        table.add_column(heading, justify="right")
    for group in groups:
        days = group.get("retentionInDays")
        size = f"{group.get('storedBytes', 0) / KIB:,.1f}"
        table.add_row(group["logGroupName"], f"{days} d" if days else "for ever", size, _time(group["creationTime"]))
    console.print(table)


async def _groups(endpoint: str | None, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    async with connect(endpoint, environment, LOGS) as client:
        return [group async for group in _pages(client, "DescribeLogGroups", "logGroups", {})]


def since_ms(age: str, now_ms: int) -> int:
    """The time that is `age` (30s, 10m, 3h, 2d) before `now_ms`; 0 for "0". Raises UsageError."""
    found = re.fullmatch(r"(\d{1,9})([smhd])", age)
    if age == "0":
        return 0
    if found is None:
        raise UsageError(f"--since {age!r} is no age: it should look like 30s, 10m, 3h or 2d")
    return max(0, now_ms - int(found[1]) * _UNITS_S[found[2]] * 1000)


def run_logs_tail(endpoint: str | None, environment: Mapping[str, str], wanted: Wanted) -> None:
    """Print events until interrupted; without `follow` those that are there. Raises CommandError."""
    start_ms = since_ms(wanted.since, time.time_ns() // 1_000_000)
    asyncio.run(_tail(endpoint, environment, wanted, start_ms))


async def _tail(endpoint: str | None, environment: Mapping[str, str], wanted: Wanted, start_ms: int) -> None:
    async with connect(endpoint, environment, LOGS) as client:
        tail = LogTail(client, wanted, start_ms)
        while True:
            for event in await tail.news():
                print(line_of(event, raw=wanted.raw))
            sys.stdout.flush()
            if not wanted.follow:
                return
            await asyncio.sleep(_POLL_S)


class LogTail:
    """Asks for events again and again, from a little before the newest seen, and gives each once."""

    def __init__(self, client: Client, wanted: Wanted, start_ms: int) -> None:
        self._client = client
        self._start_ms = start_ms
        self._params = {
            "logGroupName": wanted.group,
            "logStreamNames": wanted.streams or None,
            "filterPattern": wanted.pattern,
        }
        self._seen: dict[str, int] = {}  # times of events that may be met again, by id
        self._is_lost = False

    async def news(self) -> list[Event]:
        """Events that were not given before, in order of time; waits while the server is away."""
        attempt = 0
        while True:
            try:
                found = await self._ask()
                break
            except CallError as error:
                if not error.is_passing:
                    raise
            except Unreachable as error:
                if not self._seen and not self._is_lost:
                    raise
                if not self._is_lost:
                    print(f"millstream: {error}; waiting for it to return", file=sys.stderr)
                self._is_lost = True
            await back_off(attempt)
            attempt += 1
        self._is_lost = False
        new = [event for event in found if event["eventId"] not in self._seen]
        self._seen.update((event["eventId"], event["timestamp"]) for event in new)
        newest_ms = max(self._seen.values(), default=self._start_ms)
        self._start_ms = max(self._start_ms, newest_ms - _LATE_MS)
        self._seen = {key: time_ms for key, time_ms in self._seen.items() if time_ms >= self._start_ms}
        return new

    async def _ask(self) -> list[Event]:
        params = {**self._params, "startTime": self._start_ms}
        return [event async for event in _pages(self._client, "FilterLogEvents", "events", params)]


async def _pages(client: Client, operation: str, key: str, params: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """The members of list `key` of all pages: CloudWatch Logs takes the parameters again with each token."""
    token = None
    while True:
        output = await client.call_patiently(operation, **params, nextToken=token)
        for member in output.get(key, []):
            yield member
        token = output.get("nextToken")
        if token is None:
            return


def line_of(event: Event, *, raw: bool) -> str:
    """An event as a line: its time, its log stream, its message without the line end."""
    message: str = event["message"].rstrip("\r\n")
    return message if raw else f"{_time(event['timestamp'])} {event['logStreamName']} {message}"


def _time(time_ms: int) -> str:
    time = dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).astimezone()
    return time.isoformat(sep=" ", timespec="milliseconds")[:-6]
