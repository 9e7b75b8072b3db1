"""`millstream app tail`, `list` and `show`: looking at applications."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from millstream.cli.applicationcommands import describe
from millstream.cli.client import ANALYTICS, MILLSTREAM, CallError, Client, connect
from millstream.cli.deliver_watch import size_text

_POLL_S = 0.2
_ROWS_MAX = 500
_USUAL = "DESTINATION_SQL_STREAM"
_FIRST_ROWS = 10


def run_tail(
    endpoint: str | None, environment: Mapping[str, str], name: str, stream: str | None, count: int | None
) -> None:
    """Print rows until interrupted, or until there were `count`. Raises CommandError."""
    asyncio.run(_tail(endpoint, environment, name, stream, count))


def run_list(endpoint: str | None, environment: Mapping[str, str]) -> None:
    """Print a line for each application."""
    asyncio.run(_list(endpoint, environment))


def run_show(endpoint: str | None, environment: Mapping[str, str], name: str) -> None:
    """Print all that there is to say of an application."""
    asyncio.run(_show(endpoint, environment, name))


async def _tail(
    endpoint: str | None, environment: Mapping[str, str], name: str, stream: str | None, count: int | None
) -> None:
    async with connect(endpoint, environment, MILLSTREAM) as client:
        stream = stream or await _usual_stream(client, name)
        rows_max = min(count or _FIRST_ROWS, _ROWS_MAX)
        answer = await _rows(client, name, stream, Limit=rows_max)
        shown = 0
        while True:
            for row in answer["Rows"]:
                sys.stdout.write(row + "\n")
                shown += 1
                if shown == count:
                    return
            sys.stdout.flush()
            if not answer["Rows"]:
                await asyncio.sleep(_POLL_S)
            answer = await _rows(client, name, stream, After=answer["Next"], Limit=_ROWS_MAX)


async def _usual_stream(client: Client, name: str) -> str:
    streams = (await _rows(client, name, "error_stream", Limit=1))["Streams"]
    own = [each for each in streams if each != "error_stream"]
    return _USUAL if _USUAL in streams else own[-1]


async def _rows(client: Client, name: str, stream: str, **more: int) -> dict[str, Any]:
    """GetApplicationRows, once its process answers: one that has just died is soon there again."""
    while True:
        try:
            return await client.call("GetApplicationRows", ApplicationName=name, InAppStreamName=stream, **more)
        except CallError as error:
            if error.code != "ResourceInUseException" or not await _is_wanted(client, name):
                raise
        await asyncio.sleep(_POLL_S)


async def _is_wanted(client: Client, name: str) -> bool:
    return (await _progress(client, name))["ApplicationStatus"] in ("STARTING", "RUNNING", "UPDATING")


async def _list(endpoint: str | None, environment: Mapping[str, str]) -> None:
    async with connect(endpoint, environment, ANALYTICS) as client:
        names: list[str] = []
        while True:
            start = {"ExclusiveStartApplicationName": names[-1]} if names else {}
            answer = await client.call("ListApplications", **start)
            names += [each["ApplicationName"] for each in answer["ApplicationSummaries"]]
            if not answer["HasMoreApplications"]:
                break
        if not names:
            print("there are no applications: `millstream app create NAME --source STREAM --code FILE`")
        width = max((len(name) for name in names), default=0)
        for name in names:
            print(f"{name:<{width}}  {_line(await _progress(client, name))}")


async def _progress(client: Client, name: str) -> dict[str, Any]:
    return await client.of(MILLSTREAM).call("DescribeApplicationProgress", ApplicationName=name)


def _line(progress: dict[str, Any]) -> str:
    status = str(progress["ApplicationStatus"])
    if "Failure" in progress:
        return f"{status}  it failed: {progress['Failure'].splitlines()[0]}"
    if "RowsIn" not in progress:
        return status
    behind = f"{progress['BehindMs'] / 1000:.1f} s behind" if progress["BehindMs"] else "up to date"
    failed = f", {progress['Errors']} failed" if progress["Errors"] else ""
    return f"{status}  {progress['RowsIn']} rows in, {progress['RowsOut']} out, {behind}{failed}"


async def _show(endpoint: str | None, environment: Mapping[str, str], name: str) -> None:
    async with connect(endpoint, environment, ANALYTICS) as client:
        detail, progress = await describe(client, name), await _progress(client, name)
    print(f"{name}, version {detail['ApplicationVersionId']}: {_line(progress)}")
    for source in detail.get("InputDescriptions", []):
        print(f"  from  {_resource(source)} as {', '.join(source['InAppStreamNames'])}")
        for column in source["InputSchema"]["RecordColumns"]:
            print(f"          {column['Name']} {column['SqlType']}  {column.get('Mapping', '')}".rstrip())
    for table in detail.get("ReferenceDataSourceDescriptions", []):
        where = table["S3ReferenceDataSourceDescription"]
        print(f"  with  {table['TableName']} from s3://{where['BucketARN'].rpartition(':')[2]}/{where['FileKey']}")
    for output in detail.get("OutputDescriptions", []):
        print(f"  to    {_resource(output)} from {output['Name']}")
    for stream, rows in progress.get("Streams", {}).items():
        print(f"  {rows:>10} rows in {stream}")
    if "ProcessId" in progress and "MemoryBytes" in progress:
        memory, state = size_text(progress["MemoryBytes"]), size_text(progress["StateBytes"])
        print(f"  process {progress['ProcessId']}: {memory} of memory, {state} of it in windows")


def _resource(described: dict[str, Any]) -> str:
    found = next(each for key, each in described.items() if key.endswith(("InputDescription", "OutputDescription")))
    return str(found["ResourceARN"])
