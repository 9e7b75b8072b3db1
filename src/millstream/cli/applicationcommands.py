"""`millstream app create`, `start`, `stop`, `update`, `route`, `delete`: what they do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from millstream.cli.client import ANALYTICS, MILLSTREAM, CallError, Client, connect
from millstream.cli.errors import CommandError, UsageError
from millstream.wire.request import DEFAULT_REGION, account_of

PREFIX = "SOURCE_SQL_STREAM"
_ROLE = "arn:aws:iam::{account}:role/millstream"  # the API wants one; nobody assumes it
_POSITIONS = {"now": "NOW", "trim-horizon": "TRIM_HORIZON", "last": "LAST_STOPPED_POINT"}
_POLL_S = 0.1
_WAIT_S_MAX = 60.0


class Wanted(NamedTuple):
    """What `create` is asked for."""

    name: str
    source: str
    code: Path
    outputs: list[str]
    schema: Path | None
    parallelism: int
    start: bool


def run_create(endpoint: str | None, environment: Mapping[str, str], wanted: Wanted) -> None:
    """Make the application, start it if that is wanted, and say how to go on. Raises CommandError."""
    asyncio.run(_create(endpoint, environment, wanted))


def run_start(endpoint: str | None, environment: Mapping[str, str], name: str, begin: str) -> None:
    """Start the application and wait until it runs. Raises CommandError."""
    asyncio.run(_with_client(endpoint, environment, lambda client: _start(client, name, begin)))


def run_stop(endpoint: str | None, environment: Mapping[str, str], name: str) -> None:
    """Stop the application and wait until it has."""

    async def stop(client: Client) -> None:
        await client.call("StopApplication", ApplicationName=name)
        await _wait(client, name, "READY")
        print(f"{name} has stopped: `millstream app start {name} --from last` goes on from there")

    asyncio.run(_with_client(endpoint, environment, stop))


def run_update(endpoint: str | None, environment: Mapping[str, str], name: str, code: Path) -> None:
    """Give the application another program."""
    program = _program(code)

    async def update(client: Client) -> None:
        detail = await describe(client, name)
        await client.call(
            "UpdateApplication",
            ApplicationName=name,
            CurrentApplicationVersionId=detail["ApplicationVersionId"],
            ApplicationUpdate={"ApplicationCodeUpdate": program},
        )
        if detail["ApplicationStatus"] != "READY":
            await _wait(client, name, "RUNNING")
        print(f"{name} has its new program")

    asyncio.run(_with_client(endpoint, environment, update))


def run_route(endpoint: str | None, environment: Mapping[str, str], name: str, output: str) -> None:
    """Add an output."""
    stream, target = _ends(output)

    async def route(client: Client) -> None:
        detail = await describe(client, name)
        await client.call(
            "AddApplicationOutput",
            ApplicationName=name,
            CurrentApplicationVersionId=detail["ApplicationVersionId"],
            Output=_output(output, client),
        )
        if detail["ApplicationStatus"] != "READY":
            await _wait(client, name, "RUNNING")
        print(f"{name} sends {stream} to {target}")

    asyncio.run(_with_client(endpoint, environment, route))


def run_delete(endpoint: str | None, environment: Mapping[str, str], name: str) -> None:
    """Delete the application and wait until it is gone."""

    async def delete(client: Client) -> None:
        detail = await describe(client, name)
        await client.call("DeleteApplication", ApplicationName=name, CreateTimestamp=detail["CreateTimestamp"])
        await _gone(client, name)
        print(f"{name} is deleted")

    asyncio.run(_with_client(endpoint, environment, delete))


async def describe(client: Client, name: str) -> dict[str, Any]:
    """ApplicationDetail."""
    found: dict[str, Any] = (await client.call("DescribeApplication", ApplicationName=name))["ApplicationDetail"]
    return found


def arn_of(client: Client, target: str) -> tuple[str, str]:
    """The kind ("stream", "firehose", "function") and the ARN of `kind:name`, of an ARN, or of a stream's name."""
    account, region = account_of(client.target.access_key_id), client.target.region or DEFAULT_REGION
    if target.startswith("arn:"):
        service = target.split(":")[2]
        return {"kinesis": "stream", "firehose": "firehose", "lambda": "function"}.get(service, service), target
    kind, colon, name = target.partition(":")
    if not colon:
        kind, name = "stream", target
    arns = {
        "stream": f"arn:aws:kinesis:{region}:{account}:stream/{name}",
        "firehose": f"arn:aws:firehose:{region}:{account}:deliverystream/{name}",
        "function": f"arn:aws:lambda:{region}:{account}:function:{name}",
    }
    if kind not in arns or not name:
        raise UsageError(f"{target} has to be stream:NAME, firehose:NAME or function:NAME")
    return kind, arns[kind]


async def _with_client(endpoint: str | None, environment: Mapping[str, str], work: Any) -> None:
    async with connect(endpoint, environment, ANALYTICS) as client:
        await work(client)


async def _create(endpoint: str | None, environment: Mapping[str, str], wanted: Wanted) -> None:
    program = _program(wanted.code)
    async with connect(endpoint, environment, ANALYTICS) as client:
        role = _role(client)
        kind, arn = arn_of(client, wanted.source)
        if kind not in ("stream", "firehose"):
            raise UsageError(f"{wanted.source} cannot be a source: it has to be a data stream or firehose:NAME")
        schema = await _schema(client, arn, role, wanted.schema)
        member = "KinesisStreamsInput" if kind == "stream" else "KinesisFirehoseInput"
        source = {
            "NamePrefix": PREFIX,
            member: {"ResourceARN": arn, "RoleARN": role},
            "InputSchema": schema,
            "InputParallelism": {"Count": wanted.parallelism},
        }
        outputs = [_output(output, client) for output in wanted.outputs]
        await client.call(
            "CreateApplication",
            ApplicationName=wanted.name,
            ApplicationCode=program,
            Inputs=[source],
            Outputs=outputs,
        )
        columns = ", ".join(f"{column['Name']} {column['SqlType']}" for column in schema["RecordColumns"])
        print(f"{wanted.name} reads {wanted.source} as {PREFIX}_001 ({columns})")
        if wanted.start:
            await _start(client, wanted.name, "now")


async def _start(client: Client, name: str, begin: str) -> None:
    detail = await describe(client, name)
    if not detail.get("InputDescriptions"):
        raise CommandError(f"{name} has no input: add one with AddApplicationInput")
    configurations = [
        {
            "Id": each["InputId"],
            "InputStartingPositionConfiguration": {"InputStartingPosition": _POSITIONS[begin]},
        }
        for each in detail["InputDescriptions"]
    ]
    await client.call("StartApplication", ApplicationName=name, InputConfigurations=configurations)
    await _wait(client, name, "RUNNING")
    print(f"{name} runs: `millstream app tail {name}` shows its results")


async def _wait(client: Client, name: str, status: str) -> None:
    """Return once the application has that status. Raises CommandError if it fails on the way."""
    deadline_s = asyncio.get_running_loop().time() + _WAIT_S_MAX
    while asyncio.get_running_loop().time() < deadline_s:
        now = (await describe(client, name))["ApplicationStatus"]
        if now == status:
            return
        if now == "READY":
            progress = await client.of(MILLSTREAM).call("DescribeApplicationProgress", ApplicationName=name)
            raise CommandError(f"{name} stopped: {progress.get('Failure', 'somebody stopped it')}")
        await asyncio.sleep(_POLL_S)
    raise CommandError(f"{name} is not {status} after {_WAIT_S_MAX:g} s: see the server's log")


async def _gone(client: Client, name: str) -> None:
    while True:
        try:
            await describe(client, name)
        except CallError as error:
            if error.code == "ResourceNotFoundException":
                return
            raise
        await asyncio.sleep(_POLL_S)


async def _schema(client: Client, arn: str, role: str, file: Path | None) -> dict[str, Any]:
    if file is None:
        position = {"InputStartingPosition": "NOW"}
        try:
            answer = await client.call(
                "DiscoverInputSchema", ResourceARN=arn, RoleARN=role, InputStartingPositionConfiguration=position
            )
        except CallError as error:
            if error.code == "UnableToDetectSchemaException":
                raise CommandError(f"the schema cannot be discovered: {error}; give --schema") from error
            raise
        discovered: dict[str, Any] = answer["InputSchema"]
        return discovered
    try:
        document = json.loads(file.read_text())
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise CommandError(f"{file} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise CommandError(f"{file} is not an InputSchema: it has to be an object with RecordFormat and RecordColumns")
    found: dict[str, Any] = document.get("InputSchema", document)
    return found


def _program(path: Path) -> str:
    from millstream.cli.sqlsources import read_program  # noqa: PLC0415 - what only looks need not load the language

    return read_program(path)


def _ends(option: str) -> tuple[str, str]:
    """The in-application stream and the target of an --output. Raises UsageError."""
    stream, _, target = option.partition("=")
    if not stream or not target:
        raise UsageError(f"{option}: it has to be IN_APP_STREAM=stream:NAME, =firehose:NAME or =function:NAME")
    return stream, target


def _output(option: str, client: Client) -> dict[str, Any]:
    stream, target = _ends(option)
    kind, arn = arn_of(client, target)
    members = {"stream": "KinesisStreamsOutput", "firehose": "KinesisFirehoseOutput", "function": "LambdaOutput"}
    return {
        "Name": stream,
        members[kind]: {"ResourceARN": arn, "RoleARN": _role(client)},
        "DestinationSchema": {"RecordFormatType": "JSON"},
    }


def _role(client: Client) -> str:
    return _ROLE.format(account=account_of(client.target.access_key_id))
